// `clinicctl bundle`: what helps support, without anybody's data, sealed to who reads it. docs/bundle.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

// Exit status: 0 it is made, or shown; 2 it is not.
int make_bundle(const Call& call, const Client& client);
// Where it is read.
int open_bundle(const Call& call, const Client& client);
int make_bundle_key(const Call& call, const Client& client);

} // namespace clinic::provisioning
