#include "sync/relay/replay_table.h"

#include <gtest/gtest.h>

namespace clinic::relay {
namespace {

using Entry = ReplayTable::Entry;
using namespace std::chrono_literals;

WebhookId id(int number) {
    WebhookId out{};
    std::memcpy(out.data(), &number, sizeof number);
    return out;
}

TEST(ReplayTable, KnowsWhatIsOnItsWayAndWhatWasTaken) {
    ReplayTable table{100, 60s};
    EXPECT_EQ(table.enter(id(1), 0s), Entry::fresh);
    EXPECT_EQ(table.enter(id(1), 1s), Entry::under_way);
    table.take(id(1));
    EXPECT_EQ(table.enter(id(1), 2s), Entry::taken);
    EXPECT_EQ(table.enter(id(2), 2s), Entry::fresh);
    table.forget(id(2));
    EXPECT_EQ(table.enter(id(2), 3s), Entry::fresh);
}

TEST(ReplayTable, ForgetsAfterItsTime) {
    ReplayTable table{100, 60s};
    table.enter(id(1), 0s);
    table.take(id(1));
    EXPECT_EQ(table.enter(id(1), 59s), Entry::taken);
    EXPECT_EQ(table.enter(id(1), 60s), Entry::fresh);
    EXPECT_EQ(table.displaced(), 0);
}

TEST(ReplayTable, MakesRoomForTheNewestAndCounts) {
    ReplayTable table{3, 60s};
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(table.enter(id(i), std::chrono::seconds{i}), Entry::fresh);
        table.take(id(i));
        EXPECT_LE(table.size(), 3U);
    }
    EXPECT_EQ(table.displaced(), 7);
    EXPECT_EQ(table.enter(id(9), 10s), Entry::taken);
}

TEST(ReplayTable, StaysWithinItsBoundWhenAllAreForgotten) {
    ReplayTable table{3, 60s};
    for (int i = 0; i < 100; ++i) {
        table.enter(id(i % 5), std::chrono::milliseconds{i});
        table.forget(id(i % 5));
    }
    EXPECT_EQ(table.size(), 0U);
    // a place in the order that it left behind does not take it away when it has come again
    EXPECT_EQ(table.enter(id(1), 1s), Entry::fresh);
    table.take(id(1));
    EXPECT_EQ(table.enter(id(2), 2s), Entry::fresh);
    EXPECT_EQ(table.enter(id(1), 3s), Entry::taken);
}

} // namespace
} // namespace clinic::relay
