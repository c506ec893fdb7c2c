#include <algorithm>

#include "tests/sync/channel/ghl/channel_fixture.h"

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;
using Step = envelope::StepOutcome::Result;

TEST_F(GhlChannels, WritesFieldsThenTagsAndSettlesDelivered) {
    script({});
    const auto out = deliver(contact_state({"recall_due"}));
    EXPECT_EQ(out.settle.outcome, Outcome::delivered);
    EXPECT_EQ(out.settle.lease, 11);
    EXPECT_FALSE(out.fault);
    EXPECT_EQ(paths(), (Paths{"PUT /contacts/c1", "POST /contacts/c1/tags", "DELETE /contacts/c1/tags"}));
    ASSERT_EQ(out.settle.steps.size(), 3U);
    EXPECT_EQ(out.settle.steps[2].attempt, 3);
    EXPECT_EQ(out.settle.steps[2].result, Step::answered);
    EXPECT_EQ(out.settle.steps[2].status, 200);
}

// clinicd wrote it down and lets nothing be sent: each request is asked for in turn, and GHL hears of none.
TEST_F(GhlChannels, ADryRunAsksForEachRequestAndSendsNone) {
    script({});
    gate.answer = envelope::Answer::dry;
    GhlChannel channel{*ghl, rules(), budget};
    const auto changed = channel.deliver(contact_state({"recall_due"}), gate, stop.get_token());
    EXPECT_EQ(changed.settle.outcome, Outcome::delivered);
    EXPECT_FALSE(changed.fault);
    ASSERT_EQ(changed.settle.steps.size(), 3U);
    for (const auto& step : changed.settle.steps) EXPECT_EQ(step.result, Step::not_sent);
    const auto made = channel.deliver(to_create(contact_state({"new_patient"})), gate, stop.get_token());
    EXPECT_EQ(made.settle.outcome, Outcome::delivered);
    EXPECT_EQ(made.settle.contact, "");
    EXPECT_FALSE(channel.probe(gate, stop.get_token()).fault) << "the lane is open";
    EXPECT_FALSE(channel.greet(stop.get_token())) << "and no connection is made to see whether GHL is there";
    EXPECT_EQ(gate.asked.size(), 5U);
    EXPECT_EQ(paths(), Paths{});
}

TEST_F(GhlChannels, WhatIsSentIsWhatWasAskedFor) {
    script({});
    deliver(contact_state({"recall_due"}));
    const auto seen = server->received();
    ASSERT_EQ(gate.asked.size(), seen.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
        EXPECT_EQ(gate.asked[i].path, seen[i].path);
        EXPECT_EQ(gate.asked[i].body, seen[i].body);
        EXPECT_EQ(gate.asked[i].lease, 11);
    }
}

TEST_F(GhlChannels, AShellIsCreatedInOneRequestAndItsIdReported) {
    script({answer(201, R"({"contact":{"id":"new1"}})")});
    const auto out = deliver(to_create(contact_state({"new_patient"})));
    EXPECT_EQ(out.settle.outcome, Outcome::delivered);
    EXPECT_EQ(out.settle.contact, "new1");
    EXPECT_EQ(paths(), (Paths{"POST /contacts/"}));
}

TEST_F(GhlChannels, ALookUpComesBeforeASecondCreateAndAdoptsWhatItFinds) {
    auto lease = to_create(contact_state({"new_patient"}));
    lease.look_up_first = true;
    script({answer(200, found("mine", pid(lease)))});
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_EQ(out.settle.code, "adopted");
    EXPECT_EQ(out.settle.retry_after_ms, 0);
    EXPECT_EQ(out.settle.contact, "mine");
    EXPECT_EQ(paths(), (Paths{"POST /contacts/search"}));
}

TEST_F(GhlChannels, ALookUpThatFindsNothingIsFollowedByACreate) {
    auto lease = to_create(contact_state({}));
    lease.look_up_first = true;
    script({answer(200, R"({"contacts":[],"total":0})"), answer(201, R"({"contact":{"id":"new1"}})")});
    EXPECT_EQ(deliver(lease).settle.contact, "new1");
    EXPECT_EQ(paths(), (Paths{"POST /contacts/search", "POST /contacts/"}));
}

TEST_F(GhlChannels, WhileNothingIsProvenALookUpThatFindsNothingMakesNothing) {
    auto lease = to_create(contact_state({}));
    lease.look_up_first = true;
    lease.unsure_ms = 45'000;
    script({answer(200, R"({"contacts":[],"total":0})")});
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_EQ(out.settle.code, "look_up_wait");
    EXPECT_GE(out.settle.retry_after_ms, 500);
    EXPECT_LE(out.settle.retry_after_ms, 45'000);
    EXPECT_FALSE(out.settle.counts_against);
    EXPECT_EQ(paths(), (Paths{"POST /contacts/search"}));

    script({answer(200, found("mine", pid(lease)))});
    EXPECT_EQ(deliver(lease).settle.contact, "mine") << "what is found counts at once";

    lease.unsure_ms = 20;
    lease.tries = 12;
    script({answer(200, R"({"contacts":[],"total":0})")});
    EXPECT_EQ(deliver(lease).settle.retry_after_ms, 20) << "and not later than it has to be";
}

TEST_F(GhlChannels, AWithdrawalWaitsAsLongBeforeItBelievesThatNothingIsThere) {
    auto lease = suppress();
    lease.contact.clear();
    lease.look_up_first = true;
    lease.unsure_ms = 45'000;
    const std::string nothing = R"({"contacts":[],"total":0})";
    script({answer(200, nothing), answer(200, nothing)});
    EXPECT_EQ(deliver(lease).settle.code, "look_up_wait");
    lease.unsure_ms = 0;
    EXPECT_EQ(deliver(lease).settle.code, "no_contact");
}

TEST_F(GhlChannels, ACreateWithoutAnAnswerIsUnknownAndTriedAgain) {
    script({Sent{"", {}, true}});
    const auto out = deliver(to_create(contact_state({})));
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_FALSE(out.settle.counts_against);
    ASSERT_EQ(out.settle.steps.size(), 1U);
    EXPECT_EQ(out.settle.steps[0].result, Step::unknown);
    ASSERT_TRUE(out.fault);
    EXPECT_EQ(out.fault->state, envelope::LaneState::paused);
    EXPECT_EQ(server->received().size(), 1U) << "never a blind second create";
}

TEST_F(GhlChannels, ACreateWhoseAnswerNamesNobodyIsTriedAgainAndNotTakenForDelivered) {
    for (const char* body : {"{}", R"({"contact":{}})", R"({"contact":{"id":""}})", R"({"contact":{"id":7}})"}) {
        script({answer(201, body)});
        const auto out = deliver(to_create(contact_state({})));
        EXPECT_EQ(out.settle.outcome, Outcome::retry) << body;
        EXPECT_EQ(out.settle.code, "no_id") << body;
        EXPECT_EQ(out.settle.contact, "") << body;
        EXPECT_FALSE(out.settle.counts_against) << body;
        ASSERT_EQ(out.settle.steps.size(), 1U);
        EXPECT_EQ(out.settle.steps[0].status, 201) << "so that clinicd looks up before the next";
    }
}

TEST_F(GhlChannels, AGreetingSaysWhoIsThere) {
    script({});
    GhlChannel channel{*ghl, rules(), budget};
    EXPECT_FALSE(channel.greet({}));
    EXPECT_EQ(channel.unanswered(), base::Micros{0});
    server.reset();
    const auto fault = channel.greet({});
    ASSERT_TRUE(fault) << "nobody is there";
    EXPECT_EQ(fault->state, envelope::LaneState::paused);
    EXPECT_NE(fault->code, "");
}

TEST_F(GhlChannels, ADuplicateIsTakenOnlyWhenItCarriesOurMarker) {
    const auto lease = to_create(contact_state({}));
    script({answer(400, R"({"statusCode":400,"meta":{"contactId":"dup1","contactName":"Jane Doe"}})"),
            answer(200, found("dup1", pid(lease)))});
    const auto ours = deliver(lease);
    EXPECT_EQ(ours.settle.code, "adopted");
    EXPECT_EQ(ours.settle.contact, "dup1");

    script({answer(400, R"({"statusCode":400,"meta":{"contactId":"dup1"}})"),
            answer(200, found("dup1", "p_somebody_else"))});
    const auto foreign = deliver(lease);
    EXPECT_EQ(foreign.settle.outcome, Outcome::retry);
    EXPECT_EQ(foreign.settle.code, "duplicate");
    EXPECT_TRUE(foreign.settle.counts_against);
    EXPECT_EQ(foreign.settle.contact, "");
    EXPECT_EQ(paths(), (Paths{"POST /contacts/", "POST /contacts/search"})) << "a stranger's contact is not touched";
}

TEST_F(GhlChannels, WithoutAContactAndWithoutLeaveToMakeOneNothingIsSent) {
    auto lease = suppress();
    lease.contact.clear();
    script({});
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_EQ(out.settle.code, "no_contact");
    EXPECT_TRUE(server->received().empty());
}

TEST_F(GhlChannels, AWithdrawalFindsTheShellOfAnUnansweredCreate) {
    auto lease = suppress();
    lease.contact.clear();
    lease.look_up_first = true;
    script({answer(200, found("mine", pid(lease)))});
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.code, "adopted");
    EXPECT_EQ(out.settle.contact, "mine");
}

struct Fault {
    const char* name;
    Sent sent;
    envelope::LaneState state;
    const char* code;
};

TEST_F(GhlChannels, FaultsOfTheLanePauseItAndNeverCountAgainstAnEnvelope) {
    const Fault table[] = {
        {"token", answer(401, R"({"message":"Invalid JWT"})"), envelope::LaneState::down, "unauthorized"},
        {"scope", answer(401, R"({"message":"The token is not authorized for this scope."})"),
         envelope::LaneState::down, "scope"},
        {"location", answer(403, R"({"message":"The token does not have access to this location."})"),
         envelope::LaneState::down, "forbidden"},
        {"rate", answer(429, ""), envelope::LaneState::paused, "throttled"},
        {"broken", answer(500, R"({"message":"x"})"), envelope::LaneState::paused, "http_500"},
        {"gateway", answer(502, "<html>bad gateway</html>"), envelope::LaneState::paused, "http_502"},
        {"portal", answer(200, "<html>please sign in</html>"), envelope::LaneState::paused, "not_json"},
        {"portal 404", answer(404, "<html>not found</html>"), envelope::LaneState::paused, "not_json"},
        {"half", Sent{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", {}, true}, envelope::LaneState::paused,
         "cut_off"},
    };
    for (const auto& row : table) {
        script({row.sent});
        const auto out = deliver(contact_state({}));
        time.advance(10s); // which the budget asks for after a 429
        EXPECT_EQ(out.settle.outcome, Outcome::retry) << row.name;
        EXPECT_FALSE(out.settle.counts_against) << row.name;
        EXPECT_EQ(out.settle.code, row.code) << row.name;
        ASSERT_TRUE(out.fault) << row.name;
        EXPECT_EQ(out.fault->state, row.state) << row.name;
        EXPECT_EQ(out.fault->code, row.code) << row.name;
        EXPECT_EQ(server->received().size(), 1U) << row.name;
    }
}

TEST_F(GhlChannels, RetryAfterIsKept) {
    script({answer(429, "", "Retry-After: 17\r\n")});
    const auto out = deliver(contact_state({}));
    EXPECT_GE(out.settle.retry_after_ms, 17'000);
    EXPECT_EQ(out.fault->not_before, 17s);
}

TEST_F(GhlChannels, ARefusedBodyCountsAgainstTheEnvelopeAndLeavesTheLaneOpen) {
    for (const int status : {400, 404, 422}) {
        script({answer(status, R"({"message":["property x should not exist"]})")});
        const auto out = deliver(contact_state({}));
        EXPECT_EQ(out.settle.outcome, Outcome::retry);
        EXPECT_TRUE(out.settle.counts_against);
        EXPECT_EQ(out.settle.code, "http_" + std::to_string(status));
        EXPECT_GE(out.settle.retry_after_ms, 1'000);
        EXPECT_FALSE(out.fault);
    }
}

TEST_F(GhlChannels, ALookUpStandsBetweenTwoRefusalsOfAWrite) {
    auto lease = contact_state({});
    lease.look_up_first = true;
    script({answer(200, R"({"contacts":[]})"), answer(422, R"({"message":"no"})")});
    EXPECT_TRUE(deliver(lease).settle.counts_against);
    EXPECT_EQ(paths(), (Paths{"POST /contacts/search", "PUT /contacts/c1"}));
}

TEST_F(GhlChannels, ALookUpStandsBetweenTwoRefusalsOfAMerge) {
    auto lease = merge("c1", "c0");
    lease.look_up_first = true;
    script({answer(200, R"({"contacts":[]})"), answer(404, R"({"message":"no"})")});
    EXPECT_TRUE(deliver(lease).settle.counts_against);
    EXPECT_EQ(paths(), (Paths{"POST /contacts/search", "PUT /contacts/c0"}));
}

TEST_F(GhlChannels, AHoldAndANoSendNothing) {
    script({});
    gate.answer = envelope::Answer::hold;
    gate.code = "clock";
    auto out = deliver(contact_state({}));
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_EQ(out.settle.code, "clock");
    gate.answer = envelope::Answer::no;
    gate.code = "blocked";
    out = deliver(contact_state({}));
    EXPECT_EQ(out.settle.outcome, Outcome::dead);
    EXPECT_EQ(out.settle.code, "blocked");
    EXPECT_TRUE(server->received().empty());
    EXPECT_FALSE(out.fault);
}

TEST_F(GhlChannels, ANoHalfWayKeepsWhatWasAlreadyAnswered) {
    script({});
    const auto lease = contact_state({"recall_due"});
    struct SecondNo final : lane::Gate {
        Result<envelope::Verdict> ask(const envelope::Attempt&) override {
            return envelope::Verdict{++count, count == 1 ? envelope::Answer::go : envelope::Answer::no,
                                     count == 1 ? "" : "consent"};
        }
        int count = 0;
    } second_no;
    const auto out = GhlChannel{*ghl, rules(), budget}.deliver(lease, second_no, {});
    EXPECT_EQ(server->received().size(), 1U);
    ASSERT_EQ(out.settle.steps.size(), 1U);
    EXPECT_EQ(out.settle.steps[0].result, Step::answered);
}

TEST_F(GhlChannels, WithoutClinicdTheLeaseIsAbandoned) {
    script({});
    gate.failure = Errc::offline;
    EXPECT_TRUE(deliver(contact_state({})).abandoned);
    EXPECT_TRUE(server->received().empty());
}

TEST_F(GhlChannels, ALaneThatClosedMeanwhileCountsAgainstNobody) {
    script({});
    gate.failure = Errc::throttled;
    const auto out = deliver(contact_state({}));
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_EQ(out.settle.code, "lane_closed");
    EXPECT_FALSE(out.settle.counts_against || out.abandoned || out.fault);
    EXPECT_TRUE(server->received().empty());
}

TEST_F(GhlChannels, ARequestOutsideOfTheWriteSetCountsAgainstItsEnvelope) {
    script({});
    gate.failure = Errc::refused;
    const auto out = deliver(contact_state({}));
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_EQ(out.settle.code, "write_set");
    EXPECT_TRUE(out.settle.counts_against);
    EXPECT_FALSE(out.fault) << "the others may go";
    EXPECT_TRUE(server->received().empty());
}

TEST_F(GhlChannels, ASpentBudgetGivesTheLeaseBack) {
    script({});
    budget.learn({.max = 100, .remaining = 0, .interval_ms = 10'000});
    const auto out = deliver(contact_state({}));
    EXPECT_EQ(out.settle.code, "rate_budget");
    EXPECT_EQ(out.settle.retry_after_ms, 10'000);
    EXPECT_TRUE(server->received().empty());
    EXPECT_TRUE(gate.asked.empty()) << "no attempt is recorded for what is not sent";
}

TEST_F(GhlChannels, AStopRequestSendsNothingMore) {
    script({});
    stop.request_stop();
    const auto out = deliver(contact_state({}));
    EXPECT_EQ(out.settle.outcome, Outcome::retry);
    EXPECT_EQ(out.settle.code, "stopping");
    EXPECT_FALSE(out.fault);
    EXPECT_TRUE(server->received().empty());
}

TEST_F(GhlChannels, AProbeThatIsRefusedIsAskedForAgainWithTheOtherToken) {
    std::ofstream{folder / "next"} << "pit-second";
    const auto with_both = [this](std::deque<Sent> answers) {
        script(std::move(answers));
        auto given = options();
        given.next_token_file = folder / "next";
        ghl = client(given);
    };
    with_both({answer(401, R"({"message":"Invalid Private Integration token"})"), answer(200, "{}")});
    const auto out = GhlChannel{*ghl, rules(), budget}.probe(gate, {});
    EXPECT_FALSE(out.fault);
    EXPECT_EQ(out.settle.outcome, Outcome::delivered);
    EXPECT_EQ(out.settle.code, "");
    ASSERT_EQ(out.settle.steps.size(), 2U);
    EXPECT_EQ(out.settle.steps[0].status, 401);
    EXPECT_EQ(out.settle.steps[1].status, 200);
    EXPECT_EQ(gate.asked.size(), 2U) << "what GHL gets twice stands twice in the ledger";
    with_both({answer(401, R"({"message":"no"})"), answer(401, R"({"message":"no"})"), answer(200, "{}")});
    EXPECT_EQ(GhlChannel(*ghl, rules(), budget).probe(gate, {}).fault->code, "unauthorized") << "each is shown once";
    EXPECT_EQ(gate.asked.size(), 4U);
}

TEST_F(GhlChannels, AProbeReadsTheLocationAndSaysWhyNot) {
    script({answer(200, R"({"location":{"id":"loc1"}})"), answer(401, R"({"message":"Invalid JWT"})"),
            answer(404, R"({"message":"no"})")});
    GhlChannel channel{*ghl, rules(), budget};
    auto out = channel.probe(gate, {});
    EXPECT_FALSE(out.fault);
    EXPECT_EQ(out.settle.lease, 0);
    EXPECT_EQ(out.settle.steps.size(), 1U);
    EXPECT_EQ(channel.probe(gate, {}).fault->code, "unauthorized");
    out = channel.probe(gate, {});
    EXPECT_EQ(out.fault->code, "http_404");
    EXPECT_EQ(out.fault->state, envelope::LaneState::down) << "the location is not there: somebody has to look";
    gate.answer = envelope::Answer::no;
    gate.code = "off";
    EXPECT_EQ(channel.probe(gate, {}).fault->code, "off");
    EXPECT_EQ(paths(), (Paths(3, "GET /locations/loc1")));
}

} // namespace
} // namespace clinic::ghl
