// Where clinicctl asks clinic-syncd how its ways out are: a UNIX socket of its own, one question and one answer each.
//   Bounds:  one question at a time; an answer within some 8 s, of the location within the time of its requests; GHL's
//   lane is probed for it once in 5 s at the most. Errors:  a socket that cannot be made is logged: nothing else
//   depends on it. Threads: one of its own and, while it answers, two more. No delivery waits for any of them: what a
//   lane says comes from
//            the board, and GHL is asked by the lane's own prober, within its own rate.
//   Source:  docs/syncd.md, "Asked how its ways are".
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "crypto/base/clock.h"
#include "crypto/base/owned.h"
#include "crypto/base/vitals.h"
#include "sync/diagnose/said/grant_said.h"
#include "sync/diagnose/said/location_said.h"
#include "sync/diagnose/ways.h"
#include "sync/lane/board.h"

namespace clinic::diagnose {

struct DeskOptions {
    std::filesystem::path socket;
    std::optional<Far> ghl, mqtt; // what is configured
    Bounds bounds;
    base::Micros verdict_max = std::chrono::seconds{7};   // for a probe of GHL's lane
    base::Micros probe_spacing = std::chrono::seconds{5}; // between two
};

class Desk {
public:
    // Has GHL's lane probed and waits so long for its verdict; false: there was none.
    using Probe = std::function<bool(base::Micros span, std::stop_token stop)>;

    // How GHL lets us in; with a code, after it was given to GHL.
    using Grant = std::function<GrantSaid(const GrantQuestion& asked, const std::stop_token& stop)>;

    // What GHL's location has; with true, once the fields of ours that were missing are made.
    using Location = std::function<LocationSaid(bool make, const std::stop_token& stop)>;

    Desk(DeskOptions options, const lane::Board& board, const Clock& clock, Probe probe, Grant grant = {},
         Location location = {});

    Result<void> open(); // before `run`; what lies at that path goes
    void run(std::stop_token stop);

private:
    void serve(int caller, const std::stop_token& stop);
    Said look(const std::stop_token& stop);
    bool verdict(const std::stop_token& stop);

    const DeskOptions options_;
    const lane::Board& board_;
    const Clock& clock_;
    const Probe probe_;
    const Grant grant_;
    const Location location_;
    base::UniqueFd listener_;
    std::optional<base::Micros> probed_at_;
    bool last_verdict_ = false;
};

} // namespace clinic::diagnose
