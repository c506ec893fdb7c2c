// Sees within seconds that the far side has gone silent, without asking it anything.
//   A call that waits for its answer longer than `patience` is said at once, while it goes on. While somebody looks at
//   the page and no call is under way, a connection is made each `period` and its handshake waited for.
//   Threads: `run` in one of its own.
//   Source:  docs/ghl.md, "Silence".
#pragma once

#include <stop_token>

#include "crypto/base/vitals.h"
#include "sync/lane/board.h"
#include "sync/lane/channel.h"
#include "sync/lane/lane.h"

namespace clinic::lane {

struct LookoutTimes {
    base::Micros patience = std::chrono::seconds{3};
    base::Micros look = std::chrono::milliseconds{250};    // between two looks at the calls under way
    base::Micros period = std::chrono::milliseconds{1500}; // from the end of one greeting to the next
};

class Lookout {
public:
    Lookout(Lane& lane, const Board& board, Reach& reach, const Clock& clock, LookoutTimes times = {},
            base::Pulse pulse = {});
    void run(std::stop_token stop);

private:
    void greet(std::stop_token stop);

    Lane& lane_;
    const Board& board_;
    Reach& reach_;
    const Clock& clock_;
    const LookoutTimes times_;
    const base::Pulse pulse_;
    bool was_out_ = false; // the last greeting was not answered
};

} // namespace clinic::lane
