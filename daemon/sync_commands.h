// What waits to leave, and what will not leave by itself, for the operator: docs/sync.md.
//   Threads: the control socket's; the parts are asked as they allow.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

control::Commands sync_commands(records::Store& store, health::Health& health);

} // namespace clinic::daemon
