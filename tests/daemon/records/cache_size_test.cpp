#include "daemon/records/cache_size.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

#include "tests/fakes/temp_folder.h"

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

class MemoryHere : public testing::Test {
protected:
    std::int64_t of(std::string_view groups, std::string_view bound) {
        std::filesystem::create_directories(folder_ / "a.slice/b.service");
        std::ofstream{folder_ / "groups"} << groups;
        std::ofstream{folder_ / "a.slice/b.service/memory.max"} << bound;
        return memory_kib_here(folder_ / "groups", folder_.path());
    }

    fakes::TempFolder folder_;
    const std::int64_t machine_ = sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1'024);
};

TEST_F(MemoryHere, IsTheUnitsBoundWhereThatIsLess) {
    EXPECT_EQ(of("0::/a.slice/b.service\n", "67108864\n"), 64 * mib);
    EXPECT_EQ(of("9:name=systemd:/\n0::/a.slice/b.service\n", "67108864\n"), 64 * mib);
    EXPECT_EQ(of("0::/a.slice/b.service\n", "9000000000000000000\n"), machine_);
}

TEST_F(MemoryHere, IsTheMachinesWithoutABoundThatCanBeRead) {
    EXPECT_EQ(of("0::/a.slice/b.service\n", "max\n"), machine_);
    EXPECT_EQ(of("0::/a.slice/b.service\n", "99999999999999999999\n"), machine_);
    EXPECT_EQ(of("0::/a.slice/c.service\n", "67108864\n"), machine_);
    EXPECT_EQ(of("", "67108864\n"), machine_);
    EXPECT_EQ(memory_kib_here("/nowhere", "/nowhere"), machine_);
}

} // namespace
} // namespace clinic::records::tests
