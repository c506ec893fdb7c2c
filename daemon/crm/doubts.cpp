#include "daemon/crm/doubts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/crm/walks.h"
#include "daemon/outbox/outbox.h"
#include "daemon/outbox/sql.h"
#include "sync/envelope/crm_strip.h"

namespace clinic::crm {
namespace {

using envelope::CrmKind;
using envelope::WalkStep;
using envelope::WalkTerms;
using outbox::each_row;
using outbox::first_row;
using outbox::Links;
using outbox::number;
using records::Session;
using records::Statement;
using records::Transaction;

constexpr int rows_a_step = 1'000;
constexpr int passes_of_news = 2; // to the end of the one that has begun, and one through all
constexpr int offers_max = 3;
// A day less than a round reads, which is 89: what lies on its edge is none of its list's.
constexpr base::Micros booked_ahead = std::chrono::hours{24 * 88};

std::int64_t not_ahead(std::int64_t ms, Timestamp now) {
    return is_read_ahead(ms, now) ? 0 : ms;
}

// A patient's contact that may have been deleted: when it was read last, 0 where it never was. Nothing: it is nobody's,
// or is gone already.
Result<std::optional<std::int64_t>> linked_read_ms(Session& session, std::string_view contact) {
    const auto linked = Links::patients_of(session, contact);
    CLINIC_TRY(linked);
    if (linked->empty()) return std::optional<std::int64_t>{};
    const auto known = find(session, CrmKind::contact, contact);
    CLINIC_TRY(known);
    if (!*known) return std::optional<std::int64_t>{0};
    const auto is_known = is_gone(session, (*known)->row);
    CLINIC_TRY(is_known);
    return *is_known ? std::nullopt : std::optional{(*known)->fact.read_ms};
}

} // namespace

Result<void> Doubts::heard(Transaction& txn, const envelope::CrmPolled& polled) {
    const auto place = find(txn, CrmKind::location, location_);
    CLINIC_TRY(place);
    std::int64_t newest = 0, locations = 0;
    CLINIC_TRY(first_row(
        txn, "SELECT coalesce(max(row), 0), count(*) FROM crm_object WHERE kind = ?",
        [&](const Statement& row) { newest = row.integer(0), locations = row.integer(1); }, number(CrmKind::location)));
    Since since;
    if (*place && (*place)->row == newest) {
        const auto walk = Walks::newest_ended(txn);
        CLINIC_TRY(walk);
        const Timestamp now = txn.now();
        since = {.contacts_ms = *walk ? not_ahead((*walk)->started_at->micros / 1'000, now) : 0,
                 .opportunities_ms = not_ahead(polled.opportunities_ms, now),
                 .bookings_ms = not_ahead(polled.bookings_ms, now)};
        place_ = locations == 1 ? 0 : (*place)->row;
    }
    if (since == since_) return {};
    since_ = since;
    asked_.reset();
    passes_ = since == Since{} ? 0 : passes_of_news;
    return {};
}

std::int64_t Doubts::since_of(CrmKind kind) const {
    switch (kind) {
    case CrmKind::contact: return since_.contacts_ms;
    case CrmKind::opportunity: return since_.opportunities_ms;
    case CrmKind::appointment: return since_.bookings_ms;
    case CrmKind::location: break;
    }
    return 0;
}

bool Doubts::is_doubtful(const Row& one, Timestamp now) const {
    const std::int64_t since = since_of(one.kind);
    if (one.deleted || since == 0 || one.row <= place_) return false;
    if (not_ahead(one.read_ms, now) >= since) return false;
    return one.kind != CrmKind::appointment ||
           (one.until_quarter * envelope::quarter_us > now.micros &&
            Timestamp{one.from_quarter * envelope::quarter_us} < now + booked_ahead);
}

Doubts::Row Doubts::row_of(const Object& object) {
    const auto& fact = object.fact;
    Row row{.row = object.row, .kind = fact.kind, .deleted = fact.deleted(), .read_ms = fact.read_ms};
    if (const auto* booked = std::get_if<envelope::CrmAppointment>(&fact.said)) {
        row.from_quarter = booked->from_quarter;
        row.until_quarter = booked->until_quarter;
    }
    return row;
}

// A patient's contact is first asked about by the full comparison.
Result<std::optional<Doubts::Asked>> Doubts::doubted(Transaction& txn, const Object& object) const {
    const auto& fact = object.fact;
    // Of a calendar that was taken out of the settings nothing is told, by no list and by no read.
    if (!envelope::is_configured(fact, reads_)) return std::optional<Asked>{};
    if (fact.kind == CrmKind::contact) {
        const auto linked = Links::patients_of(txn, fact.id);
        CLINIC_TRY(linked);
        if (!linked->empty()) return std::optional<Asked>{};
    }
    return std::optional{Asked{object.row, fact.kind, fact.id}};
}

// The first of those absent a minute ago that `ask` has asked about again; one that it has not is forgotten.
template <class All, class Ask>
auto Doubts::first_again(All& all, base::Micros now, const Ask& ask) -> Result<std::optional<Asked>> {
    for (auto one = all.begin(); one != all.end();) {
        if (now - one->second.since < absent_apart) {
            ++one;
            continue;
        }
        auto asked = ask(one->first, one->second);
        CLINIC_TRY(asked);
        if (*asked) return asked;
        one = all.erase(one);
    }
    return std::optional<Asked>{};
}

// What was not seen since.
Result<std::optional<Doubts::Asked>> Doubts::once_more(Transaction& txn) {
    auto again = first_again(once_absent_, txn.monotonic(),
                             [&](std::int64_t row, const Absent&) -> Result<std::optional<Asked>> {
                                 const auto object = object_at(txn, row);
                                 CLINIC_TRY(object);
                                 if (!*object || !is_doubtful(row_of(**object), txn.now()))
                                     return std::optional<Asked>{};
                                 auto asked = doubted(txn, **object);
                                 CLINIC_TRY(asked);
                                 if (!*asked || is_offered_again(**asked)) return asked;
                                 passes_ = std::max(passes_, 1); // another pass asks about it anew
                                 return std::optional<Asked>{};
                             });
    CLINIC_TRY(again);
    return *again ? std::move(again) : linked_once_more(txn);
}

Result<std::optional<Doubts::Asked>> Doubts::linked_once_more(Transaction& txn) {
    return first_again(linked_absent_, txn.monotonic(),
                       [&](const std::string& contact, const Absent& absent) -> Result<std::optional<Asked>> {
                           const auto read_ms = linked_read_ms(txn, contact);
                           CLINIC_TRY(read_ms);
                           Asked asked{.kind = CrmKind::contact, .id = contact};
                           if (*read_ms != absent.read_ms || !is_offered_again(asked)) return std::optional<Asked>{};
                           return std::optional{std::move(asked)};
                       });
}

Result<WalkTerms> Doubts::next(Transaction& txn) {
    if (!allowance_.has_any(txn.monotonic())) return WalkTerms{};
    auto again = once_more(txn);
    CLINIC_TRY(again);
    asked_ = std::move(*again);
    if (asked_) return WalkTerms{.step = WalkStep::look, .kind = asked_->kind, .id = asked_->id};
    if (passes_ == 0) return WalkTerms{};
    after_ = std::max(after_, place_);
    std::vector<Row> rows;
    CLINIC_TRY(each_row(
        txn,
        "SELECT row, kind, deleted, read_ms, coalesce(from_quarter, 0), coalesce(until_quarter, 0) FROM crm_object"
        " WHERE row > ? ORDER BY row LIMIT ?",
        [&](const Statement& row) {
            rows.push_back({row.integer(0), static_cast<CrmKind>(row.integer(1)), row.integer(2) != 0, row.integer(3),
                            row.integer(4), row.integer(5)});
        },
        after_, rows_a_step));
    for (const Row& one : rows) {
        if (is_doubtful(one, txn.now()) && !once_absent_.contains(one.row)) {
            const auto object = object_at(txn, one.row);
            CLINIC_TRY(object);
            auto asked = doubted(txn, **object);
            CLINIC_TRY(asked);
            asked_ = std::move(*asked);
            if (asked_ && is_offered_again(*asked_))
                return WalkTerms{.step = WalkStep::look, .kind = asked_->kind, .id = asked_->id};
            asked_.reset();
        }
        after_ = one.row;
    }
    if (rows.size() < static_cast<std::size_t>(rows_a_step)) {
        after_ = 0;
        --passes_;
    }
    return WalkTerms{.step = passes_ > 0 ? WalkStep::go_on : WalkStep::rest};
}

// One that GHL's server falls over each time must not keep all others, and the full comparison, from their turn.
bool Doubts::is_offered_again(const Asked& one) {
    offers_ = offered_ == one ? offers_ + 1 : 1;
    offered_ = one;
    if (offers_ <= offers_max) return true;
    offered_.reset();
    allowance_.take();
    return false;
}

// A note stays until its row is looked at again: what is done about it may not come to be stored.
bool Doubts::is_absent_twice(const Object& object, base::Micros now) {
    const Absent absent{now, object.fact.read_ms};
    const auto [before, is_first] = once_absent_.try_emplace(object.row, absent);
    if (!is_first && before->second.read_ms == absent.read_ms) return true;
    before->second = absent;
    return false;
}

// Whoever has asked: the first time it was the comparison, and it may be the next one that comes before us.
Result<bool> Doubts::linked_looked(Session& session, const envelope::CrmWalk& done) {
    const auto read_ms = linked_read_ms(session, done.looked);
    CLINIC_TRY(read_ms);
    const auto before = linked_absent_.find(done.looked);
    if (!done.absent || !*read_ms) {
        if (before != linked_absent_.end()) linked_absent_.erase(before);
        return false;
    }
    if (before != linked_absent_.end() && before->second.read_ms == **read_ms)
        return session.monotonic() - before->second.since >= absent_apart;
    if (before != linked_absent_.end() || linked_absent_.size() < linked_max_)
        linked_absent_[done.looked] = {session.monotonic(), **read_ms};
    return false;
}

Result<bool> Doubts::looked(Session& session, const envelope::CrmWalk& done) {
    const bool asked = asked_ && done.walk == 0 && done.kind == asked_->kind && done.looked == asked_->id;
    const std::int64_t row = asked ? std::exchange(asked_, std::nullopt)->row : 0;
    if (asked) {
        allowance_.take();
        offered_.reset();
    }
    if (row == 0) return done.kind == CrmKind::contact ? linked_looked(session, done) : Result<bool>{false};
    if (!once_absent_.contains(row)) after_ = std::max(after_, row);
    const auto object = object_at(session, row);
    CLINIC_TRY(object);
    if (done.absent && *object && is_doubtful(row_of(**object), session.now()))
        return is_absent_twice(**object, session.monotonic());
    once_absent_.erase(row);
    return false;
}

} // namespace clinic::crm
