// `clinicctl setup`: the first hour of a box, in six steps that can be gone on with after any cut. docs/setup.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

// The exit status of these: 0 done, 1 (--status) not finished, 2 stopped or refused.
int set_up(const Call& call, const Client& client);
int verify_handover(const Call& call, const Client& client);

} // namespace clinic::provisioning
