// What left the building, and what another policy would let leave, for the operator: docs/ledger.md.
//   Threads: the control socket's; the store is asked as it allows.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {

control::Commands ledger_commands(records::Store& store, release::Releaser& releaser);

} // namespace clinic::daemon
