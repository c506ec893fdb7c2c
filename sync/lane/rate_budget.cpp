#include "sync/lane/rate_budget.h"

#include <algorithm>
#include <cmath>

namespace clinic::lane {

RateBudget::RateBudget(const Clock& clock, RateLimits limits)
    : clock_{clock}, limits_{limits}, per_second_{limits.per_second}, burst_{limits.burst}, tokens_{limits.burst},
      filled_at_{clock.monotonic()} {}

void RateBudget::refill(base::Micros now) {
    const double seconds = std::chrono::duration<double>(now - filled_at_).count();
    tokens_ = std::min(burst_, tokens_ + std::max(0.0, seconds) * per_second_);
    filled_at_ = now;
}

// What was said of the day is believed for a while; then one request goes out to hear it again.
base::Micros RateBudget::daily_wait(base::Micros now, Priority priority) const {
    if (!day_left_ || priority == Priority::urgent || *day_left_ >= limits_.daily_reserve) return {};
    return std::max(base::Micros{0}, day_seen_at_ + limits_.daily_recheck - now);
}

base::Micros RateBudget::take(Priority priority) {
    const std::lock_guard lock{mutex_};
    const auto now = clock_.monotonic();
    refill(now);
    if (const auto wait = daily_wait(now, priority); wait.count() > 0) return wait;
    if (now < not_before_) return not_before_ - now;
    if (tokens_ < 1) {
        const double seconds = (1 - tokens_) / per_second_;
        return base::Micros{static_cast<std::int64_t>(std::ceil(seconds * 1e6))};
    }
    tokens_ -= 1;
    return {};
}

void RateBudget::learn(const RateHints& hints) {
    const std::lock_guard lock{mutex_};
    const auto now = clock_.monotonic();
    refill(now);
    if (hints.max && hints.interval_ms && *hints.max > 0 && *hints.interval_ms > 0) {
        const double said = *hints.max * 1000.0 / *hints.interval_ms;
        per_second_ = std::clamp(said * limits_.share, 0.1, limits_.per_second_max);
        burst_ = std::max(1.0, *hints.max * limits_.share / 2);
        tokens_ = std::min(tokens_, burst_);
    }
    if (hints.remaining && *hints.remaining <= std::min(limits_.remaining_min, hints.max.value_or(100) / 10))
        not_before_ = std::max(
            not_before_, now + std::chrono::milliseconds{std::clamp(hints.interval_ms.value_or(10'000), 0, 60'000)});
    if (hints.daily_max && hints.daily_remaining && *hints.daily_max > 0) {
        day_left_ = std::clamp(static_cast<double>(*hints.daily_remaining) / *hints.daily_max, 0.0, 1.0);
        day_seen_at_ = now;
    }
}

} // namespace clinic::lane
