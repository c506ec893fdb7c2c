// On a disk of twelve megabytes that fills up: telemetry is dropped from a named bound on, and counted.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/health/health_fixture.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/small_disk.h"

namespace clinic::health {
namespace {

using ::testing::HasSubstr;

class OnASmallDisk : public HealthOf {
protected:
    void SetUp() override {
        if (!disk_.mounted()) GTEST_SKIP() << "mounting needs root";
        HealthOf::SetUp();
        well_box();
        look();
    }
    // Records, until one is refused.
    Error fill_up() {
        disk_.fill();
        for (int i = 0;; ++i) {
            const auto done = store_->write([&](records::Transaction& txn) {
                return records::set_setting(txn, "filler", std::string(100'000, static_cast<char>('a' + i % 26)));
            });
            if (!done) return done.error();
        }
    }
    std::vector<envelope::Device::Event> told() {
        std::vector<envelope::Device::Event> all;
        for (auto part = health_.device().events; !part.empty(); part = health_.device().events) {
            all.insert(all.end(), part.begin(), part.end());
            health_.acknowledge_events(part.back().number);
        }
        return all;
    }

    const fakes::SmallDisk disk_{folder_.path(), 12};
};

TEST_F(OnASmallDisk, EventsBeyondTheBoundAndTimeStampsAreDroppedAndCountedAndTheNewestAreToldLater) {
    const auto refused = fill_up();
    EXPECT_EQ(refused.code, Errc::full);
    EXPECT_STREQ(refused.what.c_str(), "there is no room left on the records' disk");
    const auto full = look();
    EXPECT_EQ(full.mode, Mode::full);
    EXPECT_THAT(codes(full), ::testing::Contains("E2003"));
    EXPECT_FALSE(ready(full));
    const auto before = full.telemetry_dropped;
    EXPECT_LE(before, 1) << "a time stamp may have been in the group that found no room; there is room for events";

    const auto waiting = told(); // what the full disk itself was told as
    constexpr int beyond = 10;
    for (int i = 0; i < events_memory_max + beyond; ++i) health_.raise("E1001", "info");
    EXPECT_EQ(look().telemetry_dropped, before + beyond);
    clock_.advance(61min); // a time stamp would be due
    everything_up();
    look();
    const auto status = look();
    const auto dropped = before + beyond + 1;
    EXPECT_EQ(status.telemetry_dropped, dropped);
    EXPECT_EQ(nlohmann::json::parse(to_json(status)).at("store").at("telemetry_dropped"), dropped);
    EXPECT_THAT(to_metrics(status), HasSubstr("\nclinic_telemetry_dropped_total " + std::to_string(dropped) + "\n"));

    disk_.make_room();
    ASSERT_TRUE(fakes::eventually([&] { return store_->takes_records(); }));
    EXPECT_EQ(look().mode, Mode::running);
    write([](records::Transaction&) -> Result<void> { return {}; }); // behind the events that were held
    const auto after = told();
    ASSERT_GE(after.size(), static_cast<std::size_t>(events_memory_max - beyond));
    EXPECT_LE(after.size(), static_cast<std::size_t>(events_memory_max + beyond));
    for (std::size_t i = 1; i < after.size(); ++i) EXPECT_LT(after[i - 1].number, after[i].number);
    EXPECT_EQ(look().telemetry_dropped, dropped) << "what was held is lost no more";
}

// A box whose operations do not listen for long.
TEST_F(HealthOf, StoredEventsThatNobodyHeardAreDroppedBeyondTheirBoundAndCounted) {
    well_box();
    look();
    const auto raise = [&](int count) {
        for (int i = 0; i < count; ++i) {
            health_.raise("E1001", "info");
            if (i % 1'000 == 0)
                write([](records::Transaction&) -> Result<void> { return {}; }); // a queue is not endless
        }
        write([](records::Transaction&) -> Result<void> { return {}; });
    };
    raise(events_stored_max);
    EXPECT_EQ(look().telemetry_dropped, 0);
    raise(7);
    EXPECT_EQ(look().telemetry_dropped, 7);
    const auto heard = health_.device().events;
    ASSERT_FALSE(heard.empty());
    health_.acknowledge_events(heard.back().number);
    raise(static_cast<int>(heard.size()));
    EXPECT_EQ(look().telemetry_dropped, 7) << "those were told";
}

} // namespace
} // namespace clinic::health
