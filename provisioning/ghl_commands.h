// `clinicctl ghl`: how GHL lets the box in. Asked of clinic-syncd, over its own socket; as root.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int show_grant(const Call& call, const Client& client);
int authorize_grant(const Call& call, const Client& client); // the code, or the address that holds it, from stdin

} // namespace clinic::provisioning
