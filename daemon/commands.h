// What clinicctl can ask for, each a function over the parts. docs/clinicctl.md.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/housekeeping.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {

struct Room {
    records::Store& store;
    release::Releaser& releaser;
    Housekeeping& housekeeping;
    health::Health& health;
};

control::Commands commands(const Room& room);
control::Commands commands(health::Health& health); // in a mode without a store: status alone

} // namespace clinic::daemon
