// What the box notes of itself without waiting for the store: events for central ops, kept in the store until they are
// acknowledged, in memory while there is none or it cannot be written; and whatever else may be lost for want of room.
//   Bounds:  events_memory_max in memory, the oldest go; a full queue or disk costs a note, never a caller's wait.
//   Threads: any; calls nobody back under its lock but the store's `post` and `read`.
//   Source:  docs/events.md.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/records/store.h"
#include "sync/envelope/frame.h"

namespace clinic::health {

class Telemetry {
public:
    using Event = envelope::Device::Event;

    explicit Telemetry(const Clock& clock) : clock_{clock} {}

    // `newest`: the number of the newest event that the store has. What was held in memory is stored.
    void attach(records::Store& store, std::int64_t newest);
    void detach(); // before the store goes away

    void tell(std::string_view code, std::string_view severity);
    void acknowledge(std::int64_t number); // and those before it
    void store_held();                     // the store can be written again
    // The oldest events_frame_max that are not acknowledged. Not beside `detach`: it reads the store without the lock.
    std::vector<Event> open_events() const;
    std::int64_t dropped() const { return *dropped_; } // since the start
    void drop_one() { ++*dropped_; }
    // Where there is a store. `worth`: so many count as dropped when it cannot be written.
    void post(records::Store::Job job, std::int64_t worth = 0);

private:
    void post_locked(records::Store::Job job, std::int64_t worth);
    void hold(Event event);
    void store(const Event& event);

    const Clock& clock_;
    // Jobs of the store count here too, which may outlive us.
    const std::shared_ptr<std::atomic<std::int64_t>> dropped_ = std::make_shared<std::atomic<std::int64_t>>(0);
    mutable std::mutex mutex_;
    records::Store* store_ = nullptr;
    std::deque<Event> held_;
    std::int64_t newest_ = 0, acknowledged_ = 0;
};

} // namespace clinic::health
