#include "sync/poll/reasons.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/fakes/manual_clock.h"

namespace clinic::poll {
namespace {

using namespace std::chrono_literals;
using envelope::CrmKind;

struct PollReasons : testing::Test {
    bool due() const {
        const auto at = reasons.due();
        return at && *at <= clock.monotonic();
    }
    fakes::ManualClock clock;
    Reasons reasons{clock, 60s};
};

TEST_F(PollReasons, ManyAreOneLookAtOnceAndOneMoreBehindTheNewest) {
    EXPECT_FALSE(reasons.due());
    for (int i = 0; i < 500; ++i) reasons.add(CrmKind::contact);
    reasons.add(CrmKind::opportunity);
    EXPECT_TRUE(due());
    EXPECT_EQ(reasons.take(), (Reasons::Kinds{CrmKind::contact, CrmKind::opportunity}));
    EXPECT_FALSE(due());
    clock.advance(59s);
    reasons.add(CrmKind::contact);
    reasons.take();
    clock.advance(59s);
    EXPECT_FALSE(due()) << "a minute behind the newest";
    clock.advance(1s);
    EXPECT_TRUE(due());
    EXPECT_EQ(reasons.take(), (Reasons::Kinds{CrmKind::contact, CrmKind::opportunity}));
    EXPECT_FALSE(reasons.due());
}

TEST_F(PollReasons, LooksAreSpacedAndOneThatFailedIsMadeAgain) {
    reasons.add(CrmKind::contact);
    const auto kinds = reasons.take();
    reasons.keep(kinds);
    reasons.space(10s);
    EXPECT_FALSE(due());
    clock.advance(10s);
    EXPECT_TRUE(due());
}

TEST_F(PollReasons, ARoundServesThemAllAndComesFirst) {
    reasons.add(CrmKind::contact);
    EXPECT_FALSE(reasons.wait({}, clock.monotonic())) << "the round's time has come as well";
    EXPECT_TRUE(reasons.wait({}, clock.monotonic() + 1h));
    reasons.round_begins();
    EXPECT_FALSE(due());
    clock.advance(60s);
    reasons.round_begins();
    EXPECT_FALSE(reasons.due());
}

TEST_F(PollReasons, OneWakesWhoWaits) {
    std::jthread waits{[this] { EXPECT_TRUE(reasons.wait({}, clock.monotonic() + 1h)); }};
    reasons.add(CrmKind::contact);
    waits.join();
    std::jthread stopped{[this](const std::stop_token& stop) {
        reasons.take();
        EXPECT_FALSE(reasons.wait(stop, clock.monotonic() + 1h));
    }};
    stopped.request_stop();
}

} // namespace
} // namespace clinic::poll
