// The two threads that keep a lane honest: one probes it, one tells clinicd how the lanes and the clock are.
//   Threads: each `run` in its own, with a connection of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>

#include "crypto/base/vitals.h"
#include "sync/lane/board.h"
#include "sync/lane/channel.h"
#include "sync/lane/egress_client.h"
#include "sync/lane/lane.h"

namespace clinic::lane {

// At the start, when the lane is closed, and now and then while it is open.
class Prober {
public:
    Prober(std::filesystem::path egress, const envelope::WriteRules& rules, Lane& lane, Channel& channel,
           base::Pulse pulse = {},             // rests until a probe is due
           std::function<void()> probed = {}); // after each probe, on this thread
    void run(std::stop_token stop);
    Result<void> probe(std::stop_token stop); // one, whether it is due or not; for tests too

private:
    const envelope::WriteRules& rules_;
    Lane& lane_;
    Channel& channel_;
    const base::Pulse pulse_;
    const std::function<void()> probed_;
    EgressClient client_;
};

struct ReportTimes {
    base::Micros period = std::chrono::seconds{1};         // also the sign of life that clinicd listens for
    base::Micros spacing = std::chrono::milliseconds{100}; // changes closer together are one report
};

class Reporter {
public:
    Reporter(std::filesystem::path egress, Board& board, ReportTimes times = {}, base::Pulse pulse = {});
    void run(std::stop_token stop);

private:
    Result<void> report(std::stop_token stop);

    Board& board_;
    const ReportTimes times_;
    const base::Pulse pulse_;
    EgressClient client_;
};

} // namespace clinic::lane
