// What is told of GHL, through the real socket: durable when it is answered, closed like every frame.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/crm/objects.h"
#include "sync/envelope/crm_reads.h"
#include "tests/daemon/egress/egress_fixture.h"

namespace clinic::egress {
namespace {

envelope::CrmFact lead_fact() {
    return {.id = "GHLlead1",
            .kind = envelope::CrmKind::contact,
            .updated_ms = 5,
            .read_ms = 6,
            .said = envelope::CrmContact{}};
}

TEST_F(EgressServerTest, AFactIsTakenAndAProbeAnswered) {
    const auto patient = clinic.add("N1", "Quillfeather");
    const Caller caller{path};
    EXPECT_TRUE(caller.ask<envelope::PollTerms>(envelope::CrmPolled{"starting", 0}).probing);
    const auto taken = caller.ask<envelope::FactTaken>(lead_fact());
    EXPECT_EQ(taken.taken, envelope::Taken::stored);
    EXPECT_TRUE(taken.probe);
    EXPECT_EQ(caller.ask<envelope::FactTaken>(lead_fact()).taken, envelope::Taken::known);
    const auto matched = caller.ask<envelope::Matched>(envelope::MatchProbe{"GHLlead1", "+15550102030", "", ""});
    EXPECT_EQ(matched.match, envelope::Match::linked);
    EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
        const auto contact = outbox::Links::contact(session, patient);
        CLINIC_TRY(contact);
        EXPECT_EQ(*contact, "GHLlead1");
        return {};
    }));
}

// What the relay told is acknowledged to the broker unless it is worth asking again: a failure of the box's own is.
TEST_F(EgressServerTest, AFactThatTheStoreCouldNotTakeIsAskedAgain) {
    const Caller caller{path};
    sqlite3_hard_heap_limit64(1);
    const auto refused = caller.ask<envelope::Refused>(lead_fact());
    sqlite3_hard_heap_limit64(0);
    EXPECT_EQ(refused.code, "busy");
    EXPECT_EQ(caller.ask<envelope::FactTaken>(lead_fact()).taken, envelope::Taken::stored);
}

TEST_F(EgressServerTest, AReadOfThePollingHasAVerdictAndALine) {
    const Caller caller{path};
    const auto asked = [&](envelope::Route route, const std::string& where, const std::string& body) {
        return caller.ask<envelope::Verdict>(
            envelope::Attempt{.lease = 0, .route = route, .path = where, .body = body});
    };
    const auto verdict =
        asked(envelope::Route::contacts_changed, "/contacts/search", envelope::changed_contacts_body(rules, 0, 1, 100));
    EXPECT_EQ(verdict.answer, Answer::go);
    EXPECT_EQ(ledger(), std::vector<std::string>{"open"});
    EXPECT_EQ(asked(envelope::Route::contacts_changed, "/contacts/search", R"({"query":"Quillfeather"})").code,
              "write_set");
    EXPECT_EQ(asked(envelope::Route::calendar_events, "/calendars/events?locationId=LOC1&calendarId=CAL9", "").code,
              "write_set");
}

// The full comparison: from the first step to a contact that is read by itself, because somebody is linked to it.
TEST_F(EgressServerTest, AFullComparisonIsAskedForStepByStep) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(outbox::Links::set_contact(txn, patient, "GHLlead1", outbox::Made::by_others));
        const auto asked = crm::Walks::ask(txn, false);
        return asked ? Result<void>{} : asked.error();
    });
    const Caller caller{path};
    const auto read = caller.ask<envelope::WalkTerms>(envelope::CrmWalk{});
    EXPECT_EQ(read.step, envelope::WalkStep::read);
    EXPECT_FALSE(read.quiet);
    const auto look = caller.ask<envelope::WalkTerms>(
        envelope::CrmWalk{.walk = read.walk, .reached_ms = 5, .whole = true, .requests = 1});
    EXPECT_EQ(look.step, envelope::WalkStep::look);
    EXPECT_EQ(look.id, "GHLlead1");
    const auto may_read = [&](const std::string& where) {
        return caller.ask<envelope::Verdict>(
            envelope::Attempt{.lease = 0, .route = envelope::Route::contact_read, .path = where, .body = ""});
    };
    EXPECT_EQ(may_read("/contacts/GHLlead1").answer, Answer::go);
    EXPECT_EQ(may_read("/contacts/GHLnobody").code, "not_known");
    EXPECT_EQ(caller
                  .ask<envelope::WalkTerms>(
                      envelope::CrmWalk{.walk = read.walk, .looked = "GHLlead1", .absent = true, .requests = 1})
                  .step,
              envelope::WalkStep::rest);
}

// Without a lease, and of what GHL has shown alone.
TEST_F(EgressServerTest, AnOpportunityThatNoListShowsIsReadAndGone) {
    const Caller caller{path};
    caller.ask<envelope::FactTaken>(envelope::CrmFact{.id = rules.location,
                                                      .kind = envelope::CrmKind::location,
                                                      .updated_ms = 0,
                                                      .read_ms = 6,
                                                      .said = envelope::CrmLocation{"America/New_York"}});
    const envelope::CrmFact shown{.id = "GHLopp1",
                                  .kind = envelope::CrmKind::opportunity,
                                  .updated_ms = 5,
                                  .read_ms = 6,
                                  .said = envelope::CrmOpportunity{"GHLlead1", "PIPE1", "", envelope::Case::open}};
    caller.ask<envelope::FactTaken>(shown);
    EXPECT_EQ(caller.ask<envelope::WalkTerms>(envelope::CrmWalk{}).step, envelope::WalkStep::rest);
    caller.ask<envelope::PollTerms>(envelope::CrmPolled{"", 3, 7, 7});
    const auto look = caller.ask<envelope::WalkTerms>(envelope::CrmWalk{});
    EXPECT_EQ(look.step, envelope::WalkStep::look);
    EXPECT_EQ(look.kind, envelope::CrmKind::opportunity);
    EXPECT_EQ(look.id, "GHLopp1");
    const auto may_read = [&](envelope::Route route, const std::string& where) {
        return caller.ask<envelope::Verdict>(envelope::Attempt{.lease = 0, .route = route, .path = where, .body = ""});
    };
    EXPECT_EQ(may_read(envelope::Route::case_read, "/opportunities/GHLopp1").answer, Answer::go);
    EXPECT_EQ(may_read(envelope::Route::case_read, "/opportunities/GHLnone").code, "not_known");
    EXPECT_EQ(may_read(envelope::Route::booking_read, "/calendars/events/appointments/GHLopp1").code, "not_known");
    const envelope::CrmWalk absent{
        .kind = envelope::CrmKind::opportunity, .looked = "GHLopp1", .absent = true, .requests = 1};
    caller.ask<envelope::WalkTerms>(absent);
    EXPECT_EQ(caller.ask<envelope::FactTaken>(shown).taken, envelope::Taken::known) << "one answer proves nothing";
    clinic.clock.advance(std::chrono::minutes{5});
    EXPECT_EQ(caller.ask<envelope::WalkTerms>(envelope::CrmWalk{}).id, "GHLopp1");
    caller.ask<envelope::WalkTerms>(absent);
    EXPECT_EQ(caller.ask<envelope::FactTaken>(shown).taken, envelope::Taken::after_delete);
}

TEST_F(EgressServerTest, WithoutABasisNothingIsAskedAbout) {
    clinic.set_basis(release::Basis::off);
    const Caller caller{path};
    EXPECT_FALSE(caller.ask<envelope::PollTerms>(envelope::CrmPolled{"starting", 0}).probing);
    EXPECT_FALSE(caller.ask<envelope::FactTaken>(lead_fact()).probe);
    EXPECT_EQ(caller.ask<envelope::Matched>(envelope::MatchProbe{"GHLlead1", "+15550102030", "", ""}).match,
              envelope::Match::refused);
}

} // namespace
} // namespace clinic::egress
