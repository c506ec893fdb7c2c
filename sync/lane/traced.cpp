#include "sync/lane/traced.h"

#include <algorithm>
#include <optional>

namespace clinic::lane {
namespace {

using std::chrono::steady_clock;

// Moments of the monotonic clock as the wall clock shows them now.
class Wall {
public:
    explicit Wall(const Clock& clock) : now_{clock.now()}, steady_{steady_clock::now()} {}
    Timestamp operator()(steady_clock::time_point at) const {
        return now_ - std::chrono::duration_cast<base::Micros>(steady_ - at);
    }
    Timestamp now() const { return now_; }

private:
    Timestamp now_;
    steady_clock::time_point steady_;
};

int status_of(const Delivery& delivery, std::int64_t attempt) {
    const auto found = std::ranges::find(delivery.settle.steps, attempt, &envelope::StepOutcome::attempt);
    return found == delivery.settle.steps.end() ? 0 : found->status;
}

// What the lease took out, and since when it waited.
struct Change {
    const std::string& trace;
    std::int64_t queued_ms;
    std::optional<std::int64_t> heard_us;
    envelope::Kind kind;
};

// What several changes came from has one span, however many leases take them out and however often.
trace::Span message(const Change& of, Timestamp queued) {
    return {.trace = of.trace,
            .span = trace::root_span(of.trace),
            .name = "message",
            .once = true,
            .start = queued - base::Micros{*of.heard_us},
            .end = queued};
}

void note_change(trace::SpanQueue& spans, const Change& of, const envelope::Lease& lease, const Delivery& delivery,
                 steady_clock::time_point began) {
    if (of.trace.empty()) return;
    const Wall wall{spans.clock()};
    const bool failed = delivery.abandoned || delivery.settle.outcome != envelope::Outcome::delivered;
    const auto change = trace::random_span(), under_way = trace::random_span();
    const Timestamp queued = wall(began) - std::chrono::milliseconds{of.queued_ms};
    std::vector<trace::Span> all;
    if (of.heard_us) all.push_back(message(of, queued));
    all.push_back({.trace = of.trace,
                   .span = change,
                   .parent = of.heard_us ? all.front().span : 0,
                   .name = "change",
                   .start = queued,
                   .end = wall.now(),
                   .failed = failed,
                   .words = {{Literal{"clinic.kind"}, envelope::name(of.kind)}}});
    all.push_back({.trace = of.trace,
                   .span = under_way,
                   .parent = change,
                   .name = "delivery",
                   .start = wall(began),
                   .end = wall.now(),
                   .failed = failed,
                   .numbers = {{Literal{"clinic.lease"}, lease.lease}, {Literal{"clinic.tries"}, lease.tries}},
                   .words = {{Literal{"clinic.code"}, delivery.settle.code}}});
    for (const auto& call : delivery.calls) {
        const int status = status_of(delivery, call.attempt);
        all.push_back(
            {.trace = of.trace,
             .span = trace::random_span(),
             .parent = under_way,
             .name = "ghl request",
             .leaves_the_box = true,
             .start = wall(call.began),
             .end = wall(call.ended),
             .failed = status / 100 != 2,
             .numbers = {{Literal{"clinic.attempt"}, call.attempt}, {Literal{"http.response.status_code"}, status}},
             .words = {{Literal{"clinic.route"}, envelope::name(call.route)}}});
    }
    spans.add(std::move(all));
}

} // namespace

void note_delivery(trace::SpanQueue& spans, const envelope::Lease& lease, const Delivery& delivery,
                   steady_clock::time_point began) {
    if (!lease.envelope) return;
    note_change(spans, {lease.trace, lease.queued_ms, lease.heard_us, lease.envelope->kind()}, lease, delivery, began);
    if (lease.also)
        note_change(spans, {lease.also_trace, lease.also_queued_ms, lease.also_heard_us, lease.also->kind()}, lease,
                    delivery, began);
}

} // namespace clinic::lane
