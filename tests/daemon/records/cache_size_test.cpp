#include "daemon/records/cache_size.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace clinic::records::tests {
namespace {

constexpr std::int64_t mib = 1'024, gib = 1'024 * mib;

std::int64_t both(std::int64_t memory_kib) {
    const auto cache = cache_for(memory_kib);
    return cache.writer_kib + cache.readers_kib;
}

TEST(CacheSize, IsASixteenthOfTheMemoryWithinItsBounds) {
    EXPECT_EQ(both(64 * mib), 16 * mib);
    EXPECT_EQ(both(1 * gib), 64 * mib);
    EXPECT_EQ(both(4 * gib), 256 * mib);
    EXPECT_EQ(both(64 * gib), 256 * mib);
}

TEST(CacheSize, MemoryHereIsAtMostTheMachines) {
    EXPECT_GT(memory_kib_here(), 0);
    EXPECT_LE(memory_kib_here(), sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1'024));
}

} // namespace
} // namespace clinic::records::tests
