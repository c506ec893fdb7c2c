#include "tests/emulator/emulator.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <Poco/AutoPtr.h>
#include <Poco/DeflatingStream.h>
#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/NetSSL.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/Net/SecureStreamSocketImpl.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/ThreadPool.h>

#include <array>
#include <istream>
#include <mutex>
#include <ostream>
#include <set>
#include <sstream>

#include "crypto/base/owned.h"

namespace clinic::emulator {
namespace {

using Poco::Net::Context;

constexpr std::size_t body_bytes_max = 16U << 20U;
constexpr int connections_max = 128;
constexpr int hold_ms_max = 120'000; // longer than any client waits

// The sockets of every live connection, so that stopping can wake whoever waits on one.
class Connections {
public:
    void add(int fd) {
        const std::lock_guard hold{lock_};
        fds_.insert(fd);
    }
    void remove(int fd) {
        const std::lock_guard hold{lock_};
        fds_.erase(fd);
    }
    void shut_down() {
        const std::lock_guard hold{lock_};
        for (const int fd : fds_) ::shutdown(fd, SHUT_RDWR);
    }

private:
    std::mutex lock_;
    std::set<int> fds_;
};

class TlsStream : public Poco::Net::SecureStreamSocketImpl {
public:
    TlsStream(Poco::Net::StreamSocketImpl* plain, Context::Ptr tls, Connections& connections)
        : SecureStreamSocketImpl{plain, tls}, connections_{connections} {
        acceptSSL();
        fd_ = sockfd();
        connections_.add(fd_);
    }
    void close() override {
        forget();
        SecureStreamSocketImpl::close();
    }

protected:
    ~TlsStream() override { forget(); }

private:
    void forget() {
        if (fd_ >= 0) connections_.remove(fd_);
        fd_ = -1;
    }
    Connections& connections_;
    int fd_ = -1;
};

// Poco's own TLS server socket cannot take a descriptor that is listening already (facts/poco §1).
class Listener : public Poco::Net::ServerSocketImpl {
public:
    Listener(int fd, Context::Ptr tls, Connections& connections) : tls_{tls}, connections_{connections} { reset(fd); }
    Poco::Net::SocketImpl* acceptConnection(Poco::Net::SocketAddress& peer) override {
        Poco::AutoPtr<Poco::Net::SocketImpl> plain{ServerSocketImpl::acceptConnection(peer)};
        // The stream takes a reference of its own.
        return new TlsStream{dynamic_cast<Poco::Net::StreamSocketImpl*>(plain.get()), tls_, connections_};
    }

private:
    Context::Ptr tls_;
    Connections& connections_;
};

class ListeningSocket : public Poco::Net::ServerSocket {
public:
    ListeningSocket(int fd, Context::Ptr tls, Connections& connections)
        : ServerSocket{new Listener{fd, tls, connections}, true} {}
};

// Returns when the client has gone, the time is over, or the emulator stops.
void wait_on_client(int fd, int timeout_ms) {
    pollfd watched{fd, POLLRDHUP, 0};
    ::poll(&watched, 1, timeout_ms);
}

std::string gzipped(const std::string& body) {
    std::ostringstream out;
    Poco::DeflatingOutputStream deflating{out, Poco::DeflatingStreamBuf::STREAM_GZIP};
    deflating << body;
    deflating.close();
    return out.str();
}

class Handler : public Poco::Net::HTTPRequestHandler {
public:
    explicit Handler(Service& service) : service_{service} {}

    void handleRequest(Poco::Net::HTTPServerRequest& request, Poco::Net::HTTPServerResponse& response) override {
        Request ours{request.getMethod(), request.getURI(), {}, {}};
        for (const auto& [name, value] : request) ours.headers.emplace_back(name, value);
        if (!read_body(request, ours.body)) response.setKeepAlive(false);
        const Answer answer = service_.answer(ours);
        const int fd = dynamic_cast<Poco::Net::HTTPServerRequestImpl&>(request).socket().impl()->sockfd();
        if (answer.withheld) {
            wait_on_client(fd, hold_ms_max);
            response.setKeepAlive(false); // nothing was sent: the connection just ends
            return;
        }
        if (answer.delay.count() > 0) wait_on_client(fd, static_cast<int>(answer.delay.count()));
        send(response, answer);
    }

private:
    // False: longer than the bound, so the rest is still in the stream.
    static bool read_body(Poco::Net::HTTPServerRequest& request, std::string& body) {
        if (!request.hasContentLength() && !request.getChunkedTransferEncoding()) return true;
        std::istream& stream = request.stream();
        std::array<char, 8192> part{};
        while (stream.read(part.data(), part.size()) || stream.gcount() > 0) {
            body.append(part.data(), static_cast<std::size_t>(stream.gcount()));
            if (body.size() > body_bytes_max) return false;
        }
        return true;
    }

    static void send(Poco::Net::HTTPServerResponse& response, const Answer& answer) {
        response.setStatusAndReason(static_cast<Poco::Net::HTTPResponse::HTTPStatus>(answer.status));
        response.setContentType(answer.content_type);
        for (const auto& [name, value] : answer.headers) response.set(name, value);
        if (answer.gzip) response.set("Content-Encoding", "gzip");
        const std::string body = answer.gzip ? gzipped(answer.body) : answer.body;
        response.sendBuffer(body.data(), body.size());
    }

    Service& service_;
};

class Factory : public Poco::Net::HTTPRequestHandlerFactory {
public:
    explicit Factory(Service& service) : service_{service} {}
    Poco::Net::HTTPRequestHandler* createRequestHandler(const Poco::Net::HTTPServerRequest&) override {
        return new Handler{service_};
    }

private:
    Service& service_;
};

Result<base::UniqueFd> listening_socket(const std::string& bind_to, int port) {
    base::UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) return Error{Errc::system, "emulator: socket failed", "", {}, errno};
    const int yes = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, bind_to.c_str(), &address.sin_addr) != 1)
        return Error{Errc::malformed, "emulator: bind is not an IPv4 address"};
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return Error{Errc::system, "emulator: bind failed", "is the port taken?", {}, errno};
    if (::listen(fd.get(), 256) != 0) return Error{Errc::system, "emulator: listen failed", "", {}, errno};
    return fd;
}

Result<int> port_of(int fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0 || address.sin_family != AF_INET)
        return Error{Errc::system, "emulator: not a listening IPv4 socket", "", {}, errno};
    return int{ntohs(address.sin_port)};
}

Poco::Net::HTTPServerParams::Ptr server_params() {
    Poco::Net::HTTPServerParams::Ptr params = new Poco::Net::HTTPServerParams;
    params->setMaxThreads(connections_max);
    params->setMaxQueued(connections_max);
    params->setKeepAlive(true);
    params->setMaxKeepAliveRequests(0);
    params->setKeepAliveTimeout(Poco::Timespan{60, 0});
    params->setTimeout(Poco::Timespan{60, 0});
    return params;
}

} // namespace

struct Emulator::Inside {
    std::unique_ptr<Service> service;
    std::string bind;
    int port = 0;
    Connections connections;
    Poco::ThreadPool pool{"emulator", 2, connections_max + 2, 60, 1 << 20};
    std::unique_ptr<Poco::Net::HTTPServer> server;

    void listen(base::UniqueFd fd, const Options& options) {
        Poco::Net::initializeSSL();
        Context::Ptr tls = new Context{Context::TLS_SERVER_USE, options.key.string(), options.certificate.string(), "",
                                       Context::VERIFY_NONE};
        tls->requireMinimumProtocol(Context::PROTO_TLSV1_2);
        const ListeningSocket socket{fd.release(), tls, connections};
        server = std::make_unique<Poco::Net::HTTPServer>(new Factory{*service}, pool, socket, server_params());
        server->start();
    }
    ~Inside() {
        if (!server) return;
        server->stop(); // joins the accept thread: no connection comes after
        connections.shut_down();
        pool.joinAll();
    }
};

Emulator::Emulator(std::unique_ptr<Inside> inside) : inside_{std::move(inside)} {}
Emulator::~Emulator() = default;
int Emulator::port() const {
    return inside_->port;
}
Service& Emulator::service() {
    return *inside_->service;
}
std::string Emulator::base_url() const {
    return "https://" + inside_->bind + ":" + std::to_string(inside_->port);
}

Result<std::unique_ptr<Emulator>> Emulator::start(const Options& options, const Clock& clock) {
    auto inside = std::make_unique<Inside>();
    auto service = Service::open(options.service, clock);
    if (!service) return service.error();
    inside->service = std::move(*service);
    base::UniqueFd fd{options.listen_fd};
    if (!fd) {
        auto made = listening_socket(options.bind, options.port);
        if (!made) return made.error();
        fd = std::move(*made);
    }
    const auto port = port_of(fd.get());
    if (!port) return port.error();
    inside->port = *port;
    inside->bind = options.bind;
    try {
        inside->listen(std::move(fd), options);
    } catch (const Poco::Exception&) {
        return Error{Errc::malformed, "emulator: certificate or key not accepted", "PEM files that belong together"};
    }
    return std::unique_ptr<Emulator>{new Emulator{std::move(inside)}};
}

} // namespace clinic::emulator
