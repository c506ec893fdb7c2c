#include "daemon/crm/objects.h"

#include "daemon/outbox/outbox.h"
#include "daemon/outbox/sql.h"
#include "daemon/records/patients.h"

namespace clinic::crm {
namespace {

using envelope::CrmFact;
using envelope::CrmKind;
using outbox::copy;
using outbox::each_row;
using outbox::execute;
using outbox::first_row;
using outbox::Links;
using outbox::number;
using records::Session;
using records::Statement;
using records::Transaction;

constexpr int offered_max = 100;

crypto::Token object_token(Session& session, CrmKind kind, std::string_view id) {
    if (kind == CrmKind::contact) return Links::contact_token(session, id);
    return crypto::token(session.index_key(), std::string{"crm\n"} + name(kind) + "\n" + std::string{id});
}

struct Stored {
    std::int64_t row = 0;
    crypto::Bytes id, content;
    std::int64_t updated_ms = 0, read_ms = 0, probed_ms = 0;
    bool deleted = false;
    CrmKind kind{};
    Matching matching{};
};

Stored stored(const Statement& row) {
    return {.row = row.integer(0),
            .id = copy(row.blob(1)),
            .content = copy(row.blob(2)),
            .updated_ms = row.integer(3),
            .read_ms = row.integer(4),
            .probed_ms = row.integer(7),
            .deleted = row.integer(5) != 0,
            .kind = static_cast<CrmKind>(row.integer(8)),
            .matching = static_cast<Matching>(row.integer(6))};
}

Result<Object> opened(Session& session, const Stored& held) {
    Object out{.row = held.row, .fact = {}, .matching = held.matching, .probed_ms = held.probed_ms};
    if (!held.deleted) {
        const auto content = session.open_unowned("crm_object.content", held.row, held.content);
        CLINIC_TRY(content);
        auto fact = envelope::fact_from(*content);
        if (!fact) return Error{Errc::corrupt, "what GHL said is stored and does not decode"};
        out.fact = std::move(*fact);
    }
    const auto id = session.open_unowned("crm_object.id", held.row, held.id);
    CLINIC_TRY(id);
    out.fact.id = *id;
    out.fact.kind = held.kind;
    out.fact.updated_ms = held.updated_ms;
    out.fact.read_ms = held.read_ms;
    return out;
}

struct Slot {
    std::optional<std::int64_t> from, until;
};

// Of a booking that stands; nothing of one that was cancelled, or came to its end.
Slot slot_of(const CrmFact& fact) {
    using envelope::Booking;
    const auto* booked = std::get_if<envelope::CrmAppointment>(&fact.said);
    if (booked == nullptr || (booked->status != Booking::new_ && booked->status != Booking::confirmed)) return {};
    return {booked->from_quarter, booked->until_quarter};
}

std::string contact_of(const CrmFact& fact) {
    if (fact.kind == CrmKind::contact) return fact.id;
    if (const auto* booked = std::get_if<envelope::CrmAppointment>(&fact.said)) return booked->contact;
    if (const auto* one = std::get_if<envelope::CrmOpportunity>(&fact.said)) return one->contact;
    return {};
}

Result<std::int64_t> new_row(Transaction& txn, const CrmFact& fact) {
    const auto full = is_full(txn);
    CLINIC_TRY(full);
    if (*full) return Error{Errc::full, "GHL holds more contacts, bookings and cases than this box keeps an eye on"};
    CLINIC_TRY(execute(txn,
                       "INSERT INTO crm_object (kind, token, id, updated_ms, read_ms, content)"
                       " VALUES (?, ?, x'', 0, 0, x'')",
                       number(fact.kind), object_token(txn, fact.kind, fact.id)));
    const std::int64_t row = txn.last_row();
    const auto id = txn.seal_unowned("crm_object.id", row, fact.id);
    CLINIC_TRY(execute(txn, "UPDATE crm_object SET id = ? WHERE row = ?", id, row));
    return row;
}

Conflict conflict_in(const Statement& row) {
    Conflict out{.number = row.integer(0),
                 .object = row.integer(1),
                 .field = static_cast<Field>(row.integer(2)),
                 .ours = std::string{row.text(3)},
                 .theirs = std::string{row.text(4)},
                 .found_at = {row.integer(5)},
                 .settled_at = {},
                 .settled_by = std::string{row.text(7)}};
    if (!row.is_null(6)) out.settled_at = Timestamp{row.integer(6)};
    return out;
}

} // namespace

// By the newest row's number: what was taken away with somebody who was erased makes little room.
Result<bool> is_full(Session& session) {
    std::int64_t newest = 0;
    CLINIC_TRY(first_row(session, "SELECT coalesce(max(row), 0) FROM crm_object",
                         [&](const Statement& row) { newest = row.integer(0); }));
    return newest >= objects_max;
}

Result<std::optional<Object>> find(Session& session, CrmKind kind, std::string_view id) {
    std::optional<Stored> held;
    CLINIC_TRY(first_row(
        session,
        "SELECT row, id, content, updated_ms, read_ms, deleted, matching, probed_ms, kind FROM crm_object"
        " WHERE kind = ? AND token = ?",
        [&](const Statement& row) { held = stored(row); }, number(kind), object_token(session, kind, id)));
    if (!held) return std::optional<Object>{};
    auto object = opened(session, *held);
    CLINIC_TRY(object);
    return std::optional{std::move(*object)};
}

Result<std::optional<Object>> object_at(Session& session, std::int64_t number_of_row) {
    std::optional<Stored> held;
    CLINIC_TRY(first_row(
        session,
        "SELECT row, id, content, updated_ms, read_ms, deleted, matching, probed_ms, kind FROM crm_object"
        " WHERE row = ?",
        [&](const Statement& row) { held = stored(row); }, number_of_row));
    if (!held) return std::optional<Object>{};
    auto object = opened(session, *held);
    CLINIC_TRY(object);
    return std::optional{std::move(*object)};
}

Result<std::int64_t> put(Transaction& txn, const std::optional<Object>& before, const CrmFact& fact) {
    std::int64_t row = before ? before->row : 0;
    if (!before) {
        const auto made = new_row(txn, fact);
        CLINIC_TRY(made);
        row = *made;
    }
    const std::string whose = contact_of(fact);
    std::optional<crypto::Bytes> contact;
    if (!whose.empty()) {
        const auto token = Links::contact_token(txn, whose);
        contact = crypto::Bytes{token.begin(), token.end()};
    }
    const auto content = fact.deleted() ? crypto::Bytes{} // nothing of it is kept but that it was
                                        : txn.seal_unowned("crm_object.content", row, envelope::content_of(fact));
    const Slot slot = slot_of(fact);
    CLINIC_TRY(execute(txn,
                       "UPDATE crm_object SET contact = coalesce(?, contact), updated_ms = ?, read_ms = ?, deleted = ?,"
                       " content = ?, from_quarter = ?, until_quarter = ? WHERE row = ?",
                       contact, fact.updated_ms, fact.read_ms, fact.deleted(), content, slot.from, slot.until, row));
    return row;
}

bool is_read_ahead(std::int64_t read_ms, base::Timestamp now) {
    constexpr std::chrono::minutes clocks_differ{10};
    return base::Timestamp{read_ms * 1'000} > now + clocks_differ;
}

Result<void> touch(Transaction& txn, std::int64_t row, std::int64_t read_ms) {
    return execute(txn, "UPDATE crm_object SET read_ms = ? WHERE row = ?", read_ms, row);
}

Result<void> set_matching(Transaction& txn, std::int64_t row, Matching matching, std::int64_t probed_ms) {
    return execute(txn, "UPDATE crm_object SET matching = ?, probed_ms = ? WHERE row = ?", number(matching), probed_ms,
                   row);
}

Result<void> record(Transaction& txn, std::int64_t object, Field field, std::string_view ours, std::string_view theirs,
                    Settled settled) {
    if (settled == Settled::open) {
        CLINIC_TRY(execute(txn,
                           "UPDATE crm_conflict SET ours = ?, theirs = ? WHERE object = ? AND field = ?"
                           " AND settled_at IS NULL",
                           ours, theirs, object, number(field)));
        if (txn.changed_rows() > 0) return {};
    }
    std::optional<Timestamp> settled_at;
    if (settled == Settled::by_rule) settled_at = txn.now();
    return execute(txn,
                   "INSERT INTO crm_conflict (object, field, ours, theirs, found_at, settled_at, settled_by)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?)",
                   object, number(field), ours, theirs, txn.now(), settled_at, settled_at ? "rule" : "");
}

Result<void> settle(Transaction& txn, std::int64_t object, Field field, Literal by) {
    return execute(txn,
                   "UPDATE crm_conflict SET settled_at = ?, settled_by = ? WHERE object = ? AND field = ?"
                   " AND settled_at IS NULL",
                   txn.now(), by.c_str(), object, number(field));
}

Result<Conflict> settle_number(Transaction& txn, std::int64_t wanted, Literal by) {
    std::optional<Conflict> found;
    CLINIC_TRY(first_row(
        txn,
        "UPDATE crm_conflict SET settled_at = ?, settled_by = ? WHERE number = ? AND settled_at IS NULL"
        " RETURNING number, object, field, ours, theirs, found_at, settled_at, settled_by",
        [&](const Statement& row) { found = conflict_in(row); }, txn.now(), by.c_str(), wanted));
    if (!found) return Error{Errc::not_found, "no such open difference", "see: clinicctl link list"};
    return std::move(*found);
}

Result<int> recorded_since(Session& session, std::int64_t object, Field field, Timestamp since) {
    std::int64_t count = 0;
    CLINIC_TRY(first_row(
        session, "SELECT count(*) FROM crm_conflict WHERE object = ? AND field = ? AND found_at >= ?",
        [&](const Statement& row) { count = row.integer(0); }, object, number(field), since));
    return static_cast<int>(count);
}

Result<std::vector<Conflict>> open_conflicts(Session& session, int rows_max, std::int64_t after) {
    std::vector<Conflict> out;
    CLINIC_TRY(each_row(
        session,
        "SELECT number, object, field, ours, theirs, found_at, settled_at, settled_by FROM crm_conflict"
        " WHERE settled_at IS NULL AND number > ? ORDER BY number LIMIT ?",
        [&](const Statement& row) { out.push_back(conflict_in(row)); }, after, rows_max));
    return out;
}

Result<std::int64_t> open_count(Session& session) {
    std::int64_t count = 0;
    CLINIC_TRY(first_row(session,
                         "SELECT count(*) FROM crm_conflict INDEXED BY crm_conflict_open WHERE settled_at IS NULL",
                         [&](const Statement& row) { count = row.integer(0); }));
    return count;
}

Result<void> purge_settled(Transaction& txn) {
    return execute(txn, "DELETE FROM crm_conflict WHERE settled_at < ?",
                   txn.now() - base::Micros{std::chrono::hours{24 * settled_life_days}});
}

Result<void> offer(Transaction& txn, std::int64_t object, const std::vector<records::PatientId>& patients) {
    CLINIC_TRY(withdraw_offer(txn, object));
    for (const auto& patient : patients)
        CLINIC_TRY(execute(txn, "INSERT INTO crm_choice (object, patient) VALUES (?, ?)", object, patient));
    return {};
}

Result<void> withdraw_offer(Transaction& txn, std::int64_t object) {
    return execute(txn, "DELETE FROM crm_choice WHERE object = ?", object);
}

Result<std::vector<records::PatientId>> offered(Session& session, std::int64_t object) {
    std::vector<records::PatientId> out;
    CLINIC_TRY(each_row(
        session, "SELECT patient FROM crm_choice WHERE object = ? ORDER BY patient LIMIT ?",
        [&](const Statement& row) { out.push_back({row.uuid(0)}); }, object, offered_max));
    return out;
}

Result<std::vector<Object>> choices(Session& session, int rows_max) {
    std::vector<Stored> held;
    CLINIC_TRY(each_row(
        session,
        "SELECT row, id, content, updated_ms, read_ms, deleted, matching, probed_ms, kind FROM crm_object"
        " INDEXED BY crm_object_choice WHERE matching = 2 ORDER BY row LIMIT ?",
        [&](const Statement& row) { held.push_back(stored(row)); }, rows_max));
    std::vector<Object> out;
    for (const auto& one : held) {
        auto object = opened(session, one);
        CLINIC_TRY(object);
        out.push_back(std::move(*object));
    }
    return out;
}

Result<void> keep_apart(Transaction& txn, std::string_view contact, records::PatientId patient) {
    return execute(txn, "INSERT INTO crm_never (contact, patient) VALUES (?, ?) ON CONFLICT DO NOTHING",
                   Links::contact_token(txn, contact), patient);
}

Result<bool> is_kept_apart(Session& session, std::string_view contact, records::PatientId patient) {
    // What was said of somebody who was merged into them since was said of them.
    auto family = records::merged_into(session, patient);
    CLINIC_TRY(family);
    family->push_back(patient);
    for (const auto one : *family) {
        auto apart = first_row(
            session, "SELECT 1 FROM crm_never WHERE contact = ? AND patient = ?", [](const Statement&) {},
            Links::contact_token(session, contact), one);
        if (!apart || *apart) return apart;
    }
    return false;
}

} // namespace clinic::crm
