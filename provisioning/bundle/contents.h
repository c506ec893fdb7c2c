// What a support bundle holds, each content by its own allow-list; docs/bundle.md has them with their reasons.
//   Errors:  none leave: what cannot be had is named in its place.
//   Threads: one.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "provisioning/bundle/bundle.h"
#include "provisioning/bundle/journal.h"
#include "provisioning/check/run.h"
#include "provisioning/check/scene.h"

namespace clinic::bundle {

struct Sources {
    std::shared_ptr<const check::Scene> scene;
    std::vector<check::Line> checks; // of that scene
    std::filesystem::path journal;   // folder of its files; empty: this machine's
    std::vector<std::filesystem::path> programs{"/usr/libexec/clinic-edge/clinicd",
                                                "/usr/libexec/clinic-edge/clinic-syncd",
                                                "/usr/libexec/clinic-edge/clinic-observer", "/proc/self/exe"};
};

// In a fixed order.
std::vector<Item> gather(const Sources& sources);

// The lines of a Prometheus text that may leave: our numbers, by labels of our own. No name of a sender.
std::string safe_metrics(const std::string& text);

} // namespace clinic::bundle
