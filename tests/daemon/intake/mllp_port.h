// The hands of a sender: a port of the test's own, a server on it, and waiting for what must come.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
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
