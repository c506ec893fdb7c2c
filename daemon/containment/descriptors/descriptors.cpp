#include "daemon/containment/descriptors/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include "crypto/base/owned.h"

namespace clinic::containment {
namespace {

using Folder = std::unique_ptr<DIR, base::FreedBy<closedir>>;
using Fault = std::optional<Literal>;
using NameCall = int (*)(int, sockaddr*, socklen_t*);

constexpr std::string_view journal = "/run/systemd/journal/stdout";

int option(int fd, int which) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, which, &value, &size) == 0 ? value : -1;
}

bool listens(int socket) {
    return option(socket, SO_ACCEPTCONN) == 1;
}

bool is_output(const Held& one) {
    return one.number == STDOUT_FILENO || one.number == STDERR_FILENO;
}

std::string unix_name(int socket, NameCall ask) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    if (ask(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0 || size <= offsetof(sockaddr_un, sun_path))
        return "";
    std::string name{address.sun_path, std::min<std::size_t>(size, sizeof address) - offsetof(sockaddr_un, sun_path)};
    return name.front() == '\0' ? name : std::string{name.c_str()};
}

unsigned short port_of(int socket) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) != 0) return 0;
    return ntohs(own.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(own).sin_port
                                          : reinterpret_cast<const sockaddr_in6&>(own).sin6_port);
}

Fault unless(bool fine, Literal fault) {
    return fine ? Fault{} : Fault{fault};
}

bool is_network(int family) {
    return family == AF_INET || family == AF_INET6;
}

// Only what it listens on can have been accepted.
class Judge {
public:
    Judge(const std::vector<Held>& all, const Declared& declared) : declared_{declared} {
        std::error_code failed;
        const auto records = std::filesystem::canonical(declared.records, failed);
        records_ = failed ? declared.records.string() : records.string();
        if (!declared.notify.empty()) notify_ = declared.notify;
        if (notify_.starts_with('@')) notify_.front() = '\0';
        for (const auto& one : all) {
            if (one.socket < 0 || !listens(one.socket)) continue;
            const int family = option(one.socket, SO_DOMAIN);
            if (family == AF_UNIX) doors_.insert(name_of(one.socket));
            if (is_network(family)) ports_.insert(port_of(one.socket));
        }
    }

    Fault look(const Held& one) const {
        if (one.link.empty()) return Literal{"something is open that could not be looked at"};
        if ((one.flags & O_PATH) != 0) return Literal{"a handle on a file is open"};
        switch (one.about.st_mode & S_IFMT) {
        case S_IFSOCK: return socket(one);
        case S_IFCHR: return unless(is_plain_device(one.about.st_rdev), "a device or a terminal is open");
        case S_IFREG: return file(one);
        case S_IFDIR: return unless(in_records(one) || is_own_proc(one), "a folder is open that nobody declared");
        case S_IFIFO: return Literal{"a pipe is open: who is at its other end cannot be told"};
        case 0: return unless(is_plain_helper(one.link), "a handle of the kernel is open that nobody declared");
        default: return Literal{"something is open that nobody declared"};
        }
    }

private:
    Fault socket(const Held& one) const {
        if (one.socket < 0) return Literal{"a socket is open that could not be looked at"};
        const int family = option(one.socket, SO_DOMAIN);
        if (family == AF_UNIX) return unix_socket(one);
        const int protocol = option(one.socket, SO_PROTOCOL);
        if (!is_network(family) || (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP))
            return Literal{"a socket is open that nobody declared"};
        const auto port = port_of(one.socket);
        if (!declared_.ports.contains(port)) return Literal{"a socket of a port that nobody declared is open"};
        return unless(ports_.contains(port), "a connection is open on a port where nothing listens");
    }
    Fault unix_socket(const Held& one) const {
        const auto own = name_of(one.socket);
        if (option(one.socket, SO_TYPE) == SOCK_DGRAM)
            return unless(!notify_.empty() && peer_name_of(one.socket) == notify_, "a datagram socket is open");
        if (is_output(one) && peer_name_of(one.socket) == journal) return {};
        if (!declared_.bus.empty() && peer_name_of(one.socket) == declared_.bus)
            return unless(option(one.socket, SO_TYPE) == SOCK_STREAM && !listens(one.socket),
                          "a socket of the bus is open that is no connection");
        if (!declared_.doors.contains(own) || !doors_.contains(own))
            return Literal{"a UNIX socket is open that was not accepted here"};
        return {};
    }
    Fault file(const Held& one) const {
        if (!one.link.starts_with('/'))
            return Literal{"a handle of the kernel is open that nobody declared"}; // a namespace
        if (one.link.starts_with("/memfd:")) return Literal{"memory that can be shared is open"};
        const bool written = (one.flags & O_ACCMODE) != O_RDONLY;
        if (one.kind == PROC_SUPER_MAGIC)
            return unless(!written && is_own_proc(one) && !one.link.ends_with("/mem"), "a file of /proc is open");
        if (!written || in_records(one)) return {};
        if (!is_output(one)) return Literal{"a file elsewhere is open for writing"};
        return unless((one.about.st_mode & S_IRWXO) == 0, "the output goes to a file that others may open");
    }

    bool in_records(const Held& one) const { return one.link == records_ || one.link.starts_with(records_ + "/"); }
    // Of the machine as a whole (/proc/meminfo), or of the process itself.
    bool is_own_proc(const Held& one) const {
        if (one.kind != PROC_SUPER_MAGIC || !one.link.starts_with("/proc/")) return false;
        const auto first = one.link.substr(6, one.link.find('/', 6) - 6);
        if (first.find_first_not_of("0123456789") == std::string::npos)
            return first == std::to_string(declared_.process);
        return S_ISREG(one.about.st_mode);
    }
    // Memory devices that hold nothing: null, zero, full, random, urandom.
    static bool is_plain_device(dev_t device) {
        constexpr std::array harmless{3U, 5U, 7U, 8U, 9U};
        return major(device) == 1 && std::find(harmless.begin(), harmless.end(), minor(device)) != harmless.end();
    }
    static bool is_plain_helper(std::string_view link) {
        constexpr std::array<std::string_view, 6> plain{"anon_inode:[eventfd]", "anon_inode:[eventpoll]",
                                                        "anon_inode:[timerfd]", "anon_inode:[signalfd]",
                                                        "anon_inode:inotify",   "anon_inode:[inotify]"};
        return std::find(plain.begin(), plain.end(), link) != plain.end();
    }

    const Declared& declared_;
    std::string records_, notify_;
    std::set<std::string> doors_; // what it does listen on
    std::set<unsigned short> ports_;
};

std::optional<Held> held(int fd) {
    std::array<char, PATH_MAX> target{};
    const auto path = "/proc/thread-self/fd/" + std::to_string(fd);
    const ssize_t size = readlink(path.c_str(), target.data(), target.size());
    Held one{.number = fd, .link = {}, .about = {}, .flags = fcntl(fd, F_GETFL), .kind = 0, .socket = -1};
    struct statfs system {};
    if (size < 0 || one.flags < 0 || fstat(fd, &one.about) != 0 || fstatfs(fd, &system) != 0) {
        if (fcntl(fd, F_GETFD) < 0) return {}; // its thread closed it meanwhile
        return one;                            // without its link: not seen, and said so
    }
    one.link.assign(target.data(), static_cast<std::size_t>(size));
    one.kind = system.f_type;
    if (S_ISSOCK(one.about.st_mode)) one.socket = fd;
    return one;
}

} // namespace

std::string name_of(int socket) {
    return unix_name(socket, getsockname);
}
std::string peer_name_of(int socket) {
    return unix_name(socket, getpeername);
}

std::vector<Held> own_descriptors() {
    std::vector<Held> all;
    const Folder open{opendir("/proc/thread-self/fd")};
    if (!open) return all;
    while (const dirent* one = readdir(open.get())) {
        int fd = -1;
        const char* end = one->d_name + std::strlen(one->d_name);
        if (std::from_chars(one->d_name, end, fd).ptr != end) continue;
        if (auto seen = held(fd)) all.push_back(std::move(*seen));
    }
    return all;
}

std::optional<Literal> undeclared(const std::vector<Held>& all, const Declared& declared) {
    if (all.empty()) return Literal{"none could be seen"};
    const Judge judge{all, declared};
    for (const auto& one : all)
        if (const auto fault = judge.look(one)) return fault;
    return {};
}

Literal output_of(const std::vector<Held>& all) {
    const auto goes_to = [&](mode_t kind) {
        return std::any_of(all.begin(), all.end(),
                           [kind](const Held& one) { return is_output(one) && (one.about.st_mode & S_IFMT) == kind; });
    };
    if (goes_to(S_IFSOCK)) return "only those handed over; output: the journal";
    return goes_to(S_IFREG) ? Literal{"only those handed over; output: a private file"}
                            : Literal{"only those handed over; output: none"};
}

} // namespace clinic::containment
