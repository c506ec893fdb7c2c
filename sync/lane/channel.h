// The two seams of a delivery: what carries an envelope out, and what must be asked before each request.
//   Threads: one Gate a worker; a Channel is called by all workers at once.
//   Source:  design, "From a message to GHL", steps 4 and 5; "What kills an envelope".
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "sync/envelope/frame.h"

namespace clinic::lane {

// Why the lane cannot go on, whatever the envelope: it pauses and probes; no envelope dies of it.
struct Fault {
    envelope::LaneState state = envelope::LaneState::paused; // paused: passes by itself; down: needs someone
    std::string code;                                        // ^[a-z0-9_]{0,32}$
    base::Micros not_before{};                               // Retry-After
    bool may_be_the_request{}; // an answer of its server that one request alone may have caused: several in a row count
    bool reads_go_on{};        // nothing can be written, and what is read is as good as ever
};

class Gate {
public:
    virtual ~Gate() = default;
    // The write rules here, then clinicd's last check. Errors: refused (a write rule is broken), throttled (the lane
    // is not open), anything else (clinicd is not there: the lease is lost).
    virtual Result<envelope::Verdict> ask(const envelope::Attempt& attempt) = 0;
};

// When a request was sent and its end was known.
struct CallTime {
    std::int64_t attempt = 0;
    envelope::Route route{};
    std::chrono::steady_clock::time_point began, ended;
};

struct Delivery {
    envelope::Settle settle;
    std::vector<CallTime> calls;
    std::optional<Fault> fault;
    bool abandoned = false; // clinicd went away: nothing to settle, it has the lease back
};

class Channel {
public:
    virtual ~Channel() = default;
    virtual Delivery deliver(const envelope::Lease& lease, Gate& gate, std::stop_token stop) = 0;
    // A read that serves no envelope: is the far side there, and does it take our credential?
    virtual Delivery probe(Gate& gate, std::stop_token stop) = 0;
};

// Is the far side there? Asked without a request, so that it costs nothing of its budget.
//   Threads: any.
class Reach {
public:
    virtual ~Reach() = default;
    virtual base::Micros unanswered() const = 0; // how long the oldest call under way has waited; zero: there is none
    virtual std::optional<Fault> greet(std::stop_token stop) = 0; // a connection of its own, verified, and no request
};

} // namespace clinic::lane
