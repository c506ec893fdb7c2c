// Events for central ops: over a store that is not there yet, a restart, and more than a frame holds.
#include "daemon/health/telemetry.h"

#include <gmock/gmock.h>

#include "tests/daemon/health/health_fixture.h"

namespace clinic::health {
namespace {

using ::testing::ElementsAre;

TEST_F(HealthOf, EventsRaisedWithoutAStoreAreKeptAndReachIt) {
    health_.raise("E1001", "critical");
    ASSERT_FALSE(health_.device().events.empty());
    const auto number = health_.device().events.front().number;
    everything_up();
    attach();
    write([](records::Transaction&) -> Result<void> { return {}; }); // behind the posted events
    look();
    const auto events = health_.device().events;
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.front().number, number);
    EXPECT_EQ(events.front().code, "E1001");
    EXPECT_EQ(events.front().severity, "critical");
}

TEST_F(HealthOf, AcknowledgedEventsAreNotReportedAgainAfterARestartEither) {
    well_box();
    health_.raise("E1001", "critical");
    health_.raise("E1001", "warn");
    write([](records::Transaction&) -> Result<void> { return {}; });
    look();
    auto events = health_.device().events;
    ASSERT_EQ(events.size(), 2U);
    EXPECT_LT(events[0].number, events[1].number);
    health_.acknowledge_events(events[0].number);
    EXPECT_EQ(health_.device().events.size(), 1U);
    write([](records::Transaction&) -> Result<void> { return {}; });
    health_.detach();
    Health restarted{settings_, clock_};
    restarted.attach(*store_);
    ASSERT_EQ(restarted.device().events.size(), 1U);
    EXPECT_EQ(restarted.device().events.front().number, events[1].number);
    restarted.detach();
}

// A burst goes out as fast as it is acknowledged: no look at the clock between one full frame and the next.
TEST_F(HealthOf, OneFullFrameOfEventsFollowsTheOther) {
    well_box();
    for (int i = 0; i < 70; ++i) health_.raise("E1001", "warn");
    write([](records::Transaction&) -> Result<void> { return {}; });
    std::vector<std::size_t> frames;
    for (auto events = health_.device().events; !events.empty(); events = health_.device().events) {
        frames.push_back(events.size());
        health_.acknowledge_events(events.back().number);
    }
    EXPECT_THAT(frames, ElementsAre(32, 32, 6));
}

TEST_F(HealthOf, MemoryKeepsTheNewestEventsAlone) {
    look(); // a box without its records is news of its own
    for (int i = 0; i < events_memory_max + 10; ++i) health_.raise("E1001", "info");
    health_.raise("E2009", "warn");
    std::vector<envelope::Device::Event> all;
    for (;;) {
        const auto part = health_.device().events;
        if (part.empty()) break;
        all.insert(all.end(), part.begin(), part.end());
        health_.acknowledge_events(part.back().number);
    }
    EXPECT_EQ(all.size(), static_cast<std::size_t>(events_memory_max));
    EXPECT_EQ(all.back().code, "E2009");
}

TEST_F(HealthOf, WhatBecomesVisibleIsAnEventOnce) {
    health_.set_containment({{"own user", false, ""}});
    attach();
    set_basis(release::Basis::baa);
    everything_up();
    look();
    look();
    write([](records::Transaction&) -> Result<void> { return {}; });
    look();
    const auto events = health_.device().events;
    EXPECT_EQ(std::count_if(events.begin(), events.end(), [](const auto& event) { return event.code == "E2008"; }), 1);
}

} // namespace
} // namespace clinic::health
