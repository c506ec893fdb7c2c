// The store's weekly check, a slice at a time beside the work. What it finds closes the records.
//   Units:   a slice each 100 ms while a check is under way; a look each minute.
//   Errors:  logged; tried again at the next look. Damage: `damaged` is called once, from the thread inside; it must
//            not wait for this object to go.
//   Threads: one of its own.
//   Source:  docs/status.md, "The weekly check".
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "daemon/records/store_check.h"

namespace clinic::daemon {

class Integrity {
public:
    Integrity(records::Store& store, const Clock& clock, std::function<void(const Error&)> damaged);
    void start();

private:
    void run(const std::stop_token& stop);

    records::StoreCheck check_;
    const Clock& clock_;
    const std::function<void(const Error&)> damaged_;
    std::mutex waiting_;
    std::condition_variable_any wake_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::daemon
