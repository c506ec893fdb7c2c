// What clinicctl asks for a support bundle: docs/bundle.md.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

// The metrics as /metrics has them. Needs no records.
control::Command metrics_command(health::Health& health);
// An entry of the audit chain, before a bundle is sealed: who, to which key, and why.
control::Commands bundle_commands(records::Store& store);

} // namespace clinic::daemon
