// A connection to the system bus, made once and early: clinicd can make none later (docs/containment.md). What follows
// (log in, name, calls) needs only the connected socket.
//   Errors:  open: not_found (no bus here), unsupported (an address that is not a path).
//   Threads: one at a time.
#pragma once

#include <memory>

#include "crypto/base/result.h"

struct sd_bus;

namespace clinic::systemd {

struct BusClosed {
    void operator()(sd_bus* bus) const noexcept; // what was not sent is thrown away: nobody waits for a bus
};

class Bus {
public:
    // At DBUS_SYSTEM_BUS_ADDRESS, or where Debian has it. Who we are on it is who we are now. Waits for nobody.
    static Result<Bus> open();

    int socket() const;
    sd_bus* get() const { return bus_.get(); }

private:
    explicit Bus(sd_bus* bus) : bus_{bus} {}
    std::unique_ptr<sd_bus, BusClosed> bus_;
};

} // namespace clinic::systemd
