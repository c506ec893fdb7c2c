// What ends by its age or by a person's word: dead letters and ledger lines; and everything of a person who is erased.
#include "daemon/outbox/beside.h"
#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

using records::PatientId;

constexpr std::string_view erased = "erased";

Result<PatientId> discard(records::Transaction& txn, std::int64_t id) {
    const auto row = find_row(txn, id);
    CLINIC_TRY(row);
    if (!*row || (*row)->state != State::dead)
        return Error{Errc::not_found, "no such dead letter", "look at: clinicctl sync dead list"};
    CLINIC_TRY(move(txn, **row, State::discarded, ""));
    return (*row)->patient;
}

Result<std::vector<PatientId>> discard_all(records::Transaction& txn, const std::vector<std::int64_t>& ids) {
    std::vector<PatientId> patients;
    for (const std::int64_t id : ids) {
        const auto patient = discard(txn, id);
        CLINIC_TRY(patient);
        patients.push_back(*patient);
    }
    return patients;
}

// What GHL was seen to hold of the person's contact, and whose it was thought to be.
Result<void> erase_seen(records::Transaction& txn, PatientId patient) {
    CLINIC_TRY(execute(txn,
                       "DELETE FROM crm_conflict WHERE object IN (SELECT o.row FROM crm_object o JOIN link l"
                       " ON l.token = o.contact WHERE l.patient = ?)",
                       patient));
    CLINIC_TRY(
        execute(txn, "DELETE FROM crm_object WHERE contact IN (SELECT token FROM link WHERE patient = ?)", patient));
    CLINIC_TRY(execute(txn, "DELETE FROM crm_choice WHERE patient = ?", patient));
    return execute(txn, "DELETE FROM crm_never WHERE patient = ?", patient);
}

} // namespace

Result<PatientId> Outbox::discard_dead(records::Transaction& txn, std::int64_t row) {
    return discard(txn, row);
}

Result<std::vector<PatientId>> Outbox::discard_dead_before(records::Transaction& txn, Timestamp died_before,
                                                           int letters_max) {
    std::vector<std::int64_t> ids;
    CLINIC_TRY(each_row(
        txn,
        "SELECT id FROM outbox WHERE destination IN (0, 1) AND state = 4 AND due_at < ? ORDER BY destination, due_at, "
        "id LIMIT ?",
        [&](const records::Statement& row) { ids.push_back(row.integer(0)); }, died_before, letters_max));
    return discard_all(txn, ids);
}

// Lines are numbered in the order they were written, so a step of the clock keeps lines and never drops younger ones.
Result<std::int64_t> Ledger::purge_before(records::Transaction& txn, Timestamp written_before, int lines_max) {
    CLINIC_TRY(execute(txn,
                       "DELETE FROM ledger WHERE attempt IN (SELECT attempt FROM ledger WHERE attempt < coalesce("
                       "(SELECT attempt FROM ledger WHERE at >= ? ORDER BY attempt LIMIT 1), 9223372036854775807) "
                       "ORDER BY attempt LIMIT ?)",
                       written_before, lines_max));
    return std::int64_t{txn.changed_rows()};
}

Result<std::int64_t> Ledger::purge_reads_before(records::Transaction& txn, Timestamp written_before, int lines_max) {
    CLINIC_TRY(execute(txn,
                       "DELETE FROM ledger WHERE attempt IN (SELECT attempt FROM ledger WHERE lease = 0 AND attempt < "
                       "coalesce((SELECT attempt FROM ledger WHERE lease = 0 AND at >= ? ORDER BY attempt LIMIT 1), "
                       "9223372036854775807) ORDER BY attempt LIMIT ?)",
                       written_before, lines_max));
    return std::int64_t{txn.changed_rows()};
}

Result<void> Outbox::erase(records::Transaction& txn, PatientId patient) {
    std::vector<std::int64_t> ids;
    CLINIC_TRY(each_row(
        txn, "SELECT id FROM outbox WHERE patient = ?",
        [&](const records::Statement& row) { ids.push_back(row.integer(0)); }, patient));
    for (const std::int64_t id : ids) {
        const auto row = find_row(txn, id);
        CLINIC_TRY(row);
        CLINIC_TRY(close_lease(txn, id));
        CLINIC_TRY(move(txn, **row, State::discarded, erased));
    }
    // The lines stay; whom they were about is known only to who holds the key, and that goes now.
    const auto settled = settle_creates(txn, patient);
    if (!settled && settled.error().code != Errc::not_found) return settled; // not_found: it is gone already
    CLINIC_TRY(erase_seen(txn, patient));
    CLINIC_TRY(execute(txn, "DELETE FROM said WHERE patient = ?", patient));
    CLINIC_TRY(execute(txn, "DELETE FROM link WHERE patient = ?", patient));
    CLINIC_TRY(Beside::forget(txn, patient));
    CLINIC_TRY(execute(txn, "DELETE FROM pseudonym WHERE patient = ?", patient));
    return execute(txn, "DELETE FROM sequence WHERE patient = ?", patient);
}

} // namespace clinic::outbox
