#include "sync/poll/hours.h"

#include <gtest/gtest.h>

namespace clinic::poll {
namespace {

using namespace std::chrono_literals;

std::tm at(int weekday, int hour, int minute) {
    std::tm out{};
    out.tm_wday = weekday;
    out.tm_hour = hour;
    out.tm_min = minute;
    return out;
}

TEST(Hours, HoldOnTheirDaysAndTimes) {
    const auto hours = Hours::parse("mon,wed-fri 07:30-19:00");
    ASSERT_TRUE(hours);
    EXPECT_TRUE(hours->hold(at(1, 7, 30)));
    EXPECT_FALSE(hours->hold(at(1, 7, 29)));
    EXPECT_FALSE(hours->hold(at(2, 12, 0)));
    EXPECT_TRUE(hours->hold(at(5, 18, 59)));
    EXPECT_FALSE(hours->hold(at(5, 19, 0)));
    EXPECT_TRUE(Hours::parse("fri-mon 00:00-24:00")->hold(at(0, 23, 59))) << "over the week's end";
    for (const char* bad : {"", "mon", "mon 8-18", "mon 18:00-08:00", "day 08:00-18:00", "mon-  08:00-18:00",
                            "mon 08:00-25:00", "mon 08:00_18:00", "mon, 08:00-18:00"})
        EXPECT_FALSE(Hours::parse(bad)) << bad;
}

// 200,000 requests a day are a location's. The smallest round is three requests.
TEST(Pace, KeepsItsShareAndItsTime) {
    const Pace pace;
    EXPECT_EQ(wait_after(pace, true, 3), 45s);
    EXPECT_EQ(wait_after(pace, false, 3), 240s);
    const double quiet_day = 86'400.0 / 240 * 3, busy_day = 86'400.0 / 45 * 3;
    EXPECT_LE(quiet_day, 0.03 * 200'000);
    EXPECT_LE(busy_day, 0.15 * 200'000);
    for (const std::int64_t requests : {1, 10, 100, 10'000}) {
        const double seconds = static_cast<double>(wait_after(pace, false, requests).count()) / 1e6;
        EXPECT_LE(static_cast<double>(requests) * 86'400 / seconds, 0.03 * 200'000 + 1);
    }
}

} // namespace
} // namespace clinic::poll
