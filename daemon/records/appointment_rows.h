// What a merge does to appointments. Private to this folder.
#pragma once

#include "daemon/records/store.h"

namespace clinic::records {

// Sealed anew with the survivor's key.
Result<void> move_appointments(Transaction& txn, PatientId survivor, PatientId prior);

} // namespace clinic::records
