// Whether the clock of this machine may be believed, and what that rests on: what clinic-syncd says of the kernel's
// synchronisation and of GHL's time, the newest time that was trusted, and a person's word.
//   Errors:  refused (a time before this release cannot be confirmed).
//   Threads: one at a time.
//   Source:  design, "Identity of things"; docs/status.md, `clock`.
#pragma once

#include <optional>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "sync/envelope/frame.h"

namespace clinic::health {

class ClockTrust {
public:
    // No clock is right before `floor`.
    ClockTrust(Timestamp floor, const Clock& clock) : floor_{floor}, clock_{clock} {}

    // Said each second. False: the same words again, which are no news.
    bool hear(const envelope::TimeState& said);
    const envelope::TimeState& said() const { return said_; }
    std::optional<base::Micros> said_ago() const; // nothing: not since this start

    bool trusted() const;
    bool floor_holds(Timestamp now) const;
    // How far the clock is ahead of the newest trusted time and of what has passed since; 0: not so far that it is
    // news.
    base::Micros step_forward(Timestamp now) const;

    // A person says that it is right. Holds until the clock steps again.
    Result<void> may_be_confirmed() const;
    void confirm();

    // A time that was trusted before this start.
    void restore(Timestamp trusted);
    // Now, where it is trusted: no clock is trusted before it from then on.
    std::optional<Timestamp> remember();

private:
    bool went_on(Timestamp then, base::Micros then_monotonic, Timestamp now) const;
    bool person_said_so(Timestamp now) const;

    const Timestamp floor_;
    const Clock& clock_;
    envelope::TimeState said_;
    std::optional<base::Micros> said_at_;
    Timestamp said_of_{}; // the time that our clock showed then
    Timestamp last_trusted_{};
    std::optional<base::Micros> last_trusted_at_; // monotonic; nothing: before this start
    std::optional<Timestamp> confirmed_;          // by a person
    base::Micros confirmed_at_{};
};

} // namespace clinic::health
