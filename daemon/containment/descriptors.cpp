#include "daemon/containment/descriptors.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/base/owned.h"

namespace clinic::containment {
namespace {

using Folder = std::unique_ptr<DIR, base::FreedBy<closedir>>;

int option(int fd, int which) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, which, &value, &size) == 0 ? value : -1;
}

bool is_declared_socket(int fd, const std::set<unsigned short>& ports) {
    const int family = option(fd, SO_DOMAIN);
    if (family == AF_UNIX) return true; // cannot be turned: no connect, and no sending to a name
    if ((family != AF_INET && family != AF_INET6) || option(fd, SO_TYPE) != SOCK_STREAM) return false;
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) return false;
    const auto port = family == AF_INET ? reinterpret_cast<const sockaddr_in&>(own).sin_port
                                        : reinterpret_cast<const sockaddr_in6&>(own).sin6_port;
    return ports.contains(ntohs(port));
}

// Memory devices that hold nothing (null, zero, full, random, urandom) and terminals.
bool is_plain_device(dev_t device) {
    constexpr std::array harmless{3U, 5U, 7U, 8U, 9U};
    const unsigned kind = major(device);
    if (kind == 1) return std::find(harmless.begin(), harmless.end(), minor(device)) != harmless.end();
    return kind == 4 || kind == 5 || (kind >= 136 && kind <= 143);
}

bool is_plain_helper(int fd) {
    std::array<char, 64> target{};
    const auto path = "/proc/thread-self/fd/" + std::to_string(fd);
    const ssize_t size = readlink(path.c_str(), target.data(), target.size() - 1);
    if (size <= 0) return false;
    const std::string_view kind{target.data(), static_cast<std::size_t>(size)};
    constexpr std::array<std::string_view, 6> plain{"anon_inode:[eventfd]", "anon_inode:[eventpoll]",
                                                    "anon_inode:[timerfd]", "anon_inode:[signalfd]",
                                                    "anon_inode:inotify",   "anon_inode:[inotify]"};
    return std::find(plain.begin(), plain.end(), kind) != plain.end();
}

bool is_declared(int fd, const std::set<unsigned short>& ports) {
    struct stat about {};
    if (fstat(fd, &about) != 0) return true; // closed meanwhile by its thread
    switch (about.st_mode & S_IFMT) {
    case S_IFSOCK: return is_declared_socket(fd, ports);
    case S_IFCHR: return is_plain_device(about.st_rdev);
    case S_IFREG: {
        struct stat name_space {}; // namespace handles are files of their own file system
        return stat("/proc/thread-self/ns/mnt", &name_space) != 0 || name_space.st_dev != about.st_dev;
    }
    case S_IFDIR:
    case S_IFIFO: return true;
    case 0: return is_plain_helper(fd);
    default: return false;
    }
}

} // namespace

bool only_declared_descriptors(const std::set<unsigned short>& ports) {
    const Folder open{opendir("/proc/thread-self/fd")};
    if (!open) return false;
    while (const dirent* one = readdir(open.get())) {
        int fd = -1;
        const char* end = one->d_name + std::strlen(one->d_name);
        if (std::from_chars(one->d_name, end, fd).ptr == end && !is_declared(fd, ports)) return false;
    }
    return true;
}

} // namespace clinic::containment
