// What a test packs, so that a search has to unpack it.
#pragma once

#include <string>

namespace clinic::support {

std::string gzip(const std::string& text);

} // namespace clinic::support
