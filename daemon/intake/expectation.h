// How long a sender may be silent, and in which hours silence counts: a clinic that is closed sends nothing.
//   Form:    "2h" (10m to 31d; "none"), "mon-fri 08:00-18:00" (days, ranges of days, commas; "always"). Hours are the
//            clinic's (the process's TZ).
//   Errors:  malformed, with what to write instead.
//   Threads: values; any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::intake {

inline constexpr std::chrono::seconds expected_within_min = std::chrono::minutes{10};
inline constexpr std::chrono::seconds expected_within_max = std::chrono::days{31};

struct OpenHours {
    static constexpr std::uint8_t every_day = 0x7F;
    std::uint8_t days = every_day; // a bit each, Monday the lowest
    int from = 0, to = 24 * 60;    // minutes of such a day
    friend bool operator==(const OpenHours&, const OpenHours&) = default;
};

struct Expectation {
    std::chrono::seconds within{0}; // 0: nothing is expected
    OpenHours hours;
    Timestamp since{}; // when it was said: a sender that never sent is silent from then on
};

Result<std::chrono::seconds> parse_within(std::string_view text);
std::string text_of_within(std::chrono::seconds within);
Result<OpenHours> parse_hours(std::string_view text);
std::string text_of(const OpenHours& hours);

// Whether the open hours since the last message (`last`; none: since the expectation) are more than is expected.
bool is_silent(const Expectation& expected, std::optional<Timestamp> last, Timestamp now);

} // namespace clinic::intake
