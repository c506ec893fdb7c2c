// What a request's head must be before any route looks at it. The library's parser is lenient (facts/poco §4):
// whatever two readers could take for two different requests is refused here and the connection closed.
//   Threads: values; any.
//   Source:  RFC 9112 §3.2, §6.1-6.3, §11.2; design, "Bounds".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/listener/head.h"

namespace clinic::https {

using listener::Head;

struct Refusal {
    int status;
    std::string_view code; // in the answer's JSON: "bad_request", "method_not_allowed", "wrong_host"
    std::string_view word; // the catalogue's key
};

// nullopt: a route may look at it. `names`: host names of the box, lower case, besides localhost and numeric addresses.
std::optional<Refusal> examine(const Head& head, const std::vector<std::string>& names);

} // namespace clinic::https
