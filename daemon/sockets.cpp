#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "crypto/base/process.h"
#include "systemd/listen_fds.h"

namespace clinic::daemon {
namespace {

constexpr unsigned first_handed_fd = 3; // SD_LISTEN_FDS_START
constexpr Error unknown_socket{Errc::malformed, "a socket is handed over under a name that clinicd does not know",
                               "name it https, mllp, mllps, control or egress (FileDescriptorName= of its unit)"};
constexpr Error second_socket{Errc::malformed, "two sockets are handed over under one name",
                              "give each socket a unit and a FileDescriptorName= of its own"};

} // namespace

Result<Sockets> take_sockets() {
    auto handed = systemd::listen_fds();
    CLINIC_TRY(handed);
    base::close_inherited(first_handed_fd + static_cast<unsigned>(handed->size()));
    Sockets sockets;
    const std::array<std::pair<std::string_view, base::UniqueFd*>, 5> places{{{"https", &sockets.https},
                                                                              {"mllp", &sockets.mllp},
                                                                              {"mllps", &sockets.mllps},
                                                                              {"control", &sockets.control},
                                                                              {"egress", &sockets.egress}}};
    for (auto& one : *handed) {
        const auto place =
            std::find_if(places.begin(), places.end(), [&](const auto& known) { return known.first == one.name; });
        // Closed here it would stay open with who started us: its callers would wait for ever.
        if (place == places.end()) return unknown_socket;
        if (*place->second) return second_socket;
        *place->second = std::move(one.socket);
    }
    if (!sockets.https || !sockets.mllp || !sockets.control || !sockets.egress)
        return Error{Errc::not_found, "the sockets https, mllp, control and egress are not handed over",
                     "start clinicd by its socket units or by packaging/try"};
    return sockets;
}

unsigned short port_of(const base::UniqueFd& socket) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return 0;
    if (own.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(own).sin_port);
    return own.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6&>(own).sin6_port) : 0;
}

Result<base::UniqueFd> another(const base::UniqueFd& socket) {
    base::UniqueFd made{fcntl(socket.get(), F_DUPFD_CLOEXEC, 0)};
    if (!made) return Error{Errc::system, "a listening socket cannot be duplicated", "", {}, errno};
    return made;
}

} // namespace clinic::daemon
