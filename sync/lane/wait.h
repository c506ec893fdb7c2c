// Waiting that a stop request ends at once.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "crypto/base/clock.h"

namespace clinic::lane {

// False: stopped before the span was over.
inline bool sleep_for(std::stop_token stop, base::Micros span) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock{mutex};
    never.wait_for(lock, stop, span, [] { return false; });
    return !stop.stop_requested();
}

} // namespace clinic::lane
