// The readers' connections on loan, each for one short snapshot.
//   Bounds:  `wait_max` for a free one, `snapshot_max` for how long it is kept; both end in `timeout` and are counted.
//            Work that needs longer takes several snapshots, one after the other.
//   Threads: add: before the others. borrow, give_back and the numbers: any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "daemon/records/connection.h"

namespace clinic::records {

class Readers {
public:
    Readers(std::chrono::milliseconds wait_max, std::chrono::milliseconds snapshot_max)
        : wait_max_{wait_max}, snapshot_max_{snapshot_max} {}

    void add(std::unique_ptr<Connection> reader);
    void add_use(std::vector<StatementUse>& all) const;

    std::uint64_t reads() const { return reads_; }
    std::uint64_t reads_cut() const { return reads_cut_; }         // lasted too long
    std::uint64_t reads_refused() const { return reads_refused_; } // no reader became free
    std::int64_t longest_us() const { return longest_us_; }        // the longest snapshot

private:
    friend class Borrowed;
    Result<Connection*> borrow();
    void give_back(Connection& reader, std::chrono::steady_clock::duration kept, bool cut);

    const std::chrono::milliseconds wait_max_, snapshot_max_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<Connection>> all_;
    std::vector<Connection*> free_;
    std::atomic<std::uint64_t> reads_{0}, reads_cut_{0}, reads_refused_{0};
    std::atomic<std::int64_t> longest_us_{0};
};

// Undoes what is left of a transaction and gives the reader back on every way out.
class Borrowed {
public:
    static Result<Borrowed> from(Readers& readers);
    Borrowed(Borrowed&& other) noexcept;
    ~Borrowed();
    Borrowed& operator=(Borrowed&&) = delete;
    Connection& operator*() const { return *reader_; }

private:
    Borrowed(Readers& readers, Connection& reader)
        : readers_{readers}, reader_{&reader}, since_{std::chrono::steady_clock::now()} {}

    Readers& readers_;
    Connection* reader_;
    std::chrono::steady_clock::time_point since_;
};

} // namespace clinic::records
