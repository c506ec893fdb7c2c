// The D-Bus object org.clinicedge.Clinicd1: what the status says, as properties that tell when they change, and three
// methods that polkit guards. docs/dbus.md.
//   Units:   a look at the box each second; all that changed since the last is one PropertiesChanged.
//   Bounds:  questions_max callers at a time, unsent_max messages that the bus has not taken; beyond them a caller is
//            refused, and a bus that takes nothing is left.
//   Errors:  never the box's: `said` hears how it is. A bus that was lost or left is not joined again.
//   Threads: one of its own, and no worker of base::Vitals: the box goes on without it. `look`, `said` and the methods
//            are called on it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "systemd/bus.h"

namespace clinic::systemd {

// By their names in the status document.
using Numbers = std::map<std::string, std::int64_t>;
using Books = std::map<std::string, Numbers>;

// Our own words, and numbers.
struct BoxFacts {
    std::string version, mode, well, basis;
    bool ready = false, clock_trusted = false, contained = false;
    std::vector<std::string> needs; // codes, most serious first
    Books egress, intake;
    Numbers counters;
};

// A caller hears an error's text and remedy. `who`: the caller's user, as the bus says.
struct BoxMethods {
    std::function<Result<std::string>()> check;                        // JSON
    std::function<Result<void>(uid_t who, bool begin)> drain;          // or end
    std::function<Result<std::vector<std::string>>(uid_t who)> reload; // the settings that wait for a restart
};

enum class BusState : std::uint8_t {
    joining,
    open_wide, // its policy would let us call others: left
    unnamed,   // the name is not given to us, yet
    up,
    lost,
};

class BoxObject {
public:
    static constexpr std::size_t questions_max = 16;
    static constexpr std::uint64_t unsent_max = 256;

    BoxObject(Bus bus, std::function<BoxFacts()> look, BoxMethods methods, std::function<void(BusState)> said);
    ~BoxObject();

    struct State; // of the source alone

private:
    std::unique_ptr<State> state_;
};

} // namespace clinic::systemd
