#include "sync/lane/rate_budget.h"

#include <gtest/gtest.h>

#include "tests/fakes/manual_clock.h"

namespace clinic::lane {
namespace {

using namespace std::chrono_literals;

int taken_at_once(RateBudget& budget, Priority priority = Priority::ordinary) {
    int count = 0;
    while (count < 1'000 && budget.take(priority).count() == 0) ++count;
    return count;
}

struct RateBudgets : testing::Test {
    fakes::ManualClock clock;
    RateBudget budget{clock};
};

TEST_F(RateBudgets, AllowsABurstOfFortyAndThenEightASecond) {
    EXPECT_EQ(taken_at_once(budget), 40);
    EXPECT_EQ(budget.take(Priority::ordinary), 125ms);
    clock.advance(1s);
    EXPECT_EQ(taken_at_once(budget), 8);
    clock.advance(10min);
    EXPECT_EQ(taken_at_once(budget), 40);
}

TEST_F(RateBudgets, FollowsTheLimitThatAnAnswerNames) {
    budget.learn({.max = 20, .remaining = 19, .interval_ms = 10'000});
    EXPECT_EQ(taken_at_once(budget), 8);
    clock.advance(10s);
    EXPECT_LE(taken_at_once(budget), 16);
    budget.learn({.max = 1'000'000, .remaining = 999'999, .interval_ms = 1});
    clock.advance(1s);
    EXPECT_LE(taken_at_once(budget), 96) << "an answer does not lift our own ceiling";
}

TEST_F(RateBudgets, WaitsOneIntervalWhenFewRequestsAreLeftInIt) {
    budget.learn({.max = 100, .remaining = 5, .interval_ms = 10'000});
    EXPECT_EQ(budget.take(Priority::urgent), 10s);
    clock.advance(10s);
    EXPECT_EQ(budget.take(Priority::urgent), 0s);
}

TEST_F(RateBudgets, KeepsTheLastTenthOfTheDayForWhatIsUrgent) {
    budget.learn({.daily_max = 200'000, .daily_remaining = 19'999});
    EXPECT_EQ(budget.take(Priority::ordinary), 15min);
    EXPECT_EQ(budget.take(Priority::urgent), 0s);
    clock.advance(15min);
    EXPECT_EQ(budget.take(Priority::ordinary), 0s) << "what was said of the day is old: one request hears it again";
    budget.learn({.daily_max = 200'000, .daily_remaining = 200'000});
    EXPECT_EQ(budget.take(Priority::ordinary), 0s);
}

} // namespace
} // namespace clinic::lane
