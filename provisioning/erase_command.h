// `clinicctl erase`: a person's records, for good, once GHL holds nothing of them. docs/clinicctl.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int erase_person(const Call& call, const Client& client);

} // namespace clinic::provisioning
