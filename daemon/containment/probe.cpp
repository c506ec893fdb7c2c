#include "daemon/containment/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace clinic::containment {
namespace {

Error failed() {
    return Error{Errc::system, "no loopback connection for the self-test", "", {}, errno};
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

// The filter answers before it is looked whether the socket is one.
bool connect_is_filtered() {
    const auto there = loopback(0);
    return connect(-1, generic(there), sizeof there) != 0 && errno == EPERM;
}

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

bool listens(base::UniqueFd& fd, unsigned short& port) {
    fd.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    socklen_t size = sizeof address;
    if (!fd || bind(fd.get(), generic(address), sizeof address) != 0 || listen(fd.get(), 8) != 0 ||
        getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return false;
    port = ntohs(address.sin_port);
    return true;
}

} // namespace

Result<Probe> Probe::make() {
    Probe probe;
    unsigned short own_port = 0;
    if (const base::UniqueFd any{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}; !any && errno == EAFNOSUPPORT)
        return probe;
    if (!listens(probe.target_, probe.target_port_) || !listens(probe.listener_, own_port)) return failed();
    probe.client_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect_refused(probe.client_.get(), own_port)) return failed();
    probe.accepted_.reset(accept4(probe.listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!probe.accepted_) return failed();
    return probe;
}

bool Probe::accepted_stays() const {
    return has_sockets() ? reconnect_refused(accepted_.get(), target_port_) : connect_is_filtered();
}

bool Probe::fast_open_stays() const {
    if (has_sockets()) shutdown(listener_.get(), SHUT_RDWR);
    const auto there = loopback(target_port_);
    char byte = 'x';
    constexpr int flags = MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL;
    const bool by_sendto = sendto(listener_.get(), &byte, 1, flags, generic(there), sizeof there) < 0;
    const int why_sendto = errno;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_name = const_cast<sockaddr_in*>(&there);
    message.msg_namelen = sizeof there;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const bool by_sendmsg = sendmsg(listener_.get(), &message, flags) < 0;
    if (!has_sockets()) return by_sendto && by_sendmsg && why_sendto == EPERM && (errno == ENOTSOCK || errno == EPERM);
    // EINPROGRESS means that the byte is on its way.
    return by_sendto && by_sendmsg && why_sendto != EINPROGRESS && errno != EINPROGRESS;
}

bool Probe::listener_stays() const {
    return has_sockets() ? reconnect_refused(listener_.get(), target_port_) : connect_is_filtered();
}

} // namespace clinic::containment
