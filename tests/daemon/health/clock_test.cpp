// Whether the box trusts its clock, and what it does while it does not.
#include <gmock/gmock.h>

#include "daemon/health/findings.h"
#include "daemon/health/health.h"
#include "tests/daemon/health/health_fixture.h"

namespace clinic::health {
namespace {

using ::testing::Contains;

TEST_F(HealthOf, TheClockIsTrustedByTheFloorAndOneSource) {
    attach();
    EXPECT_FALSE(health_.clock_trusted()) << "nobody has spoken";
    health_.lanes({.kernel_synchronised = true});
    EXPECT_TRUE(health_.clock_trusted());
    health_.lanes({.https_offset_s = -120});
    EXPECT_TRUE(health_.clock_trusted());
    health_.lanes({.https_offset_s = 121});
    EXPECT_FALSE(health_.clock_trusted());
    EXPECT_EQ(look().mode, Mode::clock_untrusted);
}

TEST_F(HealthOf, AClockBeforeTheReleaseIsNeverTrusted) {
    attach();
    clock_.set(settings_.clock_floor - 1s);
    everything_up();
    EXPECT_FALSE(health_.clock_trusted());
}

TEST_F(HealthOf, WhatWasSaidOfTheClockGoesStale) {
    attach();
    everything_up();
    clock_.advance(11min);
    EXPECT_FALSE(health_.clock_trusted());
}

TEST_F(HealthOf, ATimeThatWasTrustedIsTheFloorAfterARestart) {
    attach();
    everything_up();
    look();
    health_.detach();
    store_.reset(); // finishes what was posted
    open();
    Health restarted{settings_, clock_};
    restarted.attach(*store_);
    clock_.set(clock_.now() - std::chrono::hours{2});
    restarted.lanes({.kernel_synchronised = true, .https_offset_s = 0});
    EXPECT_FALSE(restarted.clock_trusted());
    clock_.set(clock_.now() + std::chrono::hours{3});
    EXPECT_FALSE(restarted.clock_trusted()) << "what was said was said of another time";
    restarted.lanes({.kernel_synchronised = true, .https_offset_s = 0});
    EXPECT_TRUE(restarted.clock_trusted());
    restarted.detach();
}

TEST_F(HealthOf, AStepForwardOfMoreThanADayWantsBothSources) {
    attach();
    everything_up();
    ASSERT_EQ(look().mode, Mode::running);
    clock_.set(clock_.now() + 25h);
    EXPECT_FALSE(health_.clock_trusted()) << "before anybody has told of it";
    health_.lanes({.kernel_synchronised = true});
    EXPECT_FALSE(health_.clock_trusted());
    health_.lanes({.https_offset_s = 0});
    EXPECT_FALSE(health_.clock_trusted());
    EXPECT_EQ(look().clock_step_s, 25 * 3'600);
    clock_.advance(61s);
    health_.lanes({.https_offset_s = 0, .crm = envelope::LaneState::up, .mqtt = envelope::LaneState::up});
    EXPECT_THAT(codes(look()), Contains("E2012"));
    everything_up();
    EXPECT_TRUE(health_.clock_trusted());
    EXPECT_EQ(look().clock_step_s, 0);
}

TEST_F(HealthOf, TimeThatPassesIsNoStepAndTimeWithoutPowerIs) {
    attach();
    everything_up();
    look();
    clock_.advance(72h); // nobody looked meanwhile
    health_.lanes({.kernel_synchronised = true});
    EXPECT_TRUE(health_.clock_trusted());
    look();
    health_.detach();
    store_.reset();
    open();
    Health restarted{settings_, clock_};
    restarted.attach(*store_);
    clock_.set(clock_.now() + 48h);
    restarted.lanes({.kernel_synchronised = true});
    EXPECT_FALSE(restarted.clock_trusted());
    restarted.lanes({.kernel_synchronised = true, .https_offset_s = 3});
    EXPECT_TRUE(restarted.clock_trusted());
    restarted.detach();
}

TEST_F(HealthOf, APersonsWordHoldsUntilTheClockStepsAgain) {
    attach();
    everything_up();
    look();
    const Timestamp right = clock_.now();
    clock_.set(right + 72h);
    health_.lanes({});
    ASSERT_FALSE(health_.clock_trusted());
    ASSERT_TRUE(health_.confirm_clock());
    EXPECT_TRUE(health_.clock_trusted());
    EXPECT_EQ(look().mode, Mode::running);
    clock_.advance(1h);
    EXPECT_TRUE(health_.clock_trusted());
    clock_.set(right); // it was wrong: back, before a time that was trusted
    health_.lanes({.kernel_synchronised = true, .https_offset_s = 0});
    EXPECT_FALSE(health_.clock_trusted());
    ASSERT_TRUE(health_.confirm_clock());
    look();
    health_.lanes({.kernel_synchronised = true, .https_offset_s = 0});
    EXPECT_TRUE(health_.clock_trusted());
    clock_.set(settings_.clock_floor - 1s);
    EXPECT_EQ(health_.confirm_clock().error().code, Errc::refused);
}

TEST_F(HealthOf, APersonsWordIsKnownToAStartRightAfterIt) {
    attach();
    everything_up();
    const Timestamp right = clock_.now();
    for (const auto& at : {right + 72h, right}) {
        clock_.set(at);
        write([&](records::Transaction& txn) { return health_.keep_confirmed_clock(txn); });
        ASSERT_TRUE(health_.confirm_clock());
        if (at != right) look(); // which writes down the time that was wrong after all
    }
    health_.detach();
    Health restarted{settings_, clock_};
    restarted.attach(*store_);
    restarted.lanes({.kernel_synchronised = true, .https_offset_s = 0});
    EXPECT_TRUE(restarted.clock_trusted());
    restarted.detach();
}

TEST_F(HealthOf, ABasisDoesNotEndByAClockThatIsNotTrusted) {
    set_basis(release::Basis::baa, clock_.now() + 48h);
    attach();
    everything_up();
    look();
    clock_.set(clock_.now() + 240h);
    health_.lanes({.kernel_synchronised = true});
    EXPECT_FALSE(look().basis_expired);
    EXPECT_EQ(health_.device().basis, "baa");
    ASSERT_TRUE(health_.confirm_clock());
    EXPECT_TRUE(look().basis_expired);
}

} // namespace
} // namespace clinic::health
