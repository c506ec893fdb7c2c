// clinicctl's commands for what waits to leave and what will not leave by itself. docs/sync.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int sync_status(const Call& call, const Client& client);
int sync_compare(const Call& call, const Client& client);
int sync_repair(const Call& call, const Client& client);
int list_dead(const Call& call, const Client& client);
int show_dead(const Call& call, const Client& client);
int retry_dead(const Call& call, const Client& client);
int discard_dead(const Call& call, const Client& client);

} // namespace clinic::provisioning
