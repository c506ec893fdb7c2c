// What clinicd shows and does on the system bus. docs/dbus.md.
//   Threads: the bus's own (systemd/box_object.h). Nothing else waits for it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/change_desk.h"
#include "daemon/containment_report.h"
#include "daemon/health/health.h"
#include "systemd/box_object.h"

namespace clinic::daemon {

// What it speaks of, which must outlive it.
struct OnTheBus {
    health::Health& health;
    ContainmentReport& containment;
    ChangeDesk& changes;
};

systemd::BoxFacts bus_facts(const health::Status& status);
// The needs and what does not hold, in our own words: no sender's name, which the clinic gave.
std::string findings_json(const health::Status& status);

// Null where there is no bus. How it is stands in the status from then on.
std::unique_ptr<systemd::BoxObject> join_bus(std::optional<systemd::Bus> bus, const OnTheBus& box);

} // namespace clinic::daemon
