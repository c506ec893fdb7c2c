// What the clinic and the people in GHL have done, and what follows of it for GHL: the oracle. It knows the rules of
// docs/release.md and daemon/crm/ownership.h in its own words, and nothing of the store.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crypto/base/clock.h"

namespace clinic::model {

inline constexpr std::int64_t grace_us = 12LL * 3'600'000'000; // so long an appointment counts as today's

struct Visit {
    Timestamp start{};
    std::string status;   // envelope's word
    bool says_end = true; // else it lasts as long as one that says nothing, or as GHL has it
    bool open() const { return status != "completed" && status != "cancelled" && status != "no_show"; }
};

inline constexpr std::int64_t visit_us = 30LL * 60'000'000; // as the practice says it
inline constexpr std::int64_t quarter_us = 15LL * 60'000'000;
inline std::int64_t first_quarter(Timestamp start) {
    return start.micros / quarter_us;
}
inline std::int64_t end_quarter(Timestamp start) { // of a visit that begins then
    return (start.micros / 1'000'000 * 1'000'000 + visit_us + quarter_us - 1) / quarter_us;
}

struct Consent {
    bool granted = true;
    std::optional<Timestamp> expires;
    Timestamp given_at{}; // by the box's clock
};

struct Patient {
    std::string number, family, given, phone;
    bool active = true, merged = false, erased = false, erasing = false;
    bool was_merged = false;             // somebody was merged into them
    std::map<std::string, Visit> visits; // by the practice's number
    std::map<std::string, Consent> said; // by scope: the clinic's newest word, of both where two were merged
    bool stopped_in_ghl = false;         // somebody there has asked that they be left alone
    bool refused_reminders = false;      // ever
    bool lifted_in_ghl = false;          // somebody there has taken a do-not-disturb away
    bool is_there() const { return !merged && !erased && !erasing; }
};

// What GHL's contact of a patient must show.
struct Shown {
    std::string stage, last, next;
    std::set<std::string> stage_tags;                          // of those that a stage has
    std::set<std::pair<std::string, std::string>> appointment; // any of these: status and when
};

// A visit as a booking: GHL's word for its status, and whether one is made where there is none yet.
std::string booking_word(const Visit& visit);
bool is_set_up(const Visit& visit, Timestamp now);

// The consents as they count, which GHL's people may have ended: told by who asks.
Shown shown(const Patient& patient, Timestamp now);
std::string bucket_ahead(Timestamp now, Timestamp at);

} // namespace clinic::model
