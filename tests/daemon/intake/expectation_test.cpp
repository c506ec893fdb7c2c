// When a sender is silent: by the clinic's hours and days, over nights, weekends and the change of the clock.
#include "daemon/intake/expectation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace clinic::intake {
namespace {

using namespace std::chrono_literals;
using namespace std::chrono;

class Silence : public ::testing::Test {
protected:
    void SetUp() override { zone("America/Denver"); }
    void TearDown() override { zone("UTC"); }
    static void zone(const char* name) {
        setenv("TZ", name, 1);
        tzset();
    }
    // A moment of the clinic's wall clock.
    static Timestamp at(int month, int day, int hour, int minute = 0) {
        std::tm parts{};
        parts.tm_year = 2026 - 1900, parts.tm_mon = month - 1, parts.tm_mday = day;
        parts.tm_hour = hour, parts.tm_min = minute, parts.tm_isdst = -1;
        return Timestamp{std::mktime(&parts) * 1'000'000};
    }
    static Expectation expect(const char* within, const char* hours = "always") {
        const auto span = parse_within(within);
        const auto open = parse_hours(hours);
        EXPECT_TRUE(span && open) << within << hours;
        return {*span, *open, at(11, 2, 0)};
    }
};

TEST_F(Silence, IsLongerThanExpected) {
    const auto hourly = expect("1h");
    EXPECT_FALSE(is_silent(hourly, at(11, 20, 9), at(11, 20, 10)));
    EXPECT_TRUE(is_silent(hourly, at(11, 20, 9), at(11, 20, 10, 1)));
    EXPECT_TRUE(is_silent(hourly, at(11, 20, 23, 30), at(11, 21, 0, 31))) << "over midnight";
    EXPECT_FALSE(is_silent(expect("none"), at(1, 1, 0), at(11, 20, 9))) << "nothing is expected";
    EXPECT_FALSE(is_silent(hourly, at(11, 20, 12), at(11, 20, 9))) << "a clock that went back";
    EXPECT_FALSE(is_silent(expect("31d"), at(10, 20, 9), at(11, 20, 8)));
    EXPECT_TRUE(is_silent(expect("31d"), at(10, 20, 9), at(11, 20, 8, 1))) << "an hour was twice in between";
}

TEST_F(Silence, CountsFromTheExpectationWhereNothingEverCame) {
    EXPECT_FALSE(is_silent(expect("1h"), {}, at(11, 2, 1)));
    EXPECT_TRUE(is_silent(expect("1h"), {}, at(11, 2, 1, 1)));
}

TEST_F(Silence, IsNoneWhileTheClinicIsClosed) {
    const auto office = expect("2h", "mon-fri 08:00-18:00"); // 20 November is a Friday
    EXPECT_FALSE(is_silent(office, at(11, 20, 17), at(11, 20, 23, 59)));
    EXPECT_FALSE(is_silent(office, at(11, 20, 17), at(11, 22, 12))) << "Sunday";
    EXPECT_FALSE(is_silent(office, at(11, 20, 17), at(11, 23, 9))) << "Monday, an hour after the door opened";
    EXPECT_TRUE(is_silent(office, at(11, 20, 17), at(11, 23, 9, 1)));
    EXPECT_TRUE(is_silent(office, at(11, 20, 9), at(11, 20, 11, 1)));
    EXPECT_FALSE(is_silent(office, at(11, 20, 3), at(11, 20, 10))) << "in the night before";
    const auto saturdays = expect("2h", "sat 09:00-12:00");
    EXPECT_FALSE(is_silent(saturdays, at(11, 20, 9), at(11, 21, 11)));
    EXPECT_TRUE(is_silent(saturdays, at(11, 20, 9), at(11, 21, 11, 1)));
    EXPECT_TRUE(is_silent(expect("31d", "sun 00:00-00:01"), at(1, 1, 9), at(11, 21, 9))) << "a hundred days are enough";
}

// On 8 March 2026 there is no 02:30 in Denver, on 1 November there are two.
TEST_F(Silence, KnowsTheDaysOnWhichTheClockChanges) {
    const auto nights = expect("3h", "sun 00:00-06:00");
    EXPECT_FALSE(is_silent(nights, at(3, 7, 12), at(3, 8, 4))) << "three hours since midnight";
    EXPECT_TRUE(is_silent(nights, at(3, 7, 12), at(3, 8, 4, 1)));
    EXPECT_FALSE(is_silent(nights, at(10, 31, 12), at(11, 1, 2)));
    EXPECT_TRUE(is_silent(nights, at(10, 31, 12), at(11, 1, 2, 1)));
}

TEST_F(Silence, IsWrittenAsItIsRead) {
    for (const char* text : {"none", "10m", "90m", "2h", "12h", "1d", "31d"})
        EXPECT_EQ(text_of_within(parse_within(text).value()), text);
    EXPECT_EQ(text_of_within(parse_within("120m").value()), "2h");
    for (const char* text :
         {"always", "mon-fri 08:00-18:00", "sat 09:00-12:00", "mon,wed-fri 07:30-24:00", "mon-sun 08:00-18:00"})
        EXPECT_EQ(text_of(parse_hours(text).value()), text);
    EXPECT_EQ(text_of(parse_hours("fri-mon 08:00-09:00").value()), "mon,fri-sun 08:00-09:00");
    EXPECT_EQ(text_of(parse_hours("mon-sun 00:00-24:00").value()), "always");
}

TEST_F(Silence, RefusesWhatIsNoSpanAndNoHours) {
    for (const char* wrong :
         {"", "9m", "0h", "32d", "745h", "2", "h", "-2h", "2 h", "2H", "1.5h", "99999999999d", "two"})
        EXPECT_FALSE(parse_within(wrong)) << wrong;
    for (const char* wrong : {"", "mon", "08:00-18:00", "mon 8-18", "mon 08:00", "mon 18:00-08:00", "mon 08:00-08:00",
                              "mon 08:00-24:01", "mon 08:60-18:00", "monday 08:00-18:00", "mon-xxx 08:00-18:00",
                              ",mon 08:00-18:00", "mon-fri  08:00-18:00", " 08:00-18:00", "mon 08:00-18:00 ", "Always"})
        EXPECT_FALSE(parse_hours(wrong)) << wrong;
}

} // namespace
} // namespace clinic::intake
