// The accepting end of TLS connections for a test, on a port of its own on the loopback.
//   Threads: one accepts, and each connection is served on one of its own; the end of the service asks all to stop and
//            waits for them.
#pragma once

#include <Poco/Net/SecureServerSocket.h>
#include <Poco/Net/SecureStreamSocket.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "tests/sync/support/certificates.h"

namespace clinic::support {

class TlsService {
public:
    // Called when the handshake is done. A client that leaves ends it by an exception of Poco's: the test looks at the
    // client.
    using Serve = std::function<void(Poco::Net::SecureStreamSocket& socket, const std::stop_token& stop)>;
    TlsService(const Leaf& leaf, Serve serve);

    std::uint16_t port() const { return listener_.address().port(); }

    // Waits a moment for more, which goes behind `come`. False: the client has said all that it will.
    static bool hear(Poco::Net::SecureStreamSocket& socket, std::string& come);

private:
    void accept(const std::stop_token& stop);
    void meet(Poco::Net::SecureStreamSocket socket, const std::stop_token& stop) const;

    Serve serve_;
    Poco::Net::SecureServerSocket listener_;
    std::vector<std::jthread> served_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::support
