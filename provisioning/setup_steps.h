// The six steps of `clinicctl setup`. Each asks (or is told by the file of answers), does what it says, and answers
// what is to be remembered of it: no secret, nobody's name but the clinic's and its senders'. docs/setup.md.
//   Errors:  nothing: it stopped, and what stopped it has been said with one next step. Done again it goes on from
//            whatever a cut left.
//   Threads: one.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "provisioning/check/site.h"
#include "provisioning/client.h"
#include "provisioning/setup/answers.h"
#include "provisioning/setup/box_files.h"
#include "provisioning/setup/progress.h"
#include "provisioning/setup_talk.h"

namespace clinic::provisioning {

struct SetupDesk {
    const Client& client;
    const Talk& talk;
    setup::Progress& progress;
    setup::BoxFiles files;
    check::Site site;
    std::filesystem::path templates;
    const setup::Answers* answers; // null: they are asked for
};

using StepFacts = std::optional<nlohmann::json>;

// Shared by the steps; false: it stopped, and why has been said.
bool restart_programs(const Talk& talk); // they read their settings and keys at their start
bool records_are_open(const SetupDesk& desk);
bool know_fields(const SetupDesk& desk); // GHL's custom fields, found or made; the programs start anew for it

StepFacts check_machine(const SetupDesk& desk);
StepFacts claim_box(const SetupDesk& desk);
StepFacts agree_terms(const SetupDesk& desk);
StepFacts keep_keys(const SetupDesk& desk);
StepFacts hear_feeds(const SetupDesk& desk);
StepFacts prove_ways(const SetupDesk& desk);

} // namespace clinic::provisioning
