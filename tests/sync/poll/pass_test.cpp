#include "sync/poll/pass.h"

#include <gtest/gtest.h>

namespace clinic::poll {
namespace {

bool ends_with(Pass& pass, std::int64_t since, const std::vector<std::size_t>& keys) {
    pass.begin(since);
    for (const auto key : keys) pass.saw(key);
    return pass.end();
}

TEST(Pass, TellsThatSomethingIsMissing) {
    Pass pass;
    EXPECT_FALSE(ends_with(pass, 5, {3, 1, 2})) << "before the first nothing was seen";
    EXPECT_FALSE(ends_with(pass, 5, {4, 3, 2, 1}));
    EXPECT_TRUE(ends_with(pass, 5, {4, 3, 2}));
    EXPECT_FALSE(ends_with(pass, 5, {4, 3, 2})) << "once";
    EXPECT_TRUE(ends_with(pass, 5, {}));
}

TEST(Pass, OneThatIsShownTwiceIsOne) {
    Pass pass;
    EXPECT_FALSE(ends_with(pass, 5, {1, 2, 1}));
    EXPECT_FALSE(ends_with(pass, 5, {2, 1}));
}

// What the pages before the cut showed counts for nothing, and neither does that something of it is missing.
TEST(Pass, OneThatIsCutOffIsNone) {
    Pass pass;
    EXPECT_EQ(pass.whole_since_ms(), 0);
    pass.begin(5);
    pass.saw(9);
    EXPECT_EQ(pass.whole_since_ms(), 0);
    EXPECT_FALSE(ends_with(pass, 7, {1}));
    EXPECT_EQ(pass.whole_since_ms(), 7);
    pass.begin(8);
    EXPECT_EQ(pass.whole_since_ms(), 7) << "until it has ended";
    EXPECT_FALSE(ends_with(pass, 8, {1}));
    EXPECT_EQ(pass.whole_since_ms(), 8);
}

} // namespace
} // namespace clinic::poll
