#include "daemon/health/telemetry.h"

#include <algorithm>
#include <utility>

#include "crypto/base/log.h"
#include "daemon/health/health.h"
#include "daemon/health/store_view.h"

namespace clinic::health {

void Telemetry::post(records::Store::Job job, std::int64_t worth) {
    const std::lock_guard lock{mutex_};
    if (store_ != nullptr) post_locked(std::move(job), worth);
}

void Telemetry::post_locked(records::Store::Job job, std::int64_t worth) {
    const bool taken = store_->post(std::move(job), [dropped = dropped_, worth](const Result<void>& done) {
        if (done) return;
        *dropped += worth;
        base::log(base::Level::warning, "health", done.error());
    });
    if (taken) return;
    *dropped_ += worth;
    base::log(base::Level::warning, "health", "the store's queue is full: a time stamp is not kept");
}

void Telemetry::hold(Event event) {
    if (held_.size() >= events_memory_max) {
        held_.pop_front();
        ++*dropped_;
    }
    held_.push_back(std::move(event));
}

// One that the store cannot take now is held, and stored when it can.
void Telemetry::store(const Event& event) {
    if (!store_->takes_records()) return hold(event);
    const auto job = [dropped = dropped_, event](records::Transaction& txn) -> Result<void> {
        const auto untold = keep_event(txn, event);
        CLINIC_TRY(untold);
        if (*untold > 0) txn.on_commit([dropped, count = *untold] { *dropped += count; });
        return {};
    };
    const bool taken = store_->post(job, [this, event](const Result<void>& done) {
        if (done) return;
        const std::lock_guard lock{mutex_};
        hold(event);
    });
    if (!taken) hold(event);
}

void Telemetry::attach(records::Store& store, std::int64_t newest) {
    const std::lock_guard lock{mutex_};
    store_ = &store;
    newest_ = std::max(newest_, newest);
    for (const auto& event : std::exchange(held_, {})) this->store(event);
}

void Telemetry::detach() {
    const std::lock_guard lock{mutex_};
    store_ = nullptr;
}

void Telemetry::store_held() {
    const std::lock_guard lock{mutex_};
    if (store_ == nullptr) return;
    for (const auto& event : std::exchange(held_, {})) store(event);
}

void Telemetry::tell(std::string_view code, std::string_view severity) {
    const std::lock_guard lock{mutex_};
    const Timestamp now = clock_.now();
    newest_ = std::max(newest_ + 1, now.micros); // one order for memory and store, and after a restart
    Event event{newest_, std::string{code}, std::string{severity}, now.micros / 1'000};
    if (store_ != nullptr) return store(event);
    hold(std::move(event));
}

void Telemetry::acknowledge(std::int64_t number) {
    const std::lock_guard lock{mutex_};
    acknowledged_ = std::max(acknowledged_, number);
    std::erase_if(held_, [&](const Event& event) { return event.number <= number; });
    if (store_ != nullptr) post_locked([number](records::Transaction& txn) { return close_events(txn, number); }, 0);
}

// Straight from the store, so that one full frame follows the other. What was acknowledged is out at once, though the
// store may still be writing that down.
std::vector<Telemetry::Event> Telemetry::open_events() const {
    std::vector<Event> open;
    std::unique_lock lock{mutex_};
    if (auto* const store = store_) {
        const auto after = acknowledged_;
        lock.unlock(); // a writer thread that tells an event never waits for a reader
        const auto read = store->read([&](records::Snapshot& snapshot) -> Result<void> {
            auto stored = health::open_events(snapshot, after);
            CLINIC_TRY(stored);
            open = std::move(*stored);
            return {};
        });
        if (!read) base::log(base::Level::warning, "health", read.error());
        lock.lock();
    }
    for (const auto& event : held_)
        if (event.number > acknowledged_ && open.size() < events_frame_max) open.push_back(event);
    return open;
}

} // namespace clinic::health
