// egress.sock: the one seam between the process that can read records and the one that has a network.
//   Transport: SOCK_SEQPACKET, clinic-syncd asks, clinicd answers; one request at a time a connection.
//   Bounds:    24 connections, one frame of 65,536 bytes, one answer in flight each.
//   Without a store (the records are closed): `device`, `device_ack` and `time_state` are answered, so that central ops
//   hear of the mode; everything else is refused with the code `closed`.
//   Threads:   one of its own; the store's writer thread only posts answers to it.
//   Source:    docs/egress.md.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "crypto/base/vitals.h"
#include "daemon/egress/gate.h"
#include "daemon/health/health.h"

namespace clinic::egress {

struct ServerOptions {
    std::optional<uid_t> peer;        // the only user that may ask; nullopt: ours (a machine without a second user)
    std::size_t connections_max = 72; // one a worker of clinic-syncd, and its others
    base::Pulse pulse = {};           // each turn of the loop
};

class EgressServer {
public:
    EgressServer(base::UniqueFd listener, ServerOptions options, Gate& gate, records::Store& store,
                 release::Releaser& releaser, health::Health& health, const Clock& clock);
    EgressServer(base::UniqueFd listener, ServerOptions options, health::Health& health,
                 const Clock& clock); // without a store
    ~EgressServer();                  // stops; what was leased and not settled is due again

    Result<void> start();
    void wake(); // something may be due; any thread

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace clinic::egress
