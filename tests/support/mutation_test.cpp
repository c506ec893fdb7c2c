#include "tests/support/mutation.h"

#include <gtest/gtest.h>

#include <set>

namespace clinic::support {
namespace {

const std::vector<std::string> samples{"MSH|^~\\&|A|B", "PID|1||N1"};

TEST(Mutation, IsTheSameForTheSameSeed) {
    Mutator one{7, "|"}, other{7, "|"};
    for (int i = 0; i < 100; ++i) ASSERT_EQ(one.from(samples), other.from(samples));
    EXPECT_EQ(Mutator(1, "|").below(1'000'000), 311'528U) << "the generator's own numbers, on every machine";
}

TEST(Mutation, ChangesTheInputInManyWays) {
    Mutator mutate{3, "|"};
    std::set<std::string> seen;
    for (int i = 0; i < 1'000; ++i) seen.insert(mutate.from(samples));
    EXPECT_GT(seen.size(), 500U);
}

TEST(Mutation, TakesAnEmptySample) {
    Mutator mutate{5, ""};
    for (int i = 0; i < 1'000; ++i) static_cast<void>(mutate.changed("", {""}));
}

} // namespace
} // namespace clinic::support
