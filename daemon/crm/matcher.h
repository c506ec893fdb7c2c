// Whose a contact is, by its phone and e-mail: compared over the blind indexes, exactly, and forgotten.
//   Rules:   linked only where everything that was given leads to one and the same person, who has no contact yet;
//            several, or one who has a contact already: a person chooses. Nothing of the probe is kept or logged.
//   Threads: the store's.
//   Source:  design, "Linking"; docs/crm.md.
#pragma once

#include "daemon/crm/objects.h"
#include "daemon/release/releaser.h"
#include "sync/envelope/crm.h"

namespace clinic::crm {

// Since GHL has changed it; or it is a person's to say.
inline bool was_asked_about(const Object& contact) {
    return contact.matching == Matching::choice || contact.matching == Matching::kept_apart ||
           (contact.matching == Matching::none && contact.probed_ms >= contact.fact.updated_ms);
}

class Matcher {
public:
    explicit Matcher(release::Releaser& releaser) : releaser_{releaser} {}
    // Errors: not_found, where no fact about that contact came before.
    Result<envelope::Matched> match(records::Transaction& txn, const envelope::MatchProbe& probe);

private:
    release::Releaser& releaser_;
};

} // namespace clinic::crm
