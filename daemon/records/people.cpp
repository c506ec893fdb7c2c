#include "daemon/records/people.h"

#include "daemon/records/blind_index.h"

namespace clinic::records {

Result<std::optional<PatientRow>> patient_row(Session& session, PatientId patient) {
    const RowKey key{.owner = patient.uuid};
    if (auto kept = session.kept<PatientRow>(key)) return kept;
    auto find = session.prepare("SELECT row, key_slot, status, merged_into, test_traffic, has_mobile, has_email,"
                                " created_at FROM patient WHERE id = ?");
    if (!find) return find.error();
    const auto any = find->bind(patient).step();
    if (!any) return any.error();
    if (!*any) return std::optional<PatientRow>{};
    PatientRow row{.row = find->integer(0),
                   .key_slot = find->integer(1),
                   .status = static_cast<PatientStatus>(find->integer(2)),
                   .test_traffic = find->integer(4) != 0,
                   .has_mobile = find->integer(5) != 0,
                   .has_email = find->integer(6) != 0,
                   .created_at = Timestamp{find->integer(7)}};
    if (!find->is_null(3)) row.merged_into = PatientId{find->uuid(3)};
    return std::optional{session.keep(key, row)};
}

Result<Person> survivor_of(Session& session, PatientId patient) {
    PatientId id = patient;
    auto row = patient_row(session, id);
    CLINIC_TRY(row);
    if (*row && (*row)->merged_into) {
        id = *(*row)->merged_into;
        row = patient_row(session, id);
        CLINIC_TRY(row);
    }
    if (!*row || (*row)->status == PatientStatus::erased) return Error{Errc::not_found, "no such patient"};
    return Person{(*row)->row, id, (*row)->key_slot, (*row)->status, (*row)->test_traffic};
}

Result<bool> advance_stamp(Transaction& txn, const base::Uuid& subject, const Stamp& stamp) {
    auto put = txn.prepare("INSERT INTO stamp (subject, sender, said_at) VALUES (?, ?, ?)"
                           " ON CONFLICT (subject, sender) DO UPDATE SET said_at = max(excluded.said_at, said_at)"
                           " WHERE ? OR excluded.said_at >= said_at");
    if (!put) return put.error();
    const auto sender = index_token(txn, IndexKind::sender, stamp.sender);
    CLINIC_TRY(put->bind(subject, sender, stamp.said_at, stamp.by_arrival).run());
    return txn.changed_rows() > 0;
}

} // namespace clinic::records
