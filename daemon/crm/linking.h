// Which contact is whose, as a match or a person says it.
//   Errors:  not_found (no such contact was seen, no such patient), conflict (it is another's, or the patient has one,
//            or may get one by a create without an answer), refused (in `off` and `deid`).
//   Threads: the store's. The asker writes the audit entry.
//   Source:  design, "Linking"; docs/crm.md.
#pragma once

#include <string_view>

#include "daemon/crm/objects.h"
#include "daemon/release/releaser.h"

namespace clinic::crm {

class Linking {
public:
    explicit Linking(release::Releaser& releaser) : releaser_{releaser} {}

    // What GHL shows of the contact counts from now on: a do-not-disturb there ends the patient's consents.
    Result<void> link(records::Transaction& txn, const Object& contact, records::PatientId patient);

    // A person's word, with the checks of the errors above.
    Result<void> set(records::Transaction& txn, std::string_view contact, records::PatientId patient);
    // The contact is nobody's again and may be matched anew; nothing more is written to it,
    // but the end of what is ours beside it.
    Result<void> unset(records::Transaction& txn, records::PatientId patient);
    // It never was that patient's, and no match will say so again.
    Result<void> split(records::Transaction& txn, std::string_view contact, records::PatientId patient);
    // Two contacts of one patient: the link moves to the other one. The clinic joins the two in GHL.
    Result<void> merge(records::Transaction& txn, std::string_view kept, std::string_view other);

private:
    release::Releaser& releaser_;
};

} // namespace clinic::crm
