// How fast we may ask, and how much of the day is left for whom: one budget for all that goes to a location. It follows
// what the far side says of its own limits, and stays so far below them that it is not refused.
//   An interval: a token bucket for an even flow, and never more than what the interval allows, less a spare, in any
//   span of that length, however the far side cuts its own. The day: each priority stops where its reserve begins.
//   Units:   requests; microseconds.
//   Threads: any.
//   Source:  facts/ghl-api §2.1 (100 requests in 10 s and 200,000 a day, by location; the headers rule); docs/ghl.md,
//            "Rate".
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

#include "crypto/base/clock.h"
#include "sync/envelope/frame.h"

namespace clinic::lane {

// What an answer said of the limits: X-RateLimit-*, as far as it had them, and whether it was a 429.
struct RateHints {
    std::optional<int> max, remaining, interval_ms, daily_max, daily_remaining;
    bool refused = false;
    base::Micros retry_after{}; // of a refusal
};

struct RateLimits {
    double per_second = 8, burst = 40; // until an answer says otherwise
    double per_second_max = 80;        // whatever an answer says
    double flow = 0.9;                 // of what an interval has for us, as an even flow
    int under_way_max = 6;             // requests at a time, of all who ask
    double backlog_floor = 0.25;       // of a day's requests: below it what is older than a day waits,
    double poll_floor = 0.15;          // what only asks waits,
    double daily_reserve = 0.10;       // and all but suppressions, consents and the probe
    base::Micros daily_recheck = std::chrono::minutes{15};
};

// `poll`: reads that serve no envelope. `urgent`: suppressions, consents, the probe.
enum class Priority : std::uint8_t { poll, ordinary, urgent };

// What the far side last said of its day, as it outlives a restart.
struct Day {
    std::int64_t max = 0, remaining = 0;
    Timestamp at{};         // when that was said
    Timestamp not_before{}; // nothing is asked before
    friend bool operator==(const Day&, const Day&) = default;
};

class RateBudget {
public:
    explicit RateBudget(const Clock& clock, RateLimits limits = {}, std::optional<Day> day = std::nullopt);

    // Zero: one request is taken. Otherwise nothing is, and it is worth asking again after this long.
    base::Micros take(Priority priority);
    void learn(const RateHints& hints);

    // What is worth leasing now: nothing before `wait` is over, and then what `least` names.
    struct Room {
        base::Micros wait{};
        envelope::Least least = envelope::Least::any;
    };
    Room room();
    base::Micros closed_for() const; // how long nothing at all may be asked, the far side's word
    std::optional<Day> day() const;
    std::optional<envelope::RequestsOfDay> said_of_day() const;

private:
    // Requests of the last interval, in slices: what leaves it leaves at a slice's end.
    class Window {
    public:
        void add(base::Micros now, base::Micros interval);
        int count(base::Micros now, base::Micros interval);
        base::Micros until_less(base::Micros now, base::Micros interval) const;

    private:
        static constexpr std::size_t slices = 40;
        static base::Micros slice_of(base::Micros interval);
        void move_to(base::Micros now, base::Micros interval);
        std::array<int, slices> taken_{};
        std::int64_t at_ = 0; // the newest slice, counted since the clock's beginning
        int sum_ = 0;
    };

    void refill(base::Micros now);
    base::Micros interval_wait(base::Micros now, Priority priority);
    base::Micros daily_wait(base::Micros now, double floor) const;
    bool is_short(double floor) const; // of what the day has left
    void forget_an_old_day(base::Micros now);
    double floor_of(Priority priority) const;
    void learn_interval(const RateHints& hints);

    const Clock& clock_;
    const RateLimits limits_;
    mutable std::mutex mutex_;
    double per_second_, burst_, tokens_;
    std::optional<int> interval_max_; // for us, in each interval; nothing: no answer has said
    base::Micros interval_{std::chrono::seconds{10}};
    Window window_;
    base::Micros filled_at_{}, not_before_{};
    base::Micros day_said_at_{}, day_asked_at_{}; // heard; heard, or one request went out to hear it again
    std::optional<Day> day_;                      // `remaining` counts what was taken since
};

} // namespace clinic::lane
