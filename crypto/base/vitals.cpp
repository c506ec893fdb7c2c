#include "crypto/base/vitals.h"

namespace clinic::base {
namespace {

constexpr std::int64_t resting = -1;

} // namespace

void Pulse::beat() const {
    if (worker_) worker_->at.store(worker_->clock.monotonic().count(), std::memory_order_relaxed);
}

void Pulse::rest() const {
    if (worker_) worker_->at.store(resting, std::memory_order_relaxed);
}

Pulse Vitals::join(Literal worker, Micros bound) {
    Pulse pulse;
    pulse.worker_.reset(new Pulse::Worker{worker, bound, clock_, clock_.monotonic().count()});
    const std::scoped_lock lock{mutex_};
    std::erase_if(workers_, [](const auto& one) { return one.expired(); });
    workers_.push_back(pulse.worker_);
    return pulse;
}

std::optional<Literal> Vitals::overdue() {
    const std::scoped_lock lock{mutex_};
    for (const auto& one : workers_) {
        const auto worker = one.lock();
        if (!worker) continue;
        const std::int64_t at = worker->at.load(std::memory_order_relaxed);
        if (at != resting && clock_.monotonic() - Micros{at} > worker->bound) return worker->name;
    }
    return std::nullopt;
}

} // namespace clinic::base
