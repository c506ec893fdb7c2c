// The listening sockets that the service manager hands over, by their names.
//   Errors:  not_found (one is missing), malformed (a name that is not ours, or twice), system, and those of
//            systemd::listen_fds.
//   Threads: take_sockets once, before any other thread; the rest any.
//   Source:  sd_listen_fds_with_names(3).
#pragma once

#include "crypto/base/owned.h"
#include "crypto/base/result.h"

namespace clinic::daemon {

struct Sockets {
    base::UniqueFd https, mllp, control, egress;
    base::UniqueFd mllps; // MLLP over TLS; may be absent
};

// What else a starter left open is closed.
Result<Sockets> take_sockets();

// The port that a listening socket has; 0 for a UNIX socket.
unsigned short port_of(const base::UniqueFd& socket);

// A duplicate: each server gets one of the socket that was handed over, so that one can follow the other.
Result<base::UniqueFd> another(const base::UniqueFd& socket);

} // namespace clinic::daemon
