#include "daemon/intake/hl7_time.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

namespace clinic::intake {
namespace {

class Hl7Time : public ::testing::Test {
protected:
    void SetUp() override {
        setenv("TZ", "America/New_York", 1);
        tzset();
    }
    void TearDown() override {
        unsetenv("TZ");
        tzset();
    }
};

std::string utc(std::string_view text) {
    const auto moment = read_time(text);
    if (!moment) return "wrong";
    return *moment ? base::rfc3339((*moment)->at) : "unknown";
}

TEST_F(Hl7Time, ReadsEachPrecisionInTheClinicsZone) {
    struct Row {
        const char *text, *utc, *date;
        Precision precision;
    };
    for (const Row& row : {
             Row{"2026", "2026-01-01T05:00:00Z", "2026", Precision::year},
             Row{"202607", "2026-07-01T04:00:00Z", "202607", Precision::month},
             Row{"20260704", "2026-07-04T04:00:00Z", "20260704", Precision::day},
             Row{"2026070409", "2026-07-04T13:00:00Z", "20260704", Precision::hour},
             Row{"202607040930", "2026-07-04T13:30:00Z", "20260704", Precision::minute},
             Row{"20260704093015", "2026-07-04T13:30:15Z", "20260704", Precision::second},
             Row{"20260704093015.1234", "2026-07-04T13:30:15Z", "20260704", Precision::second},
             Row{"20260704093015.1234+0200", "2026-07-04T07:30:15Z", "20260704", Precision::second},
             Row{"202607040930-0500", "2026-07-04T14:30:00Z", "20260704", Precision::minute},
             Row{"2026-07-04", "2026-07-04T04:00:00Z", "20260704", Precision::day},
             Row{"2026-07-04T09:30", "2026-07-04T13:30:00Z", "20260704", Precision::minute},
             Row{"2026-07-04 09:30:15", "2026-07-04T13:30:15Z", "20260704", Precision::second},
             Row{"2026-07-04T09:30:15.5Z", "2026-07-04T09:30:15Z", "20260704", Precision::second},
             Row{"2026-07-04T09:30:15+02:00", "2026-07-04T07:30:15Z", "20260704", Precision::second},
             Row{"20240229", "2024-02-29T05:00:00Z", "20240229", Precision::day},
         }) {
        const auto moment = read_time(row.text);
        ASSERT_TRUE(moment && *moment) << row.text;
        EXPECT_EQ(base::rfc3339((*moment)->at), row.utc) << row.text;
        EXPECT_EQ((*moment)->date, row.date) << row.text;
        EXPECT_EQ((*moment)->precision, row.precision) << row.text;
    }
}

TEST_F(Hl7Time, TakesZerosAndNothingForUnknown) {
    for (const char* text : {"", "   ", "0", "0000", "00000000", "00000000000000", "00000000+0000"})
        EXPECT_EQ(utc(text), "unknown") << text;
    for (const char* text : {"00010101", "0001-01-01T00:00:00", "17530101000000", "99991231", "99991231235959.9999"})
        EXPECT_EQ(utc(text), "unknown") << text << ": what a database writes for it";
    EXPECT_EQ(utc("17000132"), "wrong") << "what is no date is none in any year";
}

TEST_F(Hl7Time, RefusesWhatIsNoDate) {
    for (const char* text : {"nonsense",    "20261301",        "20260230",   "20230229",        "20260732",
                             "2026070425",  "202607040960",    "202",        "20260",           "2026070409301",
                             "20260704T09", "20260704093015.", "20260704.5", "2026070409+9",    "2026070409+99:99",
                             "2026-7-4",    "2026-13-01",      "07/04/2026", "20260704 0930 x", "-20260704"})
        EXPECT_EQ(utc(text), "wrong") << text;
}

TEST_F(Hl7Time, MovesOnOverAnHourThatDoesNotExist) {
    EXPECT_EQ(utc("202603080230"), "2026-03-08T07:30:00Z"); // 02:30 is skipped on that day
}

TEST_F(Hl7Time, WritesTheClinicsZone) {
    const auto moment = read_time("20260704093015");
    ASSERT_TRUE(moment && *moment);
    EXPECT_EQ(hl7_time((*moment)->at), "20260704093015-0400");
}

} // namespace
} // namespace clinic::intake
