// What clinicctl can ask for, each a function over the parts. docs/clinicctl.md.
#pragma once

#include "daemon/containment_report.h"
#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/housekeeping.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/ingest.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {

struct Room {
    records::Store& store;
    release::Releaser& releaser;
    Housekeeping& housekeeping;
    health::Health& health;
    const ContainmentReport& containment;
    intake::Feeds& feeds;
    intake::Ingest& ingest;
};

control::Commands commands(const Room& room);
// In a mode without a store.
control::Commands commands(health::Health& health, const ContainmentReport& containment);

} // namespace clinic::daemon
