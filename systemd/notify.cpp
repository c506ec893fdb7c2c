#include "systemd/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace clinic::systemd {
namespace {

base::UniqueFd connected(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() < 2 || path.size() >= sizeof address.sun_path) return {};
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path.front() == '@') address.sun_path[0] = '\0'; // an abstract name
    base::UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (!socket || connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
    return socket;
}

} // namespace

Notifier Notifier::open() {
    Notifier notifier;
    if (const char* path = std::getenv("NOTIFY_SOCKET")) notifier.socket_ = connected(path);
    std::uint64_t patience = 0;
    if (sd_watchdog_enabled(0, &patience) > 0)
        notifier.patience_ = std::chrono::microseconds{static_cast<std::int64_t>(patience)};
    return notifier;
}

void Notifier::tell(Literal state) const {
    if (socket_) send(socket_.get(), state.c_str(), std::strlen(state.c_str()), MSG_NOSIGNAL);
}

void Notifier::ready() const {
    tell("READY=1");
}
void Notifier::stopping() const {
    tell("STOPPING=1");
}
void Notifier::watchdog() const {
    tell("WATCHDOG=1");
}

} // namespace clinic::systemd
