#include "daemon/release/releaser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/release/clinic.h"

namespace clinic::release {
namespace {

using envelope::Field;
using records::AppointmentStatus;
using records::ConsentScope;
using records::ConsentState;
using testing::Clinic;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::one_day;

TEST(Releaser, IsClosedUntilABasisIsSet) {
    Clinic clinic;
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "A1", clinic.in_days(5));
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_EQ(clinic.books().released, 0);
}

// Without a consent row, and with crm_sync granted.
TEST(Releaser, EachBasisLetsOutWhatItMay) {
    struct Row {
        Basis basis;
        bool without_consent, with_consent;
    };
    for (const Row& row :
         {Row{Basis::off, false, false}, Row{Basis::deid, false, false}, Row{Basis::authorized, false, true},
          Row{Basis::baa, true, true}, Row{Basis::consumer_consent, false, true}}) {
        Clinic clinic;
        clinic.set_basis(row.basis);
        const auto silent = clinic.add("1001", "Quillfeather");
        clinic.book(silent, "A1", clinic.in_days(5));
        EXPECT_EQ(!clinic.deliver().empty(), row.without_consent) << name(row.basis);
        const auto willing = clinic.add("1002", "Marrowby");
        clinic.consent(willing, ConsentScope::crm_sync, ConsentState::granted);
        clinic.book(willing, "A2", clinic.in_days(5));
        EXPECT_EQ(!clinic.deliver().empty(), row.with_consent) << name(row.basis);
        EXPECT_TRUE(clinic.books().balanced());
    }
}

TEST(Releaser, TellsStateAndAppointmentAndNoIdentifier) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "APPTKEY77", clinic.in_days(5));
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].text(Field::stage), "new");
    EXPECT_EQ(sent[0].text(Field::channel), "sms");
    EXPECT_EQ(sent[0].text(Field::next), "d3_7");
    EXPECT_EQ(sent[1].text(Field::status), "booked");
    EXPECT_EQ(sent[1].text(Field::when), "d3_7");
    EXPECT_EQ(sent[1].text(Field::visit), "first");
    EXPECT_EQ(sent[0].text(Field::pid), sent[1].text(Field::pid));
    for (const auto& envelope : sent) {
        EXPECT_THAT(envelope.encode(), ::testing::Not(::testing::AnyOf(
                                           ::testing::HasSubstr("uillfeather"), ::testing::HasSubstr("1001"),
                                           ::testing::HasSubstr("0102030"), ::testing::HasSubstr("APPTKEY77"))));
    }
}

TEST(Releaser, SaysNothingTwice) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    const auto start = clinic.in_days(5);
    clinic.book(patient, "A1", start);
    clinic.book(patient, "A1", start);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state", "appt.state"));
    clinic.book(patient, "A1", start);
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

TEST(Releaser, TheDailyJobTellsOnlyWhatMoved) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    clinic.book(clinic.add("1001", "Quillfeather"), "A1", clinic.in_days(5));
    clinic.book(clinic.add("1002", "Marrowby"), "A2", clinic.in_days(20));
    EXPECT_EQ(clinic.deliver().size(), 4U);

    clinic.clock.advance(one_day); // four and nineteen days: the same buckets
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());

    clinic.clock.advance(2 * one_day); // two and seventeen days: the first has moved
    clinic.walk();
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].text(Field::next), "d0_2");
    EXPECT_EQ(sent[1].text(Field::when), "d0_2");

    clinic.clock.advance(5 * one_day); // over, and nobody said how; the other is in twelve days
    clinic.walk();
    const auto over = clinic.deliver();
    ASSERT_EQ(over.size(), 2U);
    EXPECT_EQ(over[0].text(Field::next), "none");
    EXPECT_EQ(over[1].text(Field::when), "past");
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

TEST(Releaser, AppointmentsOfLongAgoAreNotNews) {
    Clinic clinic;
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "A1", clinic.in_days(-400), AppointmentStatus::completed);
    clinic.set_basis(Basis::baa);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state"));
}

TEST(Releaser, AWithdrawnConsentSendsOneSuppression) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "A1", clinic.in_days(5));
    clinic.deliver();
    clinic.book(patient, "A1", clinic.in_days(1)); // waits, and must not go
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].kind(), envelope::Kind::contact_suppress);
    EXPECT_EQ(sent[0].text(Field::reason), "revoked");
    EXPECT_EQ(clinic.books().withdrawn, 2);

    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    clinic.book(patient, "A1", clinic.in_days(2));
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

TEST(Releaser, AConsentGivenAgainTellsEverythingAgain) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "A1", clinic.in_days(5));
    clinic.deliver();
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    clinic.deliver();
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::granted);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state", "appt.state"));
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
}

TEST(Releaser, AnExpiredBasisClosesByItself) {
    Clinic clinic;
    clinic.set_basis(Basis::baa, clinic.in_days(10));
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "A1", clinic.in_days(30));
    clinic.deliver();
    clinic.clock.advance(10 * one_day);
    clinic.book(patient, "A1", clinic.in_days(5));
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].text(Field::reason), "expired");
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

TEST(Releaser, AnExpiredBasisIsNoticedByTheDailyJobAlone) {
    Clinic clinic;
    clinic.set_basis(Basis::baa, clinic.in_days(10));
    for (const char* number : {"1001", "1002", "1003", "1004", "1005"}) clinic.add(number, "Quillfeather");
    EXPECT_EQ(clinic.deliver().size(), 5U);
    clinic.clock.advance(11 * one_day);
    clinic.walk();
    EXPECT_EQ(clinic.deliver().size(), 5U);
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

TEST(Releaser, AnInactivePatientIsToldOnlyWhereTheyAreKnown) {
    Clinic clinic;
    clinic.set_basis(Basis::baa, clinic.in_days(10));
    clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.add("1001", "Quillfeather", false, false);
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].text(Field::stage), "inactive");
    EXPECT_EQ(sent[0].text(Field::channel), "none");
    clinic.add("1002", "Marrowby", false, false);
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());

    clinic.clock.advance(11 * one_day); // and what was said of them ends with the basis too
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
}

TEST(Releaser, AnExpiredConsentClosesByItself) {
    Clinic clinic;
    clinic.set_basis(Basis::authorized);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::granted, clinic.in_days(10));
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state"));
    clinic.clock.advance(11 * one_day);
    clinic.releaser.set_clock_trusted(false);
    const auto expire = [&] {
        int patients = -1;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto count = clinic.releaser.expire_consents_due(txn, 100);
            if (!count) return count.error();
            patients = *count;
            return {};
        });
        return patients;
    };
    EXPECT_EQ(expire(), 0); // no end is concluded from a clock that nobody vouches for
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    clinic.releaser.set_clock_trusted(true);
    EXPECT_EQ(expire(), 1);
    EXPECT_EQ(expire(), 0);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
}

TEST(Releaser, TurningTheBasisOffSendsNothingAtAll) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.book(patient, "A1", clinic.in_days(5));
    clinic.set_basis(Basis::off);
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_EQ(clinic.books().withdrawn, 2);
    EXPECT_EQ(clinic.books().pending, 0);
}

TEST(Releaser, ANarrowerBasisTakesBackWhatTheWiderSaid) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    clinic.add("1001", "Quillfeather");
    const auto willing = clinic.add("1002", "Marrowby");
    clinic.consent(willing, ConsentScope::crm_sync, ConsentState::granted);
    clinic.deliver();
    clinic.set_basis(Basis::authorized);
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].text(Field::reason), "restricted");
}

TEST(Releaser, WithoutATrustedClockWhatCanExpireWaits) {
    Clinic clinic;
    clinic.set_basis(Basis::baa, clinic.in_days(300));
    clinic.releaser.set_clock_trusted(false);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "A1", clinic.in_days(5));
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_EQ(clinic.books().parked, 2);
    clinic.releaser.set_clock_trusted(true);
    clinic.write([](records::Transaction& txn) { return outbox::Outbox::unpark(txn, "clock"); });
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state", "appt.state"));

    clinic.releaser.set_clock_trusted(false);
    clinic.set_basis(Basis::baa); // without an end there is nothing to judge
    clinic.book(patient, "A1", clinic.in_days(1));
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state", "appt.state"));
}

TEST(Releaser, AMergeOfTwoContactsIsToldOnce) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    const auto prior = clinic.add("1002", "Quilfeather");
    const auto before = clinic.deliver();
    ASSERT_EQ(before.size(), 2U);
    clinic.book(prior, "A1", clinic.in_days(5)); // waits, and is the survivor's from now on
    clinic.merge(survivor, prior);
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(sent[0].kind(), envelope::Kind::contact_merge);
    EXPECT_EQ(sent[0].text(Field::pid), before[0].text(Field::pid));
    EXPECT_EQ(sent[0].text(Field::old), before[1].text(Field::pid));
    EXPECT_EQ(sent[1].text(Field::next), "d3_7");
    EXPECT_EQ(sent[2].kind(), envelope::Kind::appt_state);
    EXPECT_EQ(sent[2].text(Field::pid), before[0].text(Field::pid));
    EXPECT_EQ(clinic.books().pending, 0);
}

TEST(Releaser, ASurvivorTakesOverThePriorsContact) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto prior = clinic.add("1002", "Quilfeather");
    const auto before = clinic.deliver();
    const auto survivor = clinic.add("1001", "Quillfeather");
    clinic.merge(survivor, prior);
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent, ::testing::Contains(
                          ::testing::Property(&envelope::MetadataEnvelope::kind, envelope::Kind::contact_merge)));
    for (const auto& envelope : sent) EXPECT_NE(envelope.text(Field::pid), before[0].text(Field::pid));
}

// It holds what was told of the prior's appointment, whose end was not told yet.
TEST(Releaser, AContactThatASurvivorTakesOverSaysWhatBecameOfTheAppointment) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto prior = clinic.add("1002", "Quilfeather");
    clinic.book(prior, "A1", clinic.in_days(5));
    clinic.deliver();
    clinic.book(prior, "A1", clinic.in_days(5), records::AppointmentStatus::no_show); // waits
    const auto survivor = clinic.add("1001", "Quillfeather");
    clinic.merge(survivor, prior);
    const auto sent = clinic.deliver();
    const auto told = std::ranges::find(sent, envelope::Kind::appt_state, &envelope::MetadataEnvelope::kind);
    ASSERT_NE(told, sent.end());
    EXPECT_EQ(told->text(Field::status), "no_show");
}

TEST(Releaser, AMergeIntoSomebodyWhoSaidNoTakesTheContactBack) {
    for (const bool survivor_has_contact : {true, false}) {
        Clinic clinic;
        clinic.set_basis(Basis::baa);
        const auto prior = clinic.add("1002", "Quilfeather");
        clinic.deliver();
        const auto survivor = clinic.add("1001", "Quillfeather");
        if (survivor_has_contact) clinic.deliver();
        clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
        clinic.deliver();
        clinic.merge(survivor, prior);
        EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    }
}

TEST(Releaser, RemindersAndMarketingConsentsAreTold) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.consent(patient, ConsentScope::marketing, ConsentState::granted);
    auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].tags().size(), 3U);
    EXPECT_EQ(sent[1].text(Field::scope), "marketing");
    EXPECT_EQ(sent[1].text(Field::state), "granted");
    clinic.consent(patient, ConsentScope::reminders, ConsentState::revoked);
    sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].text(Field::channel), "none");
    EXPECT_EQ(sent[1].text(Field::scope), "reminders");
}

// The words of marketing are the contact's state to name: beside refused reminders, or of somebody inactive, it names
// none, and the consent that is told besides must not set them.
TEST(Releaser, MarketingIsNotTiedToSomebodyWhoIsNotToBeContacted) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.consent(patient, ConsentScope::reminders, ConsentState::revoked);
    clinic.deliver();
    clinic.consent(patient, ConsentScope::marketing, ConsentState::granted);
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    clinic.consent(patient, ConsentScope::reminders, ConsentState::granted);
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].tags().size(), 3U) << "now they may be told";
    EXPECT_EQ(sent[1].text(Field::scope), "reminders");
    clinic.add("1001", "Quillfeather", false, false);
    clinic.deliver();
    clinic.consent(patient, ConsentScope::marketing, ConsentState::revoked);
    clinic.deliver();
    clinic.consent(patient, ConsentScope::marketing, ConsentState::granted);
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty()) << "inactive";
}

TEST(Releaser, AnAppointmentEnteredInErrorIsToldAsCancelled) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.book(patient, "A1", clinic.in_days(5));
    clinic.deliver();
    clinic.book(patient, "A1", clinic.in_days(5), AppointmentStatus::entered_in_error);
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[1].text(Field::status), "cancelled");

    const auto other = clinic.add("1002", "Marrowby");
    clinic.deliver();
    clinic.book(other, "A2", clinic.in_days(5), AppointmentStatus::entered_in_error);
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

TEST(Releaser, TestTrafficNeverLeaves) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    clinic.add("1001", "Quillfeather", true);
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_EQ(clinic.books().released, 0);
}

TEST(Releaser, EveryDecisionStandsInTheAuditChain) {
    Clinic clinic;
    const auto patient = clinic.add("1001", "Quillfeather");
    const auto before = clinic.audit_entries();
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.changed(txn, patient, std::nullopt); });
    EXPECT_EQ(clinic.audit_entries(), before + 1); // "nothing leaves" is a decision too
    clinic.walk();
    EXPECT_EQ(clinic.audit_entries(), before + 1); // the daily job writes what it moves
}

TEST(Releaser, TheSiteIsMadeOnceAndKept) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    clinic.add("1001", "Quillfeather");
    const auto first = clinic.deliver();
    clinic.set_basis(Basis::off);
    clinic.set_basis(Basis::baa);
    clinic.add("1002", "Marrowby");
    const auto second = clinic.deliver();
    ASSERT_FALSE(first.empty() || second.empty());
    EXPECT_EQ(first[0].text(Field::site), second[0].text(Field::site));
    EXPECT_EQ(first[0].text(Field::site).size(), 12U);
}

} // namespace
} // namespace clinic::release
