#include "sync/channel/ghl/conversation.h"

#include <algorithm>
#include <utility>

#include "sync/lane/backoff.h"
#include "sync/lane/wait.h"

namespace clinic::ghl {
namespace {

using envelope::Outcome;
using envelope::StepOutcome;

constexpr base::Micros retry_after_max = std::chrono::hours{24}; // of a Settle frame
constexpr int throttled_status = 429;
constexpr base::Micros look_floor = std::chrono::milliseconds{500};
constexpr base::Micros against_floor = std::chrono::seconds{1}; // a refused body is not sent again at once

StepOutcome::Result step_result(Exchange::Result result) {
    switch (result) {
    case Exchange::Result::not_sent: return StepOutcome::Result::not_sent;
    case Exchange::Result::answered: return StepOutcome::Result::answered;
    case Exchange::Result::unknown: break;
    }
    return StepOutcome::Result::unknown;
}

} // namespace

Conversation::Conversation(const Means& means, const envelope::Lease& lease, lane::Priority priority,
                           GhlClient::Marker marker, std::stop_token stop)
    : means_{means}, lease_{lease}, priority_{priority}, marker_{std::move(marker)}, stop_{std::move(stop)} {
    delivery_.settle.lease = lease.lease;
}

base::Micros Conversation::backoff() const {
    return lane::full_jitter(means_.times.retry_base, means_.times.retry_cap, lease_.tries);
}

lane::Delivery Conversation::delivered() {
    delivery_.settle.outcome = Outcome::delivered;
    delivery_.settle.code.clear(); // of a read-back that was not answered
    delivery_.settle.retry_after_ms = 0;
    delivery_.settle.counts_against = false;
    return delivery_;
}

lane::Delivery Conversation::retry(std::string code, base::Micros after) {
    delivery_.settle.outcome = Outcome::retry;
    delivery_.settle.code = std::move(code);
    delivery_.settle.counts_against = false;
    delivery_.settle.retry_after_ms =
        static_cast<int>(std::clamp(after, base::Micros{0}, retry_after_max).count() / 1'000);
    return delivery_;
}

lane::Delivery Conversation::against(std::string code) {
    retry(std::move(code), std::max(against_floor, backoff()));
    delivery_.settle.counts_against = true;
    return delivery_;
}

lane::Delivery Conversation::look_again() {
    return retry("look_up_wait",
                 std::min(std::max(backoff(), look_floor), base::Micros{std::chrono::milliseconds{lease_.unsure_ms}}));
}

// False: over. A short wait for the budget is waited out, with the lease in hand.
bool Conversation::budget() {
    for (;;) {
        if (stop_.stop_requested()) return retry("stopping", {}), false;
        const auto wait = means_.budget.take(priority_);
        if (wait.count() == 0) return true;
        if (wait > means_.times.budget_wait_max) return retry("rate_budget", wait), false;
        lane::sleep_for(stop_, wait); // until GHL's window has room: no event tells of it
    }
}

// With the ledger line to send under; nothing: over.
std::optional<envelope::Verdict> Conversation::verdict(const Call& call) {
    const auto said = means_.gate.ask({lease_.lease, call.route, call.path, call.body});
    dry_ = said && said->answer == envelope::Answer::dry;
    if (said && (dry_ || said->answer == envelope::Answer::go)) return *said;
    if (said && said->answer == envelope::Answer::hold) {
        retry(said->code, means_.times.hold);
    } else if (said) {
        // clinicd has already decided what becomes of the row; this closes the lease.
        retry(said->code, means_.times.hold);
        delivery_.settle.outcome = Outcome::dead;
        delivery_.settle.retry_after_ms = 0;
    } else if (said.error().code == Errc::refused) {
        against("write_set");
    } else if (said.error().code == Errc::throttled) {
        retry("lane_closed", backoff());
    } else {
        delivery_.abandoned = true;
    }
    return std::nullopt;
}

void Conversation::note(std::int64_t attempt, const Exchange& exchange) {
    delivery_.settle.steps.push_back({attempt, step_result(exchange.result), exchange.status});
    auto hints = exchange.rate;
    hints.refused = exchange.status == throttled_status;
    hints.retry_after = exchange.retry_after;
    means_.budget.learn(hints);
}

// What is optional closes the lane for nobody else: a scope or a calendar that the key does not have, or one contact
// with a longer list than an answer may be.
bool Conversation::over_for_itself(const std::string& code) {
    if (!lease_.envelope || !envelope::is_beside(lease_.envelope->kind())) return false;
    if (code == "too_long") return against(code), true;
    if (code == "scope" || code == "forbidden") return retry(code, means_.times.pipeline_wait), true;
    return false;
}

// What the answer means for this envelope and for the lane.
bool Conversation::over(const Exchange& exchange) {
    const auto judged = judge(exchange);
    absent_ = judged.meaning == Meaning::about_body &&
              (exchange.status == 404 || exchange.status == 410 || (exchange.status == 400 && exchange.answer.absent));
    switch (judged.meaning) {
    case Meaning::ok:
    case Meaning::duplicate: return false;
    case Meaning::about_body: against(judged.code); return true;
    case Meaning::passing:
    case Meaning::denied: break;
    }
    if (over_for_itself(judged.code)) return true;
    const bool denied = judged.meaning == Meaning::denied;
    // A call that our own stop cut off says nothing about the lane.
    const auto not_before = std::max(exchange.retry_after, means_.budget.closed_for()); // the probe waits for it too
    if (!stop_.stop_requested())
        delivery_.fault = {denied ? envelope::LaneState::down : envelope::LaneState::paused, judged.code, not_before,
                           judged.code.starts_with("http_")};
    retry(judged.code, std::max(backoff(), not_before));
    return true;
}

std::optional<Exchange> Conversation::ask(const Call& wanted) {
    const Call call = means_.client.spoken(wanted);
    if (!budget()) return std::nullopt;
    const auto begun_by = std::chrono::steady_clock::now() + means_.times.go_life;
    const auto said = verdict(call);
    if (!said) return std::nullopt;
    if (dry_) {
        Exchange none;
        none.dry = true;
        note(said->attempt, none);
        return none;
    }
    const auto began = std::chrono::steady_clock::now();
    auto exchange = means_.client.send(call, marker_, stop_, begun_by);
    delivery_.calls.push_back({said->attempt, call.route, began, std::chrono::steady_clock::now()});
    note(said->attempt, exchange);
    another_token_ = exchange.another_token;
    if (over(exchange)) return std::nullopt;
    return exchange;
}

std::optional<Exchange> Conversation::ask_with_another_token(const Call& wanted) {
    if (!std::exchange(another_token_, false)) return std::nullopt;
    delivery_.fault.reset();
    delivery_.settle = {.lease = lease_.lease, .contact = "", .steps = std::move(delivery_.settle.steps)};
    return ask(wanted);
}

} // namespace clinic::ghl
