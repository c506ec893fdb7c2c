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

// Leases what is due and asks for a request of it, as egress does; the request's end is not known.
std::int64_t begin(Clinic& clinic, envelope::Route route) {
    std::int64_t row = 0;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto leased = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::milliseconds{60'000});
        if (!leased) return leased.error();
        if (!*leased) return Error{Errc::not_found, "nothing is due"};
        row = (*leased)->lease;
        auto patient = outbox::Outbox::patient_of(txn, row);
        if (!patient) return patient.error();
        auto line = outbox::Ledger::open_line(txn, *patient, {row, route, "/contacts/", "{}"}, "open");
        return line ? Result<void>{} : line.error();
    });
    return row;
}

void let_go(Clinic& clinic, std::int64_t row) {
    clinic.write([&](records::Transaction& txn) { return outbox::Outbox::release_leases(txn, row); });
}

// What lies before clinic-syncd now; nothing: no lease.
std::optional<envelope::Lease> next(Clinic& clinic) {
    std::optional<envelope::Lease> lease;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto leased = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::milliseconds{60'000});
        if (!leased) return leased.error();
        lease = std::move(*leased);
        return {};
    });
    return lease;
}

void settle(Clinic& clinic, const envelope::Settle& outcome) {
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto settled = outbox::Outbox::settle(txn, outcome);
        return settled ? Result<void>{} : settled.error();
    });
}

// The state was withdrawn at the last moment, so that nothing is queued and nothing was delivered: only a create whose
// outcome nobody knows tells that a contact may be there.
TEST(Releaser, AContactThatMayHaveBeenMadeIsSuppressedToo) {
    for (const bool it_is_there : {true, false}) {
        Clinic clinic;
        clinic.set_basis(Basis::baa);
        const auto patient = clinic.add("1001", "Quillfeather");
        let_go(clinic, begin(clinic, envelope::Route::contact_create));
        const auto again = next(clinic);
        ASSERT_TRUE(again);
        clinic.write([&](records::Transaction& txn) {
            return outbox::Outbox::withdraw_lease(txn, again->lease, "consent_expired");
        });
        EXPECT_EQ(clinic.books().pending, 0);
        clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
        clinic.walk();
        auto suppression = next(clinic);
        ASSERT_TRUE(suppression);
        EXPECT_EQ(suppression->envelope->kind(), envelope::Kind::contact_suppress);
        EXPECT_TRUE(suppression->look_up_first);
        EXPECT_FALSE(suppression->create);
        EXPECT_GT(suppression->unsure_ms, 0);
        if (it_is_there) {
            settle(clinic, {.lease = suppression->lease,
                            .outcome = envelope::Outcome::retry,
                            .code = "adopted",
                            .contact = "found1"});
            suppression = next(clinic);
            ASSERT_TRUE(suppression);
            EXPECT_EQ(suppression->contact, "found1");
            settle(clinic, {.lease = suppression->lease});
            EXPECT_EQ(clinic.books().delivered, 1);
        } else {
            settle(clinic, {.lease = suppression->lease, .outcome = envelope::Outcome::retry, .code = "no_contact"});
            EXPECT_EQ(clinic.books().discarded, 1);
        }
        clinic.walk();
        EXPECT_FALSE(next(clinic)) << "once";
        EXPECT_EQ(clinic.books().pending, 0);
    }
}

// The contact came to light by a look-up, and its state was never settled as delivered.
TEST(Releaser, AContactThatWasFoundIsSuppressedThoughNothingWasDelivered) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    const auto row = begin(clinic, envelope::Route::contact_create);
    settle(clinic, {.lease = row, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "found1"});
    const auto again = next(clinic);
    ASSERT_TRUE(again);
    clinic.write([&](records::Transaction& txn) {
        return outbox::Outbox::withdraw_lease(txn, again->lease, "consent_expired");
    });
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

// A yes between two noes, of which half was told: the first suppression says nothing about now.
TEST(Releaser, ASecondNoSuppressesWhatAHalfToldYesLeftThere) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::granted);
    const auto row = begin(clinic, envelope::Route::contact_fields);
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    let_go(clinic, row);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    EXPECT_EQ(clinic.books().withdrawn, 1);
}

// `off` withdraws a half-told change: what GHL holds is not what was said before it.
TEST(Releaser, AHalfToldChangeIsToldAgainAfterABasisThatTookItBack) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    const auto appointment = clinic.book(patient, "A1", clinic.in_days(5));
    static_cast<void>(appointment);
    const auto row = begin(clinic, envelope::Route::contact_fields);
    clinic.set_basis(Basis::off);
    let_go(clinic, row);
    clinic.book(patient, "A1", clinic.in_days(5), AppointmentStatus::entered_in_error);
    clinic.set_basis(Basis::baa);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state")) << "the very content of the first one";
}

TEST(Releaser, AMergeLooksForTheContactThatThePriorMayHave) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    const auto prior = clinic.add("1002", "Quilfeather");
    const auto row = begin(clinic, envelope::Route::contact_create);
    let_go(clinic, row);
    clinic.merge(survivor, prior);
    EXPECT_EQ(clinic.books().withdrawn, 1);
    const auto search = next(clinic);
    ASSERT_TRUE(search);
    EXPECT_EQ(search->envelope->kind(), envelope::Kind::contact_suppress);
    EXPECT_TRUE(search->look_up_first);
    settle(clinic, {.lease = search->lease, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "old1"});
    // As egress does when a contact comes to light whose person has been merged.
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.merged(txn, survivor, prior); });
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].kind(), envelope::Kind::contact_merge);
    EXPECT_EQ(clinic.books().pending, 0);
}

TEST(Releaser, AMergeIntoSomebodyWhoSaidNoEmptiesTheContactThatComesToLight) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
    clinic.deliver();
    const auto prior = clinic.add("1002", "Quilfeather");
    let_go(clinic, begin(clinic, envelope::Route::contact_create));
    clinic.merge(survivor, prior);
    const auto search = next(clinic);
    ASSERT_TRUE(search);
    settle(clinic, {.lease = search->lease, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "old1"});
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.merged(txn, survivor, prior); });
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
}

TEST(Releaser, APersonIsErasedWhenGhlHoldsNothingOfThem) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    let_go(clinic, begin(clinic, envelope::Route::contact_create));
    const auto take_back = [&] {
        TakenBack taken{};
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto answer = clinic.releaser.take_back(txn, patient);
            if (!answer) return answer.error();
            taken = *answer;
            return {};
        });
        return taken;
    };
    EXPECT_EQ(take_back(), TakenBack::waits);
    EXPECT_EQ(take_back(), TakenBack::waits);
    EXPECT_EQ(clinic.books().released, 2) << "one suppression, however often it is asked";
    const auto search = next(clinic);
    ASSERT_TRUE(search);
    EXPECT_EQ(search->envelope->text(Field::reason), "erased");
    settle(clinic,
           {.lease = search->lease, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "found1"});
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    EXPECT_EQ(take_back(), TakenBack::done);
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto why = Clinic::disclose(txn);
        if (!why) return why.error();
        return Releaser::erase(txn, *why, patient);
    });
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_TRUE(clinic.books().balanced());
}

TEST(Releaser, NobodyIsSuppressedOfWhomNothingWasSaid) {
    Clinic clinic;
    clinic.set_basis(Basis::authorized);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_EQ(clinic.books().released, 0);
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

// Leases one envelope and asks about it as things change around it.
class OnItsWay {
public:
    explicit OnItsWay(Clinic& clinic) : clinic_{clinic} {
        clinic_.write([&](records::Transaction& txn) -> Result<void> {
            auto leased = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
            if (!leased) return leased.error();
            lease_ = *(*leased);
            return {};
        });
    }
    envelope::Kind kind() const { return lease_.envelope->kind(); }
    std::optional<Because> judged() const {
        std::optional<Because> because;
        clinic_.write([&](records::Transaction& txn) -> Result<void> {
            const auto open = outbox::Outbox::leased(txn, lease_.lease);
            CLINIC_TRY(open);
            auto answer = clinic_.releaser.still_allowed(txn, *open);
            if (!answer) return answer.error();
            because = *answer;
            return {};
        });
        return because;
    }

private:
    Clinic& clinic_;
    envelope::Lease lease_;
};

TEST(Releaser, WhatIsOnItsWayIsJudgedAgainAtTheLastMoment) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.consent(patient, ConsentScope::marketing, ConsentState::granted, clinic.in_days(1));
    const OnItsWay state{clinic};
    EXPECT_EQ(state.judged(), std::nullopt);
    clinic.releaser.set_clock_trusted(false);
    EXPECT_EQ(state.judged(), Because::clock_untrusted);
    clinic.releaser.set_clock_trusted(true);
    clinic.clock.advance(2 * one_day);
    EXPECT_EQ(state.judged(), Because::consent_expired); // the words of a consent that has ended
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_EQ(state.judged(), Because::consent_revoked);
    clinic.set_basis(Basis::off);
    EXPECT_EQ(state.judged(), Because::basis_off);
}

TEST(Releaser, AGrantOnItsWayThatHasEndedStays) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.consent(patient, ConsentScope::reminders, ConsentState::granted, clinic.in_days(1));
    const OnItsWay grant{clinic};
    ASSERT_EQ(grant.kind(), envelope::Kind::consent_state);
    EXPECT_EQ(grant.judged(), std::nullopt);
    clinic.clock.advance(2 * one_day);
    EXPECT_EQ(grant.judged(), Because::consent_expired);
}

TEST(Releaser, ASuppressionOnItsWayGoesUnlessNothingMay) {
    Clinic clinic;
    clinic.set_basis(Basis::baa, clinic.in_days(10));
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    const OnItsWay suppression{clinic};
    ASSERT_EQ(suppression.kind(), envelope::Kind::contact_suppress);
    EXPECT_EQ(suppression.judged(), std::nullopt);
    clinic.releaser.set_clock_trusted(false);
    EXPECT_EQ(suppression.judged(), Because::clock_untrusted);
    clinic.releaser.set_clock_trusted(true);
    clinic.clock.advance(11 * one_day);
    EXPECT_EQ(suppression.judged(), std::nullopt); // taking back outlives the basis
    clinic.set_basis(Basis::off);
    EXPECT_EQ(suppression.judged(), Because::basis_off);
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
