#include "crypto/base/ids.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace clinic::base {
namespace {

using A = Id<struct ATag>;
using B = Id<struct BTag>;
static_assert(!std::is_convertible_v<A, B> && !std::is_constructible_v<A, B>);

TEST(Uuid, IsVersionSevenAndOrderedByTime) {
    const auto early = Uuid::v7({1'795'255'200'000'000});
    const auto late = Uuid::v7({1'795'255'200'001'000});
    EXPECT_LT(early, late);
    EXPECT_EQ(early.text()[14], '7');
    EXPECT_NE(Uuid::v7({0}), Uuid::v7({0}));
}

TEST(Uuid, ReadsBackItsTextAndNothingElse) {
    const auto id = Uuid::v7({1'795'255'200'000'000});
    EXPECT_EQ(Uuid::parse(id.text()), id);
    EXPECT_FALSE(Uuid::parse("0192f0c4-0000-7000-8000-00000000000"));
    EXPECT_FALSE(Uuid::parse("0192F0C4-0000-7000-8000-000000000000"));
    EXPECT_FALSE(Uuid::parse("0192f0c4+0000-7000-8000-000000000000"));
}

TEST(Clock, WritesRfc3339) {
    EXPECT_EQ(rfc3339({1'795'255'200'000'000}), "2026-11-21T10:00:00Z");
}

} // namespace
} // namespace clinic::base
