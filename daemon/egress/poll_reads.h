// The polling's reads in the ledger: a line of each route and day, which counts them. It is durable before the first
// of them leaves; the others are counted here, and written down each half hour and at the end. A line for each would
// be most of what an idle box writes.
//   Bounds:  a line a route and day, and each until its last answer is written down.
//   Power:   a cut takes what was counted and not yet written: the line says until when it is complete.
//   Threads: the store's writer thread.
//   Source:  docs/ledger.md, "The reads of the polling".
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "daemon/outbox/outbox.h"

namespace clinic::egress {

class PollReads {
public:
    // The number of the line that it is counted in. `dry`: it is not sent.
    Result<std::int64_t> open(records::Transaction& txn, const envelope::Attempt& attempt, bool dry);
    bool close(const envelope::StepOutcome& outcome); // false: of none of these lines
    Result<void> write(records::Transaction& txn);    // what is not written yet

private:
    struct Line {
        std::int64_t number = 0;
        envelope::Route route{};
        std::chrono::sys_days day; // in the clinic's zone
        crypto::Digest digest{};
        Timestamp last{};
        std::int64_t requests = 1, under_way = 1;
        std::map<std::string, std::int64_t> ended; // "answered 200"
        envelope::StepOutcome newest{};            // of those that ended
        std::uint64_t counted = 0, written = 0;    // changes
    };
    void count(Line& line, const crypto::Digest& digest, Timestamp at, bool dry);
    void forget_what_is_over(std::chrono::sys_days day);

    std::vector<Line> lines_;
};

} // namespace clinic::egress
