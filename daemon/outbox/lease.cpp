// The life of a lease: handed out, settled, parked, killed, or given back when the peer goes away.
#include "daemon/outbox/beside.h"
#include "daemon/outbox/outbox.h"
#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"
#include "daemon/outbox/turn.h"

namespace clinic::outbox {
namespace {

using envelope::Destination;
using envelope::Kind;
using envelope::Settle;
using records::PatientId;
using MaybeLease = std::optional<envelope::Lease>;

constexpr int rows_looked_at_max = 256; // parked or discarded on the way to one that can go, in one transaction
constexpr int counted_max = 2;          // refusals of its own body, with a look-up between
constexpr Timestamp ever{INT64_MAX};
constexpr std::string_view no_contact = "no_contact";
constexpr std::string_view no_object = "no_object";

// What goes out with one lease.
struct Offer {
    Row row;
    envelope::MetadataEnvelope envelope;
};

// What becomes of a row whose subject has no contact, no create of unknown outcome, and none to come.
State without_contact(Kind kind) {
    return kind == Kind::contact_suppress ? State::discarded : State::parked; // nothing is there to be suppressed
}

int left_of(std::chrono::milliseconds span, base::Micros since, base::Micros now) {
    const auto age = std::chrono::floor<std::chrono::milliseconds>(now - since);
    return static_cast<int>(std::clamp(span - age, std::chrono::milliseconds{0}, span).count());
}

struct Trace {
    std::string name;
    std::int64_t queued_ms = 0;
    std::optional<std::int64_t> heard_us = {};
};

Result<Trace> trace_of(records::Session& session, const Row& row) {
    Trace trace;
    CLINIC_TRY(first_row(
        session, "SELECT trace, queued_at, heard_us FROM outbox WHERE id = ?",
        [&](const records::Statement& one) {
            trace.name = one.text(0);
            const auto waited =
                std::chrono::floor<std::chrono::milliseconds>(session.now() - Timestamp{one.integer(1)});
            if (trace.name.empty()) return;
            trace.queued_ms = std::max<std::int64_t>(0, waited.count());
            if (one.integer(2) >= 0) trace.heard_us = one.integer(2);
        },
        row.id));
    return trace;
}

Result<void> add_traces(records::Session& session, const Row& row, const std::optional<Offer>& also,
                        envelope::Lease& lease) {
    auto own = trace_of(session, row);
    CLINIC_TRY(own);
    lease.trace = std::move(own->name);
    lease.queued_ms = own->queued_ms;
    lease.heard_us = own->heard_us;
    if (!also) return {};
    auto other = trace_of(session, also->row);
    CLINIC_TRY(other);
    if (other->name == lease.trace) return {}; // one change brought both
    lease.also_trace = std::move(other->name);
    lease.also_queued_ms = other->queued_ms;
    lease.also_heard_us = other->heard_us;
    return {};
}

// Whether an opportunity or a booking is made for it where there is none: a booking with its time alone.
bool makes_beside(const envelope::MetadataEnvelope& envelope) {
    return envelope::wants_object(envelope) && (envelope.kind() == Kind::case_state || envelope.slot());
}

// Whether a do-not-contact that the contact has may be one of ours: we set one, or know nothing of what it has.
Result<bool> stop_may_be_ours(records::Session& session, PatientId patient) {
    const auto said = Outbox::last_said(session, Destination::crm, patient, Kind::contact_state);
    CLINIC_TRY(said);
    if (said->content.empty()) return true;
    const auto wrote = Outbox::wrote_stop_since(session, patient, Stop::tag, Timestamp{});
    if (!wrote || *wrote) return wrote;
    return Ledger::suppression_may_stand(session, patient);
}

bool cannot_be_read(Errc code) {
    return code == Errc::not_found || code == Errc::corrupt || code == Errc::tampered;
}

// The subject's other state, where it goes along. One that cannot be read is left for its own turn.
Result<std::optional<Offer>> beside(records::Session& session, const Offer& first) {
    auto row = row_beside(session, first.row);
    CLINIC_TRY(row);
    if (!*row) return std::optional<Offer>{};
    auto envelope = envelope_in(session, **row);
    if (!envelope && cannot_be_read(envelope.error().code)) return std::optional<Offer>{};
    CLINIC_TRY(envelope);
    for (const auto field : {envelope::Field::pid, envelope::Field::site})
        if (envelope->text(field) != first.envelope.text(field)) return std::optional<Offer>{};
    return std::optional{Offer{std::move(**row), std::move(*envelope)}};
}

// Of an opportunity or a booking. Empty: as below.
Result<MaybeLease> offer_beside(records::Transaction& txn, Offer about, std::chrono::milliseconds unsure_for) {
    const Row& row = about.row;
    auto beside = Beside::at(txn, row.patient, row.scope);
    if (!beside && beside.error().code != Errc::not_found) return beside.error();
    // Of one that was left nothing is said but its end; not_found: it was not there at the earlier contact.
    if (!beside || (beside->is_left() && envelope::wants_object(about.envelope))) {
        CLINIC_TRY(move(txn, row, State::discarded, no_object));
        return MaybeLease{};
    }
    const bool unknown = beside->object.empty() && beside->unsure_since;
    const bool makes = beside->object.empty() && makes_beside(about.envelope);
    if (beside->object.empty() && !unknown && !makes) {
        CLINIC_TRY(move(txn, row, State::discarded, no_object));
        if (beside->is_left()) CLINIC_TRY(Beside::forget(txn, row.patient, *beside));
        return MaybeLease{};
    }
    auto contact = beside->is_left() ? Result<std::string>{beside->contact} : Links::contact(txn, row.patient);
    CLINIC_TRY(contact);
    if (contact->empty()) {
        CLINIC_TRY(move(txn, row, State::parked, no_contact));
        return MaybeLease{};
    }
    CLINIC_TRY(move(txn, row, State::leased, row.code));
    envelope::Lease lease;
    lease.lease = row.id;
    lease.contact = std::move(*contact);
    lease.object = std::move(beside->object);
    lease.create = makes;
    lease.look_up_first = unknown || row.counted > 0;
    if (unknown) lease.unsure_ms = left_of(unsure_for, *beside->unsure_since, txn.monotonic());
    lease.tries = row.tries;
    CLINIC_TRY(add_traces(txn, row, std::nullopt, lease));
    lease.envelope = std::move(about.envelope);
    return MaybeLease{std::move(lease)};
}

// Empty: this row cannot go, and has been put where it belongs.
Result<MaybeLease> offer(records::Transaction& txn, Offer first, bool may_create,
                         std::chrono::milliseconds unsure_for) {
    const Row& row = first.row;
    if (envelope::is_beside(row.kind)) return offer_beside(txn, std::move(first), unsure_for);
    auto to = addressed_now(txn, row.patient, first.envelope);
    CLINIC_TRY(to);
    const auto unsettled = unsettled_create(txn, row.patient);
    CLINIC_TRY(unsettled);
    auto also = beside(txn, first);
    CLINIC_TRY(also);
    const bool makes = to->contact.empty() && may_create && (row.kind == Kind::contact_state || *also);
    const bool needs_one = row.kind != Kind::contact_merge; // there it is the other's contact that is emptied
    if (to->contact.empty() && !*unsettled && !makes && needs_one) {
        CLINIC_TRY(move(txn, row, without_contact(row.kind), no_contact));
        return MaybeLease{};
    }
    auto tags = known_tags(txn, row);
    CLINIC_TRY(tags);
    CLINIC_TRY(move(txn, row, State::leased, row.code));
    envelope::Lease lease;
    lease.lease = row.id;
    lease.create = makes;
    const bool create_unknown = to->contact.empty() && unsettled->has_value();
    lease.contact = std::move(to->contact);
    lease.old_contact = std::move(to->old_contact);
    lease.look_up_first = create_unknown || row.counted > 0;
    if (create_unknown) lease.unsure_ms = left_of(unsure_for, **unsettled, txn.monotonic());
    lease.prior_tags = std::move(*tags);
    if (!lease.prior_tags) {
        const auto lift = stop_may_be_ours(txn, row.patient);
        CLINIC_TRY(lift);
        lease.may_lift = *lift;
    }
    lease.tries = row.tries;
    CLINIC_TRY(add_traces(txn, row, *also, lease));
    lease.envelope = std::move(first.envelope);
    if (!*also) return MaybeLease{std::move(lease)};
    CLINIC_TRY(join(txn, (*also)->row, row.id));
    lease.tries = std::max(row.tries, (*also)->row.tries);
    lease.also = std::move((*also)->envelope);
    return MaybeLease{std::move(lease)};
}

Result<MaybeLease> try_row(records::Transaction& txn, const Row& row, bool may_create,
                           std::chrono::milliseconds unsure_for) {
    auto envelope = envelope_in(txn, row);
    if (envelope) return offer(txn, {row, std::move(*envelope)}, may_create, unsure_for);
    if (envelope.error().code == Errc::not_found) { // its key is erased
        CLINIC_TRY(move(txn, row, State::discarded, "erased"));
        return MaybeLease{};
    }
    // One row that cannot be read must not hold up everybody else's.
    if (!cannot_be_read(envelope.error().code)) return envelope.error();
    CLINIC_TRY(move(txn, row, State::dead, "unreadable"));
    return MaybeLease{};
}

// Every end of a lease but delivery: what its attempts left behind is not known for sure.
Result<void> end_undelivered(records::Transaction& txn, const Row& row) {
    CLINIC_TRY(close_lease(txn, row.id));
    const auto touched = touched_tags(txn, row.id);
    CLINIC_TRY(touched);
    return *touched ? tags_unsure(txn, row.patient) : Result<void>{};
}

// Back in line, unless it was withdrawn or a younger row makes it needless.
Result<void> give_back(records::Transaction& txn, const Row& row, Timestamp due, std::string_view code) {
    if (row.withdrawn) return move(txn, row, State::withdrawn, row.code);
    const auto replaced = is_replaced(txn, row);
    CLINIC_TRY(replaced);
    if (*replaced) return move(txn, row, State::superseded, "");
    return make_pending(txn, row, due, code);
}

Result<void> deliver(records::Transaction& txn, const Row& row) {
    CLINIC_TRY(close_lease(txn, row.id));
    const auto touched = touched_tags(txn, row.id);
    CLINIC_TRY(touched);
    if (*touched) CLINIC_TRY(tags_unsure(txn, row.patient));
    CLINIC_TRY(remember_said(txn, row));
    CLINIC_TRY(execute(txn,
                       "INSERT INTO outbox_lane (destination, delivered_at) VALUES (?, ?) "
                       "ON CONFLICT DO UPDATE SET delivered_at = excluded.delivered_at",
                       number(row.destination), txn.now()));
    return move(txn, row, State::delivered, "");
}

Result<void> bury(records::Transaction& txn, const Row& row, std::string_view code) {
    CLINIC_TRY(end_undelivered(txn, row));
    if (code == object_gone && envelope::is_beside(row.kind))
        CLINIC_TRY(Beside::hold(txn, row.patient, row.scope, Held::waits));
    return move(txn, row, row.withdrawn ? State::withdrawn : State::dead, code);
}

Result<void> park_row(records::Transaction& txn, const Row& row, std::string_view code) {
    CLINIC_TRY(end_undelivered(txn, row));
    if (row.withdrawn) return move(txn, row, State::withdrawn, row.code);
    const auto replaced = is_replaced(txn, row);
    CLINIC_TRY(replaced);
    return move(txn, row, *replaced ? State::superseded : State::parked, code);
}

Result<void> try_again(records::Transaction& txn, const Row& row, const Settle& outcome) {
    const int counted = row.counted + (outcome.counts_against ? 1 : 0);
    CLINIC_TRY(execute(txn, "UPDATE outbox SET tries = tries + 1, counted = ? WHERE id = ?", counted, row.id));
    CLINIC_TRY(execute(txn,
                       "INSERT INTO outbox_lane (destination, code) VALUES (?, ?) "
                       "ON CONFLICT DO UPDATE SET code = excluded.code",
                       number(row.destination), outcome.code));
    if (counted >= counted_max) return bury(txn, row, outcome.code);
    CLINIC_TRY(end_undelivered(txn, row));
    const Timestamp due = txn.now() + std::chrono::milliseconds{outcome.retry_after_ms};
    return give_back(txn, row, due, outcome.code);
}

// Looked up when it was sure, and not there: no create has happened.
Result<void> nobody_there(records::Transaction& txn, const Row& row) {
    const auto settled = settle_creates(txn, row.patient);
    if (!settled && settled.error().code != Errc::not_found) return settled; // not_found: erased meanwhile
    if (row.kind != Kind::contact_suppress) return park_row(txn, row, no_contact);
    CLINIC_TRY(end_undelivered(txn, row));
    return move(txn, row, row.withdrawn ? State::withdrawn : State::discarded, no_contact);
}

// The same, of an opportunity or a booking; or it was deleted in GHL, and was to end.
Result<void> nothing_there(records::Transaction& txn, const Row& row) {
    CLINIC_TRY(Beside::nothing_made(txn, row.patient, row.scope));
    if (const auto lost = Beside::lost(txn, row.patient, row.scope); !lost && lost.error().code != Errc::not_found)
        return lost; // not_found: erased, or of an earlier contact
    CLINIC_TRY(end_undelivered(txn, row));
    return move(txn, row, row.withdrawn ? State::withdrawn : State::discarded, no_object);
}

Result<void> end(records::Transaction& txn, const Row& row, const Settle& outcome) {
    switch (outcome.outcome) {
    case envelope::Outcome::delivered: return deliver(txn, row);
    case envelope::Outcome::retry:
        if (outcome.code == no_contact && outcome.contact.empty()) return nobody_there(txn, row);
        if (outcome.code == no_object && envelope::is_beside(row.kind)) return nothing_there(txn, row);
        return try_again(txn, row, outcome);
    case envelope::Outcome::dead: return bury(txn, row, outcome.code);
    }
    return {};
}

Result<void> link(records::Transaction& txn, PatientId patient, std::string_view contact) {
    if (contact.empty()) return {};
    auto linked = Links::set_contact(txn, patient, contact, Made::by_us);
    if (!linked && linked.error().code == Errc::not_found) return {}; // erased meanwhile
    return linked;
}

// What was made or found for the row.
Result<void> link_beside(records::Transaction& txn, const Row& row, std::string_view object) {
    if (object.empty() || !envelope::is_beside(row.kind)) return {};
    const auto holder = Beside::holder(txn, row.scope);
    CLINIC_TRY(holder);
    if (!*holder) return {}; // erased, or an earlier contact's
    // It carries this one's own marker: who was taken for its owner, by its time, has none.
    const auto other = Beside::owner_of(txn, row.kind, object);
    CLINIC_TRY(other);
    if (*other && (*other)->number != row.scope) CLINIC_TRY(Beside::lost(txn, (*other)->patient, (*other)->number));
    return Beside::set(txn, **holder, row.scope, object);
}

Result<std::vector<Row>> all_leased(records::Session& session) {
    std::vector<std::int64_t> ids;
    CLINIC_TRY(each_row(session, "SELECT id FROM outbox WHERE destination IN (0, 1) AND state = 2",
                        [&](const records::Statement& row) { ids.push_back(row.integer(0)); }));
    std::vector<Row> rows;
    for (const std::int64_t id : ids) {
        auto row = leased_row(session, id);
        CLINIC_TRY(row);
        rows.push_back(std::move(*row));
    }
    return rows;
}

} // namespace

Result<MaybeLease> Outbox::lease(records::Transaction& txn, Destination destination, bool may_create,
                                 std::chrono::milliseconds unsure_for, Turn turn) {
    for (int looked_at = 0; looked_at < rows_looked_at_max; ++looked_at) {
        const auto row = choose(txn, destination, turn);
        CLINIC_TRY(row);
        if (!*row) return MaybeLease{};
        auto lease = try_row(txn, **row, may_create, unsure_for);
        if (!lease || *lease) return lease;
    }
    return MaybeLease{};
}

Result<envelope::Settled> Outbox::settle(records::Transaction& txn, const Settle& outcome) {
    const auto rows = rows_of_lease(txn, outcome.lease);
    CLINIC_TRY(rows);
    const auto steps = settle_steps(txn, outcome);
    if (!steps || rows->empty()) return steps;
    CLINIC_TRY(link(txn, rows->front().patient, outcome.contact));
    CLINIC_TRY(link_beside(txn, rows->front(), outcome.object));
    for (const Row& row : *rows) CLINIC_TRY(end(txn, row, outcome));
    return envelope::Settled{};
}

Result<envelope::Settled> Outbox::settle_steps(records::Transaction& txn, const Settle& outcome) {
    for (const auto& step : outcome.steps) CLINIC_TRY(close_step(txn, outcome.lease, step));
    return envelope::Settled{.known = outcome.lease == 0};
}

Result<void> Outbox::release_leases(records::Transaction& txn, std::optional<std::int64_t> lease) {
    const auto rows = lease ? rows_of_lease(txn, *lease) : all_leased(txn);
    CLINIC_TRY(rows);
    for (const Row& row : *rows) {
        CLINIC_TRY(end_undelivered(txn, row));
        CLINIC_TRY(give_back(txn, row, txn.now(), row.code));
    }
    if (lease) return {};
    CLINIC_TRY(close_lease(txn, 0));
    CLINIC_TRY(due_now(txn));
    return unsure_from_now(txn);
}

Result<void> Outbox::due_now(records::Transaction& txn) {
    return execute(txn,
                   "UPDATE outbox SET due_at = ?1, hold_until = 0 "
                   "WHERE destination IN (0, 1) AND state = 1 AND due_at > ?1",
                   txn.now());
}

Result<void> Outbox::park(records::Transaction& txn, std::int64_t id, std::string_view code) {
    const auto row = leased_row(txn, id);
    CLINIC_TRY(row);
    return park_row(txn, *row, code);
}

Result<void> Outbox::put_off(records::Transaction& txn, std::int64_t id, std::chrono::milliseconds due_after,
                             std::string_view code) {
    const auto row = leased_row(txn, id);
    CLINIC_TRY(row);
    CLINIC_TRY(end_undelivered(txn, *row));
    return give_back(txn, *row, txn.now() + due_after, code);
}

Result<void> Outbox::withdraw_lease(records::Transaction& txn, std::int64_t id, std::string_view code) {
    const auto row = leased_row(txn, id);
    CLINIC_TRY(row);
    CLINIC_TRY(end_undelivered(txn, *row));
    return move(txn, *row, State::withdrawn, code);
}

Result<void> Outbox::kill(records::Transaction& txn, std::int64_t id, std::string_view code) {
    const auto row = leased_row(txn, id);
    CLINIC_TRY(row);
    return bury(txn, *row, code);
}

Result<std::optional<Timestamp>> Outbox::next_due(records::Session& session, Destination destination) {
    const auto row = next_row(session, destination, ever);
    CLINIC_TRY(row);
    std::optional<Timestamp> due;
    if (*row) due = (*row)->due_at;
    return due;
}

Result<bool> Outbox::is_dead(records::Session& session, std::int64_t id) {
    const auto row = find_row(session, id);
    CLINIC_TRY(row);
    return *row && (*row)->state == State::dead;
}

Result<PatientId> Outbox::patient_of(records::Session& session, std::int64_t lease) {
    const auto row = leased_row(session, lease);
    CLINIC_TRY(row);
    return row->patient;
}

Result<std::vector<Leased>> Outbox::leased(records::Session& session, std::int64_t lease) {
    const auto rows = rows_of_lease(session, lease);
    CLINIC_TRY(rows);
    if (rows->empty()) return Error{Errc::not_found, "the lease is not open"};
    std::vector<Leased> all;
    for (const Row& row : *rows) {
        auto one = opened(session, row);
        CLINIC_TRY(one);
        all.push_back(std::move(*one));
    }
    return all;
}

} // namespace clinic::outbox
