#include "daemon/records/statement_use.h"

#include <sqlite3.h>

#include <algorithm>
#include <ctime>

#include "crypto/base/log.h"

namespace clinic::records {
namespace {

constexpr std::chrono::seconds minute{60};

// One thread writes, so that no locked instruction is needed.
void add_to(std::atomic<std::uint64_t>& count, std::uint64_t more) {
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

std::uint64_t take(sqlite3_stmt* statement, int what) {
    return static_cast<std::uint64_t>(std::max(0, sqlite3_stmt_status(statement, what, 1)));
}

} // namespace

CoarseClock::time_point CoarseClock::now() noexcept {
    timespec at{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &at);
    return time_point{std::chrono::seconds{at.tv_sec} + std::chrono::nanoseconds{at.tv_nsec}};
}

void SlowStatements::tell(Literal sql, std::chrono::nanoseconds took, std::uint64_t machine_steps,
                          std::uint64_t full_scan_steps) {
    ++count_;
    const auto now = CoarseClock::now();
    const std::lock_guard lock{mutex_};
    if (!minute_ || now - *minute_ >= minute) {
        minute_ = now;
        lines_ = 0;
    }
    if (lines_ == slow_lines_a_minute_max) {
        ++untold_;
        return;
    }
    ++lines_;
    base::log(base::Level::warning, "records: a slow statement", sql,
              {{"ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
               {"machine_steps", static_cast<std::int64_t>(machine_steps)},
               {"scan_steps", static_cast<std::int64_t>(full_scan_steps)},
               {"untold", std::exchange(untold_, 0)}});
}

void UseCounter::add(sqlite3_stmt* statement, std::chrono::nanoseconds took, SlowStatements* slow) {
    const auto machine_steps = take(statement, SQLITE_STMTSTATUS_VM_STEP);
    const auto full_scan_steps = take(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP);
    add_to(runs_, 1);
    add_to(machine_steps_, machine_steps);
    add_to(full_scan_steps_, full_scan_steps);
    add_to(sorts_, take(statement, SQLITE_STMTSTATUS_SORT));
    add_to(automatic_indexes_, take(statement, SQLITE_STMTSTATUS_AUTOINDEX));
    add_to(nanoseconds_, static_cast<std::uint64_t>(took.count()));
    if (slow == nullptr || !slow->is_slow(took)) return;
    add_to(slow_, 1);
    slow->tell(sql_, took, machine_steps, full_scan_steps);
}

StatementUse UseCounter::read() const {
    const auto of = [](const Count& count) { return count.load(std::memory_order_relaxed); };
    return {.sql = sql_,
            .runs = of(runs_),
            .full_scan_steps = of(full_scan_steps_),
            .sorts = of(sorts_),
            .automatic_indexes = of(automatic_indexes_),
            .machine_steps = of(machine_steps_),
            .slow = of(slow_),
            .time = std::chrono::duration_cast<base::Micros>(std::chrono::nanoseconds{of(nanoseconds_)})};
}

UseCounter& UseBook::of(Literal sql) {
    const std::lock_guard lock{mutex_};
    return counters_.try_emplace(sql.c_str(), sql).first->second;
}

// One text may stand at two addresses, and on five connections.
void UseBook::add_to(std::vector<StatementUse>& all) const {
    const std::lock_guard lock{mutex_};
    for (const auto& [address, counter] : counters_) {
        const StatementUse more = counter.read();
        const auto same = std::find_if(all.begin(), all.end(), [&more](const StatementUse& one) {
            return std::string_view{one.sql.c_str()} == more.sql.c_str();
        });
        if (same == all.end()) {
            all.push_back(more);
            continue;
        }
        same->runs += more.runs;
        same->full_scan_steps += more.full_scan_steps;
        same->sorts += more.sorts;
        same->automatic_indexes += more.automatic_indexes;
        same->machine_steps += more.machine_steps;
        same->slow += more.slow;
        same->time += more.time;
    }
}

} // namespace clinic::records
