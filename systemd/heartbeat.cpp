#include "systemd/heartbeat.h"

#include "crypto/base/log.h"

namespace clinic::systemd {

bool Heartbeat::beat() {
    const auto overdue = vitals_.overdue();
    if (overdue && well_)
        base::log(base::Level::error, area_,
                  Error{Errc::timeout, *overdue, "it does not check in: the service manager starts us anew"});
    if (!overdue && !well_) base::log(base::Level::notice, area_, "every worker checks in again");
    well_ = !overdue;
    if (well_) notifier_.watchdog();
    return well_;
}

} // namespace clinic::systemd
