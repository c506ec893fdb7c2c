// Names to addresses, in bounded time: the system's resolver has no time limit, so it gets a thread of its own.
//   Bounds:  one look-up at a time, 8 addresses, remembered for a minute.
//   Errors:  offline (no such name, or nobody to ask: `native` is EAI_…), timeout.
//   Threads: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::ghl {

class Resolver {
public:
    Resolver(std::string host, std::uint16_t port);
    // Each "address:port" or "[address]:port", in the order to try.
    Result<std::vector<std::string>> resolve(std::chrono::milliseconds wait, std::stop_token stop);

private:
    struct Lookup;
    std::string host_;
    std::uint16_t port_;
    std::mutex mutex_;
    std::shared_ptr<Lookup> running_; // its thread may outlive us
    std::vector<std::string> known_;
    std::chrono::steady_clock::time_point known_at_{};
};

} // namespace clinic::ghl
