// What is answered to a request that passed the gate.
//   Threads: any; constant data, Health and Events are thread-safe.
#pragma once

#include <optional>
#include <string_view>

#include "daemon/api/trust.h"
#include "daemon/health/health.h"
#include "daemon/https/https_server.h"

namespace clinic::api {

// nullopt: there is nothing at this path. Live events are not a document and not here.
std::optional<https::Answer> document(health::Health& health, const Trust& trust, std::string_view path,
                                      std::string_view server_metrics);
bool is_route(const Trust& trust, std::string_view path);

inline constexpr std::string_view events_path = "/api/v1/events";

} // namespace clinic::api
