#include "daemon/records/consents.h"

#include <chrono>

#include "daemon/records/people.h"

namespace clinic::records {
namespace {

// A date without a time, from a zone east of us, may lie this far ahead.
constexpr base::Micros ahead_max = std::chrono::hours{24};

static_assert(static_cast<int>(ConsentState::granted) == 0); // the statements say it as a number, as their index does

Result<bool> is_known(Session& session, PatientId patient, const ConsentChange& change, Timestamp given_at) {
    auto find = session.prepare("SELECT 1 FROM consent WHERE patient = ? AND scope = ? AND state = ? AND given_at = ?"
                                " AND expires_at IS ? LIMIT 1");
    if (!find) return find.error();
    return find
        ->bind(patient, static_cast<int>(change.scope), static_cast<int>(change.state), given_at, change.expires_at)
        .step();
}

Result<void> insert_consent(Transaction& txn, PatientId patient, const ConsentChange& change, Timestamp given_at,
                            Timestamp said_at) {
    auto insert =
        txn.prepare("INSERT INTO consent (patient, scope, state, given_at, said_at, expires_at, recorded_at, revision)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                    " 1 + (SELECT coalesce(max(revision), 0) FROM consent WHERE patient = ?1 AND scope = ?2))");
    if (!insert) return insert.error();
    return insert
        ->bind(patient, static_cast<int>(change.scope), static_cast<int>(change.state), given_at, said_at,
               change.expires_at, txn.now())
        .run();
}

// Said today, where something is known that was given after now: by a clock that was ahead then, or is behind now. What
// arrives later was said later: without this a withdrawal would count only when the clock has caught up.
Result<Timestamp> behind_what_is_known(Session& session, PatientId patient, ConsentScope scope, Timestamp given_at,
                                       Timestamp said_at) {
    if (given_at < said_at - ahead_max) return given_at; // of another day: its own time counts
    auto find = session.prepare("SELECT max(given_at) FROM consent WHERE patient = ? AND scope = ?");
    if (!find) return find.error();
    const auto row = find->bind(patient, static_cast<int>(scope)).step();
    if (!row) return row.error();
    const bool ahead = !find->is_null(0) && Timestamp{find->integer(0)} > session.now();
    return ahead ? Timestamp{find->integer(0) + 1} : given_at;
}

} // namespace

Result<void> record_consent(Transaction& txn, PatientId patient, const ConsentChange& change, const Stamp& stamp) {
    const auto person = survivor_of(txn, patient);
    if (!person) return person.error();
    Timestamp given_at = change.given_at == Timestamp{} ? stamp.said_at : change.given_at;
    if (given_at > txn.now()) {
        // One that is withdrawn for tomorrow is withdrawn now; one that is given for tomorrow is not given yet.
        if (change.state == ConsentState::granted && given_at > txn.now() + ahead_max)
            return Error{Errc::malformed, "the consent is dated in the future", "send it when it is given"};
        given_at = txn.now();
    }
    const auto known = is_known(txn, person->id, change, given_at);
    if (!known) return known.error();
    if (*known) return {};
    const auto counts_from = behind_what_is_known(txn, person->id, change.scope, given_at, stamp.said_at);
    CLINIC_TRY(counts_from);
    return insert_consent(txn, person->id, change, *counts_from, stamp.said_at);
}

Result<void> pass_over_replaced(Transaction& txn, Timestamp at) {
    auto mark = txn.prepare("UPDATE consent AS c SET ended = 1 WHERE c.expires_at <= ? AND c.state = 0 AND c.ended = 0"
                            " AND c.row <> (SELECT l.row FROM consent l WHERE l.patient = c.patient"
                            " AND l.scope = c.scope"
                            " ORDER BY l.given_at DESC, l.said_at DESC, l.state DESC, l.row DESC LIMIT 1)");
    if (!mark) return mark.error();
    return mark->bind(at).run();
}

Result<std::vector<PatientId>> consents_due(Session& session, Timestamp at, int rows_max) {
    auto find =
        session.prepare("SELECT DISTINCT c.patient FROM consent c INDEXED BY consent_to_end"
                        " WHERE c.expires_at <= ?1 AND c.state = 0 AND c.ended = 0 AND c.row ="
                        " (SELECT l.row FROM consent l WHERE l.patient = c.patient AND l.scope = c.scope"
                        " ORDER BY l.given_at DESC, l.said_at DESC, l.state DESC, l.row DESC LIMIT 1) LIMIT ?2");
    if (!find) return find.error();
    find->bind(at, rows_max);
    std::vector<PatientId> due;
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) return due;
        due.push_back({find->uuid(0)});
    }
}

// `expired` ranks above `granted` among equals, so the row that was given stays as it was.
Result<void> expire_consents(Transaction& txn, PatientId patient, Timestamp at) {
    const auto person = survivor_of(txn, patient);
    if (!person) return person.error();
    auto insert =
        txn.prepare("INSERT INTO consent (patient, scope, state, given_at, said_at, expires_at, recorded_at, revision)"
                    " SELECT c.patient, c.scope, ?3, c.given_at, c.said_at, c.expires_at, ?4,"
                    " 1 + (SELECT max(revision) FROM consent r WHERE r.patient = c.patient AND r.scope = c.scope)"
                    " FROM consent c WHERE c.patient = ?1 AND c.expires_at <= ?2 AND c.state = ?5 AND c.row ="
                    " (SELECT l.row FROM consent l WHERE l.patient = c.patient AND l.scope = c.scope"
                    " ORDER BY l.given_at DESC, l.said_at DESC, l.state DESC, l.row DESC LIMIT 1)");
    if (!insert) return insert.error();
    CLINIC_TRY(insert
                   ->bind(person->id, at, static_cast<int>(ConsentState::expired), txn.now(),
                          static_cast<int>(ConsentState::granted))
                   .run());
    auto mark = txn.prepare("UPDATE consent SET ended = 1 WHERE patient = ? AND expires_at <= ? AND state = 0"
                            " AND ended = 0");
    if (!mark) return mark.error();
    return mark->bind(person->id, at).run();
}

} // namespace clinic::records
