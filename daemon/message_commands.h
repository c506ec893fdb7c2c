// What clinicctl can ask of messages: those that were taken in, and those in the quarantine. docs/clinicctl.md.
//   Rules:   a list names nobody; a message is shown masked, and in full only with a reason. Either way the audit entry
//   is
//            durable before the first byte of a message leaves.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/ingest.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

control::Commands message_commands(records::Store& store, intake::Ingest& ingest, const intake::Feeds& feeds);

} // namespace clinic::daemon
