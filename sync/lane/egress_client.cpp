#include "sync/lane/egress_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace clinic::lane {
namespace {

using Clock = std::chrono::steady_clock;

void signal_event(int fd) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto put = write(fd, &one, sizeof one); // full means: already signalled
}

} // namespace

EgressClient::EgressClient(std::filesystem::path socket)
    : path_{std::move(socket)}, wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      frame_{std::make_unique_for_overwrite<char[]>(envelope::frame_bytes_max)} {
    assert(wake_);
}

Result<void> EgressClient::connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto& path = path_.native();
    if (path.size() >= sizeof address.sun_path)
        return Error{Errc::refused, "the path of the egress socket is too long", "at most 107 bytes"};
    std::memcpy(address.sun_path, path.data(), path.size());
    base::UniqueFd fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd) return Error{Errc::system, "no socket can be made", "", {}, errno};
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return Error{Errc::offline, "clinicd does not answer on the egress socket", "is clinicd running?", {}, errno};
    socket_ = std::move(fd);
    return {};
}

Result<void> EgressClient::await_reply(std::chrono::milliseconds wait, std::stop_token stop) const {
    std::uint64_t drained = 0;
    [[maybe_unused]] const auto got = read(wake_.get(), &drained, sizeof drained); // of an earlier wait
    const std::stop_callback on_stop{stop, [this] { signal_event(wake_.get()); }};
    const auto until = Clock::now() + wait;
    for (;;) {
        if (stop.stop_requested()) return Error{Errc::timeout, "stopped while waiting for clinicd"};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) return Error{Errc::timeout, "clinicd does not reply in time"};
        std::array<pollfd, 2> on{{{socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
        const int ready = poll(on.data(), on.size(), static_cast<int>(left));
        if (ready < 0 && errno != EINTR) return Error{Errc::system, "waiting for clinicd failed", "", {}, errno};
        if (ready > 0 && on[0].revents != 0) return {};
    }
}

Result<envelope::Reply> EgressClient::ask(const envelope::Request& request, std::chrono::milliseconds wait,
                                          std::stop_token stop) {
    if (!socket_) return Error{Errc::offline, "not connected to clinicd"};
    const auto frame = envelope::encode(request);
    assert(frame.size() <= envelope::frame_bytes_max);
    if (send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size())) {
        close();
        return Error{Errc::offline, "clinicd went away", "", {}, errno};
    }
    if (auto waited = await_reply(wait, std::move(stop)); !waited) {
        close(); // a late reply must not be taken for the next one's
        return waited.error();
    }
    const ssize_t got = recv(socket_.get(), frame_.get(), envelope::frame_bytes_max, MSG_TRUNC);
    if (got <= 0) {
        close();
        return Error{Errc::offline, "clinicd went away", "", {}, got < 0 ? errno : 0};
    }
    if (static_cast<std::size_t>(got) > envelope::frame_bytes_max) {
        close();
        return Error{Errc::malformed, "clinicd's reply is longer than a frame"};
    }
    auto reply = envelope::decode_reply({frame_.get(), static_cast<std::size_t>(got)});
    if (!reply) close();
    return reply;
}

} // namespace clinic::lane
