#include "daemon/api/connections.h"

#include <sys/socket.h>

namespace clinic::api {

Connections::Ticket::Ticket(Connections& all, int socket, std::string address)
    : all_{all}, socket_{socket}, address_{std::move(address)} {}

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

void Connections::Ticket::answers() {
    const std::lock_guard lock{all_.mutex_};
    if (phase_ == Phase::waiting) phase_ = Phase::answering;
}

void Connections::Ticket::becomes_viewer() {
    const std::lock_guard lock{all_.mutex_};
    if (phase_ == Phase::closed) return;
    phase_ = Phase::viewing;
    all_.leave(address_);
}

void Connections::Ticket::closes() {
    const std::lock_guard lock{all_.mutex_};
    if (phase_ == Phase::waiting || phase_ == Phase::answering) all_.leave(address_);
    phase_ = Phase::closed;
}

std::unique_ptr<Connections::Ticket> Connections::admit(int socket, const std::string& address) {
    const std::lock_guard lock{mutex_};
    const auto known = by_address_.find(address);
    if (ended_ || (known != by_address_.end() && known->second >= per_address_max_)) {
        ++refused_;
        return nullptr;
    }
    auto ticket = std::make_unique<Ticket>(*this, socket, address);
    ++by_address_[address];
    tickets_.insert(ticket.get());
    return ticket;
}

void Connections::end_overdue(Time now) {
    const std::lock_guard lock{mutex_};
    for (Ticket* ticket : tickets_) {
        if (ticket->phase_ != Ticket::Phase::waiting || now - ticket->since_ < request_time_max_) continue;
        ::shutdown(ticket->socket_, SHUT_RDWR);
        ticket->since_ = now;
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
    std::int64_t all = 0;
    for (const auto& [address, count] : by_address_) all += count;
    return all;
}

std::int64_t Connections::refused() const {
    const std::lock_guard lock{mutex_};
    return refused_;
}

std::int64_t Connections::overdue() const {
    const std::lock_guard lock{mutex_};
    return overdue_;
}

void Connections::leave(const std::string& address) {
    const auto known = by_address_.find(address);
    if (--known->second == 0) by_address_.erase(known);
}

} // namespace clinic::api
