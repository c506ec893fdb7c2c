#include "systemd/notify.h"

#include <systemd/sd-daemon.h>

#include <string>

namespace clinic::systemd {

void notify_ready() {
    sd_notify(0, "READY=1");
}
void notify_stopping() {
    sd_notify(0, "STOPPING=1");
}
void notify_watchdog() {
    sd_notify(0, "WATCHDOG=1");
}
void notify_status(Literal status) {
    sd_notify(0, (std::string{"STATUS="} + status.c_str()).c_str());
}

} // namespace clinic::systemd
