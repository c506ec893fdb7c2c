// clinicd's side of egress.sock, over real sockets and the real store.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/daemon/egress/egress_fixture.h"
#include "tests/daemon/release/disguises.h"

namespace clinic::egress {
namespace {

TEST_F(EgressServerTest, LeasesJudgesAndSettles) {
    clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto lease = caller.lease();
    ASSERT_TRUE(lease.envelope);
    EXPECT_TRUE(lease.create);
    const auto verdict = caller.ask<envelope::Verdict>(create(lease));
    EXPECT_EQ(verdict.answer, Answer::go) << verdict.code;
    const auto settled = caller.ask<envelope::Settled>(envelope::Settle{
        .lease = lease.lease,
        .contact = "contact1",
        .steps = {{.attempt = verdict.attempt, .result = envelope::StepOutcome::Result::answered, .status = 201}}});
    EXPECT_TRUE(settled.known);
    EXPECT_EQ(clinic.books().delivered, 1);
    EXPECT_EQ(caller.lease().lease, 0);
}

TEST_F(EgressServerTest, ChecksInWhileNobodyAsks) {
    fakes::ManualClock time;
    base::Vitals vitals{time};
    make({.pulse = vitals.join("egress", std::chrono::seconds{30})});
    time.advance(std::chrono::seconds{31});
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (vitals.overdue() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds{20}); // between two looks at the condition
    EXPECT_FALSE(vitals.overdue());
    server.reset(); // its pulse goes before what counts it
}

TEST_F(EgressServerTest, WithoutALocationNothingIsLeased) {
    clinic.add("N1", "Quillfeather");
    Gate unset{{.rules = {}}, clinic.store->identifiers(), clinic.releaser};
    ASSERT_TRUE(clinic.store->write([&](records::Transaction& txn) -> Result<void> {
        const auto lease = unset.lease(txn, Destination::crm);
        CLINIC_TRY(lease);
        EXPECT_EQ(lease->lease, 0);
        return {};
    }));
    EXPECT_NE(Caller{path}.lease().lease, 0) << "it waits for the settings";
}

TEST_F(EgressServerTest, ASettlementMayAskForTheNextLease) {
    clinic.add("N1", "Quillfeather");
    clinic.add("N2", "Vandersloot");
    const Caller caller{path};
    auto lease = caller.lease();
    for (const auto* contact : {"contact1", "contact2"}) {
        ASSERT_TRUE(lease.envelope);
        const auto verdict = caller.ask<envelope::Verdict>(create(lease));
        EXPECT_EQ(verdict.answer, Answer::go) << verdict.code;
        lease = caller.ask<envelope::Lease>(envelope::Settle{
            .lease = lease.lease,
            .contact = contact,
            .steps = {{.attempt = verdict.attempt, .result = envelope::StepOutcome::Result::answered, .status = 201}},
            .next = Destination::crm});
    }
    EXPECT_EQ(lease.lease, 0) << "nothing more is due, and nobody is kept waiting";
    EXPECT_EQ(clinic.books().delivered, 2);
}

TEST_F(EgressServerTest, WhereNoLeaseCanFollowTheSettlementStands) {
    clinic.add("N1", "Quillfeather");
    clinic.add("N2", "Vandersloot");
    const Caller caller{path};
    const auto lease = caller.lease();
    clinic.write([](records::Transaction& txn) -> Result<void> {
        auto planted = txn.prepare("CREATE TEMP TRIGGER refuse BEFORE UPDATE ON main.outbox WHEN NEW.state = 2 "
                                   "BEGIN SELECT RAISE(ABORT, 'no'); END");
        CLINIC_TRY(planted);
        return planted->run();
    });
    const envelope::Settle settle{.lease = lease.lease, .contact = "contact1", .next = Destination::crm};
    EXPECT_EQ(caller.ask<envelope::Lease>(settle).lease, 0);
    EXPECT_EQ(clinic.books().delivered, 1);
    EXPECT_EQ(clinic.books().leased, 0);
}

TEST_F(EgressServerTest, RefusesWhatIsNotInTheWriteSetAndBuriesIt) {
    clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto lease = caller.lease();
    auto attempt = create(lease);
    attempt.body.replace(attempt.body.find("clinic-edge"), 11, "Quillfeather");
    EXPECT_EQ(caller.ask<envelope::Verdict>(attempt).answer, Answer::no);
    EXPECT_EQ(clinic.books().dead, 1);
    // The event is on its way to the store; the status looks again when its clock has moved.
    const auto told = [&] {
        clinic.clock.advance(base::Micros{1'000'000});
        const auto events = caller.ask<envelope::Device>(envelope::DeviceRequest{}).events;
        return std::any_of(events.begin(), events.end(), [](const auto& event) { return event.code == "E1001"; });
    };
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    bool heard = false;
    while (!heard && std::chrono::steady_clock::now() < end) heard = told();
    EXPECT_TRUE(heard);
}

// What blocked an attempt must not come out by the alarm: not by the verdict, the log, the event for central ops, the
// status, the metrics, nor by anything of this that is kept.
TEST_F(EgressServerTest, ABlockIsADeadLetterAndItsAlarmSaysNothingOfWhatWasFound) {
    const std::string value = "Quillfeather", number = "MR00123456";
    clinic.add(number, value);
    const Caller caller{path};
    std::vector<std::string> told;
    testing::internal::CaptureStderr();
    const auto lease = caller.lease();
    ASSERT_TRUE(lease.envelope);
    const auto verdict = caller.ask<envelope::Verdict>(envelope::Attempt{.lease = lease.lease,
                                                                         .route = envelope::Route::tags_add,
                                                                         .path = "/contacts/" + value + "/tags",
                                                                         .body = R"({"tags":["ce-returning"]})"});
    EXPECT_EQ(verdict.answer, Answer::no);
    EXPECT_EQ(verdict.code, "blocked");
    told.push_back(envelope::encode(envelope::Reply{verdict}));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    envelope::Device device;
    const auto alarm = [&] { return std::ranges::find(device.events, "E1001", &envelope::Device::Event::code); };
    while (alarm() == device.events.end() && std::chrono::steady_clock::now() < end) {
        clinic.clock.advance(base::Micros{1'000'000});
        device = caller.ask<envelope::Device>(envelope::DeviceRequest{});
    }
    ASSERT_NE(alarm(), device.events.end());
    EXPECT_EQ(alarm()->severity, "critical");
    told.push_back(envelope::encode(envelope::Reply{device}));
    const auto status = health.status();
    told.push_back(health::to_json(status));
    told.push_back(health::to_metrics(status));
    told.push_back(testing::internal::GetCapturedStderr());

    EXPECT_EQ(clinic.books().dead, 1);
    EXPECT_EQ(caller.lease().lease, 0) << "a dead letter does not go out again by itself";
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto lines = outbox::Ledger::lines(txn, 0, 10);
        CLINIC_TRY(lines);
        EXPECT_EQ(lines->size(), 1U);
        EXPECT_EQ(lines->at(0).result, "blocked");
        for (const auto& line : *lines) told.push_back(line.result + line.digest);
        auto kept = txn.prepare("SELECT code || ' ' || severity FROM event");
        CLINIC_TRY(kept);
        while (*kept->step()) told.emplace_back(kept->text(0));
        return {};
    });
    for (const std::string& text : told) {
        for (const auto& form : release::testing::disguises())
            for (const std::string& secret : {value, number})
                EXPECT_EQ(text.find(form.put_on(secret)), std::string::npos) << form.name << ": " << text;
    }
}

// The identifiers of a large store are still being read: a clean attempt goes, any other waits for them.
TEST_F(EgressServerTest, WhatTheLastCheckCannotJudgeYetIsDueAgain) {
    clinic.add("N1", "Quillfeather");
    const records::IdentifierIndex unread{crypto::SecureBytes::random(32)};
    Gate early{{.rules = rules}, unread, clinic.releaser};
    const auto lease = [&] {
        envelope::Lease found;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto given = early.lease(txn, Destination::crm);
            CLINIC_TRY(given);
            found = std::move(*given);
            return {};
        });
        return found;
    };
    const auto judged = [&](const envelope::Attempt& attempt) {
        envelope::Verdict verdict;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = early.judge(txn, attempt, {});
            CLINIC_TRY(found);
            verdict = found->verdict;
            return {};
        });
        return verdict;
    };
    const auto first = lease();
    EXPECT_EQ(judged(create(first)).answer, Answer::go);
    const auto verdict = judged({.lease = first.lease,
                                 .route = envelope::Route::tags_add,
                                 .path = "/contacts/Quillfeather/tags",
                                 .body = R"({"tags":["ce-returning"]})"});
    EXPECT_EQ(verdict.answer, Answer::hold);
    EXPECT_EQ(verdict.code, "starting");
    EXPECT_EQ(clinic.books().pending, 1);
    EXPECT_EQ(lease().lease, 0) << "not at once, or it would go round and round";
    clinic.clock.advance(base::Micros{std::chrono::seconds{5}});
    EXPECT_EQ(lease().lease, first.lease);
}

TEST_F(EgressServerTest, AWithdrawnConsentStopsALeaseAtTheLastMoment) {
    const auto patient = clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto lease = caller.lease();
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    const auto verdict = caller.ask<envelope::Verdict>(create(lease));
    EXPECT_EQ(verdict.answer, Answer::no);
    EXPECT_EQ(verdict.code, "consent_revoked");
    EXPECT_EQ(clinic.books().leased, 0);
    // What the caller says afterwards changes nothing.
    EXPECT_FALSE(caller
                     .ask<envelope::Settled>(envelope::Settle{
                         .lease = lease.lease, .outcome = envelope::Outcome::dead, .code = "consent_revoked"})
                     .known);
}

// The callers' lease is back in the queue when the store could not take what became of it.
TEST_F(EgressServerTest, ASettlementThatTheStoreRefusesFreesTheLease) {
    clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto lease = caller.lease();
    clinic.write([](records::Transaction& txn) -> Result<void> {
        auto planted = txn.prepare(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.outbox_lane BEGIN SELECT RAISE(ABORT, 'no'); END");
        CLINIC_TRY(planted);
        return planted->run();
    });
    caller.ask<envelope::Refused>(
        envelope::Settle{.lease = lease.lease, .outcome = envelope::Outcome::retry, .code = "throttled"});
    EXPECT_EQ(caller.lease(10'000).lease, lease.lease);
}

TEST_F(EgressServerTest, WhatAClockAheadPutOffIsDueWhenItIsSetBack) {
    clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto right = clinic.clock.now();
    clinic.clock.set(right + base::Micros{std::chrono::hours{24 * 365 * 70}});
    const auto lease = caller.lease();
    caller.ask<envelope::Settled>(envelope::Settle{
        .lease = lease.lease, .outcome = envelope::Outcome::retry, .code = "throttled", .retry_after_ms = 60'000});
    EXPECT_EQ(caller.lease().lease, 0);
    clinic.clock.set(right);
    EXPECT_EQ(caller.lease(15'000).lease, lease.lease);
}

// With an end to the basis nothing leaves by a clock that may be wrong, and it goes by itself when the clock is right.
TEST_F(EgressServerTest, AClockThatIsDoubtedHoldsALeaseAtTheLastMoment) {
    release::Policy policy;
    policy.basis = release::Basis::baa;
    policy.unlinked = release::Unlinked::shell;
    policy.basis_expires = clinic.clock.now() + base::Micros{std::chrono::hours{24}};
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.set_policy(txn, policy); });
    bool trusted = true;
    clinic.releaser.ask_clock([&] { return trusted; });
    clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto lease = caller.lease();
    ASSERT_NE(lease.lease, 0);
    trusted = false;
    const auto verdict = caller.ask<envelope::Verdict>(create(lease));
    EXPECT_EQ(verdict.answer, Answer::hold);
    EXPECT_EQ(verdict.code, "clock_untrusted");
    EXPECT_EQ(clinic.books().parked, 1) << "neither withdrawn nor given up";
    EXPECT_EQ(caller.lease().lease, 0);
    trusted = true;
    caller.ask<envelope::Settled>(envelope::TimeState{.kernel_synchronised = true});
    EXPECT_EQ(caller.lease(10'000).lease, lease.lease);
}

TEST_F(EgressServerTest, AWaitingCallerHearsOfANewEnvelope) {
    const Caller caller{path};
    caller.say(envelope::encode(envelope::Request{envelope::LeaseRequest{Destination::crm, 15'000}}));
    clinic.add("N1", "Quillfeather");
    const auto reply = caller.hear();
    ASSERT_TRUE(reply && std::holds_alternative<envelope::Lease>(*reply));
    EXPECT_NE(std::get<envelope::Lease>(*reply).lease, 0);
}

TEST_F(EgressServerTest, AnswersRubbishAndGoesOn) {
    const Caller caller{path};
    for (const std::string bad : {"x", "{}", R"({"v":1,"frame":"command"})",
                                  R"({"v":1,"frame":"lease_request","destination":"crm","wait_ms":0,"more":1})"}) {
        caller.say(bad);
        const auto reply = caller.hear();
        EXPECT_TRUE(reply && std::holds_alternative<envelope::Refused>(*reply)) << bad;
    }
    EXPECT_EQ(caller.lease().lease, 0);
}

TEST_F(EgressServerTest, OnlyTheLocationIsReadWithoutALease) {
    const Caller caller{path};
    EXPECT_EQ(caller.ask<envelope::Verdict>(envelope::Attempt{.path = "/locations/LOC1"}).answer, Answer::go);
    EXPECT_EQ(caller.ask<envelope::Verdict>(envelope::Attempt{.path = "/locations/LOC2"}).answer, Answer::no);
    caller.ask<envelope::Refused>(
        envelope::Attempt{.route = envelope::Route::contact_search, .path = "/contacts/search", .body = "{}"});
}

TEST_F(EgressServerTest, TheSignOfLifeIsAnsweredWithWhetherSomebodyLooks) {
    const Caller caller{path};
    EXPECT_FALSE(caller.ask<envelope::Settled>(envelope::TimeState{}).watched);
    health.looked_at();
    EXPECT_TRUE(caller.ask<envelope::Settled>(envelope::TimeState{}).watched);
    EXPECT_FALSE(caller.ask<envelope::Settled>(envelope::Settle{.outcome = envelope::Outcome::retry}).watched);
}

TEST_F(EgressServerTest, AStrangerIsTurnedAway) {
    make({.peer = geteuid() + 1});
    const Caller stranger{path};
    EXPECT_FALSE(stranger.hear());
}

TEST_F(EgressServerTest, WithoutAStoreTheModeIsToldAndNothingIsGiven) {
    const auto closed_path = folder / "closed.sock";
    health::Health closed{{.box = "box-1", .version = "0.1.0", .records = folder.path()}, clinic.clock};
    closed.records_closed(Error{Errc::locked, "the key does not open the store"});
    EgressServer alone{listen_on(closed_path), {}, closed, clinic.clock};
    ASSERT_TRUE(alone.start());
    const Caller caller{closed_path};
    EXPECT_EQ(caller.ask<envelope::Device>(envelope::DeviceRequest{}).mode, "locked");
    EXPECT_TRUE(caller.ask<envelope::Settled>(envelope::TimeState{.kernel_synchronised = true}).known);
    EXPECT_TRUE(closed.clock_trusted());
    EXPECT_TRUE(caller.ask<envelope::Settled>(envelope::DeviceAck{1}).known);
    EXPECT_EQ(caller.ask<envelope::Refused>(envelope::LeaseRequest{Destination::crm, 20'000}).code, "closed");
    EXPECT_EQ(caller.ask<envelope::Refused>(envelope::Settle{.lease = 3}).code, "closed");
    EXPECT_EQ(
        caller.ask<envelope::Refused>(envelope::Attempt{0, envelope::Route::location_read, "/locations/LOC1", ""}).code,
        "closed");
}

} // namespace
} // namespace clinic::egress
