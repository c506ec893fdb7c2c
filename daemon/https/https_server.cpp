#include "daemon/https/https_server.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/ThreadPool.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <nlohmann/json.hpp>
#include <sstream>

#include "crypto/base/json.h"
#include "crypto/listener/quiet.h"
#include "crypto/listener/tls_listener.h"
#include "daemon/web/web.h"
#include "daemon/web/words/words.h"

namespace clinic::https {
namespace {

using namespace Poco::Net;

constexpr int stack_bytes = 512 * 1024;
// They wait without an answer; beyond them a connection is closed. Room for those who come in one moment while as many
// are made to leave.
constexpr int queued_connections_max = 256;
constexpr int workers_in_reserve = 16; // one of so many, for who comes while another is made to leave

constexpr std::array<std::pair<const char*, const char*>, 8> security_headers{{
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
    {"Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
}};

std::string path_of(const std::string& target) {
    return target.substr(0, target.find('?'));
}

struct Server {
    Server(const Options& options, Site& answers)
        : hosts{options.hosts}, site{answers}, connections{{.per_network_max = options.connections_per_network_max,
                                                            .all_max = options.threads_max -
                                                                       options.threads_max / workers_in_reserve,
                                                            .request_time_max = options.request_time_max}} {}

    const std::vector<std::string> hosts;
    Site& site;
    Connections connections;
    std::atomic<std::int64_t> requests{0}, refused{0};
};

// One request: the gate, then a document or a stream.
class Handler final : public HTTPRequestHandler {
public:
    Handler(Server& server, std::optional<Refusal> refused) : server_{server}, refused_{refused} {}

    void handleRequest(HTTPServerRequest& request, HTTPServerResponse& response) override {
        auto& mine = static_cast<HTTPServerRequestImpl&>(request);
        auto* ticket = listener::stream_of(mine.socket()).ticket();
        ticket->answers();
        answer(mine, response);
        // a viewer's stream is another thread's by now
        if (!is_viewer_) ticket->waits_for_request();
    }

private:
    void answer(HTTPServerRequestImpl& request, HTTPServerResponse& response) {
        const std::string path = path_of(request.getURI());
        ++server_.requests;
        if (refused_) {
            response.setKeepAlive(false); // what it still has on the wire is not read
            return refuse(request, response, *refused_);
        }
        if (auto* viewers = server_.site.stream(path); viewers != nullptr) return stream(*viewers, request, response);
        const auto found = server_.site.document(path);
        if (!found) return refuse(request, response, not_found);
        send(response, *found);
    }

    void refuse(HTTPServerRequestImpl& request, HTTPServerResponse& response, const Refusal& why) {
        ++server_.refused;
        if (why.status == 405) response.set("Allow", "GET, HEAD");
        send(response, refusal(why, form_of(request.getURI())));
    }

    static void head(HTTPServerResponse& response, int status, const std::string& type) {
        response.setStatusAndReason(static_cast<HTTPResponse::HTTPStatus>(status));
        response.setContentType(type);
        for (const auto& [name, value] : security_headers) response.set(name, value);
    }

    static void send(HTTPServerResponse& response, const Answer& answer) {
        head(response, answer.status, answer.type);
        response.sendBuffer(answer.body.data(), answer.body.size());
    }

    void stream(Stream& viewers, HTTPServerRequestImpl& request, HTTPServerResponse& response) {
        if (!viewers.has_room()) return refuse(request, response, too_many);
        head(response, 200, "text/event-stream");
        response.setKeepAlive(false);
        if (request.getMethod() == HTTPRequest::HTTP_HEAD) {
            response.send();
            return;
        }
        std::ostringstream text;
        response.write(text);
        is_viewer_ = true;
        const StreamSocket socket = request.detachSocket();
        viewers.add(socket, text.str()); // no room after all: the socket closes, the viewer comes again
    }

    Server& server_;
    const std::optional<Refusal> refused_;
    bool is_viewer_ = false;
};

class Factory final : public HTTPRequestHandlerFactory {
public:
    explicit Factory(Server& server) : server_{server} {}

    HTTPRequestHandler* createRequestHandler(const HTTPServerRequest& request) override {
        auto refused = examine(listener::head_of(request), server_.hosts);
        if (refused && refused->status == 405 && !server_.site.has(path_of(request.getURI()))) refused = not_found;
        // with any other status than 200 the library does not invite a body with "100 Continue"
        if (refused) request.response().setStatus(static_cast<HTTPResponse::HTTPStatus>(refused->status));
        return new Handler{server_, refused}; // the library deletes it
    }

private:
    Server& server_;
};

// One network cannot take every worker.
class Admission final : public TCPServerConnectionFilter {
public:
    bool accept(const StreamSocket& socket) override { return listener::stream_of(socket).ticket() != nullptr; }
};

Result<Context::Ptr> tls_context(const Options& options) {
    try {
        Context::Params params;
        params.certificateFile = options.certificate;
        params.privateKeyFile = options.key;
        params.verificationMode = Context::VERIFY_NONE; // of the client: it has no certificate
        Context::Ptr tls = new Context{Context::TLSV1_3_SERVER_USE, params};
        tls->requireMinimumProtocol(Context::PROTO_TLSV1_3);
        SSL_CTX_set_num_tickets(tls->sslContext(), 0);
        SSL_CTX_set_mode(tls->sslContext(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                                SSL_MODE_RELEASE_BUFFERS);
        return tls;
    } catch (const Poco::Exception&) {
        return Error{Errc::malformed, "the console's certificate or key cannot be used",
                     "give a PEM certificate with its chain, and its key"};
    }
}

HTTPServerParams::Ptr server_params(const Options& options) {
    HTTPServerParams::Ptr params = new HTTPServerParams;
    params->setServerName("");
    params->setSoftwareVersion("");
    params->setTimeout(Poco::Timespan{options.read_timeout.count(), 0});
    params->setKeepAliveTimeout(Poco::Timespan{options.keep_alive_time.count(), 0});
    params->setKeepAlive(options.keep_alive);
    params->setMaxKeepAliveRequests(0);
    params->setMaxThreads(options.threads_max);
    params->setMaxQueued(queued_connections_max);
    return params;
}

} // namespace

Form form_of(std::string_view path) {
    return path.starts_with("/api/") || path == "/metrics" ? Form::json : Form::page;
}

Answer refusal(const Refusal& why, Form form) {
    if (form == Form::page) return {why.status, html_type, web::refusal_page(why.word)};
    const nlohmann::json body = {{"error", why.code}, {"message", words::text(why.word).c_str()}};
    return {why.status, json_type, base::dump_json(body)};
}

struct HttpsServer::State {
    State(const Options& wanted, Context::Ptr context, Site& site)
        : options{wanted}, tls{std::move(context)}, server{wanted, site}, pool{"http", 2, wanted.threads_max + 2, 60,
                                                                               stack_bytes} {}

    const Options options;
    Context::Ptr tls;
    Server server;
    Poco::ThreadPool pool;
    std::unique_ptr<HTTPServer> http; // last: ends first
};

HttpsServer::HttpsServer(std::unique_ptr<State> state) : state_{std::move(state)} {}

Result<std::unique_ptr<HttpsServer>> HttpsServer::make(const Options& options, Site& site) {
    initializeSSL();
    listener::keep_quiet();
    auto tls = tls_context(options);
    if (!tls) return tls.error();
    listener::ask_for_descriptors(options.threads_max + queued_connections_max + options.other_descriptors);
    return std::unique_ptr<HttpsServer>{new HttpsServer{std::make_unique<State>(options, *tls, site)}};
}

Result<void> HttpsServer::serve(base::UniqueFd listener) {
    auto& [options, tls, server, pool, http] = *state_;
    try {
        auto socket = listener::listen_with_tls(listener.release(), tls, server.connections, options.accepting,
                                                options.may_accept);
        http = std::make_unique<HTTPServer>(new Factory{server}, pool, socket, server_params(options));
        http->setConnectionFilter(new Admission);
        http->start();
    } catch (const Poco::Exception&) {
        return Error{Errc::system, "the console's listening socket cannot be served"};
    }
    return {};
}

void HttpsServer::stop() {
    if (!state_->http) return;
    state_->http->stop();
    state_->server.connections.end_all(); // workers see the end of their connection
}

HttpsServer::~HttpsServer() {
    stop();
    state_->pool.joinAll();
}

Connections& HttpsServer::connections() {
    return state_->server.connections;
}

Numbers HttpsServer::numbers() const {
    const Server& server = state_->server;
    return {.connections = server.connections.open(),
            .threads = state_->http ? state_->http->currentThreads() : 0,
            .requests = server.requests,
            .refused_requests = server.refused,
            .unreadable_requests = listener::unreadable_connections(),
            .unfinished_requests = server.connections.unfinished(),
            .refused_connections = server.connections.refused(),
            .displaced_connections = server.connections.displaced(),
            .overdue_connections = server.connections.overdue()};
}

} // namespace clinic::https
