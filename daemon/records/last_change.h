// When something of a person last changed here: the record, an appointment, a consent.
#pragma once

#include "daemon/records/store.h"

namespace clinic::records {

// The epoch for somebody who is not known.
Result<Timestamp> last_change(Session& session, PatientId patient);

} // namespace clinic::records
