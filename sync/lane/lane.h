// Is this destination open? One state for all its workers.
//   States:  down("starting") -> up -> paused | down -> up. Only a probe opens it; a fault closes it, or several in a
//   row
//            of the kind that one request alone may have caused. Just opened again, one of those closes it: until
//            something is delivered, it is open on trial. Closed by a fault of what is written, it is read through.
//   Threads: any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "crypto/base/clock.h"
#include "sync/lane/backoff.h"
#include "sync/lane/board.h"
#include "sync/lane/channel.h"

namespace clinic::lane {

struct LaneLimits {
    BackoffLimits probe{};
    int failures_max = 3;                              // in a row
    base::Micros idle_probe = std::chrono::minutes{5}; // an open lane that was not heard so long is asked: clock, token
    base::Micros probe_at_least = std::chrono::minutes{30}; // heard or not: a second token is tried by a probe alone
};

class Lane {
public:
    Lane(const Clock& clock, Board& board, LaneLimits limits = {});

    bool up() const;
    bool readable() const;         // up, or closed for what is written alone
    base::Micros probe_in() const; // zero or less: due

    void fault(const Fault& fault);                 // from a delivery
    void probed(const std::optional<Fault>& fault); // nothing: the lane is open
    void answered();                                // of an open lane: as good as a probe, the next of which is put off
    void delivered();                               // the same, and the back-off and the count of failures start over
    void quiet(bool now); // an open lane whose call is not answered says so; it closes with the call's own end
    void probe_now();     // the far side is there again: the back-off is not waited out

    // A probe out of turn, open or not, and its verdict waited for; not before the far side's Retry-After, until which
    // its last word stands. False: there was no verdict within the span, or stopped.
    bool probe_and_wait(base::Micros span, std::stop_token stop);

    bool wait_up(std::stop_token stop);       // false: stopped
    bool wait_readable(std::stop_token stop); // the same
    bool wait_probe(std::stop_token stop);    // false: stopped

private:
    void close(const Fault& fault);
    void put_probe_off(); // of an open lane

    const Clock& clock_;
    Board& board_;
    const LaneLimits limits_;
    mutable std::mutex mutex_;
    std::condition_variable_any moved_;
    envelope::LaneState state_ = envelope::LaneState::down;
    base::Micros probe_at_;
    base::Micros probed_at_{};  // the newest that was good
    base::Micros not_before_{}; // as the far side asked for
    Backoff backoff_;
    bool quiet_ = false;
    bool reads_go_on_ = false; // of what closed it
    int failures_ = 0;
    std::uint64_t probes_ = 0; // so many verdicts
};

} // namespace clinic::lane
