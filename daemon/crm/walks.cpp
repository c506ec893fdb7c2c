#include "daemon/crm/walks.h"

#include <algorithm>
#include <ctime>

#include "daemon/outbox/outbox.h"
#include "daemon/outbox/sql.h"

namespace clinic::crm {
namespace {

using envelope::CrmKind;
using envelope::CrmWalk;
using envelope::WalkStep;
using envelope::WalkTerms;
using outbox::execute;
using outbox::first_row;
using outbox::Links;
using records::Session;
using records::Statement;
using records::Transaction;

constexpr int links_a_step = 100, walks_kept = 50;
constexpr int night_hours = 4; // a box that was off at the hour itself begins within these
constexpr base::Micros nightly_apart = std::chrono::hours{8};

Walk walk_in(const Statement& row) {
    Walk out{.number = row.integer(0),
             .nightly = row.integer(1) != 0,
             .asked_at = {row.integer(2)},
             .started_at = {},
             .ended_at = {},
             .reached_ms = row.integer(4),
             .read = row.integer(5) != 0,
             .link = row.integer(6),
             .compared = row.integer(7),
             .requests = row.integer(8)};
    if (!row.is_null(3)) out.started_at = Timestamp{row.integer(3)};
    if (!row.is_null(9)) out.ended_at = Timestamp{row.integer(9)};
    return out;
}

int local_hour(Timestamp at) {
    const std::time_t seconds = at.micros / 1'000'000;
    std::tm parts{};
    localtime_r(&seconds, &parts);
    return parts.tm_hour;
}

} // namespace

Result<std::optional<Walk>> Walks::under_way(Session& session) {
    std::optional<Walk> out;
    CLINIC_TRY(
        first_row(session,
                  "SELECT number, nightly, asked_at, started_at, reached_ms, read, link, compared, requests, ended_at"
                  " FROM crm_walk INDEXED BY crm_walk_open WHERE ended_at IS NULL ORDER BY number LIMIT 1",
                  [&](const Statement& row) { out = walk_in(row); }));
    return out;
}

Result<std::optional<Walk>> Walks::newest_ended(Session& session) {
    std::optional<Walk> out;
    CLINIC_TRY(
        first_row(session,
                  "SELECT number, nightly, asked_at, started_at, reached_ms, read, link, compared, requests, ended_at"
                  " FROM crm_walk WHERE number = (SELECT max(number) FROM crm_walk WHERE ended_at > 0)",
                  [&](const Statement& row) { out = walk_in(row); }));
    return out;
}

Result<Walk> Walks::ask(Transaction& txn, bool nightly) {
    auto open = under_way(txn);
    CLINIC_TRY(open);
    if (*open) {
        if (nightly || !(*open)->nightly) return std::move(**open);
        CLINIC_TRY(execute(txn, "UPDATE crm_walk SET nightly = 0 WHERE number = ?", (*open)->number));
        (*open)->nightly = false;
        return std::move(**open);
    }
    CLINIC_TRY(execute(txn, "INSERT INTO crm_walk (nightly, asked_at) VALUES (?, ?)", nightly, txn.now()));
    const Walk made{
        .number = txn.last_row(), .nightly = nightly, .asked_at = txn.now(), .started_at = {}, .ended_at = {}};
    CLINIC_TRY(execute(txn, "DELETE FROM crm_walk WHERE number <= ?", made.number - walks_kept));
    return made;
}

Result<void> Walks::keep(Transaction& txn, const Walk& walk) {
    return execute(txn,
                   "UPDATE crm_walk SET started_at = ?, reached_ms = ?, read = ?, link = ?, compared = ?, requests = ?,"
                   " ended_at = ? WHERE number = ?",
                   walk.started_at, walk.reached_ms, walk.read, walk.link, walk.compared, walk.requests, walk.ended_at,
                   walk.number);
}

// At night, once.
Result<bool> Walks::is_due(Transaction& txn) const {
    if (nightly_hour_ == no_hour || (local_hour(txn.now()) - nightly_hour_ + 24) % 24 >= night_hours) return false;
    Timestamp newest{};
    CLINIC_TRY(first_row(txn, "SELECT asked_at FROM crm_walk WHERE number = (SELECT max(number) FROM crm_walk)",
                         [&](const Statement& row) { newest = Timestamp{row.integer(0)}; }));
    return newest > txn.now() || txn.now() - newest >= nightly_apart;
}

Result<WalkTerms> Walks::step(Transaction& txn, const CrmWalk& done, bool may_begin) {
    auto open = under_way(txn);
    CLINIC_TRY(open);
    if (!*open && may_begin) {
        const auto due = is_due(txn);
        CLINIC_TRY(due);
        if (*due) {
            auto made = ask(txn, true);
            CLINIC_TRY(made);
            *open = std::move(*made);
        }
    }
    if (!*open) {
        auto contact = comparison_.to_look_at(txn, looked_after_);
        CLINIC_TRY(contact);
        const auto step = contact->empty() ? WalkStep::rest : WalkStep::look;
        return WalkTerms{.step = step, .id = std::move(*contact)};
    }
    Walk walk = std::move(**open);
    if (!walk.started_at) walk.started_at = txn.now();
    if (done.walk == walk.number) {
        walk.reached_ms = std::max(walk.reached_ms, done.reached_ms);
        walk.read = walk.read || done.whole;
        walk.requests += done.requests;
    }
    if (walk.read) return look(txn, std::move(walk), done);
    CLINIC_TRY(keep(txn, walk));
    return WalkTerms{.step = WalkStep::read, .walk = walk.number, .from_ms = walk.reached_ms, .quiet = walk.nightly};
}

// What was read since the walk began, by it or by whatever else, was seen. A link is passed when its contact was, or
// when it was asked for by itself, whatever became of that.
Result<WalkTerms> Walks::look(Transaction& txn, Walk walk, const CrmWalk& done) const {
    const auto links = Links::after(txn, walk.link, links_a_step);
    CLINIC_TRY(links);
    for (const auto& link : *links) {
        auto id = Links::contact(txn, link.patient);
        CLINIC_TRY(id);
        const auto contact = find(txn, CrmKind::contact, *id);
        CLINIC_TRY(contact);
        const std::int64_t read_ms = *contact ? (*contact)->fact.read_ms : 0;
        const bool seen = read_ms >= walk.started_at->micros / 1'000 && !is_read_ahead(read_ms, txn.now());
        if (!seen && done.looked != *id) {
            CLINIC_TRY(keep(txn, walk));
            return WalkTerms{.step = WalkStep::look, .walk = walk.number, .quiet = walk.nightly, .id = std::move(*id)};
        }
        if (seen) CLINIC_TRY(comparison_.compare(txn, **contact));
        walk.link = link.number;
        ++walk.compared;
    }
    const bool whole = links->size() < static_cast<std::size_t>(links_a_step);
    if (whole) {
        CLINIC_TRY(forget_unseen(txn, walk.started_at->micros / 1'000));
        walk.ended_at = txn.now();
    }
    CLINIC_TRY(keep(txn, walk));
    return WalkTerms{.step = whole ? WalkStep::rest : WalkStep::go_on, .walk = walk.number, .quiet = walk.nightly};
}

} // namespace clinic::crm
