#include "daemon/housekeeping.h"

#include <chrono>
#include <optional>
#include <utility>

#include "crypto/base/days.h"
#include "crypto/base/log.h"
#include "daemon/audit/trail.h"
#include "daemon/intake/feed_books.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/quarantine.h"
#include "daemon/records/seen.h"

namespace clinic::daemon {
namespace {

constexpr auto between_looks = std::chrono::seconds{60};
constexpr auto until_trusted = std::chrono::seconds{1};
constexpr int rows_a_transaction = 200;
constexpr int lines_a_transaction = 1'000;
constexpr base::Micros ledger_read_life = std::chrono::hours{24 * outbox::ledger_read_life_days};
constexpr base::Micros stamp_ahead_max = std::chrono::minutes{10}; // a time server's correction is left alone
constexpr Error stopped{Errc::offline, "the box is stopping", "the next start goes on"};

constexpr const char* last_walk = "last_walk";

} // namespace

Housekeeping::Housekeeping(records::Store& store, release::Releaser& releaser, intake::Feeds& feeds,
                           health::Health& health, const Clock& clock)
    : store_{store}, releaser_{releaser}, feeds_{feeds}, health_{health}, clock_{clock} {}

void Housekeeping::start() {
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void Housekeeping::request_walk() {
    {
        const std::lock_guard lock{waiting_};
        walk_requested_ = true;
    }
    wake_.notify_all();
}

void Housekeeping::run(const std::stop_token& stop) {
    bool walk = false;
    while (!stop.stop_requested()) {
        const bool trusted = health_.clock_trusted();
        if (trusted) {
            const auto looked = look(walk);
            if (!looked && !stopping_) base::log(base::Level::warning, "housekeeping", looked.error());
            walk = walk && !looked;
        }
        std::unique_lock lock{waiting_};
        wake_.wait_for(lock, stop, trusted && !walk ? between_looks : until_trusted,
                       [this] { return walk_requested_; });
        walk = std::exchange(walk_requested_, false) || walk;
    }
}

Result<void> Housekeeping::want_walk(records::Transaction& txn) {
    {
        const std::lock_guard lock{waiting_};
        walk_requested_ = true;
    }
    return records::set_setting(txn, last_walk, "");
}

// The day and the basis as they were at the last walk: a new one of either is a reason for another.
Result<bool> Housekeeping::day_is_new(const std::string& today) {
    bool is_new = false;
    CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
        const auto policy = releaser_.policy(session);
        CLINIC_TRY(policy);
        const auto last = records::setting(session, last_walk);
        CLINIC_TRY(last);
        is_new = *last != today + " " + release::name(policy->effective(session.now()));
        return {};
    }));
    return is_new;
}

// A walk that the clock stepped under is made again once it is trusted; one during which another was wanted is not it.
Result<void> Housekeeping::mark(const std::string& today) {
    return store_.write([&](records::Transaction& txn) -> Result<void> {
        const std::lock_guard lock{waiting_};
        if (!health_.clock_trusted() || walk_requested_) return {};
        const auto policy = releaser_.policy(txn);
        CLINIC_TRY(policy);
        return records::set_setting(txn, last_walk, today + " " + release::name(policy->effective(txn.now())));
    });
}

Result<void> Housekeeping::look(bool walk) {
    CLINIC_TRY(store_.write([this](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(outbox::Outbox::unpark(txn, "clock"));
        CLINIC_TRY(outbox::Outbox::mend_due_times(txn));
        return releaser_.clock_trusted() ? mend_stamps(txn) : Result<void>{};
    }));
    CLINIC_TRY(expire_consents());
    const std::string today = base::local_day(clock_.now());
    const auto is_new = day_is_new(today);
    CLINIC_TRY(is_new);
    if (!*is_new && !walk) return {};
    CLINIC_TRY(re_release());
    Retention kept;
    CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
        const auto set = retention(txn);
        CLINIC_TRY(set);
        kept = *set;
        if (!may_delete()) return {};
        CLINIC_TRY(records::purge_quarantine(txn, kept.quarantine()));
        CLINIC_TRY(records::purge_seen(txn));
        return {};
    }));
    CLINIC_TRY(discard_dead_letters(kept));
    CLINIC_TRY(purge_ledger(kept));
    return mark(today);
}

// What a clock that was ahead has dated would be young until that time came.
Result<void> Housekeeping::mend_stamps(records::Transaction& txn) {
    const Timestamp ahead_of = txn.now() + stamp_ahead_max;
    CLINIC_TRY(records::mend_received_times(txn, ahead_of));
    CLINIC_TRY(intake::mend_last_times(txn, ahead_of));
    return feeds_.mend_expectations(txn, ahead_of);
}

// Asked in each transaction that deletes: its time was taken before, and the clock may step at any moment of a walk.
bool Housekeeping::may_delete() const {
    return releaser_.clock_trusted();
}

Result<void> Housekeeping::expire_consents() {
    int expired = rows_a_transaction;
    while (expired == rows_a_transaction) {
        if (stopping_) return stopped;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            const auto count = releaser_.expire_consents_due(txn, rows_a_transaction);
            CLINIC_TRY(count);
            expired = *count;
            return {};
        }));
    }
    return {};
}

Result<void> Housekeeping::discard_dead_letters(const Retention& kept) {
    std::size_t discarded = rows_a_transaction;
    while (discarded == rows_a_transaction) {
        if (stopping_) return stopped;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            discarded = 0;
            if (!may_delete()) return {};
            auto patients =
                outbox::Outbox::discard_dead_before(txn, txn.now() - kept.dead_letters(), rows_a_transaction);
            CLINIC_TRY(patients);
            discarded = patients->size();
            if (discarded == 0) return {};
            const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::job,
                                                          .action = audit::Action::release,
                                                          .purpose = audit::Purpose::operations,
                                                          .detail = "dead_expired",
                                                          .subjects = std::move(*patients)});
            return entry ? Result<void>{} : entry.error();
        }));
    }
    return {};
}

Result<void> Housekeeping::purge_ledger(const Retention& kept) {
    std::int64_t purged = lines_a_transaction;
    while (purged == lines_a_transaction) {
        if (stopping_) return stopped;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            purged = 0;
            if (!may_delete()) return {};
            const auto lines = outbox::Ledger::purge_before(txn, txn.now() - kept.ledger(), lines_a_transaction);
            CLINIC_TRY(lines);
            const auto reads =
                outbox::Ledger::purge_reads_before(txn, txn.now() - ledger_read_life, lines_a_transaction);
            CLINIC_TRY(reads);
            purged = std::max(*lines, *reads);
            return {};
        }));
    }
    return {};
}

void Housekeeping::request_stop() {
    stopping_ = true;
    thread_.request_stop();
}

Result<std::int64_t> Housekeeping::re_release() {
    const std::lock_guard one_at_a_time{walking_};
    std::int64_t transactions = 0;
    std::optional<records::PatientId> after;
    do {
        if (stopping_) return stopped;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            auto next = releaser_.re_release(txn, after, rows_a_transaction);
            CLINIC_TRY(next);
            after = std::move(next).value();
            return {};
        }));
        ++transactions;
    } while (after);
    return transactions;
}

} // namespace clinic::daemon
