#include "crypto/base/clock.h"

#include <ctime>

namespace clinic::base {
namespace {

std::int64_t micros_of(clockid_t id) {
    timespec at{};
    clock_gettime(id, &at);
    return static_cast<std::int64_t>(at.tv_sec) * 1'000'000 + at.tv_nsec / 1'000;
}

} // namespace

std::string rfc3339(Timestamp at) {
    std::time_t seconds = at.micros / 1'000'000;
    if (at.micros < 0 && at.micros % 1'000'000 != 0) --seconds;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    const auto length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, length};
}

Timestamp SystemClock::now() const {
    return {micros_of(CLOCK_REALTIME)};
}
Micros SystemClock::monotonic() const {
    return Micros{micros_of(CLOCK_BOOTTIME)};
}

} // namespace clinic::base
