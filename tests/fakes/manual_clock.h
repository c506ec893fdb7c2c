// A clock that moves when it is told to.
#pragma once

#include <atomic>

#include "crypto/base/clock.h"

namespace clinic::fakes {

class ManualClock final : public Clock {
public:
    // 2026-11-21T10:00:00Z
    explicit ManualClock(Timestamp at = {1'795'255'200'000'000}) : micros_{at.micros} {}
    Timestamp now() const override { return {micros_}; }
    base::Micros monotonic() const override { return base::Micros{monotonic_}; }
    void advance(base::Micros span) {
        micros_ += span.count();
        monotonic_ += span.count();
    }
    void set(Timestamp at) { micros_ = at.micros; } // a step: monotonic time stays

private:
    std::atomic<std::int64_t> micros_;
    std::atomic<std::int64_t> monotonic_{1'000'000};
};

} // namespace clinic::fakes
