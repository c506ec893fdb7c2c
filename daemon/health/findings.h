// What is the matter, found from a Status: root causes alone, what follows from them left out.
//   Threads: values; any.
//   Source:  ui.md, "One cause, not twelve alarms"; docs/events.md.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/health/health.h"

namespace clinic::health {

struct Finding {
    std::string_view code; // E####, a literal
    Tone tone;
    std::int64_t n = 0;
    std::chrono::seconds visible_after{0}; // it must last this long to be shown
    std::chrono::seconds told_after{0};    // and this long to be an event for central ops
    std::string name = {};                 // of a sender
    const char* severity = nullptr;        // of the event; null: by the tone
};

// clinic-syncd says a word each second.
inline constexpr std::chrono::seconds silence_max{3};
bool program_silent(const Status& status);

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
    lacking, // fields that we write to
    unset
};
LinkTrouble crm_trouble(const envelope::TimeState& lanes);
// Why central operations hear nothing, by the code that clinic-syncd gave: for the technician. None: not known.
std::optional<Error> mqtt_cause(std::string_view lane_code);

// Is GHL up to date? From the numbers and from what is visible already (`status.needs`).
Sentence ghl_answer(const Status& status);

// Remembers since when each finding has lasted.
class Watch {
public:
    struct Seen {
        std::vector<Need> visible; // at most needs_max
        std::vector<Finding> news; // more than information and lasting, for the first time
    };
    Seen look(const std::vector<Finding>& found, Timestamp now, base::Micros monotonic);

private:
    struct Lasting {
        Timestamp since;
        base::Micros since_monotonic;
        bool shown = false, told = false;
    };
    std::map<std::string_view, Lasting> lasting_;
};

} // namespace clinic::health
