// How the store's statements are used, for who looks after the box: docs/store.md, "The statements in use".
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

control::Commands statement_commands(records::Store& store);

} // namespace clinic::daemon
