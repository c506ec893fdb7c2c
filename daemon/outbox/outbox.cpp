#include "daemon/outbox/outbox.h"

#include <algorithm>

#include "daemon/outbox/beside.h"
#include "daemon/outbox/coalesce.h"
#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

using envelope::Destination;
using envelope::Kind;
using records::PatientId;

// Of a consent its scope, of what is beside the contact its number.
Result<std::int64_t> scope_of(records::Session& session, PatientId patient,
                              const envelope::MetadataEnvelope& envelope) {
    if (envelope.kind() != Kind::consent_state) return Beside::number_in(session, patient, envelope);
    const std::string_view scope = envelope.text(envelope::Field::scope);
    for (const auto one : {envelope::Scope::crm_sync, envelope::Scope::reminders, envelope::Scope::marketing})
        if (scope == envelope::name(one)) return number(one);
    return std::int64_t{-1};
}

Result<void> check_room(records::Session& session, Destination destination) {
    const auto counters = counters_of(session, destination);
    CLINIC_TRY(counters);
    std::int64_t rows = 0;
    for (const auto state : {State::pending, State::leased, State::parked, State::dead})
        rows += counters->envelopes.at(static_cast<std::size_t>(state));
    if (rows < rows_max) return {};
    return Error{Errc::full, "the outbox is full",
                 "see why GHL is not up to date, and retry or discard the dead letters"};
}

Result<std::vector<Row>> rows_of(records::Session& session, Literal sql, PatientId patient, Destination destination) {
    std::vector<std::int64_t> ids;
    CLINIC_TRY(each_row(
        session, sql, [&](const records::Statement& row) { ids.push_back(row.integer(0)); }, patient,
        number(destination)));
    std::vector<Row> rows;
    for (const std::int64_t id : ids) {
        const auto row = find_row(session, id);
        CLINIC_TRY(row);
        if (*row) rows.push_back(std::move(**row));
    }
    return rows;
}

// What lay longer than a lease can tell was there for so long at the least.
std::int64_t heard_us(const records::Transaction& txn) {
    return std::min<std::int64_t>(txn.heard_for().count(), envelope::heard_us_max);
}

bool replaces(Kind kind, std::int64_t scope, const Row& older) {
    if (kind == Kind::contact_merge) return false;
    if (kind == older.kind) return scope == older.scope;
    return kind == Kind::contact_suppress && (older.kind == Kind::contact_state || older.kind == Kind::appt_state);
}

Result<void> supersede_older(records::Transaction& txn, Destination destination, PatientId patient, Kind kind,
                             std::int64_t scope) {
    const auto waiting = rows_of(txn, "SELECT id FROM outbox WHERE patient = ? AND destination = ? AND state IN (1, 3)",
                                 patient, destination);
    CLINIC_TRY(waiting);
    for (const Row& row : *waiting)
        if (replaces(kind, scope, row)) CLINIC_TRY(move(txn, row, State::superseded, ""));
    return {};
}

Result<void> withdraw_in(records::Transaction& txn, Destination destination, PatientId patient, Literal code) {
    const auto rows = rows_of(txn, "SELECT id FROM outbox WHERE patient = ? AND destination = ?", patient, destination);
    CLINIC_TRY(rows);
    for (const Row& row : *rows) {
        // A merge takes back what is said under the old name: it goes on, and is judged when it leaves.
        if (row.kind == Kind::contact_merge) continue;
        if (row.state == State::leased)
            CLINIC_TRY(execute(txn, "UPDATE outbox SET withdrawn = 1, code = ? WHERE id = ?", code.c_str(), row.id));
        else
            CLINIC_TRY(move(txn, row, State::withdrawn, code.c_str()));
    }
    return {};
}

Result<void> unpark_in(records::Transaction& txn, Destination destination, std::string_view code) {
    CLINIC_TRY(execute(txn, // As old as they are: they do not stand before what is of today.
                       "UPDATE outbox SET state = 1, code = '', due_at = min(queued_at, ?), hold_until = 0 "
                       "WHERE destination = ? AND state = 3 AND code = ?",
                       txn.now(), number(destination), code));
    return book(txn, destination, State::parked, State::pending, txn.changed_rows());
}

constexpr base::Micros due_ahead_max = std::chrono::hours{25}; // a retry waits a day at most

Result<void> revive(records::Transaction& txn, const Row& row) {
    const auto replaced = is_replaced(txn, row);
    CLINIC_TRY(replaced);
    if (*replaced) return move(txn, row, State::superseded, "");
    // A person's word that another one is to take the place of what was deleted in GHL.
    if (row.code == object_gone && envelope::is_beside(row.kind))
        if (const auto lost = Beside::lost(txn, row.patient, row.scope); !lost && lost.error().code != Errc::not_found)
            return lost;
    CLINIC_TRY(execute(txn, "UPDATE outbox SET tries = 0, counted = 0 WHERE id = ?", row.id));
    return make_pending(txn, row, txn.now(), "");
}

} // namespace

Result<std::int64_t> Outbox::push(records::Transaction& txn, Destination destination, PatientId patient,
                                  const envelope::MetadataEnvelope& envelope,
                                  std::optional<std::string_view> parked_code, const Coalesce& coalesce,
                                  std::optional<std::int64_t> of_number) {
    if (destination == Destination::ops) return Error{Errc::refused, "no patient kind goes to central ops"};
    const std::string written = envelope.encode();
    CLINIC_TRY(envelope::MetadataEnvelope::decode(written));
    CLINIC_TRY(check_room(txn, destination));
    const auto scope = of_number ? Result<std::int64_t>{*of_number} : scope_of(txn, patient, envelope);
    CLINIC_TRY(scope);
    const auto due = due_of(txn, destination, patient, envelope.kind(), coalesce);
    CLINIC_TRY(due);
    CLINIC_TRY(supersede_older(txn, destination, patient, envelope.kind(), *scope));
    const State state = parked_code ? State::parked : State::pending;
    CLINIC_TRY(execute(
        txn,
        "INSERT INTO outbox (destination, patient, kind, scope, state, queued_at, due_at, hold_until, envelope, "
        "code, trace, heard_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, x'', ?, ?, ?)",
        number(destination), patient, number(envelope.kind()), *scope, number(state), txn.now(), due->at,
        due->hold_until, parked_code.value_or(""), txn.trace(), heard_us(txn)));
    const std::int64_t id = txn.last_row();
    const auto sealed = txn.seal_for(patient, "outbox.envelope", id, written);
    CLINIC_TRY(sealed);
    CLINIC_TRY(execute(txn, "UPDATE outbox SET envelope = ? WHERE id = ?", *sealed, id));
    CLINIC_TRY(enter(txn, destination, state));
    return id;
}

Result<void> Outbox::withdraw(records::Transaction& txn, PatientId patient, Literal code) {
    for (const Destination destination : {Destination::crm, Destination::ops})
        CLINIC_TRY(withdraw_in(txn, destination, patient, code));
    return {};
}

Result<void> Outbox::mend_due_times(records::Transaction& txn) {
    return execute(txn, "UPDATE outbox SET due_at = ?1 WHERE destination IN (0, 1) AND state = 1 AND due_at > ?2",
                   txn.now(), txn.now() + due_ahead_max);
}

Result<void> Outbox::unpark(records::Transaction& txn, std::string_view code) {
    for (const Destination destination : {Destination::crm, Destination::ops})
        CLINIC_TRY(unpark_in(txn, destination, code));
    return {};
}

Result<void> Outbox::retry_dead(records::Transaction& txn, std::int64_t row) {
    const auto found = find_row(txn, row);
    CLINIC_TRY(found);
    if (!*found || (*found)->state != State::dead)
        return Error{Errc::not_found, "no such dead letter", "look at: clinicctl sync dead list"};
    return revive(txn, **found);
}

} // namespace clinic::outbox
