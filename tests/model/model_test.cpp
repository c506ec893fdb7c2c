// The box and GHL's people at once, with everything that can go wrong: after quiet both sides agree with the model.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/model/program.h"
#include "tests/support/campaign.h"

namespace clinic::model {
namespace {

std::string all_of(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) out += "\n  " + line;
    return out;
}

TEST(Model, BothSidesAgreeAfterQuiet) {
    support::Campaign campaign{{.name = "model", .what = "programs", .plain = 50, .most = 1'000}};
    ProgramCounts sum;
    int kills = 0, deliveries = 0;
    while (const auto seed = campaign.next()) {
        Program program{*seed};
        if (std::getenv("CLINIC_SEED") != nullptr) program.tell_story();
        program.run();
        program.quiet();
        if (program.wrong().empty() && *seed % 3 == 0) program.calm_hour();
        const auto& wrong = program.wrong();
        EXPECT_TRUE(wrong.empty()) << "seed " << *seed << all_of(wrong);
        sum.changes += program.counts.changes;
        sum.in_ghl += program.counts.in_ghl;
        sum.faults += program.counts.faults;
        sum.clock_steps += program.counts.clock_steps;
        sum.webhooks += program.counts.webhooks;
        sum.lost_webhooks += program.counts.lost_webhooks;
        kills += program.box.kills;
        deliveries += program.box.deliveries;
    }
    std::printf(
        "the clinic's changes %d, GHL's people's %d, deliveries %d, faults %d, kills %d, clock steps %d, webhooks "
        "%d (lost %d)\n",
        sum.changes, sum.in_ghl, deliveries, sum.faults, kills, sum.clock_steps, sum.webhooks, sum.lost_webhooks);
}

struct Weak {
    Weakness what;
    const char* words;
};

// A test that finds nothing proves nothing: each of these is found within some seeds.
TEST(Model, FindsABoxThatIsWeakenedOnPurpose) {
    constexpr std::uint64_t seeds_max = 12;
    for (const auto& [what, words] :
         {Weak{Weakness::no_look_up, "a look-up before a create is left out"},
          Weak{Weakness::unsent_delivered, "a write is called answered that was never sent"},
          Weak{Weakness::unasked, "a write is sent that clinicd was not asked about"},
          Weak{Weakness::blind, "GHL is never looked at"},
          Weak{Weakness::forgets_commits, "a commit is lost with a kill"},
          Weak{Weakness::beside_unlooked, "a look-up before a second create beside a contact is left out"}}) {
        std::uint64_t seed = 0;
        std::string first;
        while (first.empty() && seed < seeds_max) {
            Program program{++seed, what};
            program.run();
            program.quiet();
            if (!program.wrong().empty()) first = program.wrong().front();
        }
        EXPECT_FALSE(first.empty()) << words << ": not found in " << seeds_max << " seeds";
        std::printf("%s: found with seed %llu: %s\n", words, static_cast<unsigned long long>(seed), first.c_str());
    }
}

} // namespace
} // namespace clinic::model
