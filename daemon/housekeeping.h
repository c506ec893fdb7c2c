// What comes due without a message: consents and the basis that expire, buckets that age, quarantine and
// remembered message ids past their life, dead letters and ledger lines past theirs; and the dates that a clock which
// was ahead has given.
//   Units:   a look each minute; the daily walk once a local day and whenever the basis changes by itself.
//   Bounds:  200 patients, dead letters or 1,000 ledger lines a transaction.
//   Errors:  logged; tried again at the next look.
//   Threads: one of its own.
//   Source:  design, "From a message to GHL", step 8; "Identity of things" (nothing expires by an untrusted clock).
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "daemon/health/health.h"
#include "daemon/intake/feeds.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"
#include "daemon/retention.h"

namespace clinic::daemon {

class Housekeeping {
public:
    Housekeeping(records::Store& store, release::Releaser& releaser, intake::Feeds& feeds, health::Health& health,
                 const Clock& clock);
    ~Housekeeping() { request_stop(); }
    Housekeeping(const Housekeeping&) = delete;
    Housekeeping& operator=(const Housekeeping&) = delete;

    void start();
    // With a change of the basis, the policy or the clock's trust: a start before it is done walks too, whatever was
    // walked before, and a walk that is under way is not it. Then, after the commit, `request_walk`.
    Result<void> want_walk(records::Transaction& txn);
    void request_walk(); // soon, when the clock is trusted
    // Walks everybody now; how many transactions it took. Any thread. Errors: offline after `request_stop`.
    Result<std::int64_t> re_release();
    void request_stop(); // a walk ends after the slice it is in, and none begins
    // What comes due by now; everybody is walked where the day is new, or `walk` says so. For tests too.
    Result<void> look(bool walk);

private:
    void run(const std::stop_token& stop);
    Result<void> mend_stamps(records::Transaction& txn);
    bool may_delete() const;
    Result<void> expire_consents();
    Result<void> discard_dead_letters(const Retention& kept);
    Result<void> purge_ledger(const Retention& kept);
    Result<bool> day_is_new(const std::string& today);
    Result<void> mark(const std::string& today);

    records::Store& store_;
    release::Releaser& releaser_;
    intake::Feeds& feeds_;
    health::Health& health_;
    const Clock& clock_;
    std::mutex walking_, waiting_;
    std::condition_variable_any wake_;
    bool walk_requested_ = false; // under waiting_
    std::atomic<bool> stopping_{false};
    std::jthread thread_; // last: joined first
};

} // namespace clinic::daemon
