// Writes what a message asks for into the store, and lets release look at everyone it touched.
//   Threads: the store's writer thread, inside one job.
#pragma once

#include <string_view>

#include "daemon/audit/trail.h"
#include "daemon/intake/hl7_event.h"
#include "daemon/release/releaser.h"

namespace clinic::intake {

// Changes `order`: persons that a CSV import brought are filled in as known.
// `feed`: whose message it is (feed_of). True: of a person or an appointment, newer things are known.
Result<bool> write_order(records::Transaction& txn, const records::Disclosure& why, release::Releaser& releaser,
                         Order& order, std::string_view feed, std::string_view raw);

} // namespace clinic::intake
