#include "daemon/records/people.h"

#include "daemon/records/blind_index.h"

namespace clinic::records {

Result<Person> survivor_of(Session& session, PatientId patient) {
    auto find = session.prepare("SELECT s.row, s.id, s.key_slot, s.status, s.test_traffic FROM patient p"
                                " JOIN patient s ON s.id = coalesce(p.merged_into, p.id) WHERE p.id = ?");
    if (!find) return find.error();
    const auto row = find->bind(patient).step();
    if (!row) return row.error();
    const auto status = *row ? static_cast<PatientStatus>(find->integer(3)) : PatientStatus::erased;
    if (status == PatientStatus::erased) return Error{Errc::not_found, "no such patient"};
    return Person{find->integer(0), {find->uuid(1)}, find->integer(2), status, find->integer(4) != 0};
}

Result<bool> advance_stamp(Transaction& txn, const base::Uuid& subject, const Stamp& stamp) {
    auto put = txn.prepare("INSERT INTO stamp (subject, sender, said_at) VALUES (?, ?, ?)"
                           " ON CONFLICT (subject, sender) DO UPDATE SET said_at = excluded.said_at"
                           " WHERE excluded.said_at >= stamp.said_at");
    if (!put) return put.error();
    const auto sender = index_token(txn, IndexKind::sender, stamp.sender);
    CLINIC_TRY(put->bind(subject, sender, stamp.said_at).run());
    return txn.changed_rows() > 0;
}

} // namespace clinic::records
