// What comes due without a message: consents and the basis that expire, buckets that age, quarantine and
// remembered message ids past their life.
//   Units:   a look each minute; the daily walk once a local day and whenever the basis changes by itself.
//   Bounds:  200 patients a transaction.
//   Errors:  logged; tried again at the next look.
//   Threads: one of its own.
//   Source:  design, "From a message to GHL", step 8; "Identity of things" (nothing expires by an untrusted clock).
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "daemon/health/health.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {

class Housekeeping {
public:
    Housekeeping(records::Store& store, release::Releaser& releaser, health::Health& health, const Clock& clock);

    void start();
    void request_walk();               // soon, when the clock is trusted: the basis or the policy was changed
    Result<std::int64_t> re_release(); // walks everybody now; how many transactions it took. Any thread.

private:
    void run(const std::stop_token& stop);
    Result<void> look(bool walk);
    Result<void> expire_consents();
    Result<bool> day_is_new(const std::string& today);
    Result<void> mark(const std::string& today);

    records::Store& store_;
    release::Releaser& releaser_;
    health::Health& health_;
    const Clock& clock_;
    std::mutex walking_, waiting_;
    std::condition_variable_any wake_;
    bool walk_requested_ = false; // under waiting_
    std::jthread thread_;         // last: joined first
};

} // namespace clinic::daemon
