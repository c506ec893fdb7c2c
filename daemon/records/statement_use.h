// How the store's statements are used: a count for each text, by SQLite's own counters, and never a bound value.
//   Units:   time by the kernel's coarse clock, which costs a few nanoseconds a look and moves in steps of some
//            milliseconds: the total of many runs is right, a single short run often reads 0.
//   Threads: a counter is written by its connection's thread and read by any; slow statements are told by any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

struct sqlite3_stmt;

namespace clinic::records {

struct StatementUse {
    Literal sql = "";                  // as it stands in the source
    std::uint64_t runs = 0;            // from the first step to the reset
    std::uint64_t full_scan_steps = 0; // rows passed over in a walk of a whole table
    std::uint64_t sorts = 0;
    std::uint64_t automatic_indexes = 0; // rows put into an index that was made for this one run
    std::uint64_t machine_steps = 0;     // of SQLite's virtual machine
    std::uint64_t slow = 0;              // runs longer than StoreOptions::slow_statement
    base::Micros time{0};
};

struct CoarseClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<CoarseClock>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept;
};

// Statements that took too long: counted, and told in the log by their text, not more often than its bound.
class SlowStatements {
public:
    explicit SlowStatements(std::chrono::milliseconds after) : after_{after} {}
    bool is_slow(std::chrono::nanoseconds took) const { return took > after_; }
    void tell(Literal sql, std::chrono::nanoseconds took, std::uint64_t machine_steps, std::uint64_t full_scan_steps);
    std::uint64_t count() const { return count_; }

private:
    const std::chrono::nanoseconds after_;
    std::atomic<std::uint64_t> count_{0};
    std::mutex mutex_;
    std::optional<CoarseClock::time_point> minute_; // when the one began that lines are counted in
    int lines_ = 0;                                 // in that minute
    std::int64_t untold_ = 0;                       // since the last line
};

inline constexpr int slow_lines_a_minute_max = 6;

class UseCounter {
public:
    explicit UseCounter(Literal sql) : sql_{sql} {}
    // After a run and before the reset: takes SQLite's counters and sets them back. `slow`: may be null.
    void add(sqlite3_stmt* statement, std::chrono::nanoseconds took, SlowStatements* slow);
    StatementUse read() const;

private:
    using Count = std::atomic<std::uint64_t>;
    const Literal sql_;
    Count runs_{0}, full_scan_steps_{0}, sorts_{0}, automatic_indexes_{0}, machine_steps_{0}, slow_{0}, nanoseconds_{0};
};

// The counters of one connection. They stay when a statement leaves its cache.
class UseBook {
public:
    UseCounter& of(Literal sql);
    void add_to(std::vector<StatementUse>& all) const; // any thread; one line for each text

private:
    mutable std::mutex mutex_; // guards the map, not the counters
    std::unordered_map<const char*, UseCounter> counters_;
};

} // namespace clinic::records
