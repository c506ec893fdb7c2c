#include "sync/lane/lane.h"

#include <algorithm>

namespace clinic::lane {

using envelope::LaneState;

Lane::Lane(const Clock& clock, Board& board, LaneLimits limits)
    : clock_{clock}, board_{board}, limits_{limits}, probe_at_{clock.monotonic()}, backoff_{limits.probe} {
    board_.crm(LaneState::down, "starting");
}

bool Lane::up() const {
    const std::lock_guard lock{mutex_};
    return state_ == LaneState::up;
}

bool Lane::readable() const {
    const std::lock_guard lock{mutex_};
    return state_ == LaneState::up || reads_go_on_;
}

base::Micros Lane::probe_in() const {
    const std::lock_guard lock{mutex_};
    return probe_at_ - clock_.monotonic();
}

void Lane::close(const Fault& fault) {
    state_ = fault.state;
    reads_go_on_ = fault.reads_go_on;
    failures_ = limits_.failures_max - 1;
    not_before_ = clock_.monotonic() + fault.not_before;
    probe_at_ = clock_.monotonic() + fault.not_before + backoff_.next();
    board_.crm(fault.state, fault.code);
}

void Lane::fault(const Fault& fault) {
    {
        const std::lock_guard lock{mutex_};
        const bool is_open = state_ == LaneState::up || (reads_go_on_ && !fault.reads_go_on);
        if (is_open && fault.may_be_the_request && ++failures_ < limits_.failures_max) return;
        // Workers that fail together are one fault; the latest moment that any of them was told stands.
        if (is_open)
            close(fault);
        else
            probe_at_ = std::max(probe_at_, not_before_ = std::max(not_before_, clock_.monotonic() + fault.not_before));
    }
    moved_.notify_all();
}

void Lane::probed(const std::optional<Fault>& fault) {
    {
        const std::lock_guard lock{mutex_};
        ++probes_;
        if (fault) {
            close(*fault);
        } else {
            state_ = LaneState::up;
            quiet_ = false;
            probed_at_ = clock_.monotonic();
            probe_at_ = probed_at_ + limits_.idle_probe;
            board_.crm(LaneState::up, "");
        }
    }
    moved_.notify_all();
}

void Lane::put_probe_off() {
    const auto later = std::min(clock_.monotonic() + limits_.idle_probe, probed_at_ + limits_.probe_at_least);
    probe_at_ = std::max(probe_at_, later);
}

void Lane::answered() {
    const std::lock_guard lock{mutex_};
    if (state_ == LaneState::up) put_probe_off();
}

void Lane::delivered() {
    const std::lock_guard lock{mutex_};
    if (state_ != LaneState::up) return;
    put_probe_off();
    backoff_.reset();
    failures_ = 0;
}

void Lane::quiet(bool now) {
    const std::lock_guard lock{mutex_};
    if (state_ == LaneState::up && quiet_ != now)
        board_.crm(now ? LaneState::paused : LaneState::up, now ? "timeout" : "");
    quiet_ = now;
}

void Lane::probe_now() {
    {
        const std::lock_guard lock{mutex_};
        if (state_ != LaneState::up) probe_at_ = clock_.monotonic();
    }
    moved_.notify_all();
}

bool Lane::probe_and_wait(base::Micros span, std::stop_token stop) {
    std::unique_lock lock{mutex_};
    if (clock_.monotonic() < not_before_) return true;
    const auto before = probes_;
    probe_at_ = std::min(probe_at_, clock_.monotonic());
    moved_.notify_all();
    return moved_.wait_for(lock, stop, span, [&] { return probes_ != before; });
}

bool Lane::wait_up(std::stop_token stop) {
    std::unique_lock lock{mutex_};
    moved_.wait(lock, stop, [&] { return state_ == LaneState::up; });
    return !stop.stop_requested();
}

bool Lane::wait_readable(std::stop_token stop) {
    std::unique_lock lock{mutex_};
    moved_.wait(lock, stop, [&] { return state_ == LaneState::up || reads_go_on_; });
    return !stop.stop_requested();
}

bool Lane::wait_probe(std::stop_token stop) {
    std::unique_lock lock{mutex_};
    while (!stop.stop_requested()) {
        const auto left = probe_at_ - clock_.monotonic();
        if (left.count() <= 0) return true;
        const auto seen = probe_at_;
        moved_.wait_for(lock, stop, left, [&] { return probe_at_ != seen; });
    }
    return false;
}

} // namespace clinic::lane
