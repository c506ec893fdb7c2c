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
    spans.lost(some(5));
    EXPECT_EQ(spans.dropped(), 7);
}

TEST_F(Spans, OfAMessageAreToldOnceAndAgainWhereTheyWereLost) {
    const auto with_root = [](const std::string& of) {
        return std::vector<Span>{{.trace = of, .span = root_span(of), .once = true}, {.trace = of, .span = 5}};
    };
    spans.add(with_root(trace_id));
    spans.add(with_root(trace_id));
    const auto all = taken();
    EXPECT_EQ(all.size(), 3U) << "one message, two changes";
    spans.lost(all);
    spans.add(with_root(trace_id));
    EXPECT_EQ(taken().size(), 2U);

    spans.add(some(spans_max - 1));
    spans.add(with_root(std::string(32, '7')));
    EXPECT_EQ(taken().size(), spans_max - 1);
    spans.add(with_root(std::string(32, '7')));
    EXPECT_EQ(taken().size(), 2U) << "dropped for want of room: not told yet";
}

TEST_F(Spans, RememberTheNewestMessages) {
    const auto root = [](std::uint64_t number) {
        return std::vector<Span>{{.trace = trace_id, .span = number, .once = true}};
    };
    for (std::uint64_t number = 1; number <= roots_max + 1; ++number) {
        spans.add(root(number));
        EXPECT_EQ(taken().size(), 1U);
    }
    spans.add(root(roots_max + 1));
    spans.add(root(2));
    EXPECT_TRUE(taken().empty());
    spans.add(root(1));
    EXPECT_EQ(taken().size(), 1U) << "forgotten: told again, under the same id";
}

TEST(Trace, HasOneRootWhoeverAsks) {
    EXPECT_EQ(root_span(trace_id), 0xa3ce929d0e0e4736U);
    EXPECT_EQ(root_span("00f067aa0ba902b70000000000000000"), 0x00f067aa0ba902b7U);
    EXPECT_EQ(root_span("00000000000000000000000000000001"), 1U);
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

TEST_F(Spans, OfADeliveryReachBackToTheFirstByteOfItsMessage) {
    auto lease = ghl::contact_state({});
    lease.trace = trace_id;
    lease.queued_ms = 1'500;
    lease.heard_us = 12'345;
    lane::note_delivery(spans, lease, {}, std::chrono::steady_clock::now());
    lane::note_delivery(spans, lease, {}, std::chrono::steady_clock::now()); // its other change, or again
    const auto all = taken();
    ASSERT_EQ(all.size(), 5U);
    EXPECT_STREQ(all[0].name.c_str(), "message");
    EXPECT_EQ(all[0].span, root_span(trace_id));
    EXPECT_EQ(all[0].parent, 0U);
    EXPECT_EQ(all[0].end - all[0].start, base::Micros{12'345});
    EXPECT_EQ(all[0].end, all[1].start);
    for (const std::size_t change : {1U, 3U}) {
        EXPECT_STREQ(all[change].name.c_str(), "change");
        EXPECT_EQ(all[change].parent, all[0].span);
        EXPECT_EQ(all[change + 1].parent, all[change].span);
    }
    EXPECT_NE(all[1].span, all[3].span);
    const auto told = json::parse(to_otlp(all, "box-1")).at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
    EXPECT_EQ(told.at(0).at("spanId"), "a3ce929d0e0e4736");
    EXPECT_EQ(told.at(0).at("attributes"), json::array());
    EXPECT_EQ(told.at(1).at("parentSpanId"), "a3ce929d0e0e4736");
}

TEST_F(Spans, OfALeaseThatTookOutTwoChangesAreInTheTraceOfEach) {
    auto lease = ghl::both_states({});
    lease.trace = trace_id;
    lane::note_delivery(spans, lease, {}, std::chrono::steady_clock::now());
    EXPECT_EQ(taken().size(), 2U) << "one change brought both";
    lease.also_trace = std::string{"00f067aa0ba902b700f067aa0ba902b7"};
    lease.also_heard_us = 20;
    lane::note_delivery(spans, lease, {}, std::chrono::steady_clock::now());
    const auto all = taken();
    ASSERT_EQ(all.size(), 5U);
    EXPECT_EQ(all[0].trace, trace_id);
    EXPECT_EQ(all[2].trace, lease.also_trace);
    EXPECT_EQ(all[2].span, root_span(lease.also_trace)) << "its message";
    EXPECT_EQ(all[3].parent, all[2].span);
    EXPECT_EQ(all[4].parent, all[3].span);
}

TEST_F(Spans, OfALeaseWithoutATraceThereAreNone) {
    lane::note_delivery(spans, ghl::contact_state({}), {}, std::chrono::steady_clock::now());
    EXPECT_TRUE(taken().empty());
}

} // namespace
} // namespace clinic::trace
