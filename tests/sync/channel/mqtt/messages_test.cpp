#include "sync/channel/mqtt/messages.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace clinic::mqtt {
namespace {

using nlohmann::json;

envelope::Device a_busy_device() {
    envelope::Device out;
    out.mode = "running";
    out.version = "0.1.0";
    out.basis = "baa";
    out.queue = 3;
    out.oldest_s = 61;
    out.dead = 4;
    out.feeds = {{"mllp", 9, 9, 0, 0, 0, 12}, {"csv", 300, 290, 10, 0, 0, -1}};
    return out;
}

TEST(Messages, TheStateSaysWhichSessionItBelongsTo) {
    EXPECT_EQ(json::parse(state_payload("demo-1", 8, false, "lwt")),
              (json{{"v", 1}, {"box", "demo-1"}, {"online", false}, {"session", 8}, {"reason", "lwt"}}));
    EXPECT_EQ(state_topic("demo-1"), "clinic/demo-1/state");
    EXPECT_EQ(up_topic("demo-1", "metrics"), "clinic/demo-1/up/v1/metrics");
}

TEST(Messages, CountsUnderElevenAreNotTold) {
    const Heading heading{"demo-1", "m", 8, 20, {2'000'000}, {3'000'000}};
    const auto told = json::parse(metrics_payload(heading, a_busy_device(), {}));
    EXPECT_EQ(told["data"]["feeds"]["mllp"]["received"], "lt11");
    EXPECT_EQ(told["data"]["feeds"]["csv"]["received"], "gt250");
    EXPECT_EQ(told["data"]["dead"], "lt11");
    EXPECT_EQ(told["data"]["oldest"], "lt15m") << "no age of one person's envelope";
    EXPECT_EQ(told["seq"], 20);
    EXPECT_EQ(told["ts"], 2'000);
    EXPECT_EQ(told["sent_ts"], 3'000);
    EXPECT_EQ(told["type"], "metrics");
}

TEST(Messages, BandsMeetWithoutGaps) {
    const std::pair<std::int64_t, const char*> counts[] = {
        {0, "0"},      {1, "lt11"},    {10, "lt11"},    {11, "11_25"},    {25, "11_25"},    {26, "26_50"},
        {50, "26_50"}, {51, "51_100"}, {100, "51_100"}, {101, "101_250"}, {250, "101_250"}, {251, "gt250"}};
    for (const auto& [count, band] : counts) EXPECT_STREQ(count_band(count), band) << count;
    const std::pair<std::int64_t, const char*> ages[] = {
        {0, "lt1m"}, {60, "lt15m"}, {900, "lt1h"}, {3'600, "lt1d"}, {86'400, "ge1d"}};
    for (const auto& [age, band] : ages) EXPECT_STREQ(age_band(age), band) << age;
}

} // namespace
} // namespace clinic::mqtt
