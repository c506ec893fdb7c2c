// What keeps this machine's time, as systemd says over the system bus: for the technician, beside what clinicd makes of
// the clock (docs/status.md, `clock`).
//   Errors:  not_found (no bus, or nobody there who keeps the time), timeout.
//   Threads: any; a call waits for five seconds at most.
#pragma once

#include <string>

#include "crypto/base/result.h"

namespace clinic::provisioning {

struct TimeService {
    bool wanted = false;       // a time service is switched on
    bool synchronised = false; // the kernel's clock is kept by one, whichever it is
    std::string server;        // systemd-timesyncd's; empty: it has none now, or another service keeps the time
};

Result<TimeService> time_service();

} // namespace clinic::provisioning
