#include "daemon/egress/measures.h"

#include <algorithm>
#include <string_view>

namespace clinic::egress {
namespace {

using std::chrono::steady_clock;

constexpr std::array<Literal, Measures::verdicts> verdict_labels{R"(answer="go")", R"(answer="hold")", R"(answer="no")",
                                                                 R"(answer="dry")"};
constexpr std::array<Literal, Measures::endings> request_labels{R"(result="not_sent")", R"(result="answered")",
                                                                R"(result="unknown")"};
constexpr std::array<Literal, Measures::endings> lease_labels{R"(outcome="delivered")", R"(outcome="retry")",
                                                              R"(outcome="dead")"};
constexpr std::array<Literal, Measures::statuses> status_labels{
    R"(status="1xx")", R"(status="2xx")", R"(status="3xx")", R"(status="4xx")", R"(status="5xx")", R"(status="429")"};

// Codes of a settlement, those of GHL's answers by their first figure; the last one stands for all others.
constexpr std::array<std::string_view, Measures::reasons> reason_codes{
    "throttled", "rate_budget", "unauthorized", "scope",  "forbidden", "offline",
    "timeout",   "duplicate",   "no_contact",   "http_4", "http_5",    ""};
constexpr std::array<Literal, Measures::reasons> reason_labels{
    R"(reason="throttled")",  R"(reason="rate_budget")", R"(reason="unauthorized")", R"(reason="scope")",
    R"(reason="forbidden")",  R"(reason="offline")",     R"(reason="timeout")",      R"(reason="duplicate")",
    R"(reason="no_contact")", R"(reason="http_4xx")",    R"(reason="http_5xx")",     R"(reason="other")"};

constexpr std::array<std::int64_t, Measures::buckets> bounds_s{1, 5, 15, 60, 300, 1'800, 3'600, 86'400, INT64_MAX};
constexpr std::array<Literal, Measures::buckets> bound_labels{R"(le="1")",    R"(le="5")",     R"(le="15")",
                                                              R"(le="60")",   R"(le="300")",   R"(le="1800")",
                                                              R"(le="3600")", R"(le="86400")", R"(le="+Inf")"};

std::size_t reason_of(std::string_view code) {
    const auto found = std::ranges::find_if(reason_codes, [&](auto one) { return code.starts_with(one); });
    return static_cast<std::size_t>(found - reason_codes.begin());
}

std::size_t status_of(int status) {
    constexpr std::size_t throttled = 5;
    return status == 429 ? throttled : static_cast<std::size_t>(std::clamp(status / 100, 1, 5) - 1);
}

template <std::size_t count>
void put(std::vector<health::Measure>& all, Literal name, Literal help, const std::array<Literal, count>& labels,
         const std::array<std::atomic<std::int64_t>, count>& counts, Literal type = "counter") {
    for (std::size_t i = 0; i < count; ++i) all.push_back({name, type, help, counts[i], labels[i]});
}

} // namespace

void Measures::leased(const envelope::Lease& lease) {
    if (!lease.trace.empty()) out_[lease.lease] = {steady_clock::now(), std::chrono::milliseconds{lease.queued_ms}};
}

void Measures::judged(const envelope::Verdict& verdict) {
    ++verdicts_.at(static_cast<std::size_t>(verdict.answer));
}

void Measures::settled(const envelope::Settle& outcome) {
    for (const auto& step : outcome.steps) {
        ++requests_.at(static_cast<std::size_t>(step.result));
        if (step.result == envelope::StepOutcome::Result::answered) ++statuses_.at(status_of(step.status));
    }
    if (outcome.lease == 0) return;
    ++leases_.at(static_cast<std::size_t>(outcome.outcome));
    if (outcome.outcome == envelope::Outcome::delivered)
        delivered(outcome.lease);
    else
        ++reasons_.at(reason_of(outcome.code));
    given_back(outcome.lease);
}

void Measures::delivered(std::int64_t lease) {
    const auto out = out_.find(lease);
    if (out == out_.end()) return;
    const auto took =
        std::chrono::duration_cast<base::Micros>(steady_clock::now() - out->second.at) + out->second.waited;
    for (std::size_t i = 0; i < buckets; ++i)
        if (took.count() / 1'000'000 < bounds_s.at(i)) ++delivered_.at(i);
    delivered_micros_ += took.count();
}

std::vector<health::Measure> Measures::numbers() const {
    std::vector<health::Measure> all;
    put(all, "clinic_egress_verdicts_total", "What was answered before the first byte of a request.", verdict_labels,
        verdicts_);
    put(all, "clinic_ghl_requests_total", "Requests to GHL by what became of them.", request_labels, requests_);
    put(all, "clinic_ghl_answers_total", "GHL's answers by their status; 429 apart.", status_labels, statuses_);
    put(all, "clinic_egress_settled_total", "Leases by how they ended.", lease_labels, leases_);
    put(all, "clinic_egress_refusals_total", "Leases that ended otherwise than delivered, by why.", reason_labels,
        reasons_);
    constexpr Literal name = "clinic_delivery_seconds";
    constexpr Literal help = "From the release of a change to GHL's answer.";
    put(all, name, help, bound_labels, delivered_, "histogram");
    all.push_back({name, "histogram", help, delivered_micros_, "sum"});
    all.push_back({name, "histogram", help, delivered_.back(), "count"});
    return all;
}

} // namespace clinic::egress
