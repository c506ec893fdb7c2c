// The senders of the MLLP ports as clinicctl adds, changes and removes them. docs/clinicctl.md.
//   Rules:   a change is in the audit chain and in effect when the answer is out; no restart.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/ingest.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

control::Commands feed_commands(records::Store& store, intake::Feeds& feeds, const intake::Ingest& ingest);

} // namespace clinic::daemon
