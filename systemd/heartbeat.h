// Feeds the service manager's watchdog while a program is well, and says who is not when it does not.
//   Threads: one.
#pragma once

#include "crypto/base/vitals.h"
#include "systemd/notify.h"

namespace clinic::systemd {

class Heartbeat {
public:
    // `area`: of the log line. Both must outlive it.
    Heartbeat(const Notifier& notifier, base::Vitals& vitals, Literal area)
        : notifier_{notifier}, vitals_{vitals}, area_{area} {}
    // Called at a third of the manager's patience. False: a worker is overdue, and the watchdog was not fed.
    bool beat();

private:
    const Notifier& notifier_;
    base::Vitals& vitals_;
    const Literal area_;
    bool well_ = true; // at the last beat
};

} // namespace clinic::systemd
