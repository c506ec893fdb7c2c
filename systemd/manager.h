// What the service manager says of units, asked over D-Bus: properties by their documented names, as text.
//   Bounds:  2 s a question.
//   Errors:  offline (no bus, or nobody answers there).
//   Threads: one; the connection lives as long as the call.
//   Source:  org.freedesktop.systemd1(5).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "crypto/base/result.h"

namespace clinic::systemd {

// Where the manager is: empty stands for the system's bus; else the address of a manager that answers without one.
struct Bus {
    std::string address;
};

// Of a unit, by name ("ActiveState", "NRestarts"): texts as they are, numbers in decimal, flags "yes" and "no". What
// the manager does not have for a unit of that kind is left out.
using Unit = std::map<std::string, std::string>;

struct Services {
    std::map<std::string, Unit> units;
    std::uint32_t failed = 0; // units of the whole machine
};

Result<Services> ask_manager(const Bus& where, std::span<const char* const> units);

} // namespace clinic::systemd
