// Who somebody is, for a person at the desk who must tell two people apart. Opened under an entry of the audit chain.
#pragma once

#include "daemon/records/store.h"

namespace clinic::records {

struct ShownPerson {
    PhiText family, given, birth_date;
};

// The survivor, where that id was merged. Errors: not_found, tampered, corrupt.
Result<ShownPerson> shown_person(Session& session, const Disclosure& why, PatientId patient);

} // namespace clinic::records
