#include "daemon/outbox/rows.h"

#include <cassert>

#include "daemon/outbox/beside.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

constexpr std::int64_t released = 0;

// The statements of this folder say them as numbers.
static_assert(number(State::pending) == 1 && number(State::leased) == 2 && number(State::parked) == 3 &&
              number(State::dead) == 4 && number(envelope::Destination::crm) == 0 &&
              number(envelope::Kind::case_state) == 5 && number(envelope::Kind::booking_state) == 6);

bool is_final(State state) {
    return state >= State::delivered;
}

Row read_row(const records::Statement& row) {
    return {.id = row.integer(0),
            .destination = static_cast<envelope::Destination>(row.integer(1)),
            .patient = {row.uuid(2)},
            .kind = static_cast<envelope::Kind>(row.integer(3)),
            .scope = row.integer(4),
            .state = static_cast<State>(row.integer(5)),
            .due_at = {row.integer(10)},
            .tries = static_cast<int>(row.integer(6)),
            .counted = static_cast<int>(row.integer(7)),
            .withdrawn = row.integer(8) != 0,
            .code = std::string{row.text(9)},
            .joined = row.integer(11)};
}

Result<void> count(records::Transaction& txn, envelope::Destination destination, std::int64_t state,
                   std::int64_t change) {
    const records::RowKey key{.number = number(destination)};
    auto at_hand = txn.at_hand<records::OutboxCounters>(key);
    std::int64_t now_there = 0;
    CLINIC_TRY(first_row(
        txn,
        "INSERT INTO outbox_counter (destination, state, envelopes) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET envelopes = envelopes + excluded.envelopes RETURNING envelopes",
        [&](const records::Statement& row) { now_there = row.integer(0); }, number(destination), state, change));
    if (!at_hand) return {};
    at_hand->envelopes.at(static_cast<std::size_t>(state)) = now_there;
    txn.keep(key, *at_hand);
    return {};
}

envelope::Kind taken_back_by_kind(envelope::Kind kind) {
    switch (kind) {
    case envelope::Kind::contact_state:
    case envelope::Kind::appt_state: return envelope::Kind::contact_suppress;
    case envelope::Kind::contact_suppress: return envelope::Kind::contact_state;
    case envelope::Kind::consent_state:
    case envelope::Kind::case_state:
    case envelope::Kind::booking_state:
    case envelope::Kind::contact_merge: return kind;
    }
    return kind;
}

} // namespace

Result<std::optional<Row>> find_row(records::Session& session, std::int64_t id) {
    std::optional<Row> found;
    const auto any = first_row(
        session,
        "SELECT id, destination, patient, kind, scope, state, tries, counted, withdrawn, code, due_at, joined FROM "
        "outbox "
        "WHERE id = ?",
        [&](const records::Statement& row) { found = read_row(row); }, id);
    CLINIC_TRY(any);
    return found;
}

Result<Row> leased_row(records::Session& session, std::int64_t id) {
    auto row = find_row(session, id);
    CLINIC_TRY(row);
    if (!*row || (*row)->state != State::leased) return Error{Errc::not_found, "the lease is not open"};
    return **row;
}

Result<std::vector<Row>> rows_of_lease(records::Session& session, std::int64_t lease) {
    std::vector<Row> rows;
    auto own = find_row(session, lease);
    CLINIC_TRY(own);
    if (!*own || (*own)->state != State::leased || (*own)->joined != 0) return rows;
    rows.push_back(std::move(**own));
    std::int64_t id = 0;
    CLINIC_TRY(first_row(
        session, "SELECT id FROM outbox WHERE patient = ? AND destination = ? AND state = 2 AND joined = ?",
        [&](const records::Statement& row) { id = row.integer(0); }, rows.front().patient,
        number(rows.front().destination), lease));
    if (id == 0) return rows;
    auto other = find_row(session, id);
    CLINIC_TRY(other);
    if (*other) rows.push_back(std::move(**other));
    return rows;
}

Result<std::optional<Row>> row_beside(records::Session& session, const Row& row) {
    using MaybeRow = std::optional<Row>;
    const auto kind = envelope::companion(row.kind);
    if (!kind || row.counted > 0 || row.code == goes_apart) return MaybeRow{};
    std::int64_t id = 0;
    bool put_off = false;
    CLINIC_TRY(first_row(
        session,
        "SELECT id, due_at > ?, hold_until FROM outbox "
        "WHERE patient = ? AND destination = ? AND state = 1 AND id > ? AND kind < 5 ORDER BY id LIMIT 1",
        [&](const records::Statement& one) {
            id = one.integer(0);
            put_off = one.integer(1) != 0 && one.integer(2) == 0;
        },
        session.now(), row.patient, number(row.destination), row.id));
    if (id == 0 || put_off) return MaybeRow{};
    auto other = find_row(session, id);
    CLINIC_TRY(other);
    if (!*other || (*other)->kind != *kind || (*other)->counted > 0 || (*other)->code == goes_apart) return MaybeRow{};
    return other;
}

Result<std::optional<Row>> next_row(records::Session& session, envelope::Destination destination, Timestamp at) {
    std::optional<Row> found;
    const auto any = first_row(
        session,
        "SELECT id, destination, patient, kind, scope, state, tries, counted, withdrawn, code, due_at, joined FROM "
        "outbox AS "
        "this "
        "WHERE destination = ?1 AND state = 1 AND due_at <= ?2 "
        "AND NOT EXISTS (SELECT 1 FROM outbox AS other WHERE other.patient = this.patient "
        "                AND other.destination = ?1 AND other.state = 2) "
        "AND NOT EXISTS (SELECT 1 FROM outbox AS older WHERE older.patient = this.patient "
        "                AND older.destination = ?1 AND older.state = 1 AND older.id < this.id "
        "                AND (older.kind < 5 OR this.kind >= 5)) "
        "ORDER BY due_at, id LIMIT 1",
        [&](const records::Statement& row) { found = read_row(row); }, number(destination), at);
    CLINIC_TRY(any);
    return found;
}

Result<void> enter(records::Transaction& txn, envelope::Destination destination, State state) {
    CLINIC_TRY(count(txn, destination, released, 1));
    return count(txn, destination, number(state), 1);
}

Result<void> book(records::Transaction& txn, envelope::Destination destination, State from, State to,
                  std::int64_t rows) {
    if (rows == 0) return {};
    CLINIC_TRY(count(txn, destination, number(from), -rows));
    return count(txn, destination, number(to), rows);
}

Result<void> move(records::Transaction& txn, const Row& row, State to, std::string_view code) {
    assert(row.state != to && !is_final(row.state));
    CLINIC_TRY(book(txn, row.destination, row.state, to, 1));
    if (is_final(to)) return execute(txn, "DELETE FROM outbox WHERE id = ?", row.id);
    if (to == State::dead) CLINIC_TRY(execute(txn, "UPDATE outbox SET due_at = ? WHERE id = ?", txn.now(), row.id));
    return execute(txn, "UPDATE outbox SET state = ?, code = ?, joined = 0 WHERE id = ?", number(to), code, row.id);
}

Result<void> join(records::Transaction& txn, const Row& row, std::int64_t lease) {
    CLINIC_TRY(move(txn, row, State::leased, row.code));
    return execute(txn, "UPDATE outbox SET joined = ? WHERE id = ?", lease, row.id);
}

Result<void> make_pending(records::Transaction& txn, const Row& row, Timestamp due, std::string_view code) {
    CLINIC_TRY(move(txn, row, State::pending, code));
    CLINIC_TRY(execute(txn, "UPDATE outbox SET due_at = ?, hold_until = 0 WHERE id = ?", due, row.id));
    return execute(txn,
                   "UPDATE outbox SET due_at = ?1 WHERE patient = ?2 AND destination = ?3 AND state = 1 AND id > ?4 "
                   "AND due_at < ?1 AND (kind >= 5 OR ?5 < 5)",
                   due, row.patient, number(row.destination), row.id, number(row.kind));
}

Result<bool> is_replaced(records::Session& session, const Row& row) {
    const auto taken_back_by = number(taken_back_by_kind(row.kind));
    if (row.kind == envelope::Kind::contact_merge) return false;
    const auto queued = first_row(
        session,
        "SELECT 1 FROM outbox WHERE patient = ? AND destination = ? AND state IN (1, 2, 3) AND id > ? "
        "AND ((kind = ? AND scope = ?) OR (kind = ? AND scope = -1)) LIMIT 1",
        [](const records::Statement&) {}, row.patient, number(row.destination), row.id, number(row.kind), row.scope,
        taken_back_by);
    if (!queued || *queued) return queued;
    return first_row(
        session,
        "SELECT 1 FROM said WHERE patient = ? AND destination = ? AND delivered > ? "
        "AND ((kind = ? AND scope = ?) OR (kind = ? AND scope = -1)) LIMIT 1",
        [](const records::Statement&) {}, row.patient, number(row.destination), row.id, number(row.kind), row.scope,
        taken_back_by);
}

Result<envelope::MetadataEnvelope> envelope_in(records::Session& session, const Row& row) {
    crypto::Bytes sealed;
    const auto found = first_row(
        session, "SELECT envelope FROM outbox WHERE id = ?",
        [&](const records::Statement& one) { sealed = copy(one.blob(0)); }, row.id);
    CLINIC_TRY(found);
    const auto plain = session.open_for(row.patient, "outbox.envelope", row.id, sealed);
    CLINIC_TRY(plain);
    auto envelope = envelope::MetadataEnvelope::decode(*plain);
    if (!envelope) return Error{Errc::corrupt, "a stored envelope does not decode"};
    return envelope;
}

Result<Leased> opened(records::Session& session, const Row& row) {
    auto envelope = envelope_in(session, row);
    CLINIC_TRY(envelope);
    Leased out{.row = row.id, .patient = row.patient, .envelope = std::move(*envelope), .object = {}, .left_at = {}};
    if (!envelope::is_beside(row.kind)) return out;
    auto beside = Beside::at(session, row.patient, row.scope);
    out.forgotten = !beside && beside.error().code == Errc::not_found;
    if (out.forgotten) return out;
    CLINIC_TRY(beside);
    out.object = std::move(beside->object);
    out.left_at = std::move(beside->contact);
    return out;
}

} // namespace clinic::outbox
