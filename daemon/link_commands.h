// Whose contact is whose, as clinicctl asks and says it. docs/clinicctl.md, "Links".
//   Rules:   a change needs a reason, and is in the audit chain with it; nobody's name is shown without one.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {

control::Commands link_commands(records::Store& store, release::Releaser& releaser);

} // namespace clinic::daemon
