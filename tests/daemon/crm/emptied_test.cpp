// The contact of somebody who was merged into another: it says nothing any more, and where it does, that is found and
// put right.
#include <gmock/gmock.h>

#include "tests/daemon/crm/comparison_fixture.h"

namespace clinic::crm {
namespace {

using envelope::Kind;
using records::ConsentScope;
using records::ConsentState;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class Emptied : public FullComparison {
protected:
    static constexpr const char* third = "GHLcontactThird00001";

    // Delivers all that waits, each with a write that GHL answered.
    std::vector<std::string> deliver_written() {
        std::vector<std::string> kinds;
        for (bool any = true; any;) {
            any = false;
            clinic.clock.advance(std::chrono::milliseconds{10});
            clinic.write([&](records::Transaction& txn) -> Result<void> {
                const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
                CLINIC_TRY(lease);
                if (!*lease) return {};
                any = true;
                kinds.emplace_back(envelope::name((*lease)->envelope->kind()));
                const auto subject = outbox::Outbox::patient_of(txn, (*lease)->lease);
                CLINIC_TRY(subject);
                const auto line = outbox::Ledger::open_line(
                    txn, *subject,
                    {.lease = (*lease)->lease, .route = envelope::Route::contact_fields, .path = "/contacts/x"},
                    "open");
                CLINIC_TRY(line);
                const envelope::StepOutcome answered{
                    .attempt = *line, .result = envelope::StepOutcome::Result::answered, .status = 200};
                const auto settled = outbox::Outbox::settle(txn, {.lease = (*lease)->lease, .steps = {answered}});
                return settled ? Result<void>{} : settled.error();
            });
        }
        return kinds;
    }
    // Two who had a contact each; the merge has emptied the one's, as far as GHL has said.
    void merge_two() {
        survivor = linked("N1", other);
        prior = linked("N2", lead);
        clinic.merge(survivor, prior);
        ASSERT_THAT(deliver_written(), Contains("contact.merge"));
        clinic.clock.advance(std::chrono::minutes{2});
    }
    static CrmContact emptied() {
        return {.stage = "archived",
                .last = "none",
                .next = "none",
                .appt_status = "none",
                .appt_when = "none",
                .dnd = true};
    }
    CrmFact survivors() { return contact(other, as_said(survivor)); }

    PatientId survivor, prior;
};

TEST_F(Emptied, ByAMergeItDiffersInNothingAndIsNoOrphan) {
    merge_two();
    auto shown = emptied();
    shown.pid = as_said(prior).pid;
    walk({survivors(), contact(lead, shown)});
    EXPECT_EQ(counts().contacts, 0);
    shown.tags = {*envelope::Word::parse("do_not_contact")};
    walk({survivors(), contact(lead, shown)});
    EXPECT_EQ(counts().contacts, 0) << "of a suppression, or of somebody in GHL: it is no word about anybody";
}

// GHL answered 200 and kept what it had, of somebody who does not exist any more.
TEST_F(Emptied, WhatAMergeDidNotEmptyIsFoundAndTheMergeSaidAgain) {
    merge_two();
    const auto kept = contact(lead, as_said(prior));
    walk({survivors(), kept});
    for (const auto kind : {Differs::fields, Differs::tags, Differs::do_not_disturb}) EXPECT_EQ(count(kind), 1);
    EXPECT_EQ(count(Differs::orphan), 0);
    EXPECT_EQ(counts().contacts, 1);

    EXPECT_EQ(repair(Differs::fields, true).put_again, 1);
    EXPECT_TRUE(clinic.deliver(false).empty()) << "a dry run changes nothing";
    const auto repaired = repair(Differs::fields);
    EXPECT_EQ(repaired.put_again, 1);
    EXPECT_EQ(repaired.patients, std::vector{prior});
    EXPECT_EQ(repair(Differs::tags).put_again, 1) << "it waits already";
    EXPECT_EQ(clinic.books().pending, 1);
    take(kept);
    EXPECT_EQ(counts().contacts, 1) << "what waits is not compared";
    EXPECT_THAT(deliver_written(), ElementsAre("contact.merge"));
    clinic.clock.advance(std::chrono::milliseconds{500});
    take(contact(lead, emptied()));
    EXPECT_EQ(counts().contacts, 0);
}

TEST_F(Emptied, WhatIsReadBeforeGhlShowsItProvesNothing) {
    survivor = linked("N1", other);
    prior = linked("N2", lead);
    const auto kept = contact(lead, as_said(prior));
    clinic.merge(survivor, prior);
    walk({survivors(), kept});
    EXPECT_EQ(counts().contacts, 0) << "the merge waits";
    deliver_written();
    clinic.clock.advance(std::chrono::seconds{30});
    walk({survivors(), kept});
    EXPECT_EQ(counts().contacts, 0) << "GHL's search may not show it yet";
    clinic.clock.advance(std::chrono::seconds{60});
    walk({survivors(), kept});
    EXPECT_EQ(counts().contacts, 1);
    repair(Differs::fields);
    EXPECT_EQ(step().step, WalkStep::rest) << "what waits is not asked about";
    deliver_written();
    clinic.clock.advance(std::chrono::seconds{61});
    EXPECT_EQ(step().id, lead) << "it is read once more";
}

TEST_F(Emptied, WhereTheSurvivorMayNotBeSpokenOfASuppressionIsSaidAgain) {
    merge_two();
    clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
    ASSERT_THAT(deliver_written(), ElementsAre("contact.suppress"));
    clinic.clock.advance(std::chrono::minutes{2});
    walk({contact(other, emptied()), contact(lead, as_said(prior))});
    ASSERT_EQ(count(Differs::tags), 1);
    EXPECT_EQ(repair(Differs::tags).patients, std::vector{prior});
    EXPECT_THAT(deliver_written(), ElementsAre("contact.suppress"));
    clinic.clock.advance(std::chrono::milliseconds{500});
    take(contact(lead, emptied()));
    EXPECT_EQ(count(Differs::tags), 0);
}

TEST_F(Emptied, WhatTheLegalBasisDoesNotAllowIsLeft) {
    merge_two();
    walk({survivors(), contact(lead, as_said(prior))});
    ASSERT_EQ(count(Differs::fields), 1);
    clinic.set_basis(release::Basis::off);
    EXPECT_EQ(repair(Differs::fields).left, 1);
    EXPECT_TRUE(clinic.deliver(false).empty());
    EXPECT_EQ(count(Differs::fields), 1) << "and shown";
}

TEST_F(Emptied, OfOneWhoWasSuppressedAndThenMergedItMustStayQuiet) {
    survivor = linked("N1", other);
    prior = linked("N2", lead);
    clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
    clinic.consent(prior, ConsentScope::crm_sync, ConsentState::revoked);
    deliver_written();
    clinic.merge(survivor, prior);
    EXPECT_THAT(deliver_written(), ElementsAre()) << "all was said";
    clinic.clock.advance(std::chrono::minutes{2});
    auto quiet = emptied();
    quiet.tags = {*envelope::Word::parse("do_not_contact")};
    walk({contact(other, quiet), contact(lead, quiet)});
    EXPECT_EQ(counts().contacts, 0);
    auto loud = quiet;
    loud.dnd = false;
    walk({contact(other, quiet), contact(lead, loud)});
    EXPECT_EQ(count(Differs::do_not_disturb), 1);
    EXPECT_EQ(repair(Differs::do_not_disturb).put_again, 1);
    EXPECT_THAT(deliver_written(), ElementsAre("contact.suppress"));
}

TEST_F(Emptied, InAChainOfMergesEachContactIsLookedAt) {
    const auto first = linked("N3", third);
    merge_two();
    clinic.merge(prior, first); // leads to the survivor
    ASSERT_THAT(deliver_written(), Contains("contact.merge"));
    clinic.clock.advance(std::chrono::minutes{2});
    walk({survivors(), contact(lead, emptied()), contact(third, as_said(first))});
    EXPECT_EQ(count(Differs::fields), 1);
    EXPECT_EQ(repair(Differs::fields).patients, std::vector{first});
    const auto again = clinic.deliver();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again.front().kind(), Kind::contact_merge);
    EXPECT_EQ(again.front().text(envelope::Field::old), as_said(first).pid);
    EXPECT_EQ(again.front().text(envelope::Field::pid), as_said(survivor).pid);
}

TEST_F(Emptied, AContactInWhichNothingWasSaidIsNotLookedAt) {
    clinic.set_basis(release::Basis::consumer_consent, clinic.in_days(300));
    survivor = clinic.add("N1", "Quillfeather");
    prior = linked("N2", lead); // no consent: of neither is anything said
    clinic.merge(survivor, prior);
    EXPECT_TRUE(clinic.deliver().empty());
    walk({contact(lead, {.stage = "lead"})});
    EXPECT_EQ(counts().contacts, 0);
}

// The contact came to the survivor, and GHL kept whose it was.
TEST_F(Emptied, AMarkerThatAMergeDidNotChangeIsFoundAndTheMergeSaidAgain) {
    prior = linked("N2", lead);
    survivor = clinic.add("N1", "Quillfeather");
    auto kept = as_said(survivor);
    kept.pid = as_said(prior).pid;
    clinic.merge(survivor, prior);
    ASSERT_EQ(contact_of(survivor), lead);
    walk({contact(lead, kept)});
    EXPECT_EQ(counts().contacts, 0) << "the merge waits";
    ASSERT_THAT(deliver_written(), Contains("contact.merge"));
    clinic.clock.advance(std::chrono::minutes{2});
    walk({contact(lead, kept)});
    EXPECT_EQ(count(Differs::marker), 1);
    EXPECT_EQ(counts().contacts, 1);
    EXPECT_EQ(repair(Differs::marker).patients, std::vector{prior});
    EXPECT_THAT(deliver_written(), ElementsAre("contact.merge"));
    take(contact(lead, as_said(survivor)));
    EXPECT_EQ(counts().contacts, 0);

    clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
    deliver_written();
    clinic.clock.advance(std::chrono::minutes{2});
    auto quiet = emptied();
    quiet.pid = kept.pid;
    quiet.tags = {*envelope::Word::parse("do_not_contact")};
    walk({contact(lead, quiet)});
    EXPECT_EQ(counts().contacts, 0) << "of whom nothing is said, no merge is told";
}

// A merge sets do-not-disturb, and GHL tells of it: that is nobody's wish.
TEST_F(Emptied, TheEchoOfAMergeEndsNoConsent) {
    survivor = linked("N1", other);
    prior = linked("N2", lead);
    for (const auto scope : {ConsentScope::reminders, ConsentScope::marketing})
        clinic.consent(survivor, scope, ConsentState::granted);
    deliver_written();
    take(contact(lead, as_said(prior)));
    clinic.merge(survivor, prior);
    deliver_written();
    take(contact(lead, emptied()));
    EXPECT_FALSE(revoked(survivor, ConsentScope::reminders));
    EXPECT_FALSE(revoked(survivor, ConsentScope::marketing));
    EXPECT_EQ(recorded(lead, Field::stage), 0) << "and is no difference";
}

TEST_F(Emptied, AStopThatIsSetThereInGhlEndsTheConsentsOfWhomTheyAreNow) {
    merge_two();
    take(contact(lead, emptied()));
    clinic.consent(survivor, ConsentScope::reminders, ConsentState::granted);
    deliver_written();
    clinic.clock.advance(std::chrono::minutes{10});
    auto stopped = emptied();
    stopped.tags = {*envelope::Word::parse("do_not_contact")};
    take(contact(lead, stopped));
    EXPECT_TRUE(revoked(survivor, ConsentScope::reminders));
    EXPECT_THAT(deliver_written(), Contains("consent.state")) << "and it is told";
}

TEST_F(Emptied, WhatGhlsPeopleFillInAgainIsSeenAtOnceAndIsNoConflict) {
    merge_two();
    take(contact(lead, emptied()));
    auto filled = emptied();
    filled.stage = "active";
    take(contact(lead, filled));
    EXPECT_EQ(count(Differs::fields), 1);
    EXPECT_EQ(count(Differs::tags), 0);
    EXPECT_TRUE(open().empty());
    EXPECT_TRUE(clinic.deliver(false).empty()) << "it is shown, and left to a repair";
}

// Of somebody who was erased, whom nobody can name any more.
TEST_F(Emptied, AWordThatIsLeftInAContactOfNobodysIsAnOrphan) {
    auto said = emptied();
    said.pid = std::string{envelope::Pseudonym::random('p').text()};
    walk({contact(lead, said)});
    EXPECT_EQ(counts().contacts, 0);
    said.tags = {*envelope::Word::parse("returning")};
    walk({contact(lead, said)});
    EXPECT_EQ(count(Differs::orphan), 1);
    said.tags.clear();
    said.next = "d3_7";
    walk({contact(lead, said)});
    EXPECT_EQ(count(Differs::orphan), 1);
}

} // namespace
} // namespace clinic::crm
