// The full comparison with GHL for the operator: asked for, looked at, and what differs put right. docs/crm.md.
//   Threads: the control socket's; the parts are asked as they allow.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {

control::Commands compare_commands(records::Store& store, release::Releaser& releaser, health::Health& health);

} // namespace clinic::daemon
