// Steps that patients, appointments and consents share. Private to this folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

struct Person {
    std::int64_t row = 0;
    PatientId id;
    std::int64_t key_slot = 0;
    PatientStatus status = PatientStatus::active;
    bool test_traffic = false;
};

// nullopt: there is none of that id.
Result<std::optional<PatientRow>> patient_row(Session& session, PatientId patient);

// The person behind an id: a merged one leads to the survivor. Errors: not_found when there is none, or erased.
Result<Person> survivor_of(Session& session, PatientId patient);

// False: `stamp` is older than what this sender has said about the subject before. Otherwise it is noted; one by
// arrival is never older, and takes nothing from the time of one that is ahead of it.
Result<bool> advance_stamp(Transaction& txn, const base::Uuid& subject, const Stamp& stamp);

} // namespace clinic::records
