#include "sync/lane/lookout.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/sync/support/scripted_egress.h"

namespace clinic::lane {
namespace {

using namespace std::chrono_literals;
using envelope::LaneState;
using support::eventually;

struct FakeReach final : Reach {
    base::Micros unanswered() const override {
        ++looks;
        return base::Micros{waited.load()};
    }
    std::optional<Fault> greet(std::stop_token) override {
        ++greetings;
        if (!silent) return std::nullopt;
        return Fault{LaneState::paused, "timeout", {}};
    }
    std::atomic<base::Micros::rep> waited{0};
    std::atomic<bool> silent{false};
    std::atomic<int> greetings{0};
    mutable std::atomic<int> looks{0};
};

struct Lookouts : testing::Test {
    std::jthread start() {
        return std::jthread{[this](std::stop_token stop) {
            Lookout{lane, board, reach, clock, {.look = 1ms, .period = 2ms}}.run(std::move(stop));
        }};
    }
    base::SystemClock clock;
    Board board{clock};
    Lane lane{clock, board, {.probe = {.base = 1h, .cap = 1h, .floor = 1h}}};
    FakeReach reach;
};

TEST_F(Lookouts, SayACallThatIsNotAnsweredWhileItGoesOn) {
    lane.probed({});
    const auto watching = start();
    reach.waited = base::Micros{3'500ms}.count();
    EXPECT_TRUE(eventually([&] { return board.said().crm_code == "timeout"; }));
    EXPECT_TRUE(lane.up());
    reach.waited = 0;
    EXPECT_TRUE(eventually([&] { return board.said().crm == LaneState::up; }));
    EXPECT_EQ(reach.greetings, 0) << "nobody looks";
}

TEST_F(Lookouts, GreetWhileSomebodyLooksAndNothingElseIsUnderWay) {
    lane.probed({});
    reach.waited = 1;
    board.watched(true);
    const auto watching = start();
    EXPECT_TRUE(eventually([&] { return reach.looks > 50; }));
    EXPECT_EQ(reach.greetings, 0) << "a call under way tells as much";
    reach.waited = 0;
    EXPECT_TRUE(eventually([&] { return reach.greetings > 3; }));
    board.watched(false);
    const int looks = reach.looks;
    EXPECT_TRUE(eventually([&] { return reach.looks > looks + 1; })); // one may have begun before
    const int greetings = reach.greetings;
    EXPECT_TRUE(eventually([&] { return reach.looks > looks + 50; }));
    EXPECT_EQ(reach.greetings, greetings);
}

TEST_F(Lookouts, CloseTheLaneOfASilentSideAndHaveItProbedWhenItIsBack) {
    lane.probed({});
    board.watched(true);
    reach.silent = true;
    const auto watching = start();
    EXPECT_TRUE(eventually([&] { return !lane.up(); }));
    EXPECT_EQ(board.said().crm_code, "timeout");
    EXPECT_GT(lane.probe_in(), 1min);
    reach.silent = false;
    EXPECT_TRUE(eventually([&] { return lane.probe_in() <= 0s; }));
    EXPECT_FALSE(lane.up()) << "a handshake is no proof that requests are taken";
}

TEST_F(Lookouts, LeaveALaneThatIsClosedForAnotherReasonToItsOwnProbes) {
    lane.fault({LaneState::down, "unauthorized", {}});
    lane.probed(Fault{LaneState::down, "unauthorized", {}});
    board.watched(true);
    const auto watching = start();
    EXPECT_TRUE(eventually([&] { return reach.greetings > 3; }));
    EXPECT_EQ(board.said().crm_code, "unauthorized");
    EXPECT_GT(lane.probe_in(), 1min) << "greetings that are answered ask for no probe";
}

} // namespace
} // namespace clinic::lane
