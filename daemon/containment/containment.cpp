#include "daemon/containment/containment.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "crypto/base/files.h"
#include "crypto/base/log.h"
#include "daemon/containment/filter.h"

namespace clinic::containment {
namespace {

constexpr std::size_t proc_bytes_max = 65'536;

Error failed(Literal what) {
    return Error{Errc::system, what, "", {}, errno};
}

void write_map(const char* path, unsigned inside, unsigned outside) {
    const base::UniqueFd file{open(path, O_WRONLY | O_CLOEXEC)};
    if (!file) return;
    const std::string line = std::to_string(inside) + " " + std::to_string(outside) + " 1\n";
    [[maybe_unused]] const auto put = write(file.get(), line.data(), line.size()); // inspect() looks at the outcome
}

// As root its own namespace; otherwise through a user namespace, in which we stay who we are.
void leave_network() {
    if (unshare(CLONE_NEWNET) == 0) return;
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        base::log(base::Level::warning, "containment", "this machine allows no network namespace", {{"errno", errno}});
        return;
    }
    if (const base::UniqueFd groups{open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC)}) {
        [[maybe_unused]] const auto put = write(groups.get(), "deny", 4);
    }
    write_map("/proc/self/uid_map", uid, uid);
    write_map("/proc/self/gid_map", gid, gid);
}

Result<void> drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (syscall(SYS_capset, &header, none) != 0) return failed("the capabilities cannot be dropped");
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return {};
}

Result<void> become(const User& user) {
    if (user.uid == 0 || user.gid == 0)
        return Error{Errc::refused, "patient data is not handled by root", "name an unprivileged user"};
    int end_with_parent = 0; // a change of user forgets it
    prctl(PR_GET_PDEATHSIG, &end_with_parent, 0, 0, 0);
    if (setgroups(0, nullptr) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
        setresuid(user.uid, user.uid, user.uid) != 0)
        return failed("the user cannot be changed");
    prctl(PR_SET_PDEATHSIG, end_with_parent, 0, 0, 0);
    return {};
}

Result<void> close_dumps() {
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) return failed("core dumps cannot be switched off");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("memory dumps cannot be switched off");
    return {};
}

std::string proc(const char* path) {
    auto text = base::read_text(path, proc_bytes_max);
    return text ? std::move(text).value() : std::string{};
}

// "Seccomp:\t2" of /proc/self/status.
long status_value(std::string_view key, int base) {
    const std::string text = proc("/proc/thread-self/status");
    const auto at = text.find("\n" + std::string{key} + ":");
    if (at == std::string::npos) return -1;
    const auto from = text.find_first_not_of(" \t", at + key.size() + 2);
    long value = -1;
    std::from_chars(text.data() + from, text.data() + text.size(), value, base);
    return value;
}

bool network_is_empty() {
    const std::string devices = proc("/proc/thread-self/net/dev");
    std::size_t interfaces = 0;
    bool only_loopback = true;
    for (std::size_t from = 0, end; (end = devices.find('\n', from)) != std::string::npos; from = end + 1) {
        const std::string_view line{devices.data() + from, end - from};
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        ++interfaces;
        if (line.substr(0, colon).find("lo") == std::string_view::npos) only_loopback = false;
    }
    const std::string routes = proc("/proc/thread-self/net/route");
    const bool no_routes = routes.find('\n') + 1 >= routes.size();
    return interfaces == 1 && only_loopback && no_routes;
}

sockaddr_in loopback(unsigned short port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

template <class Address>
const sockaddr* generic(const Address& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

// True when the kernel refused to let it out.
bool connect_refused(int fd, unsigned short port) {
    const auto there = loopback(port);
    return connect(fd, generic(there), sizeof there) != 0;
}

bool reconnect_refused(int fd, unsigned short port) {
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    [[maybe_unused]] const int let_go = connect(fd, &nowhere, sizeof nowhere); // whether or not: the next one tells
    return connect_refused(fd, port);
}

bool fast_open_refused(int fd, unsigned short port) {
    const auto there = loopback(port);
    const char byte = 'x';
    const bool by_sendto =
        sendto(fd, &byte, 1, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, generic(there), sizeof there) < 0;
    const int why_sendto = errno;
    iovec part{const_cast<char*>(&byte), 1};
    msghdr message{};
    message.msg_name = const_cast<sockaddr_in*>(&there);
    message.msg_namelen = sizeof there;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const bool by_sendmsg = sendmsg(fd, &message, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
    // EINPROGRESS means that the byte is on its way.
    return by_sendto && by_sendmsg && why_sendto != EINPROGRESS && errno != EINPROGRESS;
}

Part part(Literal name, bool holds, Literal yes, Literal no) {
    return {name, holds, holds ? yes : no};
}

} // namespace

Result<Probe> Probe::make() {
    Probe probe;
    auto listener = [](base::UniqueFd& fd, unsigned short& port) {
        fd.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto address = loopback(0);
        socklen_t size = sizeof address;
        if (!fd || bind(fd.get(), generic(address), sizeof address) != 0 || listen(fd.get(), 8) != 0 ||
            getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
            return false;
        port = ntohs(address.sin_port);
        return true;
    };
    unsigned short own_port = 0;
    if (!listener(probe.target_, probe.target_port_) || !listener(probe.listener_, own_port))
        return failed("no loopback socket for the self-test");
    probe.client_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect_refused(probe.client_.get(), own_port)) return failed("no loopback connection for the self-test");
    probe.accepted_.reset(accept4(probe.listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!probe.accepted_) return failed("no loopback connection for the self-test");
    return probe;
}

std::vector<Part> Probe::try_every_way() const {
    std::vector<Part> parts;
    const base::UniqueFd fresh{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    parts.push_back(part("new connection", !fresh || connect_refused(fresh.get(), target_port_), "refused", "got out"));
    const base::UniqueFd datagram{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    parts.push_back(part("datagram", !datagram || connect_refused(datagram.get(), 53), "refused", "got out"));
    parts.push_back(
        part("accepted socket turned outward", reconnect_refused(accepted_.get(), target_port_), "refused", "got out"));
    shutdown(listener_.get(), SHUT_RDWR);
    parts.push_back(
        part("sending that connects", fast_open_refused(listener_.get(), target_port_), "refused", "got out"));
    parts.push_back(part("listening socket turned outward", reconnect_refused(listener_.get(), target_port_), "refused",
                         "got out"));
    return parts;
}

Result<void> enter(const Options& options) {
    leave_network();
    if (options.become && geteuid() == 0) CLINIC_TRY(become(*options.become));
    if (geteuid() == 0) return Error{Errc::refused, "patient data is not handled by root", "start with --user UID"};
    CLINIC_TRY(drop_capabilities());
    CLINIC_TRY(close_dumps());
    return load_filter();
}

std::vector<Part> inspect(const Options& options, const Probe& probe) {
    std::vector<Part> parts;
    parts.push_back(
        part("network namespace", network_is_empty(), "empty", "this machine allows no namespace of our own"));
    parts.push_back(part("system call filter", status_value("Seccomp", 10) == 2, "loaded", "not loaded"));
    parts.push_back(part("no new privileges", status_value("NoNewPrivs", 10) == 1, "set", "not set"));
    parts.push_back(part("no capabilities", status_value("CapEff", 16) == 0 && status_value("CapPrm", 16) == 0, "none",
                         "some are left"));
    parts.push_back(part("own user", geteuid() != 0 && options.peer && *options.peer != geteuid(),
                         "unprivileged, and not the sender's", "the same user as the sender, or root"));
    parts.push_back(part("no memory dumps", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0, "off", "on"));
    for (auto& way : probe.try_every_way()) parts.push_back(way);
    return parts;
}

} // namespace clinic::containment
