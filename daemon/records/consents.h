// Consents: the latest of each scope counts; older ones stay for the record.
#pragma once

#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

Result<void> record_consent(Transaction& txn, PatientId patient, const ConsentChange& change, const Stamp& stamp);
// Granted consents that a later one replaced before their end came, at or before `at`: nobody need look at them again.
Result<void> pass_over_replaced(Transaction& txn, Timestamp at);
// Patients with a granted consent whose expiry lies at or before `at` and which is not yet marked expired.
Result<std::vector<PatientId>> consents_due(Session& session, Timestamp at, int rows_max);
Result<void> expire_consents(Transaction& txn, PatientId patient, Timestamp at); // marks them expired, revision + 1

} // namespace clinic::records
