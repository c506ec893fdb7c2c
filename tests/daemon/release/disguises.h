// The ways a text can be written so that it still says the same, for the tests of the last check.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace clinic::release::testing {

struct Disguise {
    const char* name;
    std::function<std::string(std::string_view)> put_on;
};

// For any text.
const std::vector<Disguise>& disguises();
// For numbers alone: other groupings of the digits.
const std::vector<Disguise>& groupings();
// Those whose result stands as one token of letters, digits, '-' and '_': what a path can carry.
std::vector<Disguise> path_disguises();

std::string base64(std::string_view bytes, bool url);

} // namespace clinic::release::testing
