// What the service manager says of units, and what it does with them, over D-Bus: properties by their documented names,
// as text.
//   Bounds:  2 s a question.
//   Errors:  offline (no bus, or nobody answers there).
//   Threads: one; the connection lives as long as the call.
//   Source:  org.freedesktop.systemd1(5).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "crypto/base/result.h"

namespace clinic::systemd {

// Where the manager is: empty stands for the system's bus, and where there is none for the manager's own socket, which
// answers root; else the address of a manager that answers without a bus.
struct BusAddress {
    std::string address;
};

// Of a unit, by name ("ActiveState", "NRestarts"): texts as they are, numbers in decimal, flags "yes" and "no". What
// the manager does not have for a unit of that kind is left out.
using Unit = std::map<std::string, std::string>;

struct Services {
    std::map<std::string, Unit> units;
    std::uint32_t failed = 0; // units of the whole machine
};

Result<Services> ask_manager(const BusAddress& where, std::span<const char* const> units);

inline constexpr std::chrono::minutes unit_start_max{11}; // clinicd has ten (TimeoutStartSec=)

struct Restart {
    bool only_running = false;    // one that does not run stays so
    std::chrono::seconds wait{0}; // until all of them have started; zero: it is begun, and no more
};
// Has units start anew, as systemctl(1) does: all at once, in their own order. Errors: offline, timeout, refused (a
// unit did not start, or there is none of that name), unauthorized (who asks is not root).
Result<void> restart_units(const BusAddress& where, std::span<const char* const> units, const Restart& how);

} // namespace clinic::systemd
