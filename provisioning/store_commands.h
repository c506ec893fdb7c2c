// `clinicctl store …`: a store's files looked at, checked and saved while clinicd is down. docs/clinicctl.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

// The exit status of these: 0 fine, 1 cannot be done, 2 wrong words, 3 damage found or a part lost.
int inspect_store(const Call& call, const Client& client);
int check_store(const Call& call, const Client& client);
int mend_store_keys(const Call& call, const Client& client);
int restore_store(const Call& call, const Client& client);
int salvage_store(const Call& call, const Client& client);

} // namespace clinic::provisioning
