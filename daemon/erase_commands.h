// A person is erased, for the operator: GHL is emptied of them first. docs/release.md, "Erasing"; docs/clinicctl.md.
//   Threads: the control socket's; the store's writer erases.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {

control::Commands erase_commands(records::Store& store, release::Releaser& releaser);

} // namespace clinic::daemon
