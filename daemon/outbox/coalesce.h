// When a new row of a subject is due: changes that come close together become one write, and the newest state wins.
//   The first change of a subject that was quiet is due at once. One that follows a write within the window waits until
//   the subject has been quiet for a moment, at the latest until the window is over; meanwhile newer ones take its
//   place. Suppressions, consents and merges never wait, and what waits before them is due with them: order holds.
//   Threads: the store's writer thread.
//   Source:  docs/ghl.md, "Many changes, one write".
#pragma once

#include "daemon/outbox/outbox.h"

namespace clinic::outbox {

struct Due {
    Timestamp at{};
    Timestamp hold_until{}; // it waits for more changes, until then at the latest; zero: it does not
};

// Before older rows are superseded.
Result<Due> due_of(records::Transaction& txn, envelope::Destination destination, records::PatientId patient,
                   envelope::Kind kind, const Coalesce& coalesce);

} // namespace clinic::outbox
