// How fast we may ask: a token bucket that follows what the far side says of its own limits.
//   Units:   requests; microseconds.
//   Threads: any.
//   Source:  facts/ghl-api §2.1 (100 requests in 10 s and 200,000 a day, by location; the headers rule).
#pragma once

#include <mutex>
#include <optional>

#include "crypto/base/clock.h"

namespace clinic::lane {

// X-RateLimit-*, as far as an answer had them.
struct RateHints {
    std::optional<int> max, remaining, interval_ms, daily_max, daily_remaining;
};

struct RateLimits {
    double per_second = 8, burst = 40; // until an answer says otherwise
    double per_second_max = 80;        // whatever an answer says
    double share = 0.8;                // of the far side's limit that we use
    double daily_reserve = 0.10;       // of a day's requests, kept for what is urgent
    int remaining_min = 5;             // at this many left in an interval we wait one interval
    base::Micros daily_recheck = std::chrono::minutes{15};
};

// What still goes out when the day's requests run short: appointment states, withdrawals of consent.
enum class Priority { ordinary, urgent };

class RateBudget {
public:
    explicit RateBudget(const Clock& clock, RateLimits limits = {});

    // Zero: one request is taken. Otherwise nothing is, and it is worth asking again after this long.
    base::Micros take(Priority priority);
    void learn(const RateHints& hints);

private:
    void refill(base::Micros now);
    base::Micros daily_wait(base::Micros now, Priority priority) const;

    const Clock& clock_;
    const RateLimits limits_;
    std::mutex mutex_;
    double per_second_, burst_, tokens_;
    base::Micros filled_at_{}, not_before_{}, day_seen_at_{};
    std::optional<double> day_left_; // share of the day's requests, 0..1
};

} // namespace clinic::lane
