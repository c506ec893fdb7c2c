// The audit chain for those who read it and for those who check it: docs/audit.md.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

control::Commands audit_commands(records::Store& store);

} // namespace clinic::daemon
