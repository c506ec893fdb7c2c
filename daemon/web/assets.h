// The built files, as data; the source is written while building.
#pragma once

#include <span>
#include <string_view>

namespace clinic::web {

struct File {
    std::string_view name, body;
};

std::span<const File> files();

} // namespace clinic::web
