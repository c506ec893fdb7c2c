#include "crypto/listener/connections.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace clinic::listener {
namespace {

constexpr std::size_t network_bytes = 8; // of an IPv6 address

} // namespace

std::string network_of(const sockaddr& peer) {
    if (peer.sa_family == AF_INET) {
        sockaddr_in known{};
        std::memcpy(&known, &peer, sizeof known);
        return {reinterpret_cast<const char*>(&known.sin_addr), sizeof known.sin_addr};
    }
    if (peer.sa_family != AF_INET6) return {};
    sockaddr_in6 known{};
    std::memcpy(&known, &peer, sizeof known);
    const char* bytes = reinterpret_cast<const char*>(known.sin6_addr.s6_addr);
    if (!IN6_IS_ADDR_V4MAPPED(&known.sin6_addr)) return {bytes, network_bytes};
    return {bytes + sizeof known.sin6_addr - sizeof(in_addr), sizeof(in_addr)};
}

Connections::Ticket::Ticket(Connections& all, int socket, std::string network)
    : all_{all}, socket_{socket}, network_{std::move(network)} {}

Connections::Ticket::~Ticket() {
    closes();
    const std::lock_guard lock{all_.mutex_};
    all_.tickets_.erase(this);
}

void Connections::Ticket::waits_for_request() {
    const std::lock_guard lock{all_.mutex_};
    if (phase_ != Phase::answering) return;
    phase_ = Phase::waiting;
    since_ = std::chrono::steady_clock::now();
}

void Connections::Ticket::hears(int bytes) {
    const std::lock_guard lock{all_.mutex_};
    if (phase_ == Phase::waiting && bytes > 0) heard_ = true;
}

void Connections::Ticket::answers() {
    const std::lock_guard lock{all_.mutex_};
    heard_ = false;
    if (phase_ != Phase::waiting) return;
    phase_ = Phase::answering;
    since_ = std::chrono::steady_clock::now();
}

void Connections::Ticket::becomes_viewer() {
    const std::lock_guard lock{all_.mutex_};
    if (phase_ == Phase::closed) return;
    phase_ = Phase::viewing;
    all_.leave(network_);
}

void Connections::Ticket::closes() {
    const std::lock_guard lock{all_.mutex_};
    if (phase_ == Phase::waiting || phase_ == Phase::answering) all_.leave(network_);
    if (phase_ == Phase::waiting && heard_) ++all_.unfinished_;
    phase_ = Phase::closed;
}

std::unique_ptr<Connections::Ticket> Connections::admit(int socket, const std::string& network) {
    const std::lock_guard lock{mutex_};
    if (ended_ || !has_room(network)) {
        ++refused_;
        return nullptr;
    }
    auto ticket = std::make_unique<Ticket>(*this, socket, network);
    ++by_network_[network];
    ++held_;
    tickets_.insert(ticket.get());
    return ticket;
}

bool Connections::has_room(const std::string& network) {
    const auto known = by_network_.find(network);
    if (known != by_network_.end() && known->second >= bounds_.per_network_max) return displace(&network);
    return held_ < bounds_.all_max || displace(nullptr);
}

bool Connections::may_be_displaced(const Ticket& ticket, Time now) const {
    return ticket.phase_ == Ticket::Phase::waiting ||
           (ticket.phase_ == Ticket::Phase::answering && now - ticket.since_ > bounds_.answer_time_max);
}

// Of the network that has most, the one that has kept us waiting longest.
bool Connections::displace(const std::string* network) {
    const Time now = std::chrono::steady_clock::now();
    Ticket* found = nullptr;
    int most = 0;
    for (Ticket* ticket : tickets_) {
        if ((network != nullptr && ticket->network_ != *network) || !may_be_displaced(*ticket, now)) continue;
        const int there = by_network_.at(ticket->network_);
        if (found != nullptr && (there < most || (there == most && ticket->since_ >= found->since_))) continue;
        found = ticket;
        most = there;
    }
    if (found == nullptr) return false;
    ::shutdown(found->socket_, SHUT_RDWR); // its worker sees the end, and is free
    found->phase_ = Ticket::Phase::closed;
    leave(found->network_);
    ++displaced_;
    return true;
}

void Connections::end_overdue(Time now) {
    const std::lock_guard lock{mutex_};
    for (Ticket* ticket : tickets_) {
        if (ticket->phase_ != Ticket::Phase::waiting || now - ticket->since_ < bounds_.request_time_max) continue;
        ::shutdown(ticket->socket_, SHUT_RDWR);
        ticket->since_ = now;
        ticket->heard_ = false; // counted once
        ++overdue_;
    }
}

void Connections::end_all() {
    const std::lock_guard lock{mutex_};
    ended_ = true;
    for (Ticket* ticket : tickets_)
        if (ticket->phase_ != Ticket::Phase::closed) ::shutdown(ticket->socket_, SHUT_RDWR);
}

std::int64_t Connections::open() const {
    const std::lock_guard lock{mutex_};
    return held_;
}

std::int64_t Connections::refused() const {
    const std::lock_guard lock{mutex_};
    return refused_;
}

std::int64_t Connections::overdue() const {
    const std::lock_guard lock{mutex_};
    return overdue_;
}

std::int64_t Connections::displaced() const {
    const std::lock_guard lock{mutex_};
    return displaced_;
}

std::int64_t Connections::unfinished() const {
    const std::lock_guard lock{mutex_};
    return unfinished_;
}

void Connections::leave(const std::string& network) {
    const auto known = by_network_.find(network);
    if (--known->second == 0) by_network_.erase(known);
    --held_;
}

} // namespace clinic::listener
