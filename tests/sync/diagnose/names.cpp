#include "tests/sync/diagnose/names.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <array>
#include <fstream>
#include <thread>

#include "crypto/base/owned.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::diagnose {
namespace {

bool loopback_up() {
    const base::UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq about{};
    about.ifr_name[0] = 'l';
    about.ifr_name[1] = 'o';
    about.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(socket.get(), SIOCSIFFLAGS, &about) == 0;
}

base::UniqueFd name_server() {
    base::UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
}

// RFC 1035, 4.1.1: the question comes back as an answer with the code "no such name".
void answer(int socket, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd ready{socket, POLLIN, 0};
        if (poll(&ready, 1, 20) != 1) continue;
        std::array<unsigned char, 512> packet{};
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        const ssize_t got =
            recvfrom(socket, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 12) continue;
        packet[2] |= 0x80;
        packet[3] = 0x83;
        sendto(socket, packet.data(), static_cast<std::size_t>(got), 0, reinterpret_cast<const sockaddr*>(&from), size);
    }
}

bool settings_point_there(const std::filesystem::path& file) {
    std::ofstream{file} << "nameserver 127.0.0.1\n";
    return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0;
}

} // namespace

bool in_own_network(Names names, const std::function<void()>& run) {
    const fakes::TempFolder folder;
    bool made = false;
    std::thread{[&] {
        if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 || !loopback_up()) return;
        const auto server = name_server();
        if (!server || !settings_point_there(folder / "resolv.conf")) return;
        made = true;
        std::jthread answers;
        if (names == Names::none_known)
            answers = std::jthread{[fd = server.get()](const std::stop_token& stop) { answer(fd, stop); }};
        run();
    }}.join();
    return made;
}

} // namespace clinic::diagnose
