// When something ends, as people count: by its day, and how far that is.
//   Threads: any.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "crypto/base/clock.h"

namespace clinic::base {

std::string utc_day(Timestamp at);   // "2027-01-03"
std::string local_day(Timestamp at); // the same, in the zone of this process
// That day as a number, for counting; the zone's own offset at that moment counts.
std::chrono::sys_days local_date(Timestamp at);

// "ends on 2027-01-03 (in 37 days)", "ended on 2026-11-20 (7 days ago)". `left`: until it is over.
std::string ends_on(const std::string& day, Micros left);
// Of what rfc3339() wrote; nothing for other text.
std::optional<Timestamp> time_of(const std::string& text);
std::string ends_in(std::int64_t days); // "ends in 37 days", where no more is known

} // namespace clinic::base
