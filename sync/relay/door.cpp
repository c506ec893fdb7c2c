#include "sync/relay/door.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/ThreadPool.h>
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "crypto/listener/connections.h"
#include "crypto/listener/quiet.h"
#include "crypto/listener/tls_listener.h"
#include "sync/relay/webhook.h"

namespace clinic::relay {
namespace {

using namespace Poco::Net;

constexpr int stack_bytes = 512 * 1024;
constexpr int queued_connections_max = 64;
constexpr int other_descriptors = 64;
constexpr int workers_in_reserve = 16; // one of so many, for who comes while another is made to leave
constexpr std::chrono::milliseconds drain_look{20};

struct Served {
    Served(const DoorOptions& given, Reception& taken, std::function<bool()> well)
        : options{given}, reception{taken}, is_well{std::move(well)},
          connections{{.per_network_max = given.threads_max, // all of them may come through one load balancer
                       .all_max = given.threads_max - given.threads_max / workers_in_reserve,
                       .request_time_max = given.request_time_max}} {}

    const DoorOptions options;
    Reception& reception;
    const std::function<bool()> is_well;
    listener::Connections connections;
    std::atomic<bool> ending{false};
    std::atomic<std::int64_t> refused{0};
    std::atomic<int> busy{0};
};

// Also where the answer cannot be sent, and the library throws.
class Busy {
public:
    explicit Busy(std::atomic<int>& count) : count_{count} { ++count_; }
    ~Busy() { --count_; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

private:
    std::atomic<int>& count_;
};

// What is refused by its head alone; 0: it may come in. `bytes`: of its body.
int refusal_of(const listener::Head& head, std::size_t& bytes) {
    const auto length = listener::body_bytes(head);
    if (!length) return 400;
    bytes = *length;
    if (!listener::values(head, "Expect").empty() || !listener::values(head, "Upgrade").empty()) return 400;
    const bool is_health = head.target == health_path;
    if (!is_health && head.target != webhooks_path) return 404;
    if (head.method != (is_health ? "GET" : "POST")) return 405;
    if (is_health) return bytes == 0 ? 0 : 400;
    if (bytes == 0) return 411;
    return bytes > webhook_bytes_max ? 413 : 0;
}

class Handler final : public HTTPRequestHandler {
public:
    Handler(Served& served, listener::Head head, int refused, std::size_t bytes)
        : served_{served}, head_{std::move(head)}, refused_{refused}, bytes_{bytes} {}

    void handleRequest(HTTPServerRequest& request, HTTPServerResponse& response) override {
        auto* ticket = listener::stream_of(static_cast<HTTPServerRequestImpl&>(request).socket()).ticket();
        const Busy busy{served_.busy};
        const int status = answer(request, *ticket);
        if (served_.ending || status == 400 || refused_ != 0) response.setKeepAlive(false); // what is left is not read
        if (status == 429 || status == 503)
            response.set("Retry-After", std::to_string(served_.options.retry_after.count()));
        if (status == 405) response.set("Allow", head_.target == health_path ? "GET" : "POST");
        response.setStatusAndReason(static_cast<HTTPResponse::HTTPStatus>(status));
        response.setContentLength(0);
        response.send();
        ticket->waits_for_request();
    }

private:
    // The clock of the request runs until its body is there.
    int answer(HTTPServerRequest& request, listener::Connections::Ticket& ticket) {
        std::string body;
        const bool whole = refused_ == 0 && read(request, body);
        ticket.answers();
        if (refused_ != 0) {
            ++served_.refused;
            return refused_;
        }
        if (head_.target == health_path) return served_.is_well() && !served_.ending ? 200 : 503;
        if (!whole) {
            ++served_.refused;
            return 400;
        }
        return status_of(served_.reception.take(head_, body));
    }

    bool read(HTTPServerRequest& request, std::string& body) const {
        body.resize(bytes_);
        auto& stream = request.stream();
        stream.read(body.data(), static_cast<std::streamsize>(bytes_));
        return static_cast<std::size_t>(stream.gcount()) == bytes_;
    }

    Served& served_;
    const listener::Head head_;
    const int refused_;
    const std::size_t bytes_;
};

class Factory final : public HTTPRequestHandlerFactory {
public:
    explicit Factory(Served& served) : served_{served} {}

    HTTPRequestHandler* createRequestHandler(const HTTPServerRequest& request) override {
        auto head = listener::head_of(request);
        std::size_t bytes = 0;
        const int refused = refusal_of(head, bytes);
        // with any other status than 200 the library does not invite a body with "100 Continue"
        if (refused != 0) request.response().setStatus(static_cast<HTTPResponse::HTTPStatus>(refused));
        return new Handler{served_, std::move(head), refused, bytes}; // the library deletes it
    }

private:
    Served& served_;
};

class Admission final : public TCPServerConnectionFilter {
public:
    bool accept(const StreamSocket& socket) override { return listener::stream_of(socket).ticket() != nullptr; }
};

Result<Context::Ptr> tls_context(const DoorOptions& options) {
    try {
        Context::Params params;
        params.certificateFile = options.certificate;
        params.privateKeyFile = options.key;
        params.verificationMode = Context::VERIFY_NONE; // of HighLevel: it has no certificate, it signs
        Context::Ptr tls = new Context{Context::TLS_SERVER_USE, params};
        tls->requireMinimumProtocol(Context::PROTO_TLSV1_2);
        SSL_CTX_set_mode(tls->sslContext(), SSL_MODE_RELEASE_BUFFERS);
        return tls;
    } catch (const Poco::Exception&) {
        return Error{Errc::malformed, "the door's certificate or key cannot be used",
                     "certificate, key: give a PEM certificate with its chain, and its key"};
    }
}

HTTPServerParams::Ptr server_params(const DoorOptions& options) {
    HTTPServerParams::Ptr params = new HTTPServerParams;
    params->setServerName("");
    params->setSoftwareVersion("");
    params->setTimeout(Poco::Timespan{options.read_timeout.count(), 0});
    params->setKeepAliveTimeout(Poco::Timespan{options.keep_alive_time.count(), 0});
    params->setKeepAlive(true);
    params->setMaxKeepAliveRequests(0);
    params->setMaxThreads(options.threads_max);
    params->setMaxQueued(queued_connections_max);
    return params;
}

} // namespace

struct Door::State {
    State(const DoorOptions& given, Reception& reception, std::function<bool()> well, Context::Ptr context)
        : served{given, reception, std::move(well)}, tls{std::move(context)}, pool{"door", 2, given.threads_max + 2, 60,
                                                                                   stack_bytes} {}

    Served served;
    Context::Ptr tls;
    Poco::ThreadPool pool;
    std::unique_ptr<HTTPServer> http; // last: ends first
};

Door::Door(std::unique_ptr<State> state) : state_{std::move(state)} {}

Result<std::unique_ptr<Door>> Door::make(const DoorOptions& options, Reception& reception,
                                         std::function<bool()> is_well) {
    initializeSSL();
    listener::keep_quiet();
    auto tls = tls_context(options);
    if (!tls) return tls.error();
    listener::ask_for_descriptors(options.threads_max + queued_connections_max + other_descriptors);
    return std::unique_ptr<Door>{new Door{std::make_unique<State>(options, reception, std::move(is_well), *tls)}};
}

Result<void> Door::serve(base::UniqueFd listening) {
    auto& [served, tls, pool, http] = *state_;
    try {
        auto socket = listener::listen_with_tls(listening.release(), tls, served.connections, served.options.accepting);
        http = std::make_unique<HTTPServer>(new Factory{served}, pool, socket, server_params(served.options));
        http->setConnectionFilter(new Admission);
        http->start();
    } catch (const Poco::Exception&) {
        return Error{Errc::system, "the listening socket cannot be served"};
    }
    return {};
}

void Door::look() {
    state_->served.connections.end_overdue(std::chrono::steady_clock::now());
}

std::int64_t Door::refused() const {
    return state_->served.refused;
}

// Who is being served gets an answer: HighLevel does not send again what was cut off.
Door::~Door() {
    auto& served = state_->served;
    served.ending = true;
    if (state_->http) state_->http->stop();
    const auto until = std::chrono::steady_clock::now() + served.options.drain_max;
    while (served.busy > 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(drain_look);
    served.connections.end_all();
    state_->pool.joinAll();
}

Result<base::UniqueFd> listen_at(const std::string& address, std::uint16_t port) {
    sockaddr_storage to{};
    socklen_t size = sizeof(sockaddr_in);
    auto& four = reinterpret_cast<sockaddr_in&>(to);
    auto& six = reinterpret_cast<sockaddr_in6&>(to);
    if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        size = sizeof(sockaddr_in6);
    } else {
        return Error{Errc::malformed, "listen.address: not a numeric address", "give one, or 0.0.0.0 or :: for all"};
    }
    base::UniqueFd out{::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int on = 1;
    if (!out || setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(out.get(), reinterpret_cast<const sockaddr*>(&to), size) != 0 || listen(out.get(), SOMAXCONN) != 0)
        return Error{Errc::system,
                     "the address cannot be listened at",
                     "see listen.address, listen.port, and who has them",
                     {},
                     errno};
    return out;
}

} // namespace clinic::relay
