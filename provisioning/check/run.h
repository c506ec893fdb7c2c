// Makes the checks of a table in their order, each within its patience and all within a bound, so that nobody waits in
// front of a machine that hangs.
//   Errors:  none leave: what cannot be looked at in time is not known.
//   Threads: the caller's; each look has one of its own.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "provisioning/check/check.h"

namespace clinic::check {

inline constexpr std::chrono::seconds all_max{30};

struct Line {
    const Check* check;
    Finding found;
    const char* root = nullptr; // of a suppressed one: the check that is not well
    std::chrono::milliseconds took{};
};

std::vector<Line> run(std::span<const Check> checks, const std::shared_ptr<const Scene>& scene,
                      std::chrono::milliseconds all = all_max);

// The worst of them: ok, unknown, warn or fail.
Outcome verdict(std::span<const Line> lines);
// clinicctl's exit status: 0 all is ok; 1 something needs a look, or is not known; 2 something has failed.
int exit_of(Outcome verdict);
// docs/checks.md, "As JSON".
nlohmann::json to_json(std::span<const Line> lines);

} // namespace clinic::check
