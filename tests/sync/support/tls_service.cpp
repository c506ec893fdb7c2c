#include "tests/sync/support/tls_service.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Timespan.h>

namespace clinic::support {
namespace {

namespace net = Poco::Net;

const Poco::Timespan moment{0, 20'000};

net::Context::Ptr context_of(const Leaf& leaf) {
    return new net::Context{net::Context::TLS_SERVER_USE, leaf.key.string(), leaf.cert.string(), "",
                            net::Context::VERIFY_NONE};
}

} // namespace

TlsService::TlsService(const Leaf& leaf, Serve serve)
    : serve_{std::move(serve)}, listener_{net::SocketAddress{"127.0.0.1", 0}, 16, context_of(leaf)},
      thread_{[this](const std::stop_token& stop) { accept(stop); }} {}

void TlsService::accept(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        try {
            if (!listener_.poll(moment, net::Socket::SELECT_READ)) continue;
            net::SecureStreamSocket accepted{listener_.acceptConnection()};
            served_.emplace_back([this, accepted](const std::stop_token& ended) { meet(accepted, ended); });
        } catch (const Poco::Exception&) {
            continue;
        }
    }
}

void TlsService::meet(net::SecureStreamSocket socket, const std::stop_token& stop) const {
    try {
        socket.setReceiveTimeout(Poco::Timespan{10, 0});
        socket.completeHandshake();
        serve_(socket, stop);
    } catch (const Poco::Exception&) {
        return; // the client left, or refused our certificate
    }
}

bool TlsService::hear(net::SecureStreamSocket& socket, std::string& come) {
    char part[4'096];
    if (!socket.poll(moment, net::Socket::SELECT_READ)) return true;
    const int got = socket.receiveBytes(part, sizeof part);
    if (got > 0) come.append(part, static_cast<std::size_t>(got));
    return got > 0;
}

} // namespace clinic::support
