#include "sync/channel/ghl/watchdog.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>

namespace clinic::ghl {

Watchdog::Watchdog() : thread_{[this](std::stop_token stop) { run(std::move(stop)); }} {}
Watchdog::~Watchdog() = default;

void Watchdog::run(std::stop_token stop) {
    std::unique_lock lock{mutex_};
    while (!stop.stop_requested()) {
        const auto now = std::chrono::steady_clock::now();
        auto next = now + std::chrono::hours{1};
        for (auto* guard : armed_) {
            if (!guard->cut_ && guard->deadline_ <= now) {
                shutdown(guard->socket_.get(), SHUT_RDWR);
                guard->cut_ = true;
            }
            if (!guard->cut_) next = std::min(next, guard->deadline_);
        }
        const auto seen = version_;
        moved_.wait_until(lock, stop, next, [&] { return version_ != seen; });
    }
}

Watchdog::Guard::Guard(Watchdog& watchdog, int socket, Instant deadline, std::stop_token stop,
                       std::chrono::milliseconds grace)
    : watchdog_{watchdog}, socket_{fcntl(socket, F_DUPFD_CLOEXEC, 0)}, deadline_{deadline} {
    {
        const std::lock_guard lock{watchdog_.mutex_};
        place_ = watchdog_.armed_.insert(watchdog_.armed_.end(), this);
        ++watchdog_.version_;
    }
    watchdog_.moved_.notify_all();
    on_stop_.emplace(std::move(stop), Hurry{this, grace});
}

Watchdog::Guard::~Guard() {
    on_stop_.reset(); // waits for a running Hurry
    const std::lock_guard lock{watchdog_.mutex_};
    watchdog_.armed_.erase(place_);
}

bool Watchdog::Guard::cut() const {
    const std::lock_guard lock{watchdog_.mutex_};
    return cut_;
}

void Watchdog::Guard::Hurry::operator()() const {
    {
        const std::lock_guard lock{guard->watchdog_.mutex_};
        guard->deadline_ = std::min(guard->deadline_, std::chrono::steady_clock::now() + grace);
        ++guard->watchdog_.version_;
    }
    guard->watchdog_.moved_.notify_all();
}

} // namespace clinic::ghl
