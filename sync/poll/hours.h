// The clinic's hours, and how long the polling may wait by them.
//   Form:    "mon-fri 08:00-18:00", "mon,wed-fri 07:30-19:00"; local time of the box.
//   Bounds:  a round a quarter of a minute at the most; see `wait_after`.
//   Threads: values; any.
//   Source:  facts/ghl-api §2.1, §4.5; docs/crm.md, "How often".
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

#include "crypto/base/clock.h"

namespace clinic::poll {

class Hours {
public:
    static std::optional<Hours> parse(std::string_view text);
    bool hold(const std::tm& local) const;

private:
    unsigned days_ = 0;        // bit 0: Sunday
    int from_ = 0, until_ = 0; // minutes of the day
};

struct Pace {
    base::Micros busy = std::chrono::seconds{45};   // in the clinic's hours: seen within 60 s
    base::Micros quiet = std::chrono::seconds{240}; // else: within 5 minutes
    double busy_share = 0.15, quiet_share = 0.03;   // of the day's requests, were it always so
};

// A round that took more requests is followed by a longer wait, so that the share holds.
base::Micros wait_after(const Pace& pace, bool in_hours, std::int64_t requests);

} // namespace clinic::poll
