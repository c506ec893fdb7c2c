// Appointments, keyed by sender and filler (or placer) id.
#pragma once

#include "daemon/records/store.h"

namespace clinic::records {

struct AppointmentUpserted {
    AppointmentId id;
    bool created = false;
    bool stale = false;
    std::optional<PatientId> patient;    // block-outs have none: stored, nothing is emitted
    std::optional<PatientId> moved_from; // the message named another patient than before: both have changed
};

// Any status creates an unknown appointment. `patient` may come later, or change; absent keeps whom it has.
// An absent start or end keeps its value. Errors: malformed without a key; not_found for an erased patient.
Result<AppointmentUpserted> upsert_appointment(Transaction& txn, const Disclosure& why,
                                               std::optional<PatientId> patient, const AppointmentChange& change,
                                               const Stamp& stamp, bool test_traffic);

} // namespace clinic::records
