#include "daemon/outbox/coalesce.h"

#include <algorithm>

#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

using envelope::Destination;
using envelope::Kind;
using records::PatientId;

constexpr Timestamp never{0};

// The subject's rows that are pending, and that a new one of that kind comes behind.
struct Waiting {
    bool any = false;
    Timestamp due{};                    // the latest
    std::optional<Timestamp> put_off{}; // the latest of those that were tried, or put off, and do not wait for more
    Timestamp hold_until{};             // the earliest of those that wait for more changes; zero: none does
};

Result<Waiting> waiting_of(records::Session& session, Destination destination, PatientId patient, Kind kind) {
    Waiting waiting;
    CLINIC_TRY(each_row(
        session,
        "SELECT due_at, hold_until FROM outbox INDEXED BY outbox_subject "
        "WHERE patient = ? AND destination = ? AND state = 1 AND (kind < 5 OR ? >= 5)",
        [&](const records::Statement& row) {
            const Timestamp due{row.integer(0)}, hold{row.integer(1)};
            waiting.any = true;
            waiting.due = std::max(waiting.due, due);
            if (hold == never)
                waiting.put_off = std::max(waiting.put_off.value_or(due), due);
            else
                waiting.hold_until = waiting.hold_until == never ? hold : std::min(waiting.hold_until, hold);
        },
        patient, number(destination), number(kind)));
    return waiting;
}

// The end of the window that the subject's newest write began; zero: there is none, or the clock was set back since.
Result<Timestamp> window_end(records::Transaction& txn, Destination destination, PatientId patient,
                             std::chrono::milliseconds window) {
    const auto writing = first_row(
        txn, "SELECT 1 FROM outbox WHERE patient = ? AND destination = ? AND state = 2 LIMIT 1",
        [](const records::Statement&) {}, patient, number(destination));
    CLINIC_TRY(writing);
    if (*writing) return txn.now() + window;
    Timestamp written{};
    CLINIC_TRY(first_row(
        txn, "SELECT max(written_at) FROM said WHERE patient = ? AND destination = ?",
        [&](const records::Statement& row) {
            if (!row.is_null(0)) written = Timestamp{row.integer(0)};
        },
        patient, number(destination)));
    const Timestamp end = written + window;
    return written <= txn.now() && end > txn.now() ? end : never;
}

bool may_wait(Kind kind) {
    return kind == Kind::contact_state || kind == Kind::appt_state || kind == Kind::case_state ||
           kind == Kind::booking_state;
}

} // namespace

Result<Due> due_of(records::Transaction& txn, Destination destination, PatientId patient, Kind kind,
                   const Coalesce& coalesce) {
    const auto waiting = waiting_of(txn, destination, patient, kind);
    CLINIC_TRY(waiting);
    const Timestamp now = txn.now();
    // A newer row does not get round a back-off of its subject.
    if (waiting->put_off && *waiting->put_off > now) return Due{.at = std::max(waiting->due, now)};
    if (!may_wait(kind)) {
        CLINIC_TRY(execute(txn,
                           "UPDATE outbox SET due_at = ?1, hold_until = 0 "
                           "WHERE patient = ?2 AND destination = ?3 AND state = 1 AND hold_until > 0",
                           now, patient, number(destination)));
        return Due{.at = now};
    }
    auto hold = waiting->hold_until;
    if (!waiting->any && coalesce.window.count() > 0) {
        const auto end = window_end(txn, destination, patient, coalesce.window);
        CLINIC_TRY(end);
        hold = *end;
    }
    if (hold == never || hold <= now) return Due{.at = now};
    const Due due{.at = std::min(hold, now + coalesce.quiet), .hold_until = hold};
    CLINIC_TRY(execute(txn,
                       "UPDATE outbox SET due_at = ?1 "
                       "WHERE patient = ?2 AND destination = ?3 AND state = 1 AND hold_until > 0",
                       due.at, patient, number(destination)));
    return due;
}

} // namespace clinic::outbox
