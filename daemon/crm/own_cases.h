// A patient's case as GHL shows it, against what the clinic has said of it.
//   Rules:   daemon/crm/ownership.h. What was read before our newest write proves nothing. An opportunity that is
//   nobody's
//            case is kept as seen.
//   Threads: the store's.
#pragma once

#include "daemon/crm/states.h"
#include "daemon/outbox/beside.h"

namespace clinic::crm {

// `number`: outbox::Beside. Not there any more is a difference too.
Result<Compared> compared_case(records::Transaction& txn, const envelope::CrmFact& seen, records::PatientId patient,
                               std::int64_t number, const envelope::WriteRules::Pipeline& pipeline);

class OwnCases {
public:
    OwnCases(release::Releaser& releaser, const envelope::WriteRules::Pipeline& pipeline)
        : releaser_{releaser}, pipeline_{pipeline} {}

    // What differs is recorded and written again; one that was deleted is for a person.
    Result<void> changed(records::Transaction& txn, const Object& opportunity) const;

private:
    release::Releaser& releaser_;
    const envelope::WriteRules::Pipeline& pipeline_;
};

} // namespace clinic::crm
