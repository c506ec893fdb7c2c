// `clinicctl ghl token`: GHL's private integration token, from a person's hands into its sealed place, or into that of
// the token that will follow it (--next). As root.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int store_token(const Call& call, const Client& client);

} // namespace clinic::provisioning
