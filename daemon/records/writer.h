// The one thread that writes and checkpoints: takes what is queued, commits it as one group, tells each job how it
// went.
//   Errors:  a job's own error is that job's alone; a group that cannot be committed fails every job in it. Then a
//            small write of our own is tried each second until one is durable: a full disk is no end.
//   Threads: post and numbers: any. Jobs, hooks and Done: the thread inside.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "daemon/records/reserve.h"
#include "daemon/records/session.h"

namespace clinic::records {

class Writer {
public:
    Writer(Connection& connection, Shared& shared, const StoreOptions& options, const Clock& clock);
    ~Writer(); // finishes what was posted, copies the WAL into the database, and marks the store as closed in order
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    bool post(Store::Job job, Store::Done done, base::Micros heard_at);
    void listen(std::function<void()> listener);
    bool is_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

    std::uint64_t commits() const { return commits_; }
    std::uint64_t jobs() const { return jobs_; }
    std::uint64_t jobs_failed() const { return jobs_failed_; }
    std::int64_t highest_slot() const { return highest_slot_; }
    std::optional<Error> write_failure() const; // why the newest group was not committed; empty: it was
    bool is_full() const { return full_; }      // the disk: bookkeeping is written as long as the reserve lasts
    std::int64_t reserve_held() const { return reserve_.held(); }
    // While it is held nothing is copied from the WAL into the database: its file can be read as it lies.
    std::mutex& no_checkpoint() { return checkpointing_; }

private:
    using Steady = std::chrono::steady_clock;
    struct Posted {
        Store::Job job;
        Store::Done done;
        base::Micros heard_at;
    };
    struct Outcome {
        Result<void> result;
        std::vector<std::function<void()>> hooks = {};
        std::vector<std::int64_t> keys_to_erase = {};
    };

    void run(const std::stop_token& stop);
    std::vector<Posted> next_group(const std::stop_token& stop);
    void commit_group(const std::vector<Posted>& group);
    Result<bool> run_group(const std::vector<Posted>& group, std::vector<Outcome>& outcomes); // true: durable
    void note(const Result<bool>& committed, std::size_t jobs);
    bool still_full();
    void in_wal(int pages); // after a commit
    bool has_to_tidy() const;
    void probe();
    Result<Outcome> run_job(const Posted& posted);
    void after_commit(std::vector<Outcome>& outcomes);
    void tell_listener();
    void tidy();               // keys to erase, and the WAL
    bool checkpoint(int mode); // true: all of the WAL is in the database
    void erase_keys();

    Connection& connection_;
    Shared& shared_;
    const StoreOptions& options_;
    const Clock& clock_;
    int wal_pages_ = 0;                       // in the WAL after the last commit
    int wal_peak_ = 0;                        // the most since it was emptied: its file is as long
    Steady::time_point written_at_{};         // that commit, or the last tidying
    Steady::time_point wal_since_{};          // the first of them
    std::vector<std::int64_t> keys_to_erase_; // of committed erasures; kept until the keystore has done it

    std::atomic<std::uint64_t> commits_{0}, jobs_{0}, jobs_failed_{0};
    std::atomic<std::int64_t> highest_slot_{0};
    Reserve reserve_;
    std::mutex checkpointing_;

    std::int64_t changes_told_ = 0; // sqlite3_total_changes when the listener was last called
    std::mutex listening_;          // held while the listener runs
    std::function<void()> listener_;
    std::optional<base::Micros> failure_logged_at_; // the writer thread's alone
    std::atomic<bool> failing_{false}, full_{false};
    mutable std::mutex mutex_; // guards the queue and the failure
    std::condition_variable_any ready_;
    std::optional<Error> failure_;
    std::deque<Posted> queue_;
    bool closing_ = false;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::records
