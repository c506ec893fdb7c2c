// A support bundle: what is in it, and how it is written.
//   Form:    docs/bundle.md. A line of JSON, the manifest; then the contents one after the other, in its order.
//   Bounds:  item_bytes_max of one, bundle_bytes_max of all.
//   Errors:  pack: full. unpack: malformed (no bundle), newer, tampered (a content is not what the manifest says).
//   Threads: any; values.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::bundle {

inline constexpr std::size_t item_bytes_max = 1'048'576, bundle_bytes_max = 8 * 1'048'576;

struct Item {
    Literal id;     // "status"
    Literal source; // where it is from
    Literal safe;   // why nobody's data can be in it
    std::string body = {};
    Literal missing = ""; // why there is none
};

struct Heading {
    std::string version; // of clinicctl
    Timestamp made{};
    bool audited = false; // clinicd's audit trail knows of it
};

nlohmann::json manifest(const Heading& heading, const std::vector<Item>& items);
Result<std::string> pack(const Heading& heading, const std::vector<Item>& items);

struct Unpacked {
    nlohmann::json manifest;
    std::vector<std::pair<std::string, std::string>> contents; // by id, in the order of the manifest
};
Result<Unpacked> unpack(std::string_view packed);

} // namespace clinic::bundle
