#include "daemon/intake/mllp_door.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "crypto/base/log.h"

namespace clinic::intake {
namespace {

constexpr std::chrono::seconds complain_every{10};

Error system_error(Literal what) {
    return Error{Errc::system, what, "", {}, errno};
}

void set_option(int fd, int level, int name, int value) {
    if (setsockopt(fd, level, name, &value, sizeof value) != 0)
        base::log(base::Level::warning, "intake", system_error("a socket option was not set"));
}

Result<void> listen_in(int epoll, int fd, std::uint64_t key) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return system_error("the MLLP port could not be made non-blocking");
    if (!watch_fd(epoll, EPOLL_CTL_ADD, fd, key, EPOLLIN)) return system_error("the MLLP port could not be watched");
    return {};
}

} // namespace

bool watch_fd(int epoll, int operation, int fd, std::uint64_t key, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return epoll_ctl(epoll, operation, fd, &event) == 0;
}

MllpDoor::MllpDoor(MllpPorts ports, const MllpOptions& options, std::shared_ptr<const Feeds> feeds, const Clock& clock,
                   MllpCounters& counters)
    : ports_{std::move(ports)}, options_{options}, feeds_{std::move(feeds)}, seen_{feeds_->table()}, clock_{clock},
      counters_{counters} {}

Result<void> MllpDoor::open(int epoll) {
    epoll_ = epoll;
    CLINIC_TRY(listen_in(epoll, ports_.plain.get(), plain_key));
    if (ports_.tls) CLINIC_TRY(listen_in(epoll, ports_.tls.get(), tls_key));
    return {};
}

void MllpDoor::shut() {
    ports_.plain.reset();
    ports_.tls.reset();
}

bool MllpDoor::is_time_to_complain() {
    const base::Micros now = clock_.monotonic();
    ++complaints_;
    if (complained_at_ && now - *complained_at_ < complain_every) return false;
    complained_at_ = now;
    return true;
}

void MllpDoor::complain(const Error& error, const Address& from, bool secured) {
    if (!is_time_to_complain()) return;
    base::log(base::Level::warning, "intake: MLLP", error, from,
              {{"port", port(secured)}, {"since_last", std::exchange(complaints_, std::int64_t{0})}});
}

// 0: it is shut, or no port of IP.
int MllpDoor::port(bool secured) const {
    sockaddr_storage here{};
    socklen_t length = sizeof here;
    const int listener = secured ? ports_.tls.get() : ports_.plain.get();
    if (listener < 0 || getsockname(listener, reinterpret_cast<sockaddr*>(&here), &length) != 0) return 0;
    if (here.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(here).sin_port);
    if (here.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(here).sin6_port);
    return 0;
}

std::optional<MllpDoor::Guest> MllpDoor::let_in(bool secured) {
    const int listener = secured ? ports_.tls.get() : ports_.plain.get();
    if (listener < 0) return std::nullopt;
    for (;;) {
        sockaddr_storage peer{};
        socklen_t length = sizeof peer;
        base::UniqueFd socket{
            accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!socket) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) pause(secured);
            return std::nullopt;
        }
        const Address address = address_of(peer);
        if (!may_come(address, secured)) continue;
        const int fd = socket.get();
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options_.keep_alive.count()));
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 30);
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
        ++per_address_[address];
        ++inside_;
        return Guest{std::move(socket), address};
    }
}

bool MllpDoor::may_come(const Address& address, bool secured) {
    const auto table = feeds_->table();
    if (secured ? !table->may_knock(address) : !table->admits({.address = address})) {
        counters_.change([](MllpNumbers& numbers) { ++numbers.refused_address; });
        feeds_->turned_away().note(address, secured, clock_.now());
        complain({Errc::unauthorized, "an address that is not listed was turned away", "list it, if it is a sender"},
                 address, secured);
        return false;
    }
    const auto from_there = per_address_.find(address);
    const std::size_t open_there = from_there == per_address_.end() ? 0 : from_there->second;
    if (inside_ < options_.connections_max && open_there < options_.connections_per_address_max) return true;
    counters_.change([](MllpNumbers& numbers) { ++numbers.refused_full; });
    complain({Errc::full, "a connection above the bound was turned away",
              "have the sender close connections that it does not use"},
             address, secured);
    return false;
}

void MllpDoor::left(const Address& address) {
    --inside_;
    const auto from_there = per_address_.find(address);
    if (from_there != per_address_.end() && --from_there->second == 0) per_address_.erase(from_there);
}

bool MllpDoor::list_has_changed() {
    auto now = feeds_->table();
    if (now == seen_) return false;
    seen_ = std::move(now);
    return true;
}

// Out of descriptors: the listeners would wake us for ever. They are watched again at the next look around.
void MllpDoor::pause(bool secured) {
    const Error lack{Errc::system,
                     "a connection could not be accepted",
                     "close connections to this box, or raise LimitNOFILE of clinicd; it is tried again",
                     {},
                     errno};
    if (is_time_to_complain())
        base::log(base::Level::warning, "intake: MLLP", lack,
                  {{"port", port(secured)}, {"since_last", std::exchange(complaints_, std::int64_t{0})}});
    paused_ = watch_fd(epoll_, EPOLL_CTL_MOD, ports_.plain.get(), plain_key, 0);
    if (ports_.tls) paused_ = watch_fd(epoll_, EPOLL_CTL_MOD, ports_.tls.get(), tls_key, 0) || paused_;
}

void MllpDoor::look_again() {
    if (!paused_ || !ports_.plain) return;
    paused_ = !watch_fd(epoll_, EPOLL_CTL_MOD, ports_.plain.get(), plain_key, EPOLLIN);
    if (ports_.tls) paused_ = !watch_fd(epoll_, EPOLL_CTL_MOD, ports_.tls.get(), tls_key, EPOLLIN) || paused_;
}

} // namespace clinic::intake
