#include "tests/e2e/canary/recorder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <memory>
#include <stdexcept>

#include "tests/e2e/wire.h"

namespace clinic::e2e {
namespace {

using Context = std::unique_ptr<SSL_CTX, base::FreedBy<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, base::FreedBy<SSL_free>>;

constexpr int patience_s = 10, turn_ms = 100, waiting_max = 64;

Context context_of(const SSL_METHOD* method, const Recorder::Ends& ends, const std::filesystem::path& certificate,
                   const std::filesystem::path& key, bool asks) {
    Context context{SSL_CTX_new(method)};
    bool good = SSL_CTX_load_verify_locations(context.get(), ends.ca.c_str(), nullptr) == 1;
    if (!certificate.empty())
        good = good && SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) == 1 &&
               SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) == 1;
    if (!good) throw std::runtime_error{"the recorder has no certificate"};
    if (asks) SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_clear_mode(context.get(), SSL_MODE_AUTO_RETRY); // a record without bytes of ours ends a read
    return context;
}

void be_patient(int socket) {
    const timeval limit{patience_s, 0};
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Session session_of(const Context& context, int socket) {
    Session session{SSL_new(context.get())};
    SSL_set_fd(session.get(), socket);
    return session;
}

// What is there; false at the end.
bool take(SSL* from, std::string& bytes) {
    std::array<char, 16'384> part{};
    bytes.clear();
    do {
        ERR_clear_error();
        const int got = SSL_read(from, part.data(), part.size());
        if (got <= 0) return SSL_get_error(from, got) == SSL_ERROR_WANT_READ;
        bytes.append(part.data(), static_cast<std::size_t>(got));
    } while (SSL_pending(from) > 0);
    return true;
}

bool put(SSL* to, const std::string& bytes) {
    return bytes.empty() || SSL_write(to, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

} // namespace

Recorder::Recorder(Ends ends) : ends_{std::move(ends)}, socket_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const int on = 1;
    setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(ends_.listen);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
        ::listen(socket_.get(), waiting_max) != 0)
        throw std::runtime_error{"the recorder has no port"};
    thread_ = std::jthread{[this](const std::stop_token& stop) { listen(stop); }};
}

Recorder::~Recorder() {
    thread_.request_stop();
    thread_.join();
    for (auto& one : connections_) one.request_stop();
}

void Recorder::listen(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd ready{socket_.get(), POLLIN, 0};
        if (poll(&ready, 1, turn_ms) <= 0) continue; // looks at `stop` between
        base::UniqueFd near{accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (!near) continue;
        const std::lock_guard lock{mutex_};
        Talk& talk = talks_.emplace_back();
        connections_.emplace_back([this, &talk, near = std::move(near)](const std::stop_token& end) mutable {
            pass_on(end, std::move(near), talk);
        });
    }
}

void Recorder::pass_on(const std::stop_token& stop, base::UniqueFd near, Talk& talk) {
    sigset_t broken_pipe; // OpenSSL writes without a mark against it
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    const bool known_client = !ends_.client_certificate.empty();
    const auto server = context_of(TLS_server_method(), ends_, ends_.certificate, ends_.key, known_client);
    const auto client = context_of(TLS_client_method(), ends_, ends_.client_certificate, ends_.client_key, true);
    const auto far = tcp(ends_.to);
    if (!far) return;
    be_patient(near.get());
    be_patient(far.get());
    const auto inner = session_of(server, near.get());
    const auto outer = session_of(client, far.get());
    if (SSL_accept(inner.get()) != 1 || SSL_connect(outer.get()) != 1) return;
    std::string bytes;
    while (!stop.stop_requested()) {
        std::array<pollfd, 2> ready{{{near.get(), POLLIN, 0}, {far.get(), POLLIN, 0}}};
        if (SSL_pending(inner.get()) == 0 && SSL_pending(outer.get()) == 0 &&
            poll(ready.data(), ready.size(), turn_ms) <= 0)
            continue; // looks at `stop` between
        for (const bool out : {true, false}) {
            SSL* from = out ? inner.get() : outer.get();
            if (ready.at(out ? 0 : 1).revents == 0 && SSL_pending(from) == 0) continue;
            const bool goes_on = take(from, bytes);
            {
                const std::lock_guard lock{mutex_};
                (out ? talk.outward : talk.inward) += bytes;
            }
            if (!put(out ? outer.get() : inner.get(), bytes) || !goes_on) return;
        }
    }
}

std::string Recorder::outward() const {
    const std::lock_guard lock{mutex_};
    std::string all;
    for (const auto& one : talks_) all += one.outward;
    return all;
}

std::string Recorder::inward() const {
    const std::lock_guard lock{mutex_};
    std::string all;
    for (const auto& one : talks_) all += one.inward;
    return all;
}

} // namespace clinic::e2e
