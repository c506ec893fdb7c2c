// Sockets that were made while there was a network: what code inside would try to get out with.
#pragma once

#include "crypto/base/owned.h"
#include "crypto/base/result.h"

namespace clinic::containment {

class Probe {
public:
    // Before `enter`: a listener and an accepted connection on the loopback, and a listener of the other side. Without
    // them where a service manager lets nobody make such a socket (RestrictAddressFamilies=).
    static Result<Probe> make();
    bool has_sockets() const { return static_cast<bool>(target_); }

    // After it. True when the kernel refused to let it out; without sockets, when the filter refuses the very calls.
    bool accepted_stays() const;  // let go by AF_UNSPEC, then connected
    bool fast_open_stays() const; // a listener that was shut down, sending what connects
    bool listener_stays() const;  // let go by AF_UNSPEC, then connected; after fast_open_stays

private:
    base::UniqueFd target_, listener_, client_, accepted_;
    unsigned short target_port_ = 0;
};

} // namespace clinic::containment
