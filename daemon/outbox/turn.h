// Which row goes next. The subject is chosen by urgency, by share and by age; of a subject always its oldest row.
//   Bounds:  64 candidates are looked at a class; one whose subject cannot go now does not hold up the others.
//   Threads: the store's writer thread, readers.
//   Source:  docs/ghl.md, "Who goes first".
#pragma once

#include "daemon/outbox/rows.h"

namespace clinic::outbox {

Result<std::optional<Row>> choose(records::Session& session, envelope::Destination destination, Turn turn);

} // namespace clinic::outbox
