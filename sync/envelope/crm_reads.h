// The reads of the polling, each in the one form it may have: built here, and checked by being built again.
//   Source:  facts/ghl-api §3.1, §3.3, §3.4, §4.5; docs/egress.md, "The reads of the polling".
//   Threads: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sync/envelope/frame.h"

namespace clinic::envelope {

inline constexpr int poll_page_max = 100; // things a page
inline constexpr int poll_pages_max = 10'000;

std::string changed_contacts_body(const WriteRules& rules, std::int64_t since_ms, int page, int limit);
std::string opportunities_body(const WriteRules& rules, int page, int limit);
std::string calendar_events_path(const WriteRules& rules, std::string_view calendar, std::int64_t from_ms,
                                 std::int64_t until_ms);

std::string iso_ms(std::int64_t ms); // 2026-11-21T10:00:00.000Z
// RFC 3339 with an offset or Z, to the millisecond. -1: it is none.
std::int64_t ms_of(std::string_view iso);

bool is_poll_read(Route route);
bool is_allowed_read(const WriteRules& rules, Route route, std::string_view path, std::string_view body);

} // namespace clinic::envelope
