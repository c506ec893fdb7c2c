#include "sync/lane/rate_budget.h"

#include <gtest/gtest.h>

#include <deque>

#include "sync/lane/board.h"
#include "tests/fakes/manual_clock.h"

namespace clinic::lane {
namespace {

using namespace std::chrono_literals;
using envelope::Least;

int taken_at_once(RateBudget& budget, Priority priority = Priority::ordinary) {
    int count = 0;
    while (count < 1'000 && budget.take(priority).count() == 0) ++count;
    return count;
}

struct RateBudgets : testing::Test {
    fakes::ManualClock clock;
    RateBudget budget{clock};
    static constexpr RateHints full{.max = 100, .remaining = 99, .interval_ms = 10'000};
    // Asks without end for so long, as the budget says; answers when each request was taken.
    std::deque<base::Micros> asked_for(base::Micros span, Priority priority = Priority::ordinary) {
        std::deque<base::Micros> at;
        const auto end = clock.monotonic() + span;
        while (clock.monotonic() < end) {
            const auto wait = budget.take(priority);
            if (wait.count() == 0)
                at.push_back(clock.monotonic());
            else
                clock.advance(wait);
        }
        return at;
    }
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
    EXPECT_EQ(taken_at_once(budget), 4);
    EXPECT_LE(asked_for(10s).size(), 10U) << "half of a small limit is left to others and to chance";
    budget.learn({.max = 1'000'000, .remaining = 999'999, .interval_ms = 1'000});
    clock.advance(10s);
    taken_at_once(budget);
    clock.advance(1s);
    EXPECT_LE(taken_at_once(budget), 80) << "an answer does not lift our own ceiling";
}

// Whatever its windows begin with, GHL never counts more than we know of, and what GHL allows is used well.
TEST_F(RateBudgets, NeverAsksMoreThanTheIntervalAllowsInAnySpanOfThatLength) {
    budget.learn(full);
    const auto at = asked_for(5min);
    for (std::size_t from = 0, to = 0; from < at.size(); ++from) {
        while (to < at.size() && at[to] - at[from] < 10s) ++to;
        ASSERT_LE(to - from, 90U) << "from the " << from << "th on";
    }
    EXPECT_GE(at.size(), 2'400U) << "8 a second";
}

TEST_F(RateBudgets, WhatIsUrgentWaitsForNoEvenFlow) {
    budget.learn(full);
    taken_at_once(budget);
    EXPECT_GT(budget.take(Priority::ordinary), 0s);
    EXPECT_EQ(budget.take(Priority::urgent), 0s);
    asked_for(5s);
    EXPECT_GT(taken_at_once(budget, Priority::urgent), 3) << "the last of an interval is kept for it";
    EXPECT_GT(budget.take(Priority::urgent), 0s) << "but no 429 is asked for";
}

TEST_F(RateBudgets, WaitsOneIntervalWhenSomebodyElseHasUsedIt) {
    budget.learn({.max = 100, .remaining = 5, .interval_ms = 10'000});
    EXPECT_EQ(budget.take(Priority::urgent), 10s);
    EXPECT_EQ(budget.closed_for(), 10s);
    clock.advance(10s);
    EXPECT_EQ(budget.take(Priority::urgent), 0s);
}

TEST_F(RateBudgets, AfterARefusalNothingIsAskedForAnIntervalOrWhatGhlSays) {
    budget.learn({.refused = true});
    EXPECT_EQ(budget.take(Priority::urgent), 10s) << "no header, no Retry-After";
    budget.learn({.refused = true, .retry_after = 30s});
    EXPECT_EQ(budget.take(Priority::urgent), 30s);
}

TEST_F(RateBudgets, KeepsTheLastTenthOfTheDayForWhatIsUrgent) {
    budget.learn({.daily_max = 200'000, .daily_remaining = 19'999});
    EXPECT_EQ(budget.take(Priority::ordinary), 15min);
    EXPECT_EQ(budget.take(Priority::urgent), 0s);
    clock.advance(15min);
    EXPECT_EQ(budget.take(Priority::ordinary), 0s) << "what was said of the day is old: one request hears it again";
    EXPECT_EQ(budget.take(Priority::ordinary), 15min) << "and one alone";
    budget.learn({.daily_max = 200'000, .daily_remaining = 200'000});
    EXPECT_EQ(budget.take(Priority::ordinary), 0s);
}

TEST_F(RateBudgets, EachPriorityStopsWhereItsReserveBegins) {
    budget.learn({.daily_max = 1'000, .daily_remaining = 149});
    EXPECT_GT(budget.take(Priority::poll), 0s);
    EXPECT_EQ(taken_at_once(budget), 40);
    clock.advance(10s);
    EXPECT_EQ(taken_at_once(budget), 10) << "what was taken since the last answer counts";
    budget.learn({.daily_max = 1'000, .daily_remaining = 3});
    EXPECT_EQ(taken_at_once(budget, Priority::urgent), 3);
    EXPECT_EQ(budget.take(Priority::urgent), 15min) << "a day that is used up is not asked from";
}

TEST_F(RateBudgets, SaysWhatIsWorthLeasing) {
    EXPECT_EQ(budget.room().least, Least::any);
    budget.learn({.daily_max = 1'000, .daily_remaining = 249});
    EXPECT_EQ(budget.room().least, Least::live) << "the backlog does not eat what today needs";
    budget.learn({.daily_max = 1'000, .daily_remaining = 99});
    EXPECT_EQ(budget.room().least, Least::urgent);
    EXPECT_EQ(budget.room().wait, 0s);
    budget.learn({.daily_max = 1'000, .daily_remaining = 1'000});
    taken_at_once(budget);
    EXPECT_GT(budget.room().wait, 0s) << "no lease is held while the flow is waited for";
    EXPECT_EQ(budget.room().least, Least::any);
}

TEST_F(RateBudgets, ADayThatIsNotSaidAgainIsOverWithIt) {
    budget.learn({.daily_max = 1'000, .daily_remaining = 0});
    EXPECT_EQ(budget.take(Priority::urgent), 15min);
    for (int hour = 0; hour < 24; ++hour) {
        clock.advance(1h);
        EXPECT_EQ(budget.take(Priority::urgent), 0s)
            << "one may hear it again, and GHL says nothing of its day any more";
        budget.learn({.max = 100, .remaining = 90, .interval_ms = 10'000});
    }
    clock.advance(1s);
    EXPECT_EQ(budget.take(Priority::poll), 0s);
    EXPECT_EQ(budget.take(Priority::poll), 0s);
    EXPECT_FALSE(budget.day());
}

TEST_F(RateBudgets, SaysWhatIsLeftOfTheDayInHundredths) {
    Board board{clock};
    board.requests_of_day([this] { return budget.said_of_day(); });
    EXPECT_FALSE(board.said().requests) << "GHL has not said it";
    budget.learn({.daily_max = 200'000, .daily_remaining = 150'000});
    EXPECT_EQ(board.said().requests, (envelope::RequestsOfDay{200'000, 150'000}));
    budget.take(Priority::ordinary);
    EXPECT_EQ(board.said().requests, (envelope::RequestsOfDay{200'000, 148'000}));
    board.requests_of_day({});
    EXPECT_FALSE(board.said().requests);
}

TEST_F(RateBudgets, RemembersTheDayOverARestart) {
    budget.learn({.max = 100, .remaining = 0, .interval_ms = 10'000, .daily_max = 1'000, .daily_remaining = 50});
    const auto day = budget.day();
    ASSERT_TRUE(day);
    RateBudget again{clock, {}, day};
    EXPECT_EQ(again.take(Priority::urgent), 10s);
    clock.advance(10s);
    EXPECT_EQ(again.take(Priority::ordinary), 15min - 10s);
    EXPECT_EQ(again.take(Priority::urgent), 0s);
    clock.advance(24h);
    RateBudget tomorrow{clock, {}, day};
    EXPECT_FALSE(tomorrow.day());
    EXPECT_EQ(tomorrow.take(Priority::ordinary), 0s);
}

} // namespace
} // namespace clinic::lane
