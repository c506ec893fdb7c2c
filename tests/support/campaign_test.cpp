#include "tests/support/campaign.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/fakes/temp_folder.h"

namespace clinic::support {
namespace {

class Campaigns : public testing::Test {
protected:
    void SetUp() override {
        for (const char* one : {"CLINIC_LONG", "CLINIC_SEED", "CLINIC_LONG_SECONDS"}) unsetenv(one);
    }
    void TearDown() override { SetUp(); }

    CampaignPlan plan(const std::string& name) const {
        return {.name = name, .what = "things", .plain = 3, .most = 10, .folder = folder_.path()};
    }
    fakes::TempFolder folder_;
};

std::vector<std::uint64_t> seeds(const CampaignPlan& plan) {
    std::vector<std::uint64_t> all;
    Campaign campaign{plan};
    while (const auto seed = campaign.next()) all.push_back(*seed);
    return all;
}

TEST_F(Campaigns, RunTheFirstSeedsWhenPlain) {
    EXPECT_EQ(seeds(plan("plain")), (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_EQ(seeds(plan("plain")), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(Campaigns, TryOneSeedAloneWhenAsked) {
    setenv("CLINIC_SEED", "77", 1);
    EXPECT_EQ(seeds(plan("one")), (std::vector<std::uint64_t>{77}));
}

TEST_F(Campaigns, GoOnWhereALongRunStopped) {
    setenv("CLINIC_LONG", "1", 1);
    const auto long_plan = plan("long");
    {
        Campaign campaign{long_plan};
        EXPECT_EQ(campaign.next(), 1u);
        EXPECT_EQ(campaign.next(), 2u);
    }
    EXPECT_EQ(seeds(long_plan).front(), 3u);
    EXPECT_TRUE(seeds(long_plan).empty());
}

TEST_F(Campaigns, TryARoundAgainThatAnExceptionEnded) {
    setenv("CLINIC_LONG", "1", 1);
    const auto long_plan = plan("thrown");
    const auto two_rounds = [&] {
        Campaign campaign{long_plan};
        EXPECT_EQ(campaign.next(), 1u);
        EXPECT_EQ(campaign.next(), 2u);
        throw std::runtime_error{"a box that does not start"};
    };
    EXPECT_THROW(two_rounds(), std::runtime_error);
    EXPECT_EQ(seeds(long_plan).front(), 2u);
}

TEST_F(Campaigns, StopWhenTheTimeOfARunIsOver) {
    setenv("CLINIC_LONG", "1", 1);
    setenv("CLINIC_LONG_SECONDS", "0", 1);
    EXPECT_TRUE(seeds(plan("late")).empty());
}

} // namespace
} // namespace clinic::support
