// The hands of a sender: a port of the test's own, a server on it, and waiting for what must come.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "daemon/intake/mllp_server.h"

namespace clinic::intake::testing {

inline constexpr int patience_ms = 100'000; // a failure takes so long; nothing else does

inline std::string framed(const std::string& text) {
    return '\x0B' + text + "\x1C\r";
}

struct Port {
    Port() : listener{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listener.get(), 256), 0);
        socklen_t length = sizeof address;
        EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
        number = address.sin_port;
    }
    base::UniqueFd listener;
    in_port_t number = 0;
};

inline base::UniqueFd connected_to(in_port_t port) {
    base::UniqueFd made{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = port;
    EXPECT_EQ(connect(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return made;
}

class Sender {
public:
    explicit Sender(in_port_t port) : socket_{connected_to(port)} {}
    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return; // hung up on
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    void end() { shutdown(socket_.get(), SHUT_WR); }
    // The next answer without its frame; empty: the connection ended.
    std::string answer() {
        for (;;) {
            const std::size_t end = received_.find("\x1C\r");
            if (end != std::string::npos) {
                std::string text = received_.substr(1, end - 1);
                received_.erase(0, end + 2);
                return text;
            }
            if (!receive()) return {};
        }
    }
    bool is_closed() {
        while (receive()) {
        }
        return closed_;
    }

private:
    bool receive() {
        pollfd wait{socket_.get(), POLLIN, 0};
        if (poll(&wait, 1, patience_ms) != 1) return false;
        char buffer[4'096];
        const ssize_t count = recv(socket_.get(), buffer, sizeof buffer, 0);
        closed_ = count <= 0;
        if (count > 0) received_.append(buffer, static_cast<std::size_t>(count));
        return count > 0;
    }
    base::UniqueFd socket_;
    std::string received_;
    bool closed_ = false;
};

inline std::unique_ptr<MllpServer> serve(Port& port, const Clock& clock, MllpServer::Handler handler,
                                         MllpOptions options = {}) {
    if (options.allowed.empty()) options.allowed = {"127.0.0.0/8"};
    auto server = MllpServer::start(std::move(port.listener), options, clock, std::move(handler));
    EXPECT_TRUE(server);
    return std::move(*server);
}

inline void echo(const Frame& frame, const MllpServer::Answer& answer) {
    if (frame.state == Frame::State::lost) return;
    answer((frame.state == Frame::State::whole ? "" : "!") + frame.bytes);
}

template <class Condition>
bool eventually(const Condition& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds{patience_ms};
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::yield();
    }
    return true;
}

} // namespace clinic::intake::testing
