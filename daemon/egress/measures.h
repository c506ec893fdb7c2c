// What egress.sock counts since the start, for /metrics: verdicts, what became of leases and requests, why not, and how
// long a change took from its release to GHL's answer.
//   Threads: counting on the server's own; `numbers` from any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "daemon/health/health.h"
#include "sync/envelope/frame.h"

namespace clinic::egress {

class Measures {
public:
    void leased(const envelope::Lease& lease); // handed out
    void judged(const envelope::Verdict& verdict);
    void settled(const envelope::Settle& outcome); // by who holds the lease
    void given_back(std::int64_t lease) { out_.erase(lease); }

    std::vector<health::Measure> numbers() const;

    static constexpr std::size_t verdicts = 4, endings = 3, statuses = 6, reasons = 12, buckets = 9;

private:
    using Count = std::atomic<std::int64_t>;
    void delivered(std::int64_t lease);

    std::array<Count, verdicts> verdicts_{};
    std::array<Count, endings> requests_{}, leases_{};
    std::array<Count, statuses> statuses_{};
    std::array<Count, reasons> reasons_{};
    std::array<Count, buckets> delivered_{}; // each bound holds those below it as well
    Count delivered_micros_{0};
    struct Out {
        std::chrono::steady_clock::time_point at;
        base::Micros waited{};
    };
    std::map<std::int64_t, Out> out_; // leases that somebody holds
};

} // namespace clinic::egress
