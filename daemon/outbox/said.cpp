#include <algorithm>

#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

using envelope::Kind;
using envelope::MetadataEnvelope;

struct Said {
    std::int64_t id = 0, delivered = 0;
    bool tags_known = false, unsure = false;
    crypto::Bytes sealed;
};

Said said_in(const records::Statement& row) {
    return {row.integer(0), row.integer(1), row.integer(2) != 0, row.integer(3) != 0, copy(row.blob(4))};
}

constexpr std::int64_t any_scope = -2;

Result<std::optional<Said>> find_said(records::Session& session, envelope::Destination destination,
                                      records::PatientId patient, Kind kind, std::int64_t scope) {
    std::optional<Said> said;
    const auto found = first_row(
        session,
        "SELECT id, delivered, tags_known, unsure, envelope FROM said "
        "WHERE patient = ?1 AND destination = ?2 AND kind = ?3 AND (scope = ?4 OR ?4 = -2) "
        "ORDER BY delivered DESC LIMIT 1",
        [&](const records::Statement& row) { said = said_in(row); }, patient, number(destination), number(kind), scope);
    CLINIC_TRY(found);
    return said;
}

Result<MetadataEnvelope> open_said(records::Session& session, records::PatientId patient, const Said& said) {
    const auto plain = session.open_for(patient, "said.envelope", said.id, said.sealed);
    CLINIC_TRY(plain);
    auto envelope = MetadataEnvelope::decode(*plain);
    if (!envelope) return Error{Errc::corrupt, "a remembered envelope does not decode"};
    return envelope;
}

// What was delivered of the one is no longer so when the other is.
std::vector<Kind> opposites(Kind kind) {
    switch (kind) {
    case Kind::contact_state:
    case Kind::appt_state: return {Kind::contact_suppress};
    case Kind::contact_suppress: return {Kind::contact_state, Kind::appt_state};
    case Kind::consent_state:
    case Kind::case_state:
    case Kind::booking_state:
    case Kind::contact_merge: return {};
    }
    return {};
}

// The newest row of a kind that is still to end; dead ones too, unless something has been delivered since.
Result<std::int64_t> newest_queued(records::Session& session, envelope::Destination destination,
                                   records::PatientId patient, Kind kind, std::int64_t scope, std::int64_t after) {
    std::int64_t id = 0;
    const auto found = first_row(
        session,
        "SELECT max(id) FROM outbox WHERE patient = ?1 AND destination = ?2 AND kind = ?3 "
        "AND (scope = ?4 OR ?4 = -2) AND id > ?5 AND withdrawn = 0",
        [&](const records::Statement& row) { id = row.is_null(0) ? 0 : row.integer(0); }, patient, number(destination),
        number(kind), scope, after);
    CLINIC_TRY(found);
    return id;
}

Result<LastSaid> last_said_in(records::Session& session, envelope::Destination destination, records::PatientId patient,
                              Kind kind, std::int64_t in_scope) {
    LastSaid last;
    const auto said = find_said(session, destination, patient, kind, in_scope);
    CLINIC_TRY(said);
    const std::int64_t delivered = *said ? (*said)->delivered : 0;
    const auto queued = newest_queued(session, destination, patient, kind, in_scope, delivered);
    CLINIC_TRY(queued);
    for (const Kind opposite : opposites(kind)) {
        const auto since = newest_queued(session, destination, patient, opposite, -1, std::max(delivered, *queued));
        CLINIC_TRY(since);
        if (*since > 0) return last;
    }
    if (*said) {
        const auto envelope = open_said(session, patient, **said);
        CLINIC_TRY(envelope);
        last.content = envelope->content();
        last.tags = envelope->tags();
        last.unsure = (*said)->unsure;
    }
    if (*queued > 0) {
        const auto row = find_row(session, *queued);
        CLINIC_TRY(row);
        const auto envelope = envelope_in(session, **row);
        CLINIC_TRY(envelope);
        last.queued_content = envelope->content();
    }
    return last;
}

struct SaidKey {
    envelope::Destination destination;
    records::PatientId patient;
    Kind kind;
    std::int64_t scope, row; // of the outbox; 0: none that was delivered
};

Result<void> store_said(records::Transaction& txn, const SaidKey& key, const MetadataEnvelope& envelope,
                        Timestamp written_at, bool unsure) {
    std::int64_t id = 0;
    CLINIC_TRY(first_row(
        txn,
        "INSERT INTO said (destination, patient, kind, scope, delivered, envelope, tags_known, unsure, written_at) "
        "VALUES (?, ?, ?, ?, ?, x'', ?, ?, ?) ON CONFLICT DO UPDATE SET delivered = excluded.delivered, "
        "tags_known = excluded.tags_known, unsure = excluded.unsure, written_at = excluded.written_at RETURNING id",
        [&](const records::Statement& one) { id = one.integer(0); }, number(key.destination), key.patient,
        number(key.kind), key.scope, key.row, key.row != 0, unsure, written_at));
    const auto sealed = txn.seal_for(key.patient, "said.envelope", id, envelope.encode());
    CLINIC_TRY(sealed);
    return execute(txn, "UPDATE said SET envelope = ? WHERE id = ?", *sealed, id);
}

// A first state that is begun may be there in part, whatever becomes of its row: then there is something to take back.
Result<void> begun(records::Transaction& txn, const Row& row) {
    const auto any = find_said(txn, row.destination, row.patient, row.kind, row.scope);
    CLINIC_TRY(any);
    if (any->has_value()) return {};
    const auto envelope = envelope_in(txn, row);
    CLINIC_TRY(envelope);
    return store_said(txn, {row.destination, row.patient, row.kind, row.scope, 0}, *envelope, Timestamp{0}, true);
}

bool says_stop(const MetadataEnvelope& envelope, Stop how) {
    using envelope::Field;
    if (how == Stop::do_not_disturb) return envelope.kind() == Kind::contact_suppress; // the others write the tag alone
    switch (envelope.kind()) {
    case Kind::contact_suppress: return true;
    case Kind::contact_state: {
        const auto tags = envelope.tags();
        return std::ranges::any_of(
            tags, [](const envelope::Word& word) { return std::string_view{word.text()} == "do_not_contact"; });
    }
    case Kind::consent_state:
        return envelope.text(Field::scope) == name(envelope::Scope::reminders) &&
               envelope.text(Field::state) != name(envelope::Grant::granted);
    case Kind::appt_state:
    case Kind::case_state:
    case Kind::booking_state:
    case Kind::contact_merge: break;
    }
    return false;
}

} // namespace

Result<void> remember_said(records::Transaction& txn, const Row& row) {
    if (row.kind == Kind::contact_merge) return {};
    for (const Kind opposite : opposites(row.kind)) CLINIC_TRY(forget_said(txn, row.patient, opposite));
    const auto envelope = envelope_in(txn, row);
    if (!envelope && envelope.error().code == Errc::not_found) return {}; // erased while it was on its way
    CLINIC_TRY(envelope);
    // An earlier write without an answer may still arrive after this one: then the daily job says it once more.
    const auto late = write_may_be_late(txn, row.patient);
    CLINIC_TRY(late);
    return store_said(txn, {row.destination, row.patient, row.kind, row.scope, row.id}, *envelope, txn.now(), *late);
}

Result<void> said_unsure(records::Transaction& txn, const Row& row, bool makes_contact) {
    std::vector<Kind> changed = opposites(row.kind);
    changed.push_back(row.kind);
    for (const Kind kind : changed)
        CLINIC_TRY(execute(txn,
                           "UPDATE said SET unsure = 1 WHERE patient = ? AND destination = ? AND kind = ? "
                           "AND (scope = ? OR scope = -1) AND unsure = 0",
                           row.patient, number(row.destination), number(kind), row.scope));
    const bool is_state = row.kind == Kind::contact_state || row.kind == Kind::appt_state;
    return is_state && !makes_contact ? begun(txn, row) : Result<void>{};
}

Result<void> forget_said(records::Transaction& txn, records::PatientId patient, Kind kind) {
    return execute(txn, "DELETE FROM said WHERE patient = ? AND destination = 0 AND kind = ?", patient, number(kind));
}

Result<void> tags_unsure(records::Transaction& txn, records::PatientId patient) {
    return execute(txn, "UPDATE said SET tags_known = 0 WHERE patient = ? AND destination = 0 AND kind = ?", patient,
                   number(Kind::contact_state));
}

Result<std::optional<std::vector<envelope::Word>>> known_tags(records::Session& session, const Row& row) {
    using Tags = std::optional<std::vector<envelope::Word>>;
    const auto said = find_said(session, row.destination, row.patient, Kind::contact_state, -1);
    CLINIC_TRY(said);
    if (!*said || !(*said)->tags_known) return Tags{};
    const auto envelope = open_said(session, row.patient, **said);
    CLINIC_TRY(envelope);
    return Tags{envelope->tags()};
}

Result<void> Outbox::doubt(records::Transaction& txn, records::PatientId patient) {
    return execute(txn,
                   "UPDATE said SET unsure = 1, tags_known = 0 WHERE patient = ? AND destination = 0"
                   " AND kind NOT IN (?, ?)",
                   patient, number(Kind::case_state), number(Kind::booking_state));
}

Result<void> Outbox::doubt_of(records::Transaction& txn, records::PatientId patient, Kind kind,
                              std::int64_t of_number) {
    return execute(txn, "UPDATE said SET unsure = 1 WHERE patient = ? AND destination = 0 AND kind = ? AND scope = ?",
                   patient, number(kind), of_number);
}

Result<void> Outbox::holds(records::Transaction& txn, records::PatientId patient, std::int64_t of_number,
                           const MetadataEnvelope& envelope) {
    return store_said(txn, {envelope::Destination::crm, patient, envelope.kind(), of_number, 0}, envelope, Timestamp{0},
                      false);
}

Result<LastSaid> Outbox::last_said(records::Session& session, envelope::Destination destination,
                                   records::PatientId patient, Kind kind, std::optional<envelope::Scope> scope) {
    std::int64_t in_scope = -1;
    if (kind == Kind::consent_state) in_scope = scope ? number(*scope) : any_scope;
    return last_said_in(session, destination, patient, kind, in_scope);
}

Result<LastSaid> Outbox::last_said_of(records::Session& session, records::PatientId patient, Kind kind,
                                      std::int64_t number) {
    return last_said_in(session, envelope::Destination::crm, patient, kind, number);
}

Result<std::string> Outbox::under_way(records::Session& session, records::PatientId patient, Kind kind,
                                      std::int64_t of_number) {
    std::int64_t id = 0;
    CLINIC_TRY(first_row(
        session, "SELECT id FROM outbox WHERE patient = ? AND destination = 0 AND state = 2 AND kind = ? AND scope = ?",
        [&](const records::Statement& row) { id = row.integer(0); }, patient, number(kind), of_number));
    if (id == 0) return std::string{};
    const auto row = find_row(session, id);
    CLINIC_TRY(row);
    const auto envelope = envelope_in(session, **row);
    CLINIC_TRY(envelope);
    return envelope->content();
}

Result<bool> Outbox::wrote_stop_since(records::Session& session, records::PatientId patient, Stop how,
                                      Timestamp since) {
    std::vector<Said> said;
    CLINIC_TRY(each_row(
        session,
        "SELECT id, delivered, tags_known, unsure, envelope FROM said "
        "WHERE patient = ? AND destination = 0 AND written_at >= ?",
        [&](const records::Statement& row) { said.push_back(said_in(row)); }, patient, since));
    for (const Said& one : said) {
        const auto envelope = open_said(session, patient, one);
        CLINIC_TRY(envelope);
        if (says_stop(*envelope, how)) return true;
    }
    std::vector<std::int64_t> begun;
    CLINIC_TRY(each_row(
        session,
        // Pending without a try it is where its lease was lost: what it has sent stands in the ledger.
        "SELECT id FROM outbox INDEXED BY outbox_subject "
        "WHERE patient = ? AND destination = 0 AND state IN (1, 2) AND (state = 2 OR tries > 0 "
        "OR EXISTS (SELECT 1 FROM ledger WHERE lease = outbox.id AND result IN ('open', 'answered', 'unknown')) "
        "OR EXISTS (SELECT 1 FROM ledger INDEXED BY ledger_also "
        "           WHERE also = outbox.id AND also > 0 AND result IN ('open', 'answered', 'unknown')))",
        [&](const records::Statement& row) { begun.push_back(row.integer(0)); }, patient));
    for (const std::int64_t id : begun) {
        const auto row = find_row(session, id);
        CLINIC_TRY(row);
        const auto envelope = envelope_in(session, **row);
        CLINIC_TRY(envelope);
        if (says_stop(*envelope, how)) return true;
    }
    return false;
}

} // namespace clinic::outbox
