#include "crypto/listener/tls_listener.h"

#include <Poco/AutoPtr.h>
#include <Poco/Exception.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/Net/StreamSocketImpl.h>

#include <cassert>
#include <chrono>
#include <thread>

namespace clinic::listener {
namespace {

using namespace Poco::Net;

constexpr std::chrono::milliseconds failed_accept_pause{100};

class Listener final : public ServerSocketImpl {
public:
    Listener(int fd, Context::Ptr tls, Connections& connections, base::Pulse pulse, std::function<bool()> may_accept)
        : tls_{std::move(tls)}, connections_{connections}, pulse_{std::move(pulse)}, may_accept_{
                                                                                         std::move(may_accept)} {
        reset(fd);
        setBlocking(false); // the guest that `poll` saw may be somebody else's by now
    }

    // The server asks four times a second whether somebody is there.
    bool poll(const Poco::Timespan& timeout, int mode) override {
        pulse_.beat();
        if (!ServerSocketImpl::poll(timeout, mode)) return false;
        if (!may_accept_ || may_accept_()) return true;
        std::this_thread::sleep_for(std::chrono::microseconds{timeout.totalMicroseconds()}); // no event tells of room
        return false;
    }

    SocketImpl* acceptConnection(SocketAddress& peer) override {
        Poco::AutoPtr<SocketImpl> plain{accept_or_rest(peer)};
        auto ticket = connections_.admit(plain->sockfd(), network_of(*peer.addr()));
        return new TlsStream{static_cast<StreamSocketImpl*>(plain.get()), tls_,
                             std::move(ticket)}; // takes its own reference
    }

private:
    // Without a descriptor left the library would try again at once, for ever: a moment's rest.
    SocketImpl* accept_or_rest(SocketAddress& peer) {
        try {
            return ServerSocketImpl::acceptConnection(peer);
        } catch (const Poco::Exception&) {
            std::this_thread::sleep_for(failed_accept_pause); // no event tells that a descriptor is free
            throw;
        }
    }

    Context::Ptr tls_;
    Connections& connections_;
    const base::Pulse pulse_;
    const std::function<bool()> may_accept_;
};

struct Socket final : ServerSocket { // this constructor of the base is protected
    explicit Socket(SocketImpl* impl) : ServerSocket{impl, true} {}
};

} // namespace

TlsStream::TlsStream(StreamSocketImpl* plain, Context::Ptr tls, std::unique_ptr<Connections::Ticket> ticket)
    : SecureStreamSocketImpl{plain, std::move(tls)}, plain_{plain}, ticket_{std::move(ticket)} {
    if (ticket_) acceptSSL();
}

void TlsStream::setBlocking(bool on) {
    SecureStreamSocketImpl::setBlocking(on);
    plain_->setBlocking(on);
}

void TlsStream::close() {
    if (ticket_) ticket_->closes();
    SecureStreamSocketImpl::close();
}

int TlsStream::receiveBytes(void* out, int bytes_max, int flags) {
    const int received = SecureStreamSocketImpl::receiveBytes(out, bytes_max, flags);
    if (ticket_) ticket_->hears(received);
    return received;
}

TlsStream& stream_of(const Poco::Net::Socket& socket) {
    auto* stream = dynamic_cast<TlsStream*>(socket.impl());
    assert(stream != nullptr);
    return *stream;
}

ServerSocket listen_with_tls(int fd, Context::Ptr tls, Connections& connections, base::Pulse pulse,
                             std::function<bool()> may_accept) {
    return Socket{new Listener{fd, std::move(tls), connections, std::move(pulse), std::move(may_accept)}};
}

} // namespace clinic::listener
