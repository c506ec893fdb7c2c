// Many rounds of one randomized test, each from a seed of its own, so that a failure can be had again and a long
// campaign can go on where it was stopped.
//   Plain runs: seeds 1 to `plain`. Long runs (CLINIC_LONG=1): seeds up to `most`, going on after the last seed that
//   passed in this build folder, for at most CLINIC_LONG_SECONDS (3,600) a run; run it again to go on.
//   CLINIC_SEED=N: that round alone. The line at the end says which seeds passed: report that, never `most`.
//   Units: a round is whatever the test makes of it; `weight` says how many things of `what` one round does.
//   Threads: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace clinic::support {

struct CampaignPlan {
    std::string name;        // unique in the build folder; [a-z_]
    std::string what;        // of which a round does `weight`
    std::uint64_t plain = 1; // rounds in a plain run
    std::uint64_t most = 1;  // rounds in all, over long runs
    std::uint64_t weight = 1;
    std::filesystem::path folder{}; // of what was reached; empty: the build folder's
};

bool long_run(); // CLINIC_LONG=1

class Campaign {
public:
    explicit Campaign(CampaignPlan plan);
    ~Campaign(); // prints what was reached; a round that an exception ends has failed
    Campaign(const Campaign&) = delete;
    Campaign& operator=(const Campaign&) = delete;

    // The next seed to try, after what the last one came to: a test that has failed tries no other.
    std::optional<std::uint64_t> next();

private:
    void passed(std::uint64_t seed);
    void failed();

    CampaignPlan plan_;
    std::filesystem::path file_;
    std::chrono::steady_clock::time_point end_;
    std::uint64_t first_ = 1, last_ = 0, reached_ = 0;
    std::optional<std::uint64_t> trying_;
    int exceptions_; // under way when it began
};

} // namespace clinic::support
