// What is answered to a request that passed the gate.
//   Threads: any; constant data, Health and Events are thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/gate.h"
#include "daemon/api/trust.h"
#include "daemon/health/health.h"

namespace clinic::api {

struct Answer {
    int status = 200;
    std::string type;
    std::string body;
};

enum class Form : std::uint8_t { page, json }; // of an error: what the path is for

// nullopt: there is nothing at this path. Live events are not a document and not here.
std::optional<Answer> document(health::Health& health, const Trust& trust, std::string_view path,
                               std::string_view server_metrics);
bool is_route(const Trust& trust, std::string_view path);
Answer refusal(const Refusal& why, Form form);
Form form_of(std::string_view path);

inline constexpr std::string_view events_path = "/api/v1/events";
inline constexpr Refusal not_found{404, "not_found", "refused.not_found"};
inline constexpr Refusal too_many{503, "too_many_viewers", "refused.busy"};

} // namespace clinic::api
