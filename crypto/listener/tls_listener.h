// TLS over a listening socket that was handed to us. Poco's own secure server socket cannot take one (facts/poco §1).
//   Threads: accept on the server's accept thread; a stream belongs to one thread at a time.
#pragma once

#include <Poco/Net/Context.h>
#include <Poco/Net/SecureStreamSocketImpl.h>
#include <Poco/Net/ServerSocket.h>

#include <functional>
#include <memory>

#include "crypto/base/vitals.h"
#include "crypto/listener/connections.h"

namespace clinic::listener {

class TlsStream final : public Poco::Net::SecureStreamSocketImpl {
public:
    TlsStream(Poco::Net::StreamSocketImpl* plain, Poco::Net::Context::Ptr tls,
              std::unique_ptr<Connections::Ticket> ticket);
    // The base tells the outer socket only; the inner one would go on blocking in a poll of its own.
    void setBlocking(bool on) override;
    void close() override;
    int receiveBytes(void* out, int bytes_max, int flags) override;
    Connections::Ticket* ticket() { return ticket_.get(); } // null: not admitted

protected:
    ~TlsStream() override = default;

private:
    Poco::Net::StreamSocketImpl* plain_; // the base owns it
    std::unique_ptr<Connections::Ticket> ticket_;
};

// The stream behind a socket of this listener.
TlsStream& stream_of(const Poco::Net::Socket& socket);

// Takes the fd over. `connections` outlives it. The accept thread beats each time that it looks for a guest; a guest is
// let in when `may_accept` says so, where it is set. Another process may accept from the same socket.
Poco::Net::ServerSocket listen_with_tls(int fd, Poco::Net::Context::Ptr tls, Connections& connections,
                                        base::Pulse pulse = {}, std::function<bool()> may_accept = {});

} // namespace clinic::listener
