#include "tests/sync/support/scripted_egress.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>

namespace clinic::support {

ScriptedEgress::ScriptedEgress(std::filesystem::path socket, Answer answer)
    : answer_{std::move(answer)}, listener_{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    assert(socket.native().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
    std::filesystem::remove(socket);
    [[maybe_unused]] const int bound =
        bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    assert(bound == 0);
    listen(listener_.get(), 16);
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void ScriptedEgress::serve(int fd, std::vector<base::UniqueFd>& open) {
    std::vector<char> bytes(envelope::frame_bytes_max);
    const auto got = recv(fd, bytes.data(), bytes.size(), 0);
    std::optional<envelope::Reply> reply;
    if (got > 0) {
        const auto request = envelope::decode_request({bytes.data(), static_cast<std::size_t>(got)});
        if (request) {
            {
                const std::lock_guard lock{mutex_};
                requests_.push_back(*request);
            }
            reply = answer_(*request);
        } else {
            reply = envelope::Refused{"malformed"};
        }
    }
    if (reply) {
        const auto text = envelope::encode(*reply);
        send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    } else {
        std::erase_if(open, [&](const base::UniqueFd& one) { return one.get() == fd; });
    }
}

void ScriptedEgress::run(const std::stop_token& stop) {
    std::vector<base::UniqueFd> open;
    while (!stop.stop_requested()) {
        std::vector<pollfd> watched{{listener_.get(), POLLIN, 0}};
        for (const auto& one : open) watched.push_back({one.get(), POLLIN, 0});
        poll(watched.data(), watched.size(), 20);
        for (const auto& one : watched) {
            if (one.revents == 0) continue;
            if (one.fd != listener_.get()) {
                serve(one.fd, open);
            } else if (base::UniqueFd accepted{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)}; accepted) {
                open.push_back(std::move(accepted));
                ++connections_;
            }
        }
    }
}

} // namespace clinic::support
