// The commands about the box as a whole: its status and clock, what may leave, what is brought in, the audit chain, and
// what clinicd advises.
//   Errors:  all say what was wrong and what to do, on standard error; the exit status is in docs/clinicctl.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int status(const Call& call, const Client& client);
int import_file(const Call& call, const Client& client);
int basis_set(const Call& call, const Client& client);
int basis_show(const Call& call, const Client& client);
int containment(const Call& call, const Client& client);
int export_audit(const Call& call, const Client& client);
int store_advise(const Call& call, const Client& client);
int clock_show(const Call& call, const Client& client);

} // namespace clinic::provisioning
