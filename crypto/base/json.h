// JSON from outside, strictly: UTF-8, no duplicate keys, bounded depth, no error text with input in it.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace clinic::base {

// Errors: malformed (not JSON, a key twice, a comment), full (longer or deeper than the bounds).
Result<nlohmann::json> parse_json(std::string_view text, std::size_t bytes_max, int depth_max);

// One line, never throws: invalid UTF-8 becomes U+FFFD.
std::string dump_json(const nlohmann::json& value);

} // namespace clinic::base
