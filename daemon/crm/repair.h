// What differs is put right: what the box means goes into the outbox again, and takes its way like any other. Nothing
// is written to GHL from here.
//   Rules:   fields, tags, do_not_disturb: said again; of one who was merged, what empties their contact. gone: the
//            link is ended, and the patient's state looks for a contact by the policy. orphan: linked to the patient
//            whose marker it carries, where they have no contact. marker: of one who was merged into the patient, the
//            merge is said again. booking: of those where the clinic's word counts, its side is said again. Another's
//            marker, twice, an orphan of nobody's, and where a person decides of a booking: left to a person.
//   Threads: the store's. The asker writes the audit entry.
//   Source:  docs/crm.md, "The full comparison".
#pragma once

#include "daemon/crm/comparison.h"
#include "daemon/release/releaser.h"

namespace clinic::crm {

struct Repaired {
    std::int64_t found = 0;                   // contacts that differ so
    std::int64_t put_again = 0;               // of those, what is in the outbox now; in a dry run: what would be tried
    std::int64_t left = 0;                    // to a person, or not allowed to be said
    std::vector<records::PatientId> patients; // of `put_again`
};

class Repair {
public:
    Repair(release::Releaser& releaser, bool dry_run) : releaser_{releaser}, dry_run_{dry_run} {}

    // A slice by row behind `after`. Answers where to go on; nullopt: that was all.
    Result<std::optional<std::int64_t>> slice(records::Transaction& txn, Differs kind, std::int64_t after,
                                              Repaired& so_far) const;

private:
    Result<std::vector<records::PatientId>> whose(records::Transaction& txn, Differs kind, const Object& contact) const;
    // True: something of it waits.
    Result<bool> put_right(records::Transaction& txn, Differs kind, const Object& contact,
                           records::PatientId patient) const;

    release::Releaser& releaser_;
    BookingCheck bookings_{releaser_, {}}; // whether GHL shows what we wrote was asked when it was found to differ
    bool dry_run_;
};

} // namespace clinic::crm
