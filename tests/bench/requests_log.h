// The emulator's log of requests, read as it grows: when each one came.
//   Threads: one of its own; `count` and `at` any.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "tests/bench/figures.h"

namespace clinic::bench {

class RequestsLog {
public:
    explicit RequestsLog(const std::filesystem::path& file); // from its present end on
    std::size_t count() const;
    Instant wait_for(std::size_t count, std::chrono::seconds patience); // when that many had come; gives up when late
    std::vector<Instant> arrivals() const;

private:
    void run(const std::stop_token& stop);
    void read_on(); // counts the lines of writes to contacts

    base::UniqueFd file_, inotify_;
    std::string part_;
    mutable std::mutex mutex_;
    std::condition_variable grown_;
    std::vector<Instant> arrived_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::bench
