// How clinicd's unit is, by the service manager: why nobody answers at the page's port.
//   Units:   the manager is asked at most once a second.
//   Errors:  none; a manager that does not answer is a trouble of its own.
//   Threads: any.
//   Source:  org.freedesktop.systemd1(5), systemd.service(5) "Result", systemd.exec(5) "Process exit codes".
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

#include "crypto/base/clock.h"
#include "systemd/manager.h"

namespace clinic::observer {

enum class Trouble : std::uint8_t { starting, settings, memory, hung, crashed, sealed_off, stopped, fails, unknown };
std::string_view name(Trouble trouble); // also the end of its words in the catalogue

struct Seen {
    bool runs = false; // the manager says so; whether it answers is another question
    Trouble trouble = Trouble::unknown;
};

// Of what the manager said of clinicd's unit; null: it did not answer.
Seen judge(const systemd::Unit* unit);

class Watch {
public:
    Watch(systemd::BusAddress where, const base::Clock& clock) : where_{std::move(where)}, clock_{clock} {}
    Seen look();

private:
    const systemd::BusAddress where_;
    const base::Clock& clock_;
    std::mutex mutex_;
    std::optional<base::Micros> asked_at_;
    Seen seen_;
};

} // namespace clinic::observer
