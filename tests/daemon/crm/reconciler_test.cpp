// Each fact counts once, in whatever order they come, and the field's own rule decides.
#include <algorithm>

#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

TEST_F(Crm, AFactCountsOnce) {
    const auto fact = contact(lead, {.campaigns = {"spring"}, .source = "website"});
    EXPECT_EQ(take(fact).taken, Taken::stored);
    EXPECT_EQ(take(fact).taken, Taken::known);
    ASSERT_TRUE(seen(lead));
    EXPECT_EQ(seen(lead)->fact, fact) << "a lead keeps its campaigns and its source, and nothing else";
}

TEST_F(Crm, TheSameReadLaterIsKnown) {
    auto fact = contact(lead);
    take(fact);
    fact.read_ms += 60'000;
    EXPECT_EQ(take(fact).taken, Taken::known);
    EXPECT_EQ(seen(lead)->fact.read_ms, fact.read_ms);
}

// The box had booted with a date that was ahead, and read all; then it was set back.
TEST_F(Crm, WhatWasReadUnderAClockThatWasAheadHoldsNothingBack) {
    auto fact = contact(lead);
    fact.read_ms = now_ms() + 10 * 3'600'000;
    take(fact);
    auto now = contact(lead, {.dnd = true});
    now.updated_ms = fact.updated_ms;
    now.read_ms = now_ms();
    EXPECT_EQ(take(now).taken, Taken::stored);
    EXPECT_EQ(seen(lead)->fact, now);
    fact.id = now.id = "GHLunchanged000000001";
    take(fact);
    now.said = fact.said;
    EXPECT_EQ(take(now).taken, Taken::known);
    EXPECT_EQ(seen(now.id)->fact.read_ms, now.read_ms) << "its order is today's again";
}

// Every order of four facts ends in the same.
TEST_F(Crm, TheOrderOfTheFactsDoesNotMatter) {
    std::vector<CrmFact> facts{contact(lead), contact(lead, {.dnd = true}), contact(lead, {.source = "website"}),
                               contact(lead, {.campaigns = {"spring"}})};
    facts[2].updated_ms = facts[1].updated_ms; // at once in GHL, and read one after the other
    std::vector<std::size_t> order{0, 1, 2, 3};
    int round = 0;
    do {
        const std::string id = "GHLorder" + std::to_string(round++);
        for (const std::size_t one : order) {
            auto fact = facts[one];
            fact.id = id;
            take(fact);
        }
        auto last = facts[3];
        last.id = id;
        EXPECT_EQ(seen(id)->fact, last) << round;
    } while (std::ranges::next_permutation(order).found);
    EXPECT_EQ(round, 24);
}

TEST_F(Crm, AnUpdateAfterADeleteStaysDeleted) {
    const auto first = contact(lead);
    take(first);
    auto late = contact(lead, {.source = "website"});
    EXPECT_EQ(take(gone(lead)).taken, Taken::stored);
    late.updated_ms = now_ms() + 5'000;
    EXPECT_EQ(take(late).taken, Taken::after_delete);
    EXPECT_EQ(take(gone(lead)).taken, Taken::known);
    EXPECT_TRUE(seen(lead)->fact.deleted());
}

TEST_F(Crm, ADeleteThatIsHeardOfFirstOrLateCountsAllTheSame) {
    const auto early = gone(lead);
    take(contact(lead));
    EXPECT_EQ(take(early).taken, Taken::stored) << "its time stamp is older than the newest update's";
    EXPECT_TRUE(seen(lead)->fact.deleted());
    EXPECT_EQ(take(gone("GHLnever")).taken, Taken::stored);
    EXPECT_EQ(take(contact("GHLnever")).taken, Taken::after_delete);
}

TEST_F(Crm, WordsThatAreNotConfiguredAreRefused) {
    EXPECT_EQ(take(contact(lead, {.campaigns = {"autumn"}})).taken, Taken::refused);
    EXPECT_EQ(take(contact(lead, {.source = "quillfeather"})).taken, Taken::refused);
    EXPECT_FALSE(seen(lead));
}

TEST_F(Crm, WhatWeWroteComesBackAndDoesNothing) {
    const auto patient = linked("N1", lead);
    const auto released = clinic.books().released;
    take(contact(lead, as_said(patient)));
    EXPECT_EQ(clinic.books().released, released);
    EXPECT_TRUE(open().empty());
    EXPECT_EQ(recorded(lead, Field::stage), 0);
}

TEST_F(Crm, OurFieldsAreWrittenAgainAndTheDifferenceIsRecorded) {
    const auto patient = linked("N1", lead);
    auto changed = as_said(patient);
    changed.stage = "lapsed";
    changed.tags = {*envelope::Word::parse("lapsed_12m")};
    take(contact(lead, changed));
    EXPECT_EQ(recorded(lead, Field::stage), 1);
    EXPECT_EQ(recorded(lead, Field::tags), 1);
    EXPECT_TRUE(open().empty()) << "the clinic wins by rule";
    const auto again = clinic.deliver(false);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].text(envelope::Field::stage), "new");
}

TEST_F(Crm, WhatWasReadBeforeOurWriteProvesNothing) {
    const auto patient = clinic.add("N1", "Quillfeather");
    take(contact(lead));
    auto stale = contact(lead, as_said(patient));
    std::get<CrmContact>(stale.said).stage = "lapsed";
    said_by([&](Linking links, records::Transaction& txn) { return links.set(txn, lead, patient); });
    clinic.clock.advance(std::chrono::seconds{1});
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, false, {});
        CLINIC_TRY(lease);
        const auto line = outbox::Ledger::open_line(
            txn, patient, {.lease = (*lease)->lease, .route = envelope::Route::contact_fields, .path = "/contacts/x"},
            "open");
        CLINIC_TRY(line);
        const auto settled = outbox::Outbox::settle(
            txn, {.lease = (*lease)->lease,
                  .steps = {{.attempt = *line, .result = envelope::StepOutcome::Result::answered, .status = 200}}});
        return settled ? Result<void>{} : settled.error();
    });
    take(stale);
    EXPECT_EQ(recorded(lead, Field::stage), 0);
}

// A workflow in GHL that sets the field back each time is not fought for ever.
TEST_F(Crm, AFieldThatIsChangedAgainAndAgainWaitsForAPerson) {
    const auto patient = linked("N1", lead);
    for (int i = 0; i < 5; ++i) {
        auto changed = as_said(patient);
        changed.stage = i % 2 == 0 ? "lapsed" : "inactive";
        take(contact(lead, changed));
        clinic.deliver(false);
    }
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::stage);
    EXPECT_EQ(open()[0].ours, "new");
    EXPECT_EQ(recorded(lead, Field::stage), 4) << "three by rule, one open";
}

TEST_F(Crm, ADoNotDisturbOfGhlEndsTheConsents) {
    const auto patient = linked("N1", lead);
    clinic.consent(patient, records::ConsentScope::reminders, records::ConsentState::granted);
    const auto entries = clinic.audit_entries();
    auto said = as_said(patient);
    said.dnd = true;
    take(contact(lead, said));
    EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders));
    EXPECT_TRUE(revoked(patient, records::ConsentScope::marketing));
    EXPECT_GT(clinic.audit_entries(), entries);
    said.dnd = false;
    take(contact(lead, said));
    EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders)) << "cleared in GHL, it gives none back";
    EXPECT_EQ(recorded(lead, Field::do_not_disturb), 1);
}

TEST_F(Crm, TheTagOfItEndsThemToo) {
    const auto patient = linked("N1", lead);
    auto said = as_said(patient);
    said.tags.push_back(*envelope::Word::parse("do_not_contact"));
    take(contact(lead, said));
    EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders));
}

// The shell that we make has do-not-disturb from the start: that is ours, and says nothing of the patient.
TEST_F(Crm, TheDoNotDisturbOfOurOwnShellIsNoWithdrawal) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.deliver(); // "contact1", made by us
    auto said = as_said(patient);
    said.dnd = true;
    take(contact("contact1", said));
    EXPECT_FALSE(revoked(patient, records::ConsentScope::reminders));
    said.dnd = false;
    take(contact("contact1", said));
    said.dnd = true;
    take(contact("contact1", said));
    EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders)) << "set by somebody since";
}

// Whoever takes up the tag means it, though the shell may not be disturbed anyway.
TEST_F(Crm, TheTagOnAShellOfOursEndsTheConsents) {
    for (const bool seen_before : {true, false}) {
        const std::string number = seen_before ? "N1" : "N2", id = seen_before ? "contact1" : "contact2";
        const auto patient = clinic.add(number, "Quillfeather");
        clinic.deliver();
        auto said = as_said(patient);
        said.dnd = true;
        if (seen_before) take(contact(id, said));
        said.tags.push_back(*envelope::Word::parse("do_not_contact"));
        take(contact(id, said));
        EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders)) << number;
    }
}

// Refused reminders write the tag. Whoever sets do-not-disturb besides has said it, however soon.
TEST_F(Crm, ADoNotDisturbBesideOurOwnTagIsGhls) {
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    clinic.consent(patient, records::ConsentScope::marketing, records::ConsentState::granted);
    clinic.consent(patient, records::ConsentScope::reminders, records::ConsentState::revoked);
    clinic.deliver(false);
    auto said = as_said(patient);
    said.tags.push_back(*envelope::Word::parse("do_not_contact"));
    take(contact(lead, said));
    EXPECT_FALSE(revoked(patient, records::ConsentScope::marketing)) << "our own, come back";
    said.dnd = true;
    take(contact(lead, said));
    EXPECT_TRUE(revoked(patient, records::ConsentScope::marketing));
}

// What we write ourselves comes back as well: the end of the basis is no word of the patient's.
TEST_F(Crm, OurOwnSuppressionEndsNoConsent) {
    clinic.set_basis(release::Basis::baa, clinic.in_days(1));
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    clinic.clock.advance(release::testing::one_day * 2);
    clinic.walk();
    auto said = as_said(patient);
    said.stage = "archived";
    said.tags = {*envelope::Word::parse("do_not_contact")};
    said.dnd = true;
    std::int64_t under_way = 0;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, false, {});
        CLINIC_TRY(lease);
        EXPECT_EQ((*lease)->envelope->kind(), envelope::Kind::contact_suppress);
        under_way = (*lease)->lease;
        return {};
    });
    take(contact(lead, said)); // seen before its delivery is settled
    EXPECT_FALSE(revoked(patient, records::ConsentScope::reminders));
    EXPECT_FALSE(revoked(patient, records::ConsentScope::marketing));
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto settled = outbox::Outbox::settle(txn, {.lease = under_way});
        return settled ? Result<void>{} : settled.error();
    });
    clinic.clock.advance(std::chrono::hours{1});
    said.dnd = false;
    said.tags = {};
    take(contact(lead, said));
    said.dnd = true;
    take(contact(lead, said));
    EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders)) << "set by somebody since";
}

TEST_F(Crm, TheTagOfARevokedConsentEndsNoOther) {
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    clinic.consent(patient, records::ConsentScope::marketing, records::ConsentState::granted);
    clinic.consent(patient, records::ConsentScope::reminders, records::ConsentState::revoked);
    auto said = as_said(patient);
    said.tags.push_back(*envelope::Word::parse("do_not_contact"));
    std::ranges::sort(said.tags);
    clinic.deliver(false);
    take(contact(lead, said));
    EXPECT_FALSE(revoked(patient, records::ConsentScope::marketing));
}

TEST_F(Crm, ATagOfARevokedConsentThatIsTakenAwayInGhlIsSetAgain) {
    const auto patient = linked("N1", lead);
    clinic.consent(patient, records::ConsentScope::reminders, records::ConsentState::revoked);
    clinic.deliver(false);
    auto said = as_said(patient);
    said.tags.push_back(*envelope::Word::parse("do_not_contact"));
    std::ranges::sort(said.tags);
    take(contact(lead, said));
    EXPECT_TRUE(clinic.deliver(false).empty());
    take(contact(lead, as_said(patient)));
    const auto again = clinic.deliver(false);
    ASSERT_FALSE(again.empty());
    EXPECT_EQ(again[0].kind(), envelope::Kind::contact_state);
    EXPECT_TRUE(std::ranges::any_of(again[0].tags(),
                                    [](const auto& one) { return one.text() == std::string_view{"do_not_contact"}; }));
}

TEST_F(Crm, APatientsContactThatWasDeletedWaitsForAPersonAndIsNotMadeAgain) {
    const auto patient = linked("N1", lead);
    take(gone(lead));
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::contact_deleted);
    EXPECT_EQ(contact_of(patient), lead);
}

TEST_F(Crm, ASecondContactWithAPatientsMarkerWaitsForAPerson) {
    const auto patient = linked("N1", lead);
    take(contact("GHLcopy", as_said(patient)));
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::marker);
    EXPECT_EQ(contact_of(patient), lead);
}

TEST_F(Crm, AnotherZoneOfTheLocationIsRecorded) {
    CrmFact fact{.id = "LOC1",
                 .kind = CrmKind::location,
                 .updated_ms = 0,
                 .read_ms = now_ms(),
                 .said = envelope::CrmLocation{"America/New_York"}};
    EXPECT_EQ(take(fact).taken, Taken::stored);
    fact.read_ms += 1;
    EXPECT_EQ(take(fact).taken, Taken::known);
    fact.read_ms += 1;
    fact.said = envelope::CrmLocation{"America/Chicago"};
    EXPECT_EQ(take(fact).taken, Taken::stored);
    EXPECT_TRUE(open().empty()) << "GHL wins";
    EXPECT_EQ(seen("LOC1", CrmKind::location)->fact.said, fact.said);
}

TEST_F(Crm, NothingOfAnErasedPersonsContactIsLeft) {
    const auto patient = linked("N1", lead);
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto why = release::testing::Clinic::disclose(txn);
        CLINIC_TRY(why);
        return release::Releaser::erase(txn, *why, patient);
    });
    EXPECT_FALSE(seen(lead));
}

// A million of them, told by the newest one's number.
TEST_F(Crm, BeyondTheBoundNothingNewIsTakenAndAllElseGoesOn) {
    take(contact(lead));
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto last = txn.prepare("INSERT INTO crm_object (row, kind, token, id, updated_ms, read_ms, content)"
                                " VALUES (1000000, 0, x'00', x'', 0, 0, x'')");
        CLINIC_TRY(last);
        return last->run();
    });
    EXPECT_EQ(take(contact("GHLcontactNew0000001")).taken, Taken::refused);
    EXPECT_FALSE(seen("GHLcontactNew0000001"));
    EXPECT_EQ(take(contact(lead, {.tags = {*envelope::Word::parse("new_patient")}})).taken, Taken::stored);
    const auto patient = clinic.add("N1", "Quillfeather");
    EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.set(txn, lead, patient); }), Errc{});
    const auto other = clinic.add("N2", "Waitwell");
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const char* never_seen = "GHLcontactNeverSeen1";
        CLINIC_TRY(outbox::Links::set_contact(txn, other, never_seen, outbox::Made::by_others));
        return crm::gone(txn, never_seen);
    });
}

} // namespace
} // namespace clinic::crm
