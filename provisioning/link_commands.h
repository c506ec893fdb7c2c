// `clinicctl link`: whose contact is whose in GHL, what differs, and what a person says to it.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int list_links(const Call& call, const Client& client);
int show_link(const Call& call, const Client& client);
// What it asks of clinicd is named by the call's second word: set, unset, split, merge, settle.
int change_link(const Call& call, const Client& client);

} // namespace clinic::provisioning
