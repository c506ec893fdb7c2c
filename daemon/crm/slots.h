// Times that GHL booked and that the clinic's schedule has no room for.
//   Units:   quarters of an hour since 1970, outwards.
//   Threads: the store's.
#pragma once

#include "daemon/crm/objects.h"

namespace clinic::crm {

// Records the difference, or settles it as gone. `at_once`: how many the clinic sees at a time.
Result<void> check_slot(records::Transaction& txn, const Object& booking, int at_once);
// Those of these rows.
Result<void> check_slots(records::Transaction& txn, const std::vector<std::int64_t>& rows, int at_once);

} // namespace clinic::crm
