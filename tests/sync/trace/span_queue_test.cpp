#include "sync/trace/span_queue.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sync/lane/traced.h"
#include "tests/fakes/manual_clock.h"
#include "tests/sync/channel/ghl/leases.h"

namespace clinic::trace {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr const char* trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";

struct Spans : testing::Test {
    std::vector<Span> taken(std::size_t count_max = spans_max) { return spans.take(count_max, {}, {}); }
    static std::vector<Span> some(std::size_t count) {
        std::vector<Span> all;
        for (std::size_t i = 0; i < count; ++i) all.push_back({.trace = trace_id, .span = i + 1});
        return all;
    }
    fakes::ManualClock clock;
    SpanQueue spans{clock};
};

TEST_F(Spans, AreTakenInTheirOrderAsManyAsAreWanted) {
    spans.add(some(3));
    EXPECT_EQ(taken(2).size(), 2U);
    ASSERT_EQ(taken().size(), 1U);
    EXPECT_TRUE(taken().empty());
    EXPECT_EQ(spans.dropped(), 0);
}

TEST_F(Spans, WithoutRoomAreDroppedAndCounted) {
    spans.add(some(spans_max - 1));
    spans.add(some(2));
    EXPECT_EQ(spans.dropped(), 2);
    EXPECT_EQ(taken().size(), spans_max - 1);
    spans.lost(5);
    EXPECT_EQ(spans.dropped(), 7);
}

TEST_F(Spans, OfADeliveryReachFromItsReleaseToGhlsAnswerAndNameNobody) {
    auto lease = ghl::contact_state({"recall_due"});
    lease.trace = trace_id;
    lease.queued_ms = 1'500;
    const auto now = std::chrono::steady_clock::now();
    lane::Delivery delivery;
    delivery.settle.steps = {{.attempt = 41, .result = envelope::StepOutcome::Result::answered, .status = 422}};
    delivery.settle.outcome = envelope::Outcome::retry;
    delivery.settle.code = "http_422";
    delivery.settle.contact = "contactOfSomebody";
    delivery.calls = {{41, envelope::Route::contact_fields, now - milliseconds{20}, now - milliseconds{5}}};
    lane::note_delivery(spans, lease, delivery, now - milliseconds{30});

    const auto all = taken();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].parent, 0U);
    EXPECT_EQ(all[1].parent, all[0].span);
    EXPECT_EQ(all[2].parent, all[1].span);
    EXPECT_TRUE(all[2].leaves_the_box && all[2].failed);
    EXPECT_EQ(all[1].start - all[0].start, base::Micros{milliseconds{1'500}});
    EXPECT_EQ(all[2].end - all[2].start, base::Micros{milliseconds{15}});

    const std::string text = to_otlp(all, "box-1");
    const auto scope = json::parse(text).at("resourceSpans").at(0).at("scopeSpans").at(0);
    const auto& request = scope.at("spans").at(2);
    EXPECT_EQ(request.at("traceId"), trace_id);
    EXPECT_EQ(request.at("parentSpanId"), scope.at("spans").at(1).at("spanId"));
    EXPECT_EQ(request.at("kind"), 3);
    EXPECT_EQ(request.at("status").at("code"), 2);
    EXPECT_EQ(request.at("startTimeUnixNano").get<std::string>().size(), 19U);
    for (const std::string& secret : {std::string{lease.envelope->text(envelope::Field::pid)}, lease.contact,
                                      std::string{"contactOfSomebody"}, std::string{"recall"}})
        EXPECT_EQ(text.find("\"" + secret), std::string::npos) << secret;
}

TEST_F(Spans, OfALeaseThatTookOutTwoChangesAreInTheTraceOfEach) {
    auto lease = ghl::both_states({});
    lease.trace = trace_id;
    lane::note_delivery(spans, lease, {}, std::chrono::steady_clock::now());
    EXPECT_EQ(taken().size(), 2U) << "one change brought both";
    lease.also_trace = std::string{"00f067aa0ba902b7a3ce929d0e0e4736"};
    lane::note_delivery(spans, lease, {}, std::chrono::steady_clock::now());
    const auto all = taken();
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all[0].trace, trace_id);
    EXPECT_EQ(all[2].trace, lease.also_trace);
    EXPECT_EQ(all[3].parent, all[2].span);
}

TEST_F(Spans, OfALeaseWithoutATraceThereAreNone) {
    lane::note_delivery(spans, ghl::contact_state({}), {}, std::chrono::steady_clock::now());
    EXPECT_TRUE(taken().empty());
}

} // namespace
} // namespace clinic::trace
