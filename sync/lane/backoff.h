// How long to wait before the next try: full jitter over a doubling bound.
//   Threads: one; a value.
//   Source:  facts/ghl-api §2.3.
#pragma once

#include <chrono>
#include <cstdint>

#include "crypto/base/clock.h"

namespace clinic::lane {

// A random span in [0, min(cap, base * 2^tries)].
base::Micros full_jitter(base::Micros base, base::Micros cap, int tries);

struct BackoffLimits {
    base::Micros base = std::chrono::milliseconds{500};
    base::Micros cap = std::chrono::minutes{5};
    base::Micros floor = std::chrono::milliseconds{100}; // never sooner than this
};

// Grows with each `next`, until `reset`.
class Backoff {
public:
    explicit Backoff(BackoffLimits limits = {}) : limits_{limits} {}
    base::Micros next();
    void reset() { tries_ = 0; }

private:
    BackoffLimits limits_;
    int tries_ = 0;
};

} // namespace clinic::lane
