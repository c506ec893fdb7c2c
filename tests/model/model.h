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
    std::string status; // envelope's word
    bool open() const { return status != "completed" && status != "cancelled" && status != "no_show"; }
};

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
    bool is_there() const { return !merged && !erased && !erasing; }
};

// What GHL's contact of a patient must show.
struct Shown {
    std::string stage, last, next;
    std::set<std::string> stage_tags;                          // of those that a stage has
    std::set<std::pair<std::string, std::string>> appointment; // any of these: status and when
};

// The consents as they count, which GHL's people may have ended: told by who asks.
Shown shown(const Patient& patient, Timestamp now);
std::string bucket_ahead(Timestamp now, Timestamp at);

} // namespace clinic::model
