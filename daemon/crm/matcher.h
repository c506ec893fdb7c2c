// Whose a contact is, by its phone and e-mail: compared over the blind indexes, exactly, and forgotten.
//   Rules:   linked only where everything that was given leads to one and the same person, who has no contact yet;
//            several, or one who has a contact already: a person chooses. Nothing of the probe is kept or logged; that
//            there was one is in the audit chain, whatever it found.
//   Bounds:  a number of probes a day, since whoever holds clinic-syncd can invent contacts, and must not try one
//            number after the other; of a location with more leads the others are asked about on the days after.
//   Threads: the store's.
//   Source:  design, "Linking"; docs/crm.md.
#pragma once

#include <optional>

#include "daemon/crm/objects.h"
#include "daemon/release/releaser.h"
#include "sync/envelope/crm.h"

namespace clinic::crm {

// Since GHL has changed it; or it is a person's to say.
inline bool was_asked_about(const Object& contact) {
    return contact.matching == Matching::choice || contact.matching == Matching::kept_apart ||
           (contact.matching == Matching::none && contact.probed_ms >= contact.fact.updated_ms);
}

// How many may be asked about now: filled evenly, a day's worth at most. Full at a start.
class Allowance {
public:
    explicit Allowance(int per_day) : per_day_{per_day}, left_{static_cast<double>(per_day)} {}
    bool has_any(base::Micros now); // by the clock that only goes forward
    void take() { left_ -= 1; }

private:
    const int per_day_;
    double left_;
    std::optional<base::Micros> looked_at_;
};

class Matcher {
public:
    Matcher(release::Releaser& releaser, Allowance& allowance) : releaser_{releaser}, allowance_{allowance} {}
    // Errors: not_found, where no fact about that contact came before.
    Result<envelope::Matched> match(records::Transaction& txn, const envelope::MatchProbe& probe);

private:
    release::Releaser& releaser_;
    Allowance& allowance_;
};

} // namespace clinic::crm
