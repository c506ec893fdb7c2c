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

class Matcher {
public:
    explicit Matcher(release::Releaser& releaser) : releaser_{releaser} {}
    // Errors: not_found, where no fact about that contact came before.
    Result<envelope::Matched> match(records::Transaction& txn, const envelope::MatchProbe& probe);

private:
    release::Releaser& releaser_;
};

} // namespace clinic::crm
