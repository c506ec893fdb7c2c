#include "sync/diagnose/ways.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <memory>

#include "crypto/base/owned.h"
#include "sync/channel/ghl/resolver.h"

namespace clinic::diagnose {
namespace {

using Instant = std::chrono::steady_clock::time_point;
using Context = std::unique_ptr<SSL_CTX, base::FreedBy<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, base::FreedBy<SSL_free>>;
using Addresses = std::unique_ptr<addrinfo, base::FreedBy<freeaddrinfo>>;

constexpr std::chrono::milliseconds glance{50}; // between two looks at a stop request

Step step_of(const Error& name_error) {
    if (name_error.code == Errc::timeout) return Step::timeout;
    if (name_error.native == EAI_NONAME || name_error.native == EAI_NODATA) return Step::no_name;
    return name_error.native == EAI_AGAIN ? Step::no_server : Step::failed;
}

Step step_of(int connect_error) {
    switch (connect_error) {
    case ECONNREFUSED: return Step::refused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN: return Step::unreachable;
    case ETIMEDOUT: return Step::timeout;
    default: return Step::failed;
    }
}

// False: not by then, or stopped.
bool wait_for(int socket, short what, Instant until, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd ready{socket, what, 0};
        if (poll(&ready, 1, static_cast<int>(std::min(left, glance).count())) > 0) return true;
    }
    return false;
}

// "192.0.2.1:443", "[2001:db8::1]:443", as the resolver writes them.
Addresses address_of(const std::string& text) {
    const auto colon = text.rfind(':');
    std::string host = text.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), text.substr(colon + 1).c_str(), &hints, &found) != 0) return nullptr;
    return Addresses{found};
}

struct Connected {
    Step step = Step::failed;
    base::UniqueFd socket;
};

Connected connect_to(const std::string& text, Instant until, const std::stop_token& stop) {
    const auto address = address_of(text);
    if (!address) return {};
    base::UniqueFd socket{::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (connect(socket.get(), address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
        return {step_of(errno), {}};
    if (!wait_for(socket.get(), POLLOUT, until, stop)) return {Step::timeout, {}};
    int failed = 0;
    socklen_t size = sizeof failed;
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) return {step_of(failed), {}};
    return {Step::ok, std::move(socket)};
}

// It verifies, and goes on whatever comes of it: who answers is what we want to know. Nothing is sent behind it.
Context context_of(const Far& far) {
    Context context{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    const bool loaded = far.ca.empty() ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                                       : SSL_CTX_load_verify_locations(context.get(), far.ca.c_str(), nullptr) == 1;
    return loaded ? std::move(context) : nullptr;
}

Session session_of(SSL_CTX* context, const Far& far, int socket) {
    Session session{SSL_new(context)};
    X509_VERIFY_PARAM* rules = SSL_get0_param(session.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, far.host.c_str()) != 1) {
        X509_VERIFY_PARAM_set1_host(rules, far.host.c_str(), far.host.size());
        SSL_ctrl(session.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(far.host.c_str()));
    }
    SSL_set_fd(session.get(), socket);
    return session;
}

Step step_of(long verdict) {
    switch (verdict) {
    case X509_V_OK: return Step::ok;
    case X509_V_ERR_CERT_HAS_EXPIRED: return Step::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return Step::not_yet;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return Step::other_name;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED: return Step::issuer;
    default: return Step::failed;
    }
}

// What ended a handshake of which no certificate was seen.
Step step_of_failure(int reason) {
    const auto failed = ERR_peek_last_error();
    const int why = ERR_GET_REASON(failed);
    if (reason == SSL_ERROR_SSL && (why == SSL_R_WRONG_VERSION_NUMBER || why == SSL_R_PACKET_LENGTH_TOO_LONG ||
                                    why == SSL_R_HTTP_REQUEST || why == SSL_R_UNEXPECTED_MESSAGE))
        return Step::plain;
    return reason == SSL_ERROR_SSL && why != SSL_R_UNEXPECTED_EOF_WHILE_READING ? Step::failed : Step::cut;
}

// SSL_ERROR_NONE: it is through. WANT_…: not by then.
int shake_hands(SSL* session, int socket, Instant until, const std::stop_token& stop) {
    for (;;) {
        ERR_clear_error();
        const int done = SSL_connect(session);
        if (done == 1) return SSL_ERROR_NONE;
        const int reason = SSL_get_error(session, done);
        if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) return reason;
        if (!wait_for(socket, reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until, stop)) return reason;
    }
}

std::string issuer_of(const X509* certificate) {
    std::string out;
    const X509_NAME* name = X509_get_issuer_name(certificate);
    for (const int part : {NID_organizationName, NID_commonName}) {
        std::array<char, 128> text{};
        if (X509_NAME_get_text_by_NID(const_cast<X509_NAME*>(name), part, text.data(), text.size()) <= 0) continue;
        out += (out.empty() ? "" : ", ") + std::string{text.data()};
    }
    return plain(out);
}

std::int64_t days_of(const X509* certificate) {
    int days = 0, seconds = 0;
    return ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) == 1 ? days : -1;
}

void look_at_tls(Way& way, const Far& far, int socket, Instant until, const std::stop_token& stop) {
    way.tls = Step::failed;
    const auto context = context_of(far);
    if (!context) return;
    const auto session = session_of(context.get(), far, socket);
    const int reason = shake_hands(session.get(), socket, until, stop);
    const X509* certificate = SSL_get0_peer_certificate(session.get());
    if (certificate == nullptr) {
        const bool waits = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
        way.tls = waits ? Step::timeout : step_of_failure(reason);
        return;
    }
    // One that asks for our certificate hangs up on us for want of it: who it is has been seen all the same.
    way.issuer = issuer_of(certificate);
    way.days_left = days_of(certificate);
    way.tls = step_of(SSL_get_verify_result(session.get()));
}

} // namespace

Way look(const Far& far, const Bounds& bounds, const std::stop_token& stop) {
    Way way{.configured = true, .host = far.host, .port = far.port};
    const auto end = std::chrono::steady_clock::now() + bounds.all;
    const auto within = [&](std::chrono::milliseconds span) {
        return std::min(end, std::chrono::steady_clock::now() + span);
    };
    ghl::Resolver names{far.host, far.port}; // a new one: it remembers nothing
    const auto addresses = names.resolve(bounds.name, stop);
    way.dns = addresses ? Step::ok : step_of(addresses.error());
    if (!addresses) return way;
    Connected reached;
    for (const auto& address : *addresses) {
        reached = connect_to(address, within(bounds.connect), stop);
        if (reached.step == Step::ok || stop.stop_requested()) break;
    }
    way.tcp = reached.step;
    if (way.tcp == Step::ok) look_at_tls(way, far, reached.socket.get(), within(bounds.handshake), stop);
    return way;
}

} // namespace clinic::diagnose
