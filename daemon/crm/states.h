// A patient's contact as GHL shows it, against what the clinic has said of the patient.
//   Rules:   daemon/crm/ownership.h. What was read before our newest write to the contact proves nothing.
//   Threads: the store's.
#pragma once

#include "daemon/crm/objects.h"
#include "daemon/release/releaser.h"

namespace clinic::crm {

struct Difference {
    Field field;
    std::string ours, theirs; // words of ours
};
// `sure` is false where something waits, is on its way, or may have changed what was said: that is not compared.
struct Compared {
    bool sure = true;
    std::vector<Difference> differences;
};
// Our fields and tags as they are, against what was said of the patient last. What consents say is left out.
Result<Compared> compared(records::Transaction& txn, const envelope::CrmContact& theirs, records::PatientId patient);

// What was read says nothing of what we wrote since: to the patient, or of that kind alone.
Result<bool> is_older_than_our_write(records::Transaction& txn, const Object& object, records::PatientId patient,
                                     std::optional<envelope::Kind> kind = std::nullopt);
// Records the difference. True: by rule, it is to be written again; so often a day and field of one thing: after that
// something in GHL writes against us, and a person must look.
inline constexpr int written_again_max = 3;
Result<bool> record_to_write_again(records::Transaction& txn, std::int64_t object, const Difference& found);

class States {
public:
    explicit States(release::Releaser& releaser) : releaser_{releaser} {}

    // Compares our fields and tags; what differs is recorded and written again.
    Result<void> compare(records::Transaction& txn, const Object& contact, records::PatientId patient) const;
    // Do-not-disturb: `seen` is the contact as it was seen before, if it was.
    Result<void> restrict(records::Transaction& txn, const Object& contact, const std::optional<Object>& seen,
                          records::PatientId patient) const;

private:
    Result<void> end_consents(records::Transaction& txn, records::PatientId linked, Timestamp at) const;

    release::Releaser& releaser_;
};

} // namespace clinic::crm
