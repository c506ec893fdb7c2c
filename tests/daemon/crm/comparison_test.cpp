// The full comparison: what differs, of which kind, how it goes on after a restart, and how it is put right.
#include "tests/daemon/crm/comparison_fixture.h"

namespace clinic::crm {
namespace {

TEST_F(FullComparison, FindsNothingWhereGhlHoldsWhatWasMeant) {
    const auto patient = linked("N1", lead);
    EXPECT_TRUE(walk({contact(lead, as_said(patient)), contact("GHLsomebodyElse")}).empty());
    EXPECT_EQ(counts().contacts, 0);
    ASSERT_TRUE(newest_ended());
    EXPECT_EQ(newest_ended()->compared, 1);
    EXPECT_EQ(newest_ended()->requests, 1);
}

// GHL answered, kept nothing, and its dateUpdated does not tell: no round of polling finds that.
TEST_F(FullComparison, FindsAWriteThatWasAcceptedAndNotKept) {
    const auto patient = linked("N1", lead);
    const auto before = contact(lead);
    wrote(patient);
    clinic.clock.advance(std::chrono::seconds{30});
    walk({before});
    EXPECT_EQ(counts().contacts, 0) << "GHL's search may not show it yet";
    clinic.clock.advance(std::chrono::seconds{60});
    walk({before});
    EXPECT_EQ(count(Differs::fields), 1);
    EXPECT_EQ(count(Differs::tags), 1);
    EXPECT_EQ(counts().contacts, 1);

    EXPECT_EQ(repair(Differs::fields, true).put_again, 1);
    EXPECT_TRUE(clinic.deliver(false).empty()) << "a dry run changes nothing";
    const auto repaired = repair(Differs::fields);
    EXPECT_EQ(repaired.found, 1);
    EXPECT_EQ(repaired.put_again, 1);
    EXPECT_EQ(repaired.patients, std::vector{patient});
    EXPECT_EQ(clinic.deliver_kinds(), std::vector<std::string>{"contact.state"});
    EXPECT_EQ(counts().contacts, 1) << "until GHL shows it";
    take(contact(lead, as_said(patient)));
    EXPECT_EQ(counts().contacts, 0);
}

TEST_F(FullComparison, WhatWaitsIsNotCompared) {
    const auto patient = clinic.add("N1", "Quillfeather");
    take(contact(lead));
    said_by([&](Linking links, records::Transaction& txn) { return links.set(txn, lead, patient); });
    walk({contact(lead)});
    EXPECT_EQ(counts().contacts, 0);
}

TEST_F(FullComparison, AContactThatNoPageShowsIsReadByItselfTwiceAndIsGone) {
    const auto patient = linked("N1", lead);
    const auto second = linked("N2", other);
    clinic.clock.advance(std::chrono::seconds{1});
    EXPECT_EQ(walk({contact(other, as_said(second))}), std::vector<std::string>{lead});
    EXPECT_EQ(counts().contacts, 0) << "one answer may be wrong";
    EXPECT_EQ(look_again(), std::vector<std::string>{lead});
    EXPECT_EQ(count(Differs::gone), 1);
    EXPECT_EQ(counts().contacts, 1);
    EXPECT_TRUE(look_again().empty());
    take(contact(lead, as_said(patient)));
    EXPECT_EQ(counts().contacts, 0) << "it is there: it has never been gone";
    clinic.clock.advance(std::chrono::seconds{1});
    walk({contact(other, as_said(second))});
    look_again();
    ASSERT_EQ(count(Differs::gone), 1);
    clinic.clock.advance(std::chrono::seconds{1});
    EXPECT_EQ(walk({contact(other, as_said(second))}), std::vector<std::string>{lead});
    EXPECT_TRUE(look_again().empty()) << "that is known";
    ASSERT_EQ(count(Differs::gone), 1);

    EXPECT_EQ(repair(Differs::gone).put_again, 1);
    EXPECT_EQ(contact_of(patient), "");
    EXPECT_EQ(count(Differs::gone), 0);
    EXPECT_EQ(clinic.deliver_kinds(), std::vector<std::string>{"contact.state"}) << "looks for a contact anew";
}

TEST_F(FullComparison, TheTwoAnswersThatAContactIsGoneAreAMinuteApart) {
    linked("N1", lead);
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    clinic.clock.advance(absent_apart - std::chrono::seconds{1});
    EXPECT_EQ(step().step, WalkStep::rest);
    EXPECT_EQ(walk({}), std::vector<std::string>{lead});
    EXPECT_EQ(count(Differs::gone), 0) << "the next comparison's answer is too early";
    EXPECT_EQ(look_again(), std::vector<std::string>{lead});
    EXPECT_EQ(count(Differs::gone), 1);
}

TEST_F(FullComparison, AnAnswerThatAContactIsThereTakesTheFirstOneBack) {
    linked("N1", lead);
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    EXPECT_EQ(look_again(false), std::vector<std::string>{lead});
    walk({});
    EXPECT_EQ(count(Differs::gone), 0) << "it is the first answer again";
    look_again();
    EXPECT_EQ(count(Differs::gone), 1);
}

TEST_F(FullComparison, AContactThatIsSeenBetweenTheTwoAnswersIsNotGone) {
    const auto patient = linked("N1", lead);
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    take(contact(lead, as_said(patient)));
    EXPECT_TRUE(look_again().empty());
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    EXPECT_EQ(count(Differs::gone), 0) << "it is the first answer again";
}

TEST_F(FullComparison, ALinkedContactThatNobodyHasEverSeenIsGoneAtTheSecondAnswer) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.write([&](records::Transaction& txn) {
        return outbox::Links::set_contact(txn, patient, lead, outbox::Made::by_others);
    });
    EXPECT_EQ(walk({}), std::vector<std::string>{lead});
    EXPECT_FALSE(seen(lead));
    EXPECT_EQ(look_again(), std::vector<std::string>{lead});
    EXPECT_EQ(count(Differs::gone), 1);
}

TEST_F(FullComparison, AContactThatIsNotAnsweredForIsOfferedThreeTimesAndLeftToTheNextComparison) {
    linked("N1", lead);
    linked("N2", other);
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    clinic.clock.advance(absent_apart);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(step().id, lead);
    EXPECT_EQ(step().id, other);
    EXPECT_EQ(look_again(), std::vector<std::string>{other});
    EXPECT_EQ(count(Differs::gone), 1);
    EXPECT_EQ(walk({}), (std::vector<std::string>{lead, other}));
    EXPECT_EQ(look_again(), std::vector<std::string>{lead});
    EXPECT_EQ(count(Differs::gone), 2);
}

TEST_F(FullComparison, AWebhookThatSaysDeletedIsDecisiveAtOnce) {
    linked("N1", lead);
    take(gone(lead));
    EXPECT_EQ(count(Differs::gone), 1);
}

TEST_F(FullComparison, OneThatIsGoneAndWasUnlinkedByAPersonIsForgotten) {
    const auto patient = linked("N1", lead);
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    look_again();
    ASSERT_EQ(count(Differs::gone), 1);
    said_by([&](Linking links, records::Transaction& txn) { return links.unset(txn, patient); });
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    EXPECT_EQ(counts().contacts, 0);
}

TEST_F(FullComparison, AMarkerWithoutALinkIsAnOrphanAndIsLinkedToWhomItNames) {
    const auto patient = clinic.add("N1", "Quillfeather");
    walk({contact(lead, as_said(patient))});
    EXPECT_EQ(count(Differs::orphan), 1);
    const auto repaired = repair(Differs::orphan);
    EXPECT_EQ(repaired.put_again, 1);
    EXPECT_EQ(contact_of(patient), lead);
    EXPECT_EQ(counts().contacts, 0);
    EXPECT_TRUE(open().empty());
}

TEST_F(FullComparison, AnOrphanOfWhomACreateWithoutAnAnswerMayHaveGivenAnotherWaits) {
    const auto patient = clinic.add("N1", "Quillfeather");
    walk({contact(lead, as_said(patient))});
    create_without_answer(patient);
    EXPECT_EQ(repair(Differs::orphan).left, 1);
    EXPECT_EQ(contact_of(patient), "");
    EXPECT_EQ(count(Differs::orphan), 1);
}

TEST_F(FullComparison, AnOrphanOfNobodysWaitsForAPersonAndIsForgottenWithItsContact) {
    auto said = CrmContact{.pid = std::string{envelope::Pseudonym::random('p').text()}, .stage = "active"};
    walk({contact(lead, said)});
    EXPECT_EQ(count(Differs::orphan), 1);
    EXPECT_EQ(repair(Differs::orphan).left, 1);
    clinic.clock.advance(std::chrono::seconds{1});
    walk({});
    EXPECT_EQ(counts().contacts, 0);
    said.stage = "archived"; // as an erased person's is left
    walk({contact(other, said)});
    EXPECT_EQ(counts().contacts, 0);
}

TEST_F(FullComparison, TwoContactsWithOneMarkerAreLeftToAPerson) {
    const auto patient = linked("N1", lead);
    walk({contact(lead, as_said(patient)), contact(other, as_said(patient))});
    EXPECT_EQ(count(Differs::twice), 1);
    EXPECT_EQ(counts().contacts, 1);
    EXPECT_EQ(repair(Differs::twice).left, 1);
}

TEST_F(FullComparison, AContactThatWeMadeWithoutItsMarkerIsFound) {
    const auto patient = clinic.add("N1", "Quillfeather");
    ASSERT_EQ(clinic.deliver_kinds(), std::vector<std::string>{"contact.state"});
    auto said = as_said(patient);
    said.pid.clear();
    walk({contact(contact_of(patient), said)});
    EXPECT_EQ(count(Differs::marker), 1);
    said.pid = as_said(clinic.add("N2", "Umberdown")).pid;
    walk({contact(contact_of(patient), said)});
    EXPECT_EQ(count(Differs::marker), 1);
}

TEST_F(FullComparison, ASuppressedContactMustStayQuiet) {
    const auto patient = linked("N1", lead);
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    ASSERT_EQ(clinic.deliver_kinds(), std::vector<std::string>{"contact.suppress"});
    CrmContact quiet{.stage = "archived",
                     .last = "none",
                     .next = "none",
                     .appt_status = "none",
                     .appt_when = "none",
                     .dnd = true,
                     .tags = {*envelope::Word::parse("do_not_contact")}};
    walk({contact(lead, quiet)});
    EXPECT_EQ(counts().contacts, 0);
    auto loud = quiet;
    loud.dnd = false;
    walk({contact(lead, loud)});
    EXPECT_EQ(count(Differs::do_not_disturb), 1);
    EXPECT_EQ(count(Differs::tags), 0);
    EXPECT_EQ(repair(Differs::do_not_disturb).put_again, 1);
    EXPECT_EQ(clinic.deliver_kinds(), std::vector<std::string>{"contact.suppress"});
}

TEST_F(FullComparison, GoesOnAfterARestartFromWhereItStood) {
    const auto patient = linked("N1", lead);
    linked("N2", other);
    clinic.clock.advance(std::chrono::seconds{1});
    ask();
    const auto first = step();
    take(contact(lead, as_said(patient)));
    EXPECT_EQ(step({.walk = first.walk, .reached_ms = 4'711, .requests = 3}).from_ms, 4'711);
    restart();
    auto terms = step();
    EXPECT_EQ(terms.step, WalkStep::read);
    EXPECT_EQ(terms.walk, first.walk);
    EXPECT_EQ(terms.from_ms, 4'711);
    terms = step({.walk = terms.walk, .reached_ms = 4'712, .whole = true});
    EXPECT_EQ(terms.id, other);
    restart();
    terms = step();
    EXPECT_EQ(terms.id, other) << "it was not read yet";
    EXPECT_EQ(step({.walk = terms.walk, .looked = other}).step, WalkStep::rest);
    EXPECT_EQ(newest_ended()->requests, 3);
    EXPECT_EQ(newest_ended()->compared, 2);
}

TEST_F(FullComparison, BeginsAtNightOnceAndNeverByAnUntrustedClock) {
    restart();
    const auto to_hour = [&](int hour) {
        const std::time_t seconds = clinic.clock.now().micros / 1'000'000;
        std::tm parts{};
        localtime_r(&seconds, &parts);
        clinic.clock.advance(std::chrono::minutes{((hour - parts.tm_hour + 24) % 24) * 60});
    };
    to_hour(12);
    EXPECT_EQ(step().step, WalkStep::rest);
    to_hour(2);
    clinic.releaser.set_clock_trusted(false);
    EXPECT_EQ(step().step, WalkStep::rest);
    clinic.releaser.set_clock_trusted(true);
    auto terms = step();
    EXPECT_EQ(terms.step, WalkStep::read);
    EXPECT_TRUE(terms.quiet);
    ask();
    EXPECT_FALSE(step().quiet) << "a person waits for it";
    EXPECT_EQ(step({.walk = terms.walk, .whole = true}).step, WalkStep::rest);
    clinic.clock.advance(std::chrono::hours{1});
    EXPECT_EQ(step().step, WalkStep::rest);
    clinic.clock.advance(std::chrono::hours{23});
    EXPECT_EQ(step().step, WalkStep::read);
}

// The echo of a repair may come too early to prove anything: it is read once more.
TEST_F(FullComparison, WhatWasPutRightIsReadOnceMore) {
    const auto patient = linked("N1", lead);
    walk({contact(lead)});
    ASSERT_EQ(counts().contacts, 1);
    repair(Differs::fields);
    clinic.deliver(false);
    wrote(patient);
    EXPECT_EQ(step().step, WalkStep::rest) << "GHL may not show it yet";
    clinic.clock.advance(std::chrono::seconds{61});
    const auto terms = step();
    EXPECT_EQ(terms.step, WalkStep::look);
    EXPECT_EQ(terms.walk, 0);
    EXPECT_EQ(terms.id, lead);
    take(contact(lead, as_said(patient)));
    EXPECT_EQ(step({.looked = lead}).step, WalkStep::rest);
    EXPECT_EQ(counts().contacts, 0);
}

} // namespace
} // namespace clinic::crm
