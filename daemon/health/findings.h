// What is the matter, found from a Status: root causes alone, what follows from them left out.
//   Threads: values; any.
//   Source:  ui.md, "One cause, not twelve alarms"; docs/events.md.
#pragma once

#include <chrono>
#include <map>
#include <string_view>
#include <vector>

#include "daemon/health/health.h"

namespace clinic::health {

struct Finding {
    std::string_view code; // E####, a literal
    Tone tone;
    std::int64_t n = 0;
    std::chrono::seconds visible_after{0}; // it must last this long to be news
};

// Most serious first.
std::vector<Finding> findings(const Status& status);

// How GHL's lane is, by the code clinic-syncd gave.
enum class LinkTrouble : std::uint8_t {
    none,
    throttled,
    unreachable,
    unauthorized,
    faulty,
    untrusted,
    wrong_location,
    unset
};
LinkTrouble crm_trouble(const envelope::TimeState& lanes);

// Is GHL up to date? From the numbers and from what is visible already (`status.needs`).
Sentence ghl_answer(const Status& status);

// Remembers since when each finding has lasted.
class Watch {
public:
    struct Seen {
        std::vector<Need> visible; // at most needs_max
        std::vector<Finding> news; // visible and more than information, for the first time while it lasts
    };
    Seen look(const std::vector<Finding>& found, Timestamp now, base::Micros monotonic);

private:
    struct Lasting {
        Timestamp since;
        base::Micros since_monotonic;
        bool told = false;
    };
    std::map<std::string_view, Lasting> lasting_;
};

} // namespace clinic::health
