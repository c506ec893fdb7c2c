// The one thread that writes and checkpoints: takes what is queued, commits it as one group, tells each job how it
// went.
//   Errors:  a job's own error is that job's alone; a group that cannot be committed fails every job in it.
//   Threads: post and numbers: any. Jobs, hooks and Done: the thread inside.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/records/session.h"

namespace clinic::records {

class Writer {
public:
    Writer(Connection& connection, Shared& shared, const StoreOptions& options, const Clock& clock);
    ~Writer(); // finishes what was posted, then copies the WAL into the database
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    bool post(Store::Job job, Store::Done done);
    void listen(std::function<void()> listener);
    bool is_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

    std::uint64_t commits() const { return commits_; }
    std::uint64_t jobs() const { return jobs_; }
    std::uint64_t jobs_failed() const { return jobs_failed_; }
    std::int64_t highest_slot() const { return highest_slot_; }

private:
    struct Posted {
        Store::Job job;
        Store::Done done;
    };
    struct Outcome {
        Result<void> result;
        std::vector<std::function<void()>> hooks = {};
        std::vector<std::int64_t> keys_to_erase = {};
    };

    void run(const std::stop_token& stop);
    std::vector<Posted> next_group(const std::stop_token& stop);
    void commit_group(const std::vector<Posted>& group);
    Result<void> run_group(const std::vector<Posted>& group, std::vector<Outcome>& outcomes);
    Result<Outcome> run_job(const Posted& posted);
    void after_commit(std::vector<Outcome>& outcomes);
    void tell_listener();
    void checkpoint(int mode);
    void erase_keys();

    Connection& connection_;
    Shared& shared_;
    const StoreOptions& options_;
    const Clock& clock_;
    int wal_pages_ = 0;                       // in the WAL after the last commit
    std::vector<std::int64_t> keys_to_erase_; // of committed erasures; kept until the keystore has done it

    std::atomic<std::uint64_t> commits_{0}, jobs_{0}, jobs_failed_{0};
    std::atomic<std::int64_t> highest_slot_{0};

    std::int64_t changes_told_ = 0; // sqlite3_total_changes when the listener was last called
    std::mutex listening_;          // held while the listener runs
    std::function<void()> listener_;
    std::mutex mutex_;
    std::condition_variable_any ready_;
    std::deque<Posted> queue_;
    bool closing_ = false;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::records
