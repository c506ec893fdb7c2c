// What clinicd takes over of the template that the setup chose: what the tags mean in this kind of clinic, and how long
// what has an end is kept. docs/setup.md, "Templates".
//   Rules:   a change is in the audit chain; the daily job goes by it from its next run on.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

control::Commands template_commands(records::Store& store);

} // namespace clinic::daemon
