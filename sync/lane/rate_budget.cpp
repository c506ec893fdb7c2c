#include "sync/lane/rate_budget.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace clinic::lane {
namespace {

constexpr int kept_for_urgent = 4;                                         // of an interval's requests
constexpr int spare_beyond = 4;                                            // besides those under way
constexpr base::Micros urgent_goes_ahead = std::chrono::milliseconds{500}; // of a longer wait than that
constexpr base::Micros interval_most = std::chrono::seconds{60};
constexpr base::Micros day_life = std::chrono::hours{24}; // of what was said of one: it is over by then

base::Micros span_of(double seconds) {
    return base::Micros{static_cast<std::int64_t>(std::ceil(seconds * 1e6))};
}

} // namespace

// One slice is only begun: the others are a whole interval.
base::Micros RateBudget::Window::slice_of(base::Micros interval) {
    return interval / static_cast<std::int64_t>(slices - 1);
}

void RateBudget::Window::move_to(base::Micros now, base::Micros interval) {
    const std::int64_t slice = now / slice_of(interval);
    const auto steps = std::clamp<std::int64_t>(slice - at_, 0, slices);
    for (std::int64_t step = 1; step <= steps; ++step) {
        auto& oldest = taken_.at(static_cast<std::size_t>((at_ + step) % static_cast<std::int64_t>(slices)));
        sum_ -= std::exchange(oldest, 0);
    }
    at_ = slice;
}

void RateBudget::Window::add(base::Micros now, base::Micros interval) {
    move_to(now, interval);
    ++taken_.at(static_cast<std::size_t>(at_ % static_cast<std::int64_t>(slices)));
    ++sum_;
}

int RateBudget::Window::count(base::Micros now, base::Micros interval) {
    move_to(now, interval);
    return sum_;
}

// Until the oldest slice that holds any has left the interval.
base::Micros RateBudget::Window::until_less(base::Micros now, base::Micros interval) const {
    const auto slice = slice_of(interval);
    for (std::int64_t ahead = 1; ahead <= static_cast<std::int64_t>(slices); ++ahead)
        if (taken_.at(static_cast<std::size_t>((at_ + ahead) % static_cast<std::int64_t>(slices))) > 0)
            return std::max(base::Micros{1}, (at_ + ahead) * slice - now);
    return slice;
}

RateBudget::RateBudget(const Clock& clock, RateLimits limits, std::optional<Day> day)
    : clock_{clock}, limits_{limits}, per_second_{limits.per_second}, burst_{limits.burst}, tokens_{limits.burst},
      filled_at_{clock.monotonic()} {
    const Timestamp now = clock.now();
    if (!day || day->max <= 0 || day->at > now || now - day->at > day_life) return;
    day_ = day;
    day_said_at_ = day_asked_at_ = filled_at_ - (now - day->at);
    not_before_ = filled_at_ + std::clamp(day->not_before - now, base::Micros{0}, limits.daily_recheck);
}

void RateBudget::refill(base::Micros now) {
    const double seconds = std::chrono::duration<double>(now - filled_at_).count();
    tokens_ = std::min(burst_, tokens_ + std::max(0.0, seconds) * per_second_);
    filled_at_ = now;
}

double RateBudget::floor_of(Priority priority) const {
    switch (priority) {
    case Priority::poll: return limits_.poll_floor;
    case Priority::ordinary: return limits_.daily_reserve;
    case Priority::urgent: break;
    }
    return 0;
}

bool RateBudget::is_short(double floor) const {
    if (!day_) return false;
    return day_->remaining <= 0 || static_cast<double>(day_->remaining) < floor * static_cast<double>(day_->max);
}

// Whoever stops saying it must not find us counting down to nothing for good.
void RateBudget::forget_an_old_day(base::Micros now) {
    if (day_ && now - day_said_at_ > day_life) day_.reset();
}

// What was said of the day is believed for a while; then one request goes out to hear it again.
base::Micros RateBudget::daily_wait(base::Micros now, double floor) const {
    if (!is_short(floor)) return {};
    return std::max(base::Micros{0}, day_asked_at_ + limits_.daily_recheck - now);
}

// What is urgent does not wait for the even flow, and has the last of an interval.
base::Micros RateBudget::interval_wait(base::Micros now, Priority priority) {
    if (now < not_before_) return not_before_ - now;
    const bool urgent = priority == Priority::urgent;
    if (interval_max_) {
        const int most = urgent ? *interval_max_ : std::max(1, *interval_max_ - kept_for_urgent);
        if (window_.count(now, interval_) >= most) return window_.until_less(now, interval_);
    }
    const bool may_overdraw = urgent && interval_max_.has_value();
    if (tokens_ < 1 && !may_overdraw) return span_of((1 - tokens_) / per_second_);
    return {};
}

base::Micros RateBudget::take(Priority priority) {
    const std::lock_guard lock{mutex_};
    const auto now = clock_.monotonic();
    refill(now);
    forget_an_old_day(now);
    if (const auto wait = daily_wait(now, floor_of(priority)); wait.count() > 0) return wait;
    if (const auto wait = interval_wait(now, priority); wait.count() > 0) return wait;
    tokens_ = std::max(tokens_ - 1, -burst_);
    window_.add(now, interval_);
    if (day_) {
        if (is_short(floor_of(priority))) day_asked_at_ = now; // this one hears it again; the others wait for it
        day_->remaining = std::max<std::int64_t>(0, day_->remaining - 1);
    }
    return {};
}

RateBudget::Room RateBudget::room() {
    const std::lock_guard lock{mutex_};
    const auto now = clock_.monotonic();
    refill(now);
    forget_an_old_day(now);
    const auto urgent = std::max(daily_wait(now, 0), interval_wait(now, Priority::urgent));
    const auto ordinary = interval_wait(now, Priority::ordinary);
    if (daily_wait(now, limits_.daily_reserve).count() > 0 || ordinary > urgent + urgent_goes_ahead)
        return {urgent, envelope::Least::urgent};
    const bool spares_the_day = daily_wait(now, limits_.backlog_floor).count() > 0;
    return {std::max(urgent, ordinary), spares_the_day ? envelope::Least::live : envelope::Least::any};
}

base::Micros RateBudget::closed_for() const {
    const std::lock_guard lock{mutex_};
    return std::max(base::Micros{0}, not_before_ - clock_.monotonic());
}

std::optional<Day> RateBudget::day() const {
    const std::lock_guard lock{mutex_};
    auto day = day_;
    const auto now = clock_.monotonic();
    if (!day) return day;
    day->at = clock_.now() - (now - day_said_at_);
    day->not_before = not_before_ > now ? clock_.now() + (not_before_ - now) : Timestamp{};
    return day;
}

std::optional<envelope::RequestsOfDay> RateBudget::said_of_day() const {
    const std::lock_guard lock{mutex_};
    if (!day_) return std::nullopt;
    const std::int64_t step = std::max<std::int64_t>(1, day_->max / 100);
    return envelope::RequestsOfDay{day_->max, day_->remaining / step * step};
}

void RateBudget::learn_interval(const RateHints& hints) {
    const int max = *hints.max;
    const base::Micros interval = std::clamp<base::Micros>(std::chrono::milliseconds{*hints.interval_ms},
                                                           std::chrono::milliseconds{1}, interval_most);
    if (interval != interval_) window_ = {};
    interval_ = std::max(interval, base::Micros{1'000});
    interval_max_ = std::max({1, max / 2, max - limits_.under_way_max - spare_beyond});
    const double seconds = std::chrono::duration<double>(interval_).count();
    per_second_ = std::clamp(limits_.flow * *interval_max_ / seconds, 0.1, limits_.per_second_max);
    burst_ = std::max(1.0, *interval_max_ * 0.4);
    tokens_ = std::min(tokens_, burst_);
}

void RateBudget::learn(const RateHints& hints) {
    const std::lock_guard lock{mutex_};
    const auto now = clock_.monotonic();
    refill(now);
    if (hints.max && hints.interval_ms && *hints.max > 0 && *hints.interval_ms > 0) learn_interval(hints);
    // Somebody else asks in our name: one interval, and those that are under way may still come.
    if (hints.remaining && *hints.remaining <= std::min(limits_.under_way_max, hints.max.value_or(100) / 10))
        not_before_ = std::max(not_before_, now + interval_);
    if (hints.refused) not_before_ = std::max(not_before_, now + std::max(hints.retry_after, interval_));
    if (hints.daily_max && hints.daily_remaining && *hints.daily_max > 0) {
        day_ = Day{.max = *hints.daily_max, .remaining = std::clamp(*hints.daily_remaining, 0, *hints.daily_max)};
        day_said_at_ = day_asked_at_ = now;
    }
}

} // namespace clinic::lane
