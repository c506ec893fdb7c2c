#include "sync/channel/ghl/connection.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/SSLException.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <istream>
#include <ostream>

namespace clinic::ghl {
namespace {

namespace net = Poco::Net;

// Set by the verification callback, which runs inside the handshake of the thread that connects.
thread_local bool certificate_refused = false;

int note_refusal(int good, X509_STORE_CTX*) {
    if (good == 0) certificate_refused = true;
    return good;
}

constexpr std::chrono::seconds past_watchdog{5}; // the watchdog is to be first

Poco::Timespan span(std::chrono::milliseconds time) {
    return Poco::Timespan{time.count() * 1'000};
}

// The library connects again by itself when its host is set; ours never does, so no request is sent twice.
class Session : public net::HTTPSClientSession {
public:
    explicit Session(const net::Context::Ptr& tls) : HTTPSClientSession{tls} {}
    using HTTPSClientSession::attachSocket;
};

// Closing drops what has not been sent yet, also when we are killed: otherwise the kernel goes on sending a request for
// minutes after we have called its outcome unknown, and it may arrive when the network is back.
std::optional<net::StreamSocket> dial(const Connection::Means& means, const std::vector<std::string>& addresses,
                                      Watchdog::Instant deadline, const std::stop_token& stop) {
    for (const auto& address : addresses) {
        if (stop.stop_requested() || std::chrono::steady_clock::now() >= deadline) break;
        try {
            net::StreamSocket socket;
            socket.connect(net::SocketAddress{address}, span(means.options.connect_max));
            socket.setNoDelay(true);
            socket.setLinger(true, 0);
            socket.setReceiveTimeout(span(means.options.call_max + past_watchdog));
            socket.setSendTimeout(span(means.options.call_max + past_watchdog));
            return socket;
        } catch (const Poco::Exception&) {
            continue; // the next address
        }
    }
    return std::nullopt;
}

net::HTTPRequest request(const Head& head, std::size_t body_bytes) {
    net::HTTPRequest out{head.method, head.path, net::HTTPMessage::HTTP_1_1};
    out.setHost(head.host, head.port);
    out.setKeepAlive(true);
    if (!head.token.empty()) {
        out.set("Authorization", "Bearer " + head.token);
        out.set("Version", head.version);
    }
    out.set("Accept", "application/json");
    out.set("Accept-Encoding", "identity"); // unsaid, any would do (RFC 9110, 12.5.3), and none is read
    if (body_bytes > 0) {
        out.setContentType(head.type);
        out.setContentLength(static_cast<std::streamsize>(body_bytes));
    }
    return out;
}

std::optional<int> number(const net::HTTPResponse& response, const std::string& header) {
    const std::string text = response.get(header, ""); // its default does not outlive the line
    int value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

lane::RateHints rate_hints(const net::HTTPResponse& response) {
    return {number(response, "X-RateLimit-Max"), number(response, "X-RateLimit-Remaining"),
            number(response, "X-RateLimit-Interval-Milliseconds"), number(response, "X-RateLimit-Limit-Daily"),
            number(response, "X-RateLimit-Daily-Remaining")};
}

Reply kept(const net::HTTPResponse& response) {
    return {static_cast<int>(response.getStatus()),
            response.get("Content-Encoding", "identity") != "identity",
            "",
            response.get("Date", ""),
            response.get("Retry-After", ""),
            rate_hints(response)};
}

// At most one part more than the bound.
std::string read_body(std::istream& in) {
    std::string out;
    std::array<char, 8'192> part{};
    while (out.size() <= body_bytes_max && (in.read(part.data(), part.size()) || in.gcount() > 0))
        out.append(part.data(), static_cast<std::size_t>(in.gcount()));
    return out;
}

} // namespace

struct TlsRules {
    net::Context::Ptr context;
};

struct Connection::Parts {
    Session session;
    std::chrono::steady_clock::time_point used = std::chrono::steady_clock::now();
    bool reusable = false;
    explicit Parts(const net::Context::Ptr& tls) : session{tls} { session.setKeepAlive(true); }
};

Connection::Connection(std::unique_ptr<Parts> parts) : parts_{std::move(parts)} {}
Connection::~Connection() = default;

std::unique_ptr<Connection> Connection::open(const Means& means, Watchdog::Instant deadline,
                                             const std::stop_token& stop, Failure& failure) {
    failure = {"offline", false};
    const auto addresses = means.resolver.resolve(means.options.connect_max, stop);
    if (!addresses) return nullptr;
    auto plain = dial(means, *addresses, deadline, stop);
    if (!plain) return nullptr;
    const Watchdog::Guard guard{means.watchdog, plain->impl()->sockfd(), deadline, stop, means.options.stop_grace};
    certificate_refused = false;
    try {
        auto parts = std::make_unique<Parts>(means.tls.context);
        parts->session.attachSocket(net::SecureStreamSocket::attach(*plain, means.options.host, means.tls.context));
        return std::unique_ptr<Connection>{new Connection{std::move(parts)}};
    } catch (const net::CertificateValidationException&) {
        failure = {"certificate", true};
    } catch (const Poco::Exception&) {
        failure = certificate_refused ? Failure{"certificate", true} : Failure{guard.cut() ? "timeout" : "tls", false};
    }
    return nullptr;
}

int Connection::socket() const {
    return parts_->session.socket().impl()->sockfd();
}

bool Connection::fresh(std::chrono::milliseconds idle_max) const {
    if (std::chrono::steady_clock::now() - parts_->used > idle_max) return false;
    try {
        // Readable while nothing was asked: the far side has closed, or says what nobody asked for.
        return parts_->session.connected() &&
               !parts_->session.socket().poll(Poco::Timespan{0}, net::Socket::SELECT_READ);
    } catch (const Poco::Exception&) {
        return false;
    }
}

std::optional<Reply> Connection::exchange(const Head& head, std::string_view body, Failure& failure) {
    failure = {"cut_off", false};
    parts_->reusable = false;
    try {
        auto& session = parts_->session;
        auto asked = request(head, body.size());
        std::ostream& out = session.sendRequest(asked);
        out.write(body.data(), static_cast<std::streamsize>(body.size()));
        out.flush();
        if (!out.good() || session.networkException() != nullptr) return std::nullopt;
        net::HTTPResponse response;
        std::istream& in = session.receiveResponse(response);
        auto reply = kept(response);
        reply.body = read_body(in);
        // A status without its whole body is no answer: what it did is to be looked up.
        if (reply.body.size() > body_bytes_max) return failure = {"too_long", false}, std::nullopt;
        const auto size = static_cast<std::streamsize>(reply.body.size());
        const bool short_of_length = response.hasContentLength() && size < response.getContentLength();
        if (in.bad() || session.networkException() != nullptr || short_of_length) return std::nullopt;
        parts_->used = std::chrono::steady_clock::now();
        parts_->reusable =
            response.getKeepAlive() && (response.hasContentLength() || response.getChunkedTransferEncoding());
        return reply;
    } catch (const Poco::Exception&) {
        return std::nullopt;
    }
}

bool Connection::reusable() const {
    return parts_->reusable;
}

std::shared_ptr<const TlsRules> verifying_tls(const ClientOptions& options) {
    try {
        net::Context::Ptr tls{new net::Context{net::Context::TLS_CLIENT_USE, "", "", options.ca.string(),
                                               net::Context::VERIFY_STRICT, 9, options.ca.empty(),
                                               "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL"}};
        tls->requireMinimumProtocol(net::Context::PROTO_TLSV1_2);
        tls->enableExtendedCertificateVerification(true);
        SSL_CTX* context = tls->sslContext();
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &note_refusal);
        // The name is checked within the handshake, so that a refused one never sees a byte of ours.
        X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
        if (X509_VERIFY_PARAM_set1_ip_asc(rules, options.host.c_str()) != 1 &&
            X509_VERIFY_PARAM_set1_host(rules, options.host.c_str(), options.host.size()) != 1)
            return {};
        return std::make_shared<TlsRules>(TlsRules{tls});
    } catch (const Poco::Exception&) {
        return {};
    }
}

} // namespace clinic::ghl
