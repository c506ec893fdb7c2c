// `clinicctl check`: every check there is, of the box as it stands. docs/checks.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/check/site.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

// This machine, and the settings that the call names.
check::Site site_of(const Call& call, const Client& client);

// Exit status: 0 all is ok, 1 something needs a look or is not known, 2 something has failed.
int check_box(const Call& call, const Client& client);

} // namespace clinic::provisioning
