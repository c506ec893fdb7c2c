// Sockets that were made while there was a network: what code inside would try to get out with.
#pragma once

#include "crypto/base/owned.h"
#include "crypto/base/result.h"

namespace clinic::containment {

class Probe {
public:
    // Before `enter`: a listener and an accepted connection on the loopback, and a listener of the other side.
    static Result<Probe> make();

    // After it. True when the kernel refused to let it out.
    bool accepted_stays() const;  // let go by AF_UNSPEC, then connected
    bool fast_open_stays() const; // a listener that was shut down, sending what connects
    bool listener_stays() const;  // let go by AF_UNSPEC, then connected; after fast_open_stays

private:
    base::UniqueFd target_, listener_, client_, accepted_;
    unsigned short target_port_ = 0;
};

} // namespace clinic::containment
