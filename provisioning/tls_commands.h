// `clinicctl tls`: the certificate of the page. clinicd may be down; as root.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int show_tls(const Call& call, const Client& client);
int request_certificate(const Call& call, const Client& client);
int install_certificate(const Call& call, const Client& client);
int keep_certificate(const Call& call, const Client& client);

} // namespace clinic::provisioning
