#include "sync/lane/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace clinic::lane {
namespace {

using namespace std::chrono_literals;

TEST(FullJitter, StaysWithinTheDoublingBoundAndTheCap) {
    for (int tries = 0; tries < 40; ++tries) {
        for (int i = 0; i < 50; ++i) {
            const auto span = full_jitter(1s, 300s, tries);
            EXPECT_GE(span, 0s);
            EXPECT_LE(span, tries < 9 ? base::Micros{1s} * (1 << tries) : base::Micros{300s});
        }
    }
}

TEST(FullJitter, IsSpreadOverTheWholeBound) {
    base::Micros least = 300s, most = 0s;
    for (int i = 0; i < 500; ++i) {
        const auto span = full_jitter(1s, 300s, 20);
        least = std::min(least, span);
        most = std::max(most, span);
    }
    EXPECT_LT(least, 30s);
    EXPECT_GT(most, 270s);
}

TEST(Backoff, IsNeverShorterThanItsFloorAndStartsOver) {
    Backoff backoff{{.base = 10ms, .cap = 10s, .floor = 5ms}};
    for (int i = 0; i < 100; ++i) {
        const auto span = backoff.next();
        EXPECT_GE(span, 5ms);
        EXPECT_LE(span, 10s);
    }
    backoff.reset();
    EXPECT_LE(backoff.next(), 10ms);
}

} // namespace
} // namespace clinic::lane
