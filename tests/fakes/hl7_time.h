// A time as a practice system writes it: seconds and their zone, here always UTC.
#pragma once

#include <array>
#include <ctime>
#include <string>

#include "crypto/base/clock.h"

namespace clinic::fakes {

inline std::string hl7_time(std::time_t at) {
    std::tm parts{};
    gmtime_r(&at, &parts);
    std::array<char, 24> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S+0000", &parts)};
}
inline std::string hl7_time(Timestamp at) {
    return hl7_time(std::time_t{at.micros / 1'000'000});
}

} // namespace clinic::fakes
