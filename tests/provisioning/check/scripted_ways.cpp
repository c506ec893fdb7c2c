#include "tests/provisioning/check/scripted_ways.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cassert>
#include <cstring>

namespace clinic::check {

ScriptedWays::ScriptedWays(const std::filesystem::path& socket, const diagnose::Said& said)
    : said_{said}, listener_{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    const bool bound = bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    assert(bound && listen(listener_.get(), 8) == 0);
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void ScriptedWays::run(const std::stop_token& stop) const {
    while (!stop.stop_requested()) {
        pollfd ready{listener_.get(), POLLIN, 0};
        if (poll(&ready, 1, 20) != 1) continue;
        const base::UniqueFd caller{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        std::array<char, 64> asked{};
        if (recv(caller.get(), asked.data(), asked.size(), 0) <= 0) continue;
        const std::string answer = diagnose::write(said_);
        send(caller.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
}

} // namespace clinic::check
