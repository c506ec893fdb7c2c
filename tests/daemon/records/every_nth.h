// Which call fails in which round of a campaign: each n from 1 to `most` in its turn, far from each other at first.
// What a store calls differs by some from run to run, as its threads meet; so the order is that of a number of its own,
// a power of two.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>

namespace clinic::records {

class EveryNth {
public:
    EveryNth(int calls, std::uint64_t most) : calls_{calls}, most_{most} {
        EXPECT_TRUE(std::has_single_bit(most) && static_cast<std::uint64_t>(calls) <= most) << calls;
    }

    // So many rounds that some `points` lie within a life of so many calls.
    std::uint64_t plain(std::uint64_t points) const {
        return std::min(most_, points * most_ / static_cast<std::uint64_t>(calls_));
    }
    // Nothing: behind every life.
    std::optional<int> nth(std::uint64_t seed) const {
        const int n = 1 + static_cast<int>(seed * 7'919 % most_);
        return n <= calls_ + calls_ / 8 ? std::optional{n} : std::nullopt;
    }

private:
    const int calls_;
    const std::uint64_t most_;
};

} // namespace clinic::records
