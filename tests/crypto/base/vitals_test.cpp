#include "crypto/base/vitals.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/manual_clock.h"

namespace clinic::base {
namespace {

using namespace std::chrono_literals;

class VitalsOfAProgram : public testing::Test {
protected:
    std::string overdue() {
        const auto name = vitals_.overdue();
        return name ? name->c_str() : "";
    }
    fakes::ManualClock clock_;
    Vitals vitals_{clock_};
};

TEST_F(VitalsOfAProgram, NobodyIsOverdueWhereNobodyJoined) {
    clock_.advance(1h);
    EXPECT_EQ(overdue(), "");
}

TEST_F(VitalsOfAProgram, AWorkerThatBeatsWithinItsBoundIsWell) {
    const auto writer = vitals_.join("writer", 10s);
    for (int i = 0; i < 5; ++i) {
        clock_.advance(10s);
        EXPECT_EQ(overdue(), "");
        writer.beat();
    }
}

TEST_F(VitalsOfAProgram, NamesTheWorkerThatIsStuckAndForgivesItWhenItGoesOn) {
    const auto writer = vitals_.join("writer", 10s);
    const auto intake = vitals_.join("intake", 60s);
    clock_.advance(11s);
    EXPECT_EQ(overdue(), "writer");
    writer.beat();
    EXPECT_EQ(overdue(), "");
    clock_.advance(10s);
    writer.beat();
    clock_.advance(40s);
    writer.beat();
    EXPECT_EQ(overdue(), "intake");
}

TEST_F(VitalsOfAProgram, AWorkerThatRestsOwesNothingUntilItsNextBeat) {
    const auto lane = vitals_.join("lane", 10s);
    lane.rest();
    clock_.advance(1h);
    EXPECT_EQ(overdue(), "");
    lane.beat();
    clock_.advance(11s);
    EXPECT_EQ(overdue(), "lane");
}

TEST_F(VitalsOfAProgram, AWorkerThatIsGoneOwesNothing) {
    {
        const auto held = vitals_.join("writer", 10s);
        const Pulse copy = held;
        clock_.advance(11s);
        EXPECT_EQ(overdue(), "writer");
    }
    EXPECT_EQ(overdue(), "");
}

TEST_F(VitalsOfAProgram, APulseThatBelongsNowhereSaysNothing) {
    const Pulse alone;
    alone.beat();
    alone.rest();
    EXPECT_EQ(overdue(), "");
}

} // namespace
} // namespace clinic::base
