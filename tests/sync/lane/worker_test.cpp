#include "sync/lane/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "sync/lane/keeper.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::lane {
namespace {

using namespace std::chrono_literals;
using envelope::Answer;
using envelope::Outcome;
using envelope::Route;
using support::eventually;

envelope::MetadataEnvelope an_envelope() {
    envelope::MetadataEnvelope out{envelope::Kind::consent_state};
    out.put(envelope::Field::mid, envelope::Pseudonym::random('m')).put_site("s_0123456789");
    out.put(envelope::Field::pid, envelope::Pseudonym::random('p')).put_sequence(1);
    out.put(envelope::Field::scope, envelope::Scope::reminders)
        .put(envelope::Field::state, envelope::Grant::revoked)
        .put_revision(1);
    return out;
}

// Asks once for a fixed request and delivers by the verdict.
class OneStep final : public Channel {
public:
    Delivery deliver(const envelope::Lease& lease, Gate& gate, std::stop_token) override {
        ++deliveries;
        Delivery out;
        out.settle.lease = lease.lease;
        const auto verdict = gate.ask({lease.lease, route, path, body});
        if (!verdict) {
            last_error = verdict.error().code;
            out.abandoned = verdict.error().code == Errc::offline;
            out.settle.outcome = Outcome::retry;
            out.settle.code = "refused";
            return out;
        }
        if (verdict->answer == Answer::go) ++sent;
        out.settle.outcome = verdict->answer == Answer::go ? Outcome::delivered : Outcome::retry;
        out.settle.code = verdict->code;
        out.fault = fault;
        return out;
    }
    Delivery probe(Gate& gate, std::stop_token) override {
        Delivery out;
        const auto verdict = gate.ask({0, Route::location_read, "/locations/loc1", ""});
        out.abandoned = !verdict;
        if (verdict) out.settle.steps.push_back({verdict->attempt, envelope::StepOutcome::Result::answered, 200});
        return out;
    }

    Route route = Route::tags_add;
    std::string path = "/contacts/c1/tags", body = R"({"tags":["ce-do-not-contact"]})";
    std::optional<Fault> fault;
    std::atomic<int> deliveries{0}, sent{0};
    std::atomic<Errc> last_error{Errc::system};
};

struct Workers : testing::Test {
    fakes::TempFolder folder;
    base::SystemClock clock;
    Board board{clock};
    Lane lane{clock, board};
    OneStep channel;
    envelope::WriteRules rules{.location = "loc1", .fields = {"f1", "f2", "f3", "f4", "f5", "f6"}};
    std::atomic<int> leases_left{1};
    std::atomic<Answer> verdict{Answer::go};
    std::filesystem::path socket = folder / "egress.sock";

    std::optional<envelope::Reply> answer(const envelope::Request& request) {
        const auto* settle = std::get_if<envelope::Settle>(&request);
        if (std::holds_alternative<envelope::LeaseRequest>(request) || (settle != nullptr && settle->next)) {
            if (leases_left-- <= 0) return envelope::Lease{};
            return envelope::Lease{.lease = 7, .envelope = an_envelope(), .contact = "c1"};
        }
        if (std::holds_alternative<envelope::Attempt>(request)) {
            const auto said = verdict.load();
            return envelope::Verdict{said == Answer::go ? 41 : 42, said, said == Answer::go ? "" : "consent"};
        }
        return envelope::Settled{};
    }
    support::ScriptedEgress::Answer script() {
        return [this](const envelope::Request& request) { return answer(request); };
    }
    std::jthread start() {
        return std::jthread{[this](std::stop_token stop) {
            Worker{{.egress = socket, .lease_wait = 50ms, .reply_wait = 2s}, rules, lane, channel}.run(std::move(stop));
        }};
    }
};

TEST_F(Workers, LeaseAskSendAndSettleInThatOrder) {
    support::ScriptedEgress egress{socket, script()};
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
    const auto settle = egress.seen<envelope::Settle>().front();
    EXPECT_EQ(settle.lease, 7);
    EXPECT_EQ(settle.outcome, Outcome::delivered);
    EXPECT_EQ(egress.seen<envelope::Attempt>().size(), 1U);
    EXPECT_EQ(channel.sent, 1);
}

TEST_F(Workers, RestsWhileTheLaneIsShutAndIsSeenWhenItHangs) {
    fakes::ManualClock time;
    base::Vitals vitals{time};
    std::atomic<bool> asked{false}, goes_on{false};
    support::ScriptedEgress egress{socket, [&](const envelope::Request& request) {
                                       asked = true;
                                       while (!goes_on) std::this_thread::yield();
                                       return answer(request);
                                   }};
    const auto pulse = vitals.join("worker", 60s);
    const std::jthread worker{[&](std::stop_token stop) {
        Worker{{.egress = socket, .lease_wait = 50ms, .reply_wait = 100s, .pulse = pulse}, rules, lane, channel}.run(
            std::move(stop));
    }};
    ASSERT_TRUE(eventually([&] {
        time.advance(61s);
        return !vitals.overdue();
    }));
    lane.probed({});
    ASSERT_TRUE(eventually([&] { return asked.load(); }));
    time.advance(61s);
    EXPECT_TRUE(vitals.overdue());
    goes_on = true;
    EXPECT_TRUE(eventually([&] { return !vitals.overdue(); }));
}

TEST_F(Workers, LeasesNothingWhileGhlsLimitsAreWaitedOut) {
    fakes::ManualClock time;
    RateBudget budget{time};
    budget.learn({.max = 100, .remaining = 0, .interval_ms = 10'000});
    const auto began = time.monotonic();
    std::atomic<base::Micros> leased_after{base::Micros{-1}};
    support::ScriptedEgress egress{socket, [&](const envelope::Request& request) {
                                       auto never = base::Micros{-1};
                                       leased_after.compare_exchange_strong(never, time.monotonic() - began);
                                       return answer(request);
                                   }};
    lane.probed({});
    const std::jthread worker{[&](std::stop_token stop) {
        Worker{{.egress = socket, .lease_wait = 50ms, .budget = &budget}, rules, lane, channel}.run(std::move(stop));
    }};
    ASSERT_TRUE(eventually([&] {
        time.advance(100ms);
        return channel.sent == 1;
    }));
    EXPECT_GE(leased_after.load(), 10s);
}

TEST_F(Workers, LeasesWhatIsUrgentAloneWhenTheDayIsShort) {
    fakes::ManualClock time;
    RateBudget budget{time};
    budget.learn({.daily_max = 1'000, .daily_remaining = 50});
    support::ScriptedEgress egress{socket, script()};
    leases_left = 2;
    lane.probed({});
    const std::jthread worker{[&](std::stop_token stop) {
        Worker{{.egress = socket, .lease_wait = 50ms, .budget = &budget}, rules, lane, channel}.run(std::move(stop));
    }};
    ASSERT_TRUE(eventually([&] { return channel.sent == 2; }));
    for (const auto& one : egress.seen<envelope::LeaseRequest>()) EXPECT_EQ(one.least, envelope::Least::urgent);
    for (const auto& one : egress.seen<envelope::Settle>()) EXPECT_FALSE(one.next) << "a next one would be any";
}

TEST_F(Workers, TheNextLeaseComesWithTheSettlement) {
    std::vector<std::string> heard;
    std::mutex hearing;
    support::ScriptedEgress egress{socket, [&](const envelope::Request& request) {
                                       const std::lock_guard lock{hearing};
                                       const std::string frame = envelope::encode(request);
                                       heard.push_back(frame.substr(0, frame.find(',', frame.find("frame"))));
                                       return answer(request);
                                   }};
    leases_left = 2;
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] {
        const std::lock_guard lock{hearing};
        return heard.size() >= 6;
    }));
    const std::lock_guard lock{hearing};
    heard.resize(6);
    const std::string begin = R"({"v":1,"frame":)";
    EXPECT_EQ(heard, (std::vector<std::string>{begin + "\"lease\"", begin + "\"attempt\"", begin + "\"settle\"",
                                               begin + "\"attempt\"", begin + "\"settle\"", begin + "\"lease\""}));
    EXPECT_EQ(channel.sent, 2);
}

TEST_F(Workers, NothingIsLeasedWhileTheLaneIsClosed) {
    support::ScriptedEgress egress{socket, script()};
    auto worker = start();
    worker.request_stop();
    worker.join();
    EXPECT_TRUE(egress.seen<envelope::LeaseRequest>().empty());
}

struct Refusals : Workers, testing::WithParamInterface<Answer> {};

TEST_P(Refusals, SendNothing) {
    support::ScriptedEgress egress{socket, script()};
    verdict = GetParam();
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
    EXPECT_EQ(channel.sent, 0);
    EXPECT_EQ(egress.seen<envelope::Settle>().back().code, "consent");
}

INSTANTIATE_TEST_SUITE_P(HoldAndNo, Refusals, testing::Values(Answer::hold, Answer::no));

TEST_F(Workers, WhatTheWriteRulesForbidIsNeverAskedFor) {
    support::ScriptedEgress egress{socket, script()};
    channel.body = R"({"tags":["ce-john-smith"]})";
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
    EXPECT_TRUE(egress.seen<envelope::Attempt>().empty());
    EXPECT_EQ(channel.last_error, Errc::refused);
    EXPECT_EQ(channel.sent, 0);
}

TEST_F(Workers, AFaultOfTheLaneStopsTheNextLease) {
    support::ScriptedEgress egress{socket, script()};
    leases_left = 100;
    channel.fault = Fault{envelope::LaneState::paused, "throttled", 1h};
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
    EXPECT_FALSE(lane.up());
    EXPECT_EQ(board.said().crm_code, "throttled");
    EXPECT_EQ(channel.deliveries, 1);
    EXPECT_FALSE(egress.seen<envelope::Settle>().front().next);
}

TEST_F(Workers, ALeaseWhoseVerdictNeverComesIsNotSettledByUs) {
    std::atomic<bool> cut{true};
    support::ScriptedEgress egress{socket, [&](const envelope::Request& request) -> std::optional<envelope::Reply> {
                                       if (std::holds_alternative<envelope::Attempt>(request) && cut.exchange(false))
                                           return std::nullopt;
                                       return answer(request);
                                   }};
    leases_left = 2;
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
    EXPECT_EQ(egress.seen<envelope::Attempt>().size(), 2U) << "the second lease, over a new connection";
    EXPECT_EQ(egress.connections(), 2);
    EXPECT_EQ(channel.sent, 1);
}

// Its disk is full, say: that is nothing against the envelope, which two refusals would bury.
TEST_F(Workers, AClinicdThatIsBusyCountsAgainstNobody) {
    std::atomic<int> busy{3};
    support::ScriptedEgress egress{socket, [&](const envelope::Request& request) -> std::optional<envelope::Reply> {
                                       if (std::holds_alternative<envelope::Attempt>(request) && busy-- > 0)
                                           return envelope::Refused{"busy"};
                                       return answer(request);
                                   }};
    leases_left = 4;
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
    EXPECT_EQ(egress.seen<envelope::Settle>().front().outcome, Outcome::delivered);
    EXPECT_EQ(egress.connections(), 4) << "each lease is given back by closing";
    EXPECT_TRUE(lane.up());
}

// Nobody knows whether clinicd has it: clinicd alone decides what becomes of it.
TEST_F(Workers, ASettlementThatIsNotAnsweredIsNotSaidTwice) {
    std::atomic<bool> cut{true};
    support::ScriptedEgress egress{socket, [&](const envelope::Request& request) -> std::optional<envelope::Reply> {
                                       if (std::holds_alternative<envelope::Settle>(request) && cut.exchange(false))
                                           return std::nullopt;
                                       return answer(request);
                                   }};
    leases_left = 2;
    lane.probed({});
    const auto worker = start();
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 2; }));
    EXPECT_EQ(egress.connections(), 2);
    EXPECT_EQ(egress.seen<envelope::Attempt>().size(), 2U) << "asked anew under the lease that came again";
    EXPECT_GE(egress.seen<envelope::LeaseRequest>().size(), 2U);
}

TEST_F(Workers, ComesBackWhenClinicdDoes) {
    lane.probed({});
    const auto worker = start();
    support::ScriptedEgress egress{socket, script()};
    EXPECT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
}

TEST_F(Workers, StopEndsALongWaitForALease) {
    std::latch asked{1}, over{1};
    support::ScriptedEgress egress{socket, [&](const envelope::Request&) -> std::optional<envelope::Reply> {
                                       asked.count_down();
                                       over.wait(); // clinicd has nothing to say for as long as it takes
                                       return std::nullopt;
                                   }};
    lane.probed({});
    std::jthread worker{[this](std::stop_token stop) {
        Worker{{.egress = socket, .lease_wait = 20s}, rules, lane, channel}.run(std::move(stop));
    }};
    asked.wait();
    const auto before = std::chrono::steady_clock::now();
    worker.request_stop();
    worker.join();
    over.count_down();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
}

TEST_F(Workers, TheProberOpensTheLaneAndClosesItsLedgerLine) {
    support::ScriptedEgress egress{socket, script()};
    std::jthread prober{[this](std::stop_token stop) { Prober{socket, rules, lane, channel}.run(std::move(stop)); }};
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::Settle>().size() == 1; }));
    EXPECT_TRUE(lane.up());
    const auto settle = egress.seen<envelope::Settle>().front();
    EXPECT_EQ(settle.lease, 0);
    ASSERT_EQ(settle.steps.size(), 1U);
    EXPECT_EQ(settle.steps[0].attempt, 41);
}

TEST_F(Workers, AProbeThatClinicdDidNotAnswerOpensNothing) {
    std::atomic<int> asked{0};
    std::atomic<bool> up_meanwhile{false};
    support::ScriptedEgress egress{socket, [&](const envelope::Request& request) -> std::optional<envelope::Reply> {
                                       if (!std::holds_alternative<envelope::Attempt>(request)) return answer(request);
                                       if (++asked == 1) return std::nullopt;
                                       up_meanwhile = lane.up();
                                       return answer(request);
                                   }};
    std::jthread prober{[this](std::stop_token stop) { Prober{socket, rules, lane, channel}.run(std::move(stop)); }};
    ASSERT_TRUE(eventually([&] { return lane.up(); }));
    EXPECT_FALSE(up_meanwhile);
    EXPECT_EQ(egress.connections(), 2) << "over a new connection";
}

TEST_F(Workers, TheReporterTellsAChangeAtOnce) {
    support::ScriptedEgress egress{socket, script()};
    std::jthread reporter{[this](std::stop_token stop) {
        Reporter{socket, board, {.spacing = 1ms}}.run(std::move(stop));
    }};
    ASSERT_TRUE(eventually([&] { return !egress.seen<envelope::TimeState>().empty(); }));
    lane.probed({});
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::TimeState>().back().crm == envelope::LaneState::up; }));
    board.mqtt(envelope::LaneState::paused, "offline");
    ASSERT_TRUE(eventually([&] { return egress.seen<envelope::TimeState>().back().mqtt_code == "offline"; }));
}

TEST(EgressClient, AReplyOfAnotherKindClosesTheConnection) {
    const fakes::TempFolder folder;
    support::ScriptedEgress egress{folder / "e.sock", [](const envelope::Request&) { return envelope::Settled{}; }};
    EgressClient client{folder / "e.sock"};
    ASSERT_TRUE(client.connect());
    const auto lease = client.ask_for<envelope::Lease>(envelope::LeaseRequest{}, 2s);
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Errc::malformed);
    EXPECT_FALSE(client.connected());
}

TEST(EgressClient, ARefusedFrameLeavesTheConnection) {
    const fakes::TempFolder folder;
    support::ScriptedEgress egress{folder / "e.sock",
                                   [](const envelope::Request&) { return envelope::Refused{"busy"}; }};
    EgressClient client{folder / "e.sock"};
    ASSERT_TRUE(client.connect());
    const auto settled = client.ask_for<envelope::Settled>(envelope::DeviceAck{1}, 2s);
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code, Errc::refused);
    EXPECT_TRUE(client.connected());
}

TEST(EgressClient, NobodyThereIsOffline) {
    const fakes::TempFolder folder;
    EgressClient client{folder / "e.sock"};
    const auto connected = client.connect();
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, Errc::offline);
    EXPECT_FALSE(client.ask(envelope::DeviceRequest{}, 1s));
}

} // namespace
} // namespace clinic::lane
