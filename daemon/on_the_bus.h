// What clinicd shows and does on the system bus. docs/dbus.md.
//   Threads: the bus's own (systemd/box_object.h). Nothing else waits for it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "daemon/containment_report.h"
#include "daemon/health/health.h"
#include "daemon/intake/feeds.h"
#include "daemon/options.h"
#include "systemd/box_object.h"

namespace clinic::daemon {

// What it speaks of, which must outlive it.
struct OnTheBus {
    health::Health& health;
    ContainmentReport& containment;
    intake::Feeds& feeds;
    const Options& options;               // as read at the start
    const std::filesystem::path settings; // where they are read again
};

systemd::BoxFacts bus_facts(const health::Status& status);
// The needs and what does not hold, in our own words: no sender's name, which the clinic gave.
std::string findings_json(const health::Status& status);
// Reads the settings file: `mllp.allow` counts from then on. The names of the others that differ.
// Errors: malformed, and nothing has changed; what is wrong stands on standard error.
Result<std::vector<std::string>> reload(const OnTheBus& box);

// Null where there is no bus. How it is stands in the status from then on.
std::unique_ptr<systemd::BoxObject> join_bus(std::optional<systemd::Bus> bus, const OnTheBus& box);

} // namespace clinic::daemon
