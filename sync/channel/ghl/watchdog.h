// Ends calls that take too long: a deadline for a whole call, since the library's time-outs count per read.
//   Threads: any may arm; one thread of its own cuts.
//   Source:  facts/poco.md §7.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "crypto/base/owned.h"

namespace clinic::ghl {

class Watchdog {
public:
    using Instant = std::chrono::steady_clock::time_point;

    Watchdog();
    ~Watchdog();

    // While it lives, the socket is shut down at its deadline; on a stop request, after `grace` at the latest.
    class Guard {
    public:
        Guard(Watchdog& watchdog, int socket, Instant deadline, std::stop_token stop, std::chrono::milliseconds grace);
        ~Guard();
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        bool cut() const; // the deadline came first

    private:
        struct Hurry {
            Guard* guard;
            std::chrono::milliseconds grace;
            void operator()() const;
        };
        friend class Watchdog;
        Watchdog& watchdog_;
        base::UniqueFd socket_; // a duplicate: shutting it down cannot hit a number that was given away
        Instant deadline_;
        bool cut_ = false;
        std::list<Guard*>::iterator place_;
        std::optional<std::stop_callback<Hurry>> on_stop_;
    };

private:
    void run(std::stop_token stop);

    mutable std::mutex mutex_;
    std::condition_variable_any moved_;
    std::list<Guard*> armed_;
    std::uint64_t version_ = 0;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::ghl
