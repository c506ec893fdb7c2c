// Readiness, stopping and the watchdog, told to the service manager; nothing happens where there is none.
//   Threads: any.
#pragma once

#include "crypto/base/result.h"

namespace clinic::systemd {

void notify_ready();
void notify_stopping();
void notify_watchdog();
void notify_status(Literal status); // one line in `systemctl status`

} // namespace clinic::systemd
