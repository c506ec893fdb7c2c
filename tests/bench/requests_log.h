// The emulator's log of requests, read as it grows: when each one came.
//   Threads: one of its own; `count` and `at` any.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "tests/bench/figures.h"

namespace clinic::bench {

class RequestsLog {
public:
    // From its present end on; of the requests for contacts those that hold `text`.
    explicit RequestsLog(const std::filesystem::path& file, std::string text = "");
    std::size_t count() const;
    Instant wait_for(std::size_t count, std::chrono::seconds patience); // when that many had come; gives up when late
    std::vector<Instant> arrivals() const;

private:
    void run(const std::stop_token& stop);
    void read_on(); // counts the lines

    std::string text_;
    base::UniqueFd file_, inotify_;
    std::string part_;
    mutable std::mutex mutex_;
    std::condition_variable grown_;
    std::vector<Instant> arrived_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::bench
