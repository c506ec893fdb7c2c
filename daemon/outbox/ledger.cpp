#include "crypto/base/files.h"
#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"
#include "sync/envelope/crm_reads.h"
#include "sync/envelope/frame.h"
#include "sync/envelope/names.h"

namespace clinic::outbox {
namespace {

using envelope::Route;
using envelope::StepOutcome;

constexpr base::Micros late_write = std::chrono::hours{1}; // beyond it nothing answers a request any more
constexpr int late_lines_max = 64;
constexpr std::int64_t kind_none = -1;

// Findable for who holds the patient's key, and for nobody once that is erased.
Result<crypto::Token> subject_token(records::Session& session, records::PatientId patient) {
    const auto key = session.patient_key(patient);
    if (!key) return key.error();
    return crypto::token(crypto::derive(**key, 1, "clledger"), patient.uuid.text());
}

// Answers that are proof that no contact was made; any other error is not.
bool proves_nothing_made(const StepOutcome& step) {
    if (step.result == StepOutcome::Result::not_sent) return true;
    return step.result == StepOutcome::Result::answered &&
           (step.status == 401 || step.status == 403 || step.status == 429);
}

bool writes(Route route) {
    return std::string_view{envelope::method(route)} != "GET" && route != Route::contact_search &&
           !envelope::is_poll_read(route);
}

bool makes_beside(Route route) {
    return route == Route::case_create || route == Route::booking_create;
}

LedgerLine read_line(const records::Statement& row) {
    LedgerLine line{.attempt = row.integer(0),
                    .lease = row.integer(1),
                    .at = {row.integer(2)},
                    .route = static_cast<Route>(row.integer(3)),
                    .digest = crypto::hex(row.blob(4)),
                    .result = std::string{row.text(5)},
                    .status = static_cast<int>(row.integer(6)),
                    .destination = static_cast<envelope::Destination>(row.integer(7)),
                    .kind = {},
                    .also = row.integer(10),
                    .said = std::string{row.text(9)}};
    if (row.integer(8) >= 0) line.kind = static_cast<envelope::Kind>(row.integer(8));
    return line;
}

bool is_of_kind(const LedgerLine& line, envelope::Kind kind) {
    return line.kind == kind || (line.also != 0 && line.kind && envelope::companion(*line.kind) == kind);
}

bool fits(const LedgerSearch& search, const LedgerLine& line) {
    return (!search.from || line.at >= *search.from) && (!search.until || line.at < *search.until) &&
           (!search.kind || is_of_kind(line, *search.kind)) &&
           (!search.destination || line.destination == *search.destination);
}

struct Span {
    std::int64_t after = 0, last = INT64_MAX;
};

// Where the lines of a time lie. A step of the clock may have put others between them.
Result<Span> span_of(records::Session& session, const LedgerSearch& search) {
    Span span{.after = search.after};
    if (!search.from && !search.until) return span;
    CLINIC_TRY(first_row(
        session, "SELECT min(attempt), max(attempt) FROM ledger WHERE at >= ? AND at < ?",
        [&](const records::Statement& row) {
            span.after = std::max(span.after, row.is_null(0) ? 0 : row.integer(0) - 1);
            span.last = row.is_null(1) ? 0 : row.integer(1);
        },
        search.from.value_or(Timestamp{INT64_MIN}), search.until.value_or(Timestamp{INT64_MAX})));
    return span;
}

// Until the page is full, or as many were looked at as one page may.
Result<LedgerPage> fill(records::Statement& rows, const LedgerSearch& search, int lines_max) {
    LedgerPage page;
    for (int looked_at = 0;; ++looked_at) {
        const auto found = rows.step();
        CLINIC_TRY(found);
        if (!*found) return page;
        if (static_cast<int>(page.lines.size()) == lines_max || looked_at == ledger_looked_at_max) {
            page.next = rows.integer(0) - 1;
            return page;
        }
        auto line = read_line(rows);
        if (fits(search, line)) page.lines.push_back(std::move(line));
    }
}

} // namespace

crypto::Digest Ledger::digest_of(const envelope::Attempt& attempt) {
    const std::string head = std::string{envelope::method(attempt.route)} + " " + attempt.path + "\n";
    return crypto::digest(base::as_bytes(head), base::as_bytes(attempt.body));
}

Result<std::int64_t> Ledger::open_line(records::Transaction& txn, std::optional<records::PatientId> subject,
                                       const envelope::Attempt& attempt, Literal result, std::string_view said) {
    const bool may_create = attempt.route == Route::contact_create && std::string_view{result.c_str()} == "open";
    const auto rows = rows_of_lease(txn, attempt.lease); // none: a read that serves no envelope
    CLINIC_TRY(rows);
    const Row* row = rows->empty() ? nullptr : &rows->front();
    CLINIC_TRY(execute(txn,
                       "INSERT INTO ledger (lease, at, route, digest, result, unsettled, unsure_since, destination, "
                       "kind, said, also) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       attempt.lease, txn.now(), number(attempt.route), digest_of(attempt), result.c_str(), may_create,
                       txn.monotonic().count(), number(row ? row->destination : envelope::Destination::crm),
                       row ? number(row->kind) : kind_none, said, rows->size() > 1 ? rows->back().id : 0));
    const std::int64_t line = txn.last_row();
    const bool opens = std::string_view{result.c_str()} == "open";
    if (opens && makes_beside(attempt.route) && row != nullptr) CLINIC_TRY(create_begun(txn, *row, line));
    if (!subject) return line;
    if (opens && writes(attempt.route))
        for (const Row& one : *rows) CLINIC_TRY(said_unsure(txn, one, may_create));
    const auto sealed = txn.seal_for(*subject, "ledger.subject", line, subject->uuid.text());
    CLINIC_TRY(sealed);
    const auto token = subject_token(txn, *subject);
    CLINIC_TRY(token);
    CLINIC_TRY(
        execute(txn, "UPDATE ledger SET subject = ?, subject_token = ? WHERE attempt = ?", *sealed, *token, line));
    return line;
}

Result<void> Ledger::close_line(records::Transaction& txn, const StepOutcome& outcome) {
    CLINIC_TRY(execute(txn,
                       "UPDATE ledger SET result = ?, status = ?, unsure_since = ? "
                       "WHERE attempt = ? AND result IN ('open', 'unknown')",
                       envelope::name_of(outcome.result), outcome.status, txn.monotonic().count(), outcome.attempt));
    CLINIC_TRY(create_ended(txn, outcome.attempt, proves_nothing_made(outcome)));
    if (!proves_nothing_made(outcome)) return {};
    return execute(txn, "UPDATE ledger SET unsettled = 0 WHERE attempt = ?", outcome.attempt);
}

Result<void> Ledger::count_line(records::Transaction& txn, std::int64_t line, const crypto::Digest& digest,
                                std::string_view said, const std::optional<StepOutcome>& newest) {
    CLINIC_TRY(execute(txn, "UPDATE ledger SET digest = ?, said = ? WHERE attempt = ?", digest, said, line));
    if (!newest) return {};
    return execute(txn, "UPDATE ledger SET result = ?, status = ? WHERE attempt = ?", envelope::name_of(newest->result),
                   newest->status, line);
}

Result<std::vector<LedgerLine>> Ledger::lines(records::Session& session, std::int64_t after, int lines_max) {
    std::vector<LedgerLine> lines;
    CLINIC_TRY(each_row(
        session,
        "SELECT attempt, lease, at, route, digest, result, status, destination, kind, said, also FROM ledger "
        "WHERE attempt > ? ORDER BY attempt LIMIT ?",
        [&](const records::Statement& row) { lines.push_back(read_line(row)); }, after, lines_max));
    return lines;
}

Result<std::vector<LedgerLine>> Ledger::lines_about(records::Session& session, records::PatientId subject,
                                                    std::int64_t after, int lines_max) {
    const auto token = subject_token(session, subject);
    CLINIC_TRY(token);
    std::vector<LedgerLine> lines;
    CLINIC_TRY(each_row(
        session,
        "SELECT attempt, lease, at, route, digest, result, status, destination, kind, said, also FROM ledger "
        "WHERE subject_token = ? AND attempt > ? ORDER BY attempt LIMIT ?",
        [&](const records::Statement& row) { lines.push_back(read_line(row)); }, *token, after, lines_max));
    return lines;
}

Result<std::vector<LedgerLine>> Ledger::lines_of(records::Session& session, std::int64_t row, int lines_max) {
    std::vector<LedgerLine> lines;
    CLINIC_TRY(each_row(
        session,
        "SELECT attempt, lease, at, route, digest, result, status, destination, kind, said, also FROM ledger "
        "WHERE lease = ?1 UNION ALL "
        "SELECT attempt, lease, at, route, digest, result, status, destination, kind, said, also FROM ledger "
        "WHERE also = ?1 AND also > 0 ORDER BY attempt LIMIT ?2",
        [&](const records::Statement& line) { lines.push_back(read_line(line)); }, row, lines_max));
    return lines;
}

Result<LedgerPage> Ledger::page(records::Session& session, const LedgerSearch& search, int lines_max) {
    const auto span = span_of(session, search);
    CLINIC_TRY(span);
    if (!search.subject) {
        auto rows =
            session.prepare("SELECT attempt, lease, at, route, digest, result, status, destination, kind, said, also "
                            "FROM ledger WHERE attempt > ? AND attempt <= ? ORDER BY attempt");
        if (!rows) return rows.error();
        rows->bind(span->after, span->last);
        return fill(*rows, search, lines_max);
    }
    const auto token = subject_token(session, *search.subject);
    CLINIC_TRY(token);
    auto rows =
        session.prepare("SELECT attempt, lease, at, route, digest, result, status, destination, kind, said, also "
                        "FROM ledger WHERE subject_token = ? AND attempt > ? AND attempt <= ? "
                        "ORDER BY attempt");
    if (!rows) return rows.error();
    rows->bind(*token, span->after, span->last);
    return fill(*rows, search, lines_max);
}

Result<std::optional<Timestamp>> Ledger::newest_write(records::Session& session, records::PatientId subject,
                                                      std::optional<envelope::Kind> kind) {
    const auto token = subject_token(session, subject);
    CLINIC_TRY(token);
    std::optional<Timestamp> at;
    CLINIC_TRY(first_row(
        session,
        "SELECT at FROM ledger WHERE subject_token = ?1 AND route NOT IN (?2, ?3, ?4, ?5, ?6, ?7)"
        " AND (kind = ?8 OR ?8 = -1) "
        "AND result IN ('open', 'answered', 'unknown') ORDER BY attempt DESC LIMIT 1",
        [&](const records::Statement& row) { at = Timestamp{row.integer(0)}; }, *token, number(Route::contact_read),
        number(Route::contact_search), number(Route::case_search), number(Route::booking_search),
        number(Route::case_read), number(Route::booking_read), kind ? number(*kind) : kind_none));
    return at;
}

Result<bool> Ledger::suppression_may_stand(records::Session& session, records::PatientId subject) {
    const auto token = subject_token(session, subject);
    CLINIC_TRY(token);
    return first_row(
        session,
        "SELECT 1 FROM ledger WHERE subject_token = ?1 AND kind = ?2 AND route = ?3 "
        "AND result IN ('open', 'answered', 'unknown') AND ((result = 'unknown' AND at > ?4) OR attempt > coalesce("
        "(SELECT max(attempt) FROM ledger WHERE subject_token = ?1 "
        "AND ((kind IN (?5, ?6) AND route = ?7) OR route = ?8) "
        "AND result = 'answered' AND status BETWEEN 200 AND 299), 0)) LIMIT 1",
        [](const records::Statement&) {}, *token, number(envelope::Kind::contact_suppress), number(Route::tags_add),
        session.now() - 2 * late_write, number(envelope::Kind::contact_state), number(envelope::Kind::appt_state),
        number(Route::tags_remove), number(Route::contact_create));
}

Result<void> close_lease(records::Transaction& txn, std::int64_t lease) {
    CLINIC_TRY(creates_of_lease_ended(txn, lease));
    return execute(txn, "UPDATE ledger SET result = 'unknown', unsure_since = ? WHERE lease = ? AND result = 'open'",
                   txn.monotonic().count(), lease);
}

Result<void> close_step(records::Transaction& txn, std::int64_t lease, const StepOutcome& step) {
    const auto ours = first_row(
        txn, "SELECT 1 FROM ledger WHERE attempt = ? AND lease = ?", [](const records::Statement&) {}, step.attempt,
        lease);
    CLINIC_TRY(ours);
    return *ours ? Ledger::close_line(txn, step) : Result<void>{};
}

Result<bool> touched_tags(records::Session& session, std::int64_t lease) {
    return first_row(
        session,
        "SELECT 1 FROM ledger WHERE lease = ? AND route IN (?, ?) AND result IN ('open', 'answered', 'unknown') LIMIT "
        "1",
        [](const records::Statement&) {}, lease, number(Route::tags_add), number(Route::tags_remove));
}

Result<bool> write_may_be_late(records::Session& session, records::PatientId patient) {
    const auto token = subject_token(session, patient);
    CLINIC_TRY(token);
    return first_row(
        session,
        "SELECT 1 FROM (SELECT route, result, at FROM ledger WHERE subject_token = ? ORDER BY attempt DESC LIMIT ?) "
        "WHERE result = 'unknown' AND route IN (?, ?, ?, ?, ?) AND at > ? LIMIT 1",
        [](const records::Statement&) {}, *token, late_lines_max, number(Route::contact_fields),
        number(Route::tags_add), number(Route::tags_remove), number(Route::case_update), number(Route::booking_update),
        session.now() - late_write);
}

Result<std::optional<base::Micros>> unsettled_create(records::Session& session, records::PatientId patient) {
    std::optional<base::Micros> since;
    const auto token = subject_token(session, patient);
    CLINIC_TRY(token);
    CLINIC_TRY(first_row(
        session,
        "SELECT max(unsure_since) FROM ledger INDEXED BY ledger_unsettled WHERE subject_token = ? AND unsettled = 1",
        [&](const records::Statement& row) {
            if (!row.is_null(0)) since = base::Micros{row.integer(0)};
        },
        *token));
    return since;
}

Result<void> unsure_from_now(records::Transaction& txn) {
    CLINIC_TRY(creates_unsure_from_now(txn));
    return execute(txn, "UPDATE ledger SET unsure_since = ? WHERE unsettled = 1", txn.monotonic().count());
}

Result<void> settle_creates(records::Transaction& txn, records::PatientId patient) {
    const auto token = subject_token(txn, patient);
    CLINIC_TRY(token);
    return execute(
        txn, "UPDATE ledger INDEXED BY ledger_unsettled SET unsettled = 0 WHERE subject_token = ? AND unsettled = 1",
        *token);
}

} // namespace clinic::outbox
