#include "sync/lane/lane.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/fakes/manual_clock.h"

namespace clinic::lane {
namespace {

using namespace std::chrono_literals;
using envelope::LaneState;

struct Lanes : testing::Test {
    fakes::ManualClock clock;
    Board board{clock};
    Lane lane{clock, board};
};

TEST_F(Lanes, StartsDownAndOpensWithTheFirstGoodProbe) {
    EXPECT_FALSE(lane.up());
    EXPECT_LE(lane.probe_in(), 0s);
    EXPECT_EQ(board.said().crm_code, "starting");
    lane.probed({});
    EXPECT_TRUE(lane.up());
    EXPECT_EQ(board.said().crm, LaneState::up);
    EXPECT_EQ(board.said().crm_code, "");
    EXPECT_EQ(lane.probe_in(), 5min);
}

TEST_F(Lanes, WhatIsAnsweredIsAsGoodAsAProbeForHalfAnHour) {
    lane.answered();
    EXPECT_LE(lane.probe_in(), 0s) << "it opens nothing";
    lane.probed({});
    clock.advance(4min);
    lane.answered();
    EXPECT_EQ(lane.probe_in(), 5min);
    for (int i = 0; i < 8; ++i) {
        clock.advance(3min);
        i % 2 == 0 ? lane.answered() : lane.delivered();
    }
    EXPECT_EQ(lane.probe_in(), 2min) << "half an hour after the one before";
    clock.advance(2min);
    lane.answered();
    EXPECT_LE(lane.probe_in(), 0s) << "due is due";
}

TEST_F(Lanes, AFaultClosesItUntilAProbeSaysOtherwise) {
    lane.probed({});
    lane.fault({LaneState::paused, "throttled", 10s});
    EXPECT_FALSE(lane.up());
    EXPECT_EQ(board.said().crm, LaneState::paused);
    EXPECT_EQ(board.said().crm_code, "throttled");
    EXPECT_GE(lane.probe_in(), 10s) << "Retry-After stands";
    EXPECT_LE(lane.probe_in(), 10s + 500ms);
    lane.delivered();
    EXPECT_FALSE(lane.up()) << "a delivery that was under way opens nothing";
    lane.probed({});
    EXPECT_TRUE(lane.up());
}

TEST_F(Lanes, IsReadThroughWhereAFaultIsOfWhatIsWrittenAlone) {
    EXPECT_FALSE(lane.readable());
    lane.probed({});
    EXPECT_TRUE(lane.readable());
    Fault fields{LaneState::down, "fields", {}};
    fields.reads_go_on = true;
    lane.fault(fields);
    EXPECT_FALSE(lane.up());
    EXPECT_TRUE(lane.wait_readable({}));
    lane.probed(Fault{LaneState::down, "unauthorized", {}});
    EXPECT_FALSE(lane.readable());
}

TEST_F(Lanes, AReadThatIsRefusedEndsTheReadingOfALaneThatIsClosedForWhatIsWritten) {
    Fault fields{LaneState::down, "fields", {}};
    fields.reads_go_on = true;
    lane.probed(fields);
    lane.fault(fields); // another worker's
    EXPECT_TRUE(lane.readable());
    lane.fault({LaneState::paused, "throttled", 60s});
    EXPECT_FALSE(lane.readable());
    EXPECT_GE(lane.probe_in(), 60s);
    lane.probed(fields);
    EXPECT_TRUE(lane.readable());
    lane.fault({LaneState::down, "unauthorized", {}});
    EXPECT_FALSE(lane.readable());
}

TEST_F(Lanes, WorkersThatFailTogetherAreOneFault) {
    lane.probed({});
    for (int i = 0; i < 20; ++i) lane.fault({LaneState::paused, "http_500", {}});
    EXPECT_LE(lane.probe_in(), 500ms);
    lane.fault({LaneState::paused, "throttled", 60s});
    EXPECT_GE(lane.probe_in(), 60s) << "the latest moment that any of them was told";
}

// One contact that GHL's server falls over is not everybody's trouble; three in a row are.
TEST_F(Lanes, OpensTheBreakerWhenSeveralRequestsInARowFail) {
    const Fault failed{LaneState::paused, "http_500", {}, true};
    lane.probed({});
    for (int i = 0; i < 10; ++i) {
        lane.fault(failed);
        lane.fault(failed);
        EXPECT_TRUE(lane.up());
        lane.delivered();
    }
    for (int i = 0; i < 3; ++i) lane.fault(failed);
    EXPECT_FALSE(lane.up());
    EXPECT_EQ(board.said().crm_code, "http_500");
}

TEST_F(Lanes, JustOpenedAgainItIsOnTrial) {
    const Fault failed{LaneState::paused, "http_503", {}, true};
    lane.probed({});
    for (int i = 0; i < 3; ++i) lane.fault(failed);
    lane.probed({});
    EXPECT_TRUE(lane.up());
    lane.fault(failed);
    EXPECT_FALSE(lane.up()) << "the location reads and does not write: one is enough";
    lane.probed({});
    lane.delivered();
    lane.fault(failed);
    EXPECT_TRUE(lane.up());
}

TEST_F(Lanes, ProbesThatFailMoveApart) {
    base::Micros longest{0};
    for (int i = 0; i < 40; ++i) {
        lane.probed(Fault{LaneState::down, "unauthorized", {}});
        EXPECT_LE(lane.probe_in(), 5min);
        longest = std::max(longest, lane.probe_in());
    }
    EXPECT_GT(longest, 30s);
    EXPECT_EQ(board.said().crm, LaneState::down);
}

TEST_F(Lanes, AProbeOutOfTurnIsWaitedForAndRetryAfterStands) {
    lane.probed({});
    EXPECT_EQ(lane.probe_in(), 5min);
    EXPECT_FALSE(lane.probe_and_wait(1ms, {})) << "nobody probes";
    EXPECT_LE(lane.probe_in(), 0s) << "it is due";
    std::jthread prober{[this](std::stop_token stop) {
        if (lane.wait_probe(std::move(stop))) lane.probed(Fault{LaneState::paused, "throttled", 60s});
    }};
    EXPECT_TRUE(lane.probe_and_wait(30s, {}));
    prober.join();
    EXPECT_EQ(board.said().crm_code, "throttled");
    EXPECT_TRUE(lane.probe_and_wait(30s, {})) << "its last word stands";
    EXPECT_GE(lane.probe_in(), 60s) << "nobody asks before it may be asked";
}

TEST_F(Lanes, AnOpenLaneThatGetsNoAnswerSaysSoAndStaysOpen) {
    lane.quiet(true);
    EXPECT_EQ(board.said().crm_code, "starting") << "a closed one has its own reason";
    lane.probed({});
    lane.quiet(true);
    EXPECT_EQ(board.said().crm, LaneState::paused);
    EXPECT_EQ(board.said().crm_code, "timeout");
    EXPECT_TRUE(lane.up());
    lane.quiet(false);
    EXPECT_EQ(board.said().crm, LaneState::up);
    lane.quiet(true);
    lane.fault({LaneState::paused, "http_503", {}});
    lane.quiet(false);
    EXPECT_EQ(board.said().crm_code, "http_503");
}

TEST_F(Lanes, AProbeCanBeAskedForBeforeItsTime) {
    lane.probed({});
    lane.probe_now();
    EXPECT_EQ(lane.probe_in(), 5min) << "an open lane needs none";
    lane.fault({LaneState::paused, "offline", 1h});
    lane.probe_now();
    EXPECT_LE(lane.probe_in(), 0s);
}

TEST_F(Lanes, WaitingEndsWithTheProbeAndWithStop) {
    std::jthread waiting{[&](std::stop_token stop) { EXPECT_TRUE(lane.wait_up(std::move(stop))); }};
    lane.probed({});
    waiting.join();
    lane.fault({LaneState::paused, "offline", 1h});
    std::jthread stopped{[&](std::stop_token stop) { EXPECT_FALSE(lane.wait_up(std::move(stop))); }};
    std::jthread prober{[&](std::stop_token stop) { EXPECT_FALSE(lane.wait_probe(std::move(stop))); }};
    stopped.request_stop();
    prober.request_stop();
}

TEST_F(Lanes, TheClockOffsetFollowsAStepOfOurOwnClock) {
    EXPECT_FALSE(board.said().https_offset_s.has_value());
    board.https_date(clock.now() + 3s);
    EXPECT_EQ(board.said().https_offset_s, 3);
    clock.advance(60s);
    EXPECT_EQ(board.said().https_offset_s, 3);
    clock.set(clock.now() - 1h);
    EXPECT_EQ(board.said().https_offset_s, 3'603);
    clock.advance(15min);
    EXPECT_FALSE(board.said().https_offset_s.has_value()) << "too old to be a witness";
}

} // namespace
} // namespace clinic::lane
