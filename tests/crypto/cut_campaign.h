// Rounds of power cuts, each from a seed of its own: what all of them have in common.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/crypto/power_cut.h"
#include "tests/support/campaign.h"

namespace clinic::crypto::tests {

struct CutRounds {
    CutsAmid amid;
    std::uint64_t rounds = 0;
    bool all_plain = false; // as many as a plain run has: fewer may have met anything
};

// `make` makes the workload of a seed; a round is plan.weight cuts.
template <class Make>
CutRounds cut_rounds(const support::CampaignPlan& plan, Make make) {
    support::Campaign campaign{plan};
    CutRounds out;
    while (const auto seed = campaign.next()) {
        auto workload = make(*seed);
        const auto verdict = cut_power(workload, *seed, static_cast<int>(plan.weight));
        EXPECT_EQ(verdict.wrong, 0) << "of " << verdict.cuts << " cuts. " << verdict.first_wrong;
        for (const auto& [what, cuts] : verdict.amid) out.amid[what] += cuts;
        ++out.rounds;
    }
    for (const auto& [what, cuts] : out.amid) std::printf("%d cuts amid: %s\n", cuts, what.c_str());
    out.all_plain = out.rounds >= plan.plain;
    return out;
}

} // namespace clinic::crypto::tests
