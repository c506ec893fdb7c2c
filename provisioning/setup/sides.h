// The two far sides, GHL and central operations, each by its steps: link, DNS, TCP, TLS, auth. And what of the whole
// table of checks matters before there is a box at all.
//   Source:  provisioning/check; docs/checks.md.
//   Threads: one; takes as long as the checks do.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "provisioning/check/run.h"
#include "provisioning/check/scene.h"

namespace clinic::setup {

struct Stage {
    const char* name; // "DNS"
    check::Outcome outcome = check::Outcome::ok;
    std::string said;
    const check::Line* worst = nullptr; // the check that says why, where it is not ok
};

struct Side {
    const char* name; // "GHL"
    std::vector<Stage> stages;
    const check::Line* trouble = nullptr; // the first that stands in the way; null: it is open
};

struct Ways {
    std::vector<check::Line> lines;
    Side ghl, ops;
};

// Looks now. `with_ops`: central operations are set up.
std::unique_ptr<Ways> look_at_ways(const check::Site& site, bool with_ops);
nlohmann::json to_json(const Side& side);
std::string view(const Side& side); // a line, and a second one with the cause where there is one

// Before anything else: is this machine fit?
std::vector<check::Line> look_at_machine(const check::Site& site);

// "what was seen: the cause", and what to do next; of a check that is not ok.
std::string cause_of(const check::Line& line);

} // namespace clinic::setup
