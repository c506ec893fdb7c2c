// Appointments, keyed by sender and filler (or placer) id.
#pragma once

#include "daemon/records/store.h"

namespace clinic::records {

struct AppointmentUpserted {
    AppointmentId id;
    bool created = false;
    bool stale = false;
    std::optional<PatientId> patient;    // block-outs have none: stored, nothing is emitted
};

Result<AppointmentUpserted> upsert_appointment(Transaction& txn, const Disclosure& why, std::optional<PatientId> patient,
                                               const AppointmentChange& change, const Stamp& stamp, bool test_traffic);

}  // namespace clinic::records
