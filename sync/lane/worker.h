// Delivers envelopes, one at a time: lease, ask before each request, settle and lease the next. Several run side by
// side.
//   Errors:  a lost connection to clinicd abandons the lease, which is clinicd's again at once.
//   Threads: one worker a thread; `run` returns soon after a stop request.
//   Source:  design, "From a message to GHL", step 4.
#pragma once

#include <chrono>
#include <filesystem>
#include <stop_token>

#include "crypto/base/vitals.h"
#include "sync/lane/channel.h"
#include "sync/lane/egress_client.h"
#include "sync/lane/lane.h"
#include "sync/lane/rate_budget.h"
#include "sync/trace/span_queue.h"

namespace clinic::lane {

struct WorkerOptions {
    std::filesystem::path egress;
    envelope::Destination destination = envelope::Destination::crm;
    std::chrono::milliseconds lease_wait{10'000}; // how long clinicd may hold the question
    std::chrono::milliseconds reply_wait{10'000}; // for any other reply
    std::chrono::milliseconds empty_pause{200};   // clinicd said "nothing" without waiting
    RateBudget* budget = nullptr;                 // asked before each lease; null: leases are taken as they come
    base::Pulse pulse = {};                       // before each question and each request; rests while the lane is shut
    trace::SpanQueue* spans = nullptr;            // null: nobody traces
};

// The write rules, whether the lane is open, then clinicd's last check.
class EgressGate final : public Gate {
public:
    // `lane` null: not asked (the probe of a closed lane).
    EgressGate(EgressClient& client, const envelope::WriteRules& rules, const Lane* lane,
               std::chrono::milliseconds wait, std::stop_token stop, const base::Pulse& pulse)
        : client_{client}, rules_{rules}, lane_{lane}, wait_{wait}, stop_{std::move(stop)}, pulse_{pulse} {}
    Result<envelope::Verdict> ask(const envelope::Attempt& attempt) override;

private:
    EgressClient& client_;
    const envelope::WriteRules& rules_;
    const Lane* lane_;
    std::chrono::milliseconds wait_;
    std::stop_token stop_;
    const base::Pulse& pulse_;
};

class Worker {
public:
    Worker(WorkerOptions options, const envelope::WriteRules& rules, Lane& lane, Channel& channel);
    void run(std::stop_token stop);
    // One lease and those that follow it at once, or none; for tests too.
    Result<void> turn(std::stop_token stop);

private:
    Result<envelope::Lease> deliver(const envelope::Lease& lease, std::stop_token stop);
    Result<envelope::Lease> settle(const envelope::Settle& outcome);
    bool has_room() const;

    WorkerOptions options_;
    const envelope::WriteRules& rules_;
    Lane& lane_;
    Channel& channel_;
    EgressClient client_;
    Backoff backoff_;
};

} // namespace clinic::lane
