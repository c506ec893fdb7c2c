// A dry run writes the ledger as ever, sends nothing, and keeps what it did not send for the day that it ends. And what
// a line of the ledger says of a request.
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/egress/said.h"
#include "tests/daemon/egress/egress_fixture.h"

namespace clinic::egress {
namespace {

using nlohmann::json;
using Result_ = envelope::StepOutcome::Result;

class DryRun : public EgressServerTest {
protected:
    void SetUp() override {
        EgressServerTest::SetUp();
        make_with(dry);
    }
    // The same socket, served by another gate: as after a restart with other settings.
    void make_with(Gate& one) {
        clinic.store->on_change({});
        server.reset();
        std::filesystem::remove(path);
        server = std::make_unique<EgressServer>(listen_on(path), ServerOptions{}, one, *clinic.store, clinic.releaser,
                                                health, clinic.clock);
        ASSERT_TRUE(server->start());
        clinic.store->on_change([this] { server->wake(); });
    }
    std::vector<outbox::LedgerLine> lines(const outbox::LedgerSearch& search = {}) {
        std::vector<outbox::LedgerLine> all;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            auto page = outbox::Ledger::page(session, search, 10);
            CLINIC_TRY(page);
            all = std::move(page->lines);
            return {};
        }));
        return all;
    }
    Gate dry{{.rules = rules, .index_lag = std::chrono::milliseconds{1'000}, .dry_run = true},
             clinic.store->identifiers(),
             clinic.releaser};
};

TEST_F(DryRun, WritesWhatWouldLeaveAndKeepsItForTheEnd) {
    clinic.add("N1", "Quillfeather");
    const auto audited = clinic.audit_entries();
    {
        const Caller caller{path};
        const auto lease = caller.lease();
        ASSERT_NE(lease.lease, 0);
        const auto verdict = caller.ask<envelope::Verdict>(create(lease));
        EXPECT_EQ(verdict.answer, Answer::dry);
        EXPECT_EQ(verdict.code, "dry_run");
        caller.ask<envelope::Settled>(envelope::Settle{
            .lease = lease.lease, .contact = "", .steps = {{.attempt = verdict.attempt, .result = Result_::not_sent}}});
        EXPECT_EQ(caller.lease().lease, 0) << "it is not offered again and again";
    }
    const auto written = lines();
    ASSERT_EQ(written.size(), 1U);
    EXPECT_EQ(written[0].result, "dry_run");
    EXPECT_EQ(written[0].kind, envelope::Kind::contact_state);
    EXPECT_EQ(clinic.books().parked, 1);
    EXPECT_EQ(clinic.books().delivered, 0);
    EXPECT_EQ(clinic.audit_entries(), audited) << "nothing was disclosed";

    make_with(gate); // live
    const Caller caller{path};
    const auto lease = caller.lease();
    ASSERT_NE(lease.lease, 0) << "what was kept goes out";
    EXPECT_TRUE(lease.create);
    EXPECT_FALSE(lease.look_up_first) << "no create has happened";
    EXPECT_EQ(caller.ask<envelope::Verdict>(create(lease)).answer, Answer::go);
}

TEST_F(DryRun, IsCountedApartAndADeliveryByHowLongItTook) {
    make_with(gate); // live
    clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto lease = caller.lease();
    EXPECT_EQ(lease.trace.size(), 32U);
    EXPECT_TRUE(lease.heard_us);
    const auto verdict = caller.ask<envelope::Verdict>(create(lease));
    caller.ask<envelope::Settled>(
        envelope::Settle{.lease = lease.lease,
                         .contact = "contact1",
                         .steps = {{.attempt = verdict.attempt, .result = Result_::answered, .status = 201}}});
    std::map<std::string, std::int64_t> counted;
    for (const auto& one : server->numbers())
        counted[std::string{one.name.c_str()} + "{" + one.labels.c_str() + "}"] = one.value;
    EXPECT_EQ(counted.at(R"(clinic_egress_verdicts_total{answer="go"})"), 1);
    EXPECT_EQ(counted.at(R"(clinic_egress_verdicts_total{answer="dry"})"), 0);
    EXPECT_EQ(counted.at(R"(clinic_ghl_requests_total{result="answered"})"), 1);
    EXPECT_EQ(counted.at(R"(clinic_ghl_answers_total{status="2xx"})"), 1);
    EXPECT_EQ(counted.at(R"(clinic_egress_settled_total{outcome="delivered"})"), 1);
    EXPECT_EQ(counted.at(R"(clinic_delivery_seconds{le="+Inf"})"), 1);
    EXPECT_EQ(counted.at("clinic_delivery_seconds{count}"), 1);
    EXPECT_EQ(counted.at("clinic_delivery_seconds{le=\"86400\"}"), 1);
}

TEST_F(DryRun, LetsNoLookPassEither) {
    const Caller caller{path};
    const auto verdict = caller.ask<envelope::Verdict>(
        envelope::Attempt{.lease = 0, .route = envelope::Route::location_read, .path = "/locations/LOC1", .body = ""});
    EXPECT_EQ(verdict.answer, Answer::dry);
    EXPECT_EQ(lines().at(0).result, "dry_run");
}

TEST_F(DryRun, WhatTheLastCheckStopsIsStoppedAllTheSame) {
    clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    auto request = create(caller.lease());
    request.body.replace(request.body.find("ce-new-patient"), 14, "ce-quillfeather");
    EXPECT_EQ(caller.ask<envelope::Verdict>(request).answer, Answer::no);
    const auto written = lines();
    ASSERT_EQ(written.size(), 1U);
    EXPECT_EQ(written[0].result, "blocked");
    EXPECT_EQ(written[0].said, "") << "nothing of it is kept";
}

TEST_F(DryRun, ALineSaysEachFieldAndNobodysId) {
    const auto who = clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    const auto lease = caller.lease();
    caller.ask<envelope::Verdict>(create(lease));
    const auto written = lines({.after = 0, .subject = who});
    ASSERT_EQ(written.size(), 1U);
    EXPECT_EQ(json::parse(written[0].said), (json{{"path", "/contacts/"},
                                                  {"fields",
                                                   {{"locationId", "{location}"},
                                                    {"firstName", "{pid}"},
                                                    {"source", "clinic-edge"},
                                                    {"dnd", true},
                                                    {"tags", {"ce-new-patient"}},
                                                    {"ce_pid", "{pid}"},
                                                    {"ce_stage", "new"}}}}));
    EXPECT_EQ(lines({.after = 0, .subject = clinic.add("N2", "Waitwell")}).size(), 0U) << "another's";
    EXPECT_EQ(lines({.kind = envelope::Kind::appt_state}).size(), 0U);
    EXPECT_EQ(lines({.destination = envelope::Destination::crm}).size(), 1U);
    EXPECT_EQ(lines({.from = clinic.clock.now() + base::Micros{1}}).size(), 0U);
    EXPECT_EQ(lines({.until = clinic.clock.now() + base::Micros{1}}).size(), 1U);
}

TEST_F(DryRun, AnIdInAPathIsCalledByWhatItIs) {
    envelope::MetadataEnvelope state{envelope::Kind::contact_state};
    state.put(Field::pid, envelope::Pseudonym::random('p'));
    const std::vector<std::string> ids{std::string{state.text(Field::pid)}, "contact1"};
    const std::vector<outbox::Leased> lease{{9, {}, state}};
    const auto said =
        said_by(rules, {9, envelope::Route::tags_add, "/contacts/contact1/tags", R"({"tags":["ce-a"]})"}, lease, ids);
    EXPECT_EQ(json::parse(said), (json{{"path", "/contacts/{contact}/tags"}, {"fields", {{"tags", {"ce-a"}}}}}));
    EXPECT_EQ(said_by(rules, {9, envelope::Route::tags_add, "/contacts/contact1/tags", "no JSON"}, lease, ids), "");
}

TEST_F(DryRun, ALedgerPageSaysWhereToGoOn) {
    const Caller caller{path};
    for (int i = 0; i < 3; ++i)
        caller.ask<envelope::Verdict>(envelope::Attempt{
            .lease = 0, .route = envelope::Route::location_read, .path = "/locations/LOC1", .body = ""});
    EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
        const auto first = outbox::Ledger::page(session, {}, 2);
        CLINIC_TRY(first);
        EXPECT_EQ(first->lines.size(), 2U);
        EXPECT_TRUE(first->next);
        const auto last = outbox::Ledger::page(session, {.after = first->next.value_or(0)}, 2);
        CLINIC_TRY(last);
        EXPECT_EQ(last->lines.size(), 1U);
        EXPECT_FALSE(last->next);
        return {};
    }));
}

// The bound of the dead letters is kept before each lease, and whose they were is in the audit chain.
TEST_F(DryRun, TooManyDeadLettersAreGivenUpWithAnEntry) {
    clinic.add("N1", "Quillfeather");
    clinic.write([](records::Transaction& txn) -> Result<void> {
        const auto lease = outbox::Outbox::lease(txn, Destination::crm, true, {});
        CLINIC_TRY(lease);
        return outbox::Outbox::kill(txn, (*lease)->lease, "http_422");
    });
    const auto audited = clinic.audit_entries();
    const auto count_others = [&](std::int64_t others) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto count = txn.prepare("UPDATE outbox_counter SET envelopes = envelopes + ? WHERE state IN (0, 4)");
            CLINIC_TRY(count);
            return count->bind(others).run();
        });
    };
    count_others(outbox::dead_letters_max);
    const Caller caller{path};
    EXPECT_EQ(caller.lease().lease, 0);
    EXPECT_EQ(clinic.books().discarded, 1);
    EXPECT_GT(clinic.audit_entries(), audited);
    count_others(-outbox::dead_letters_max);
    EXPECT_EQ(clinic.books().dead, 0);
}

} // namespace
} // namespace clinic::egress
