// An end as people count: its day, and how far that is.
#include "crypto/base/days.h"

#include <gtest/gtest.h>

#include "tests/fakes/zone.h"

namespace clinic::base {
namespace {

using namespace std::chrono_literals;

TEST(Days, AnEndIsADayAndHowFarItIs) {
    EXPECT_EQ(ends_on("2027-01-03", 24h * 37), "ends on 2027-01-03 (in 37 days)");
    EXPECT_EQ(ends_on("2027-01-03", 24h * 2 - 1s), "ends on 2027-01-03 (in 1 day)");
    EXPECT_EQ(ends_on("2027-01-03", 5h), "ends on 2027-01-03 (in less than a day)");
    EXPECT_EQ(ends_on("2027-01-03", -5h), "ended on 2027-01-03 (less than a day ago)");
    EXPECT_EQ(ends_on("2027-01-03", -24h * 7), "ended on 2027-01-03 (7 days ago)");
    EXPECT_EQ(ends_in(1), "ends in 1 day");
    EXPECT_EQ(ends_in(0), "ends in less than a day");
    EXPECT_EQ(time_of("2027-01-01T06:59:59Z"), (Timestamp{1'798'786'799'000'000}));
    EXPECT_FALSE(time_of("2027-01-01") || time_of("2027-01-01T06:59:59Z and more") || time_of(""));
}

// Midnight in Denver is the next day's morning in UTC.
TEST(Days, ADayIsTheZones) {
    const Timestamp end{1'798'786'799'000'000}; // 2026-12-31T23:59:59 in Denver
    EXPECT_EQ(rfc3339(end), "2027-01-01T06:59:59Z");
    EXPECT_EQ(utc_day(end), "2027-01-01");
    const fakes::Zone utc{"UTC"};
    {
        const fakes::Zone denver{"America/Denver"};
        EXPECT_EQ(local_day(end), "2026-12-31");
    }
    EXPECT_EQ(local_day(end), "2027-01-01");
}

} // namespace
} // namespace clinic::base
