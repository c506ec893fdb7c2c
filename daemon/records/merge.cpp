// Two records become one person; one person is forgotten.
#include "daemon/records/appointment_rows.h"
#include "daemon/records/identifier_index.h"
#include "daemon/records/patients.h"
#include "daemon/records/people.h"

namespace clinic::records {
namespace {

Result<void> run_for(Transaction& txn, Literal sql, PatientId first) {
    auto statement = txn.prepare(sql);
    if (!statement) return statement.error();
    return statement->bind(first).run();
}

Result<void> run_for(Transaction& txn, Literal sql, PatientId first, PatientId second) {
    auto statement = txn.prepare(sql);
    if (!statement) return statement.error();
    return statement->bind(first, second).run();
}

// ?1 the survivor, ?2 the prior. Revisions go on counting from the survivor's.
Result<void> move_rows(Transaction& txn, PatientId survivor, PatientId prior) {
    CLINIC_TRY(run_for(txn,
                       "INSERT INTO visit (patient, at, taken_back) SELECT ?1, at, taken_back FROM visit"
                       " WHERE patient = ?2 ON CONFLICT DO UPDATE SET taken_back = NULL"
                       " WHERE excluded.taken_back IS NULL",
                       survivor, prior));
    CLINIC_TRY(run_for(txn, "DELETE FROM visit WHERE patient = ?", prior));
    CLINIC_TRY(run_for(txn,
                       "UPDATE consent SET patient = ?1, revision = revision + (SELECT coalesce(max(revision), 0)"
                       " FROM consent own WHERE own.patient = ?1 AND own.scope = consent.scope)"
                       " WHERE patient = ?2",
                       survivor, prior));
    return move_appointments(txn, survivor, prior);
}

Result<void> mark_merged(Transaction& txn, PatientId survivor, PatientId prior) {
    CLINIC_TRY(run_for(txn, "UPDATE patient SET merged_into = ?1 WHERE merged_into = ?2", survivor, prior));
    CLINIC_TRY(run_for(txn,
                       "UPDATE patient SET created_at = min(created_at,"
                       " (SELECT created_at FROM patient WHERE id = ?2)) WHERE id = ?1",
                       survivor, prior));
    auto mark = txn.prepare("UPDATE patient SET status = ?, merged_into = ?, updated_at = ? WHERE id = ?");
    if (!mark) return mark.error();
    return mark->bind(static_cast<int>(PatientStatus::merged), survivor, txn.now(), prior).run();
}

Result<void> forget(Transaction& txn, PatientId patient, std::int64_t key_slot) {
    CLINIC_TRY(
        run_for(txn, "DELETE FROM stamp WHERE subject IN (SELECT id FROM appointment WHERE patient = ?)", patient));
    CLINIC_TRY(run_for(txn, "DELETE FROM stamp WHERE subject = ?", patient));
    CLINIC_TRY(run_for(txn, "DELETE FROM identifier WHERE patient = ?", patient));
    CLINIC_TRY(run_for(txn, "DELETE FROM patient_token WHERE patient = ?", patient));
    CLINIC_TRY(run_for(txn, "DELETE FROM visit WHERE patient = ?", patient));
    CLINIC_TRY(run_for(txn, "DELETE FROM appointment WHERE patient = ?", patient));
    CLINIC_TRY(run_for(txn, "DELETE FROM consent WHERE patient = ?", patient));
    CLINIC_TRY(run_for(txn, "DELETE FROM raw_message WHERE patient = ?", patient));
    CLINIC_TRY(txn.identifiers().remove(txn, patient));
    auto mark = txn.prepare("UPDATE patient SET status = ?, merged_into = NULL, has_mobile = 0, has_email = 0,"
                            " updated_at = ?, sealed = x'' WHERE id = ?");
    if (!mark) return mark.error();
    CLINIC_TRY(mark->bind(static_cast<int>(PatientStatus::erased), txn.now(), patient).run());
    txn.erase_key_on_commit(key_slot);
    return {};
}

} // namespace

Result<void> merge_patients(Transaction& txn, const Disclosure&, PatientId survivor, PatientId prior) {
    const auto stays = survivor_of(txn, survivor);
    if (!stays) return stays.error();
    const auto goes = survivor_of(txn, prior);
    if (!goes) return goes.error();
    if (stays->id == goes->id) return {};
    if (stays->test_traffic != goes->test_traffic)
        return Error{Errc::conflict, "test traffic cannot be merged with a real person"};
    CLINIC_TRY(move_rows(txn, stays->id, goes->id));
    return mark_merged(txn, stays->id, goes->id);
}

Result<std::vector<PatientId>> merged_into(Session& session, PatientId survivor) {
    auto find = session.prepare("SELECT id FROM patient WHERE merged_into = ?");
    if (!find) return find.error();
    find->bind(survivor);
    std::vector<PatientId> all;
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) return all;
        all.push_back({find->uuid(0)});
    }
}

Result<void> erase_patient(Transaction& txn, const Disclosure&, PatientId patient, const AlsoErase& also) {
    const auto person = survivor_of(txn, patient);
    if (!person) return person.error();
    std::vector<std::pair<PatientId, std::int64_t>> all;
    auto find = txn.prepare("SELECT id, key_slot FROM patient WHERE id = ?1 OR merged_into = ?1");
    if (!find) return find.error();
    find->bind(person->id);
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) break;
        all.emplace_back(PatientId{find->uuid(0)}, find->integer(1));
    }
    for (const auto& [id, key_slot] : all) {
        CLINIC_TRY(also(id));
        CLINIC_TRY(forget(txn, id, key_slot));
    }
    return {};
}

} // namespace clinic::records
