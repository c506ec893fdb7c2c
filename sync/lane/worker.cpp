#include "sync/lane/worker.h"

#include <algorithm>

#include "crypto/base/log.h"
#include "sync/lane/traced.h"
#include "sync/lane/wait.h"

namespace clinic::lane {
namespace {

constexpr std::chrono::milliseconds settle_wait{3'000}; // also while stopping
constexpr std::chrono::milliseconds refused_pause{1'000};
constexpr std::chrono::milliseconds part_wait{
    1'000}; // for a lease of a part: until what else may go is looked at again
constexpr base::Micros budget_look = std::chrono::seconds{1};

// The lease's number leads on: to its ledger lines, to its dead letter, and to its trace.
void log_failure(const envelope::Lease& lease, const Delivery& delivery) {
    const int status = delivery.settle.steps.empty() ? 0 : delivery.settle.steps.back().status;
    base::log(base::Level::info, "lane", "a delivery came to nothing for now",
              {{"lease", lease.lease},
               {"attempt", delivery.settle.steps.empty() ? 0 : delivery.settle.steps.back().attempt},
               {"status", status},
               {"tries", lease.tries},
               {"retry_ms", delivery.settle.retry_after_ms}});
}

} // namespace

Result<envelope::Verdict> EgressGate::ask(const envelope::Attempt& attempt) {
    pulse_.beat();
    CLINIC_TRY(envelope::check_request(rules_, attempt.route, attempt.path, attempt.body));
    if (lane_ != nullptr && !lane_->up()) return Error{Errc::throttled, "the lane closed meanwhile"};
    auto verdict = client_.ask_for<envelope::Verdict>(attempt, wait_, stop_);
    pulse_.beat();
    // A refused frame leaves the connection, but it is no verdict: the lease is given back by closing.
    if (!verdict) {
        client_.close();
        return Error{Errc::offline, "clinicd gives no verdict"};
    }
    return verdict;
}

Worker::Worker(WorkerOptions options, const envelope::WriteRules& rules, Lane& lane, Channel& channel)
    : options_{std::move(options)}, rules_{rules}, lane_{lane}, channel_{channel}, client_{options_.egress},
      backoff_{{.cap = std::chrono::seconds{5}}} {}

void Worker::run(std::stop_token stop) {
    auto logged = Errc::offline; // clinicd being away is told elsewhere
    for (;;) {
        options_.pulse.rest();
        if (!lane_.wait_up(stop)) return;
        options_.pulse.beat();
        if (auto turned = turn(stop); turned) {
            backoff_.reset();
            logged = Errc::offline;
        } else if (!stop.stop_requested()) {
            // Closed records refuse each question, for hours: a line of log when it begins.
            if (turned.error().code != Errc::offline && turned.error().code != logged)
                base::log(base::Level::warning, "lane", turned.error());
            logged = turned.error().code;
            sleep_for(stop, turned.error().code == Errc::refused ? base::Micros{refused_pause} : backoff_.next());
        }
    }
}

// No lease is held while the far side's limits are waited out: whose turn it is then is asked then.
Result<void> Worker::turn(std::stop_token stop) {
    const auto room = options_.budget != nullptr ? options_.budget->room() : RateBudget::Room{};
    if (room.wait.count() > 0) {
        sleep_for(stop, std::min(room.wait, budget_look)); // no event tells of it
        return {};
    }
    if (!client_.connected()) CLINIC_TRY(client_.connect());
    const auto asked_at = std::chrono::steady_clock::now();
    const auto wait =
        room.least == envelope::Least::any ? options_.lease_wait : std::min(options_.lease_wait, part_wait);
    const envelope::LeaseRequest request{options_.destination, static_cast<int>(wait.count()), room.least};
    auto lease = client_.ask_for<envelope::Lease>(request, options_.lease_wait + options_.reply_wait, stop);
    if (!lease) return lease.error();
    if (lease->lease == 0) {
        const auto pause = options_.empty_pause;
        if (std::chrono::steady_clock::now() - asked_at < pause) sleep_for(stop, pause);
        return {};
    }
    while (lease && lease->lease != 0) lease = deliver(*lease, stop);
    return lease ? Result<void>{} : lease.error();
}

// Answers the lease that follows; an empty one where none is due, or none may be taken now.
Result<envelope::Lease> Worker::deliver(const envelope::Lease& lease, std::stop_token stop) {
    EgressGate gate{client_, rules_, &lane_, options_.reply_wait, stop, options_.pulse};
    const auto began = std::chrono::steady_clock::now();
    auto delivery = channel_.deliver(lease, gate, stop);
    options_.pulse.beat();
    if (options_.spans != nullptr) note_delivery(*options_.spans, lease, delivery, began);
    if (delivery.abandoned || delivery.settle.outcome != envelope::Outcome::delivered) log_failure(lease, delivery);
    if (delivery.fault) lane_.fault(*delivery.fault);
    if (delivery.abandoned) {
        client_.close();
        return Error{Errc::offline, "a lease was abandoned"};
    }
    const bool goes_on = lane_.up() && !stop.stop_requested() && has_room();
    if (goes_on) delivery.settle.next = options_.destination;
    auto next = goes_on ? client_.ask_for<envelope::Lease>(delivery.settle, settle_wait) : settle(delivery.settle);
    if (!next) {
        client_.close(); // unsettled: clinicd releases it and looks up first
        return next;
    }
    if (delivery.settle.outcome == envelope::Outcome::delivered) lane_.delivered();
    backoff_.reset();
    return next;
}

bool Worker::has_room() const {
    if (options_.budget == nullptr) return true;
    const auto room = options_.budget->room();
    return room.wait.count() == 0 && room.least == envelope::Least::any;
}

Result<envelope::Lease> Worker::settle(const envelope::Settle& outcome) {
    CLINIC_TRY(client_.ask_for<envelope::Settled>(outcome, settle_wait));
    return envelope::Lease{};
}

} // namespace clinic::lane
