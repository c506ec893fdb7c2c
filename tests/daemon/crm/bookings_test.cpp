// Bookings that live in GHL, and the clinic's appointments that they are.
#include <gmock/gmock.h>

#include "tests/daemon/crm/bookings_fixture.h"

namespace clinic::crm {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(BookingsInGhl, AreFoundByTheirContactAndTime) {
    const auto patient = bound();
    const auto all = beside(patient);
    EXPECT_EQ(all[0].object, theirs);
    EXPECT_FALSE(all[0].ours);
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed"));
    book(patient, AppointmentStatus::arrived);
    book(patient, AppointmentStatus::completed);
    EXPECT_THAT(told(), ElementsAre("showed"));
}

TEST_F(BookingsInGhl, AreFoundWhenTheClinicBooksLater) {
    const auto patient = linked("N1", lead);
    take(booking(theirs, ten(), Booking::new_, lead));
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed"));
    EXPECT_EQ(beside(patient)[0].object, theirs);
}

TEST_F(BookingsInGhl, OfAnotherTimeOrContactAreNobodys) {
    const auto patient = linked("N1", lead);
    take(booking(theirs, ten() + base::Micros{quarter_us}, Booking::new_, lead));
    take(booking("GHLappt2", ten(), Booking::new_, "GHLcontactOther00001"));
    take(booking("GHLappt3", ten(), Booking::cancelled, lead));
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_THAT(beside(patient), IsEmpty());
}

TEST_F(BookingsInGhl, AreEachOneAppointments) {
    const auto patient = linked("N1", lead);
    clinic.book(patient, "A1", ten());
    clinic.book(patient, "A2", ten());
    take(booking("GHLappt1", ten(), Booking::new_, lead));
    take(booking("GHLappt2", ten(), Booking::new_, lead));
    take(booking("GHLappt3", ten(), Booking::new_, lead));
    EXPECT_EQ(beside(patient).size(), 2U);
}

TEST_F(BookingsInGhl, AreLeftAloneWhereTheSettingsSayNothing) {
    allow({});
    const auto patient = linked("N1", lead);
    take(booking(theirs, ten(), Booking::new_, lead));
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_THAT(beside(patient), IsEmpty());
}

TEST_F(BookingsInGhl, AConfirmationThereIsNotTakenBack) {
    const auto patient = bound(Booking::confirmed);
    clinic.walk();
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_TRUE(open().empty());
    book(patient, AppointmentStatus::no_show);
    EXPECT_THAT(told(), ElementsAre("noshow"));
}

TEST_F(BookingsInGhl, WhatGhlTakesBackIsWrittenAgainThreeTimesADayAndThenAPersonIsAsked) {
    const auto patient = bound();
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed"));
    for (int times = 0; times < 3; ++times) {
        shown(Booking::new_, ten());
        EXPECT_THAT(told(), ElementsAre("confirmed"));
        EXPECT_TRUE(open().empty());
        shown(Booking::confirmed, ten());
    }
    shown(Booking::new_, ten());
    EXPECT_THAT(told(), IsEmpty());
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::booking_status);
    shown(Booking::confirmed, ten());
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, WhereTheyAreFurtherAPersonIsAskedAndNothingIsSaid) {
    const auto patient = bound();
    shown(Booking::showed, ten());
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].ours, "new");
    EXPECT_EQ(open()[0].theirs, "showed");
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), IsEmpty());
    book(patient, AppointmentStatus::completed);
    round();
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, OneCalledOffThereIsNotSetUpAgainByItself) {
    const auto patient = bound();
    shown(Booking::cancelled, ten());
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::booking_cancelled);
    book(patient, AppointmentStatus::confirmed);
    clinic.walk();
    round();
    EXPECT_THAT(told(), IsEmpty());
    book(patient, AppointmentStatus::cancelled);
    round();
    EXPECT_TRUE(open().empty());
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(BookingsInGhl, WhatWaitedWhenItWasCalledOffIsWithdrawn) {
    const auto patient = bound();
    book(patient, AppointmentStatus::confirmed);
    shown(Booking::cancelled, ten());
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(clinic.books().withdrawn, 1);
}

TEST_F(BookingsInGhl, APersonDecidesThatTheClinicsCounts) {
    bound();
    shown(Booking::cancelled, ten());
    EXPECT_EQ(decide(false), Errc{});
    round();
    EXPECT_THAT(told(), ElementsAre("new"));
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, APersonDecidesThatGhlsCounts) {
    const auto patient = bound();
    shown(Booking::cancelled, ten());
    EXPECT_EQ(decide(true), Errc{});
    round();
    EXPECT_TRUE(open().empty());
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), IsEmpty());
    shown(Booking::new_, ten()); // somebody has thought again
    EXPECT_THAT(told(), ElementsAre("confirmed"));
}

TEST_F(BookingsInGhl, WhatWasHeldIsSaidOnceTheyStandAgain) {
    const auto patient = bound();
    shown(Booking::cancelled, ten());
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), IsEmpty());
    shown(Booking::confirmed, ten());
    EXPECT_TRUE(open().empty());
    EXPECT_THAT(told(), ElementsAre("confirmed"));
}

TEST_F(BookingsInGhl, AnotherTimeIsForAPersonWhereNoneIsTold) {
    const auto patient = bound();
    shown(Booking::new_, ten() + base::Micros{4 * quarter_us});
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::booking_time);
    book(patient, AppointmentStatus::rescheduled, ten() + base::Micros{4 * quarter_us});
    round();
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, AreMovedWhereTimesAreTold) {
    allow({.told = true, .create = true});
    const auto patient = bound();
    book(patient, AppointmentStatus::rescheduled, ten() + base::Micros{8 * quarter_us});
    EXPECT_THAT(told(), ElementsAre("new@8+2"));
    read_again(Booking::new_, ten()); // somebody has moved it back
    EXPECT_THAT(told(), ElementsAre("new@8+2"));
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, OneWhoseAppointmentIsFarIsMovedBackWhereItStandsNearerAndNotMissedWhereNoRoundReads) {
    allow({.told = true, .create = true});
    const auto patient = bound();
    constexpr std::int64_t far = 200 * 96;
    const Timestamp then = ten() + base::Micros{far * quarter_us};
    book(patient, AppointmentStatus::rescheduled, then);
    EXPECT_THAT(told(), ElementsAre("new@" + std::to_string(far) + "+2"));
    read_again(Booking::cancelled, ten()); // no round lists it any more
    EXPECT_THAT(told(), IsEmpty());
    read_again(Booking::new_, then);
    EXPECT_THAT(told(), IsEmpty());
    read_again(Booking::new_, ten() + base::Micros{4 * quarter_us}); // by somebody
    EXPECT_THAT(told(), ElementsAre("new@" + std::to_string(far) + "+2"));
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, OneThatIsThereIsAdoptedAndNoneMadeBesideIt) {
    allow({.told = true, .create = true});
    const auto patient = linked("N1", lead);
    take(booking(theirs, ten(), Booking::confirmed, lead));
    book(patient, AppointmentStatus::booked);
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(beside(patient)[0].object, theirs);
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, AnEndThatTheClinicDoesNotSayIsNoDifference) {
    allow({.told = true, .create = true});
    const auto patient = linked("N1", lead);
    auto longer = booking(theirs, ten(), Booking::new_, lead);
    std::get<CrmAppointment>(longer.said).until_quarter += 2;
    take(longer);
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed@0+4"));
    clinic.clock.advance(std::chrono::minutes{2});
    std::get<CrmAppointment>(longer.said).status = Booking::confirmed;
    longer.updated_ms = longer.read_ms = now_ms();
    take(longer);
    round();
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_TRUE(open().empty());
}

TEST_F(BookingsInGhl, WhatWasTakenBackIsNotComparedWithWhatTheClinicHas) {
    allow({.told = true, .create = true});
    const auto patient = linked("N1", lead);
    book(patient, AppointmentStatus::booked);
    EXPECT_THAT(told(), ElementsAre("new@0+2"));
    const auto object = beside(patient).at(0).object;
    book(patient, AppointmentStatus::completed);
    EXPECT_THAT(told(), ElementsAre("showed@0+2"));
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    EXPECT_THAT(told(), ElementsAre("cancelled"));
    for (int times = 0; times < 4; ++times) {
        clinic.clock.advance(std::chrono::minutes{2});
        auto fact = booking(object, ten(), Booking::cancelled, lead);
        fact.updated_ms = fact.read_ms = now_ms();
        take(fact);
        round();
        EXPECT_THAT(told(), IsEmpty());
    }
    EXPECT_TRUE(open().empty());
    take(gone_booking(object));
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::granted);
    EXPECT_TRUE(beside(patient).at(0).object.empty()) << "nothing is written to what is not there any more";
}

TEST_F(BookingsInGhl, OursThatComeBackAreNoConflict) {
    allow({.told = true, .create = true});
    const auto patient = linked("N1", lead);
    book(patient, AppointmentStatus::booked);
    EXPECT_THAT(told(), ElementsAre("new@0+2"));
    const auto object = beside(patient).at(0).object;
    take(booking(object, ten(), Booking::new_, lead));
    round();
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_TRUE(open().empty());
    EXPECT_EQ(beside(patient).size(), 1U);
}

TEST_F(BookingsInGhl, ADeletedOneIsForAPersonWhoMayHaveItMadeAgain) {
    allow({.told = true, .create = true});
    const auto patient = bound();
    take(gone_booking(theirs));
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].theirs, "deleted");
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(decide(false), Errc{});
    EXPECT_THAT(told(), ElementsAre("confirmed@0+2"));
    EXPECT_NE(beside(patient)[0].object, theirs);
}

TEST_F(BookingsInGhl, AreLeftAsTheyAreWhenTheClinicMayNotSpeakAnyMore) {
    const auto patient = bound();
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(BookingsInGhl, OneThatMayBeOursIsLeftToTheLookUp) {
    allow({.told = true, .create = true});
    const auto patient = linked("N1", lead);
    const auto first = clinic.book(patient, "A1", ten());
    std::optional<envelope::Lease> making;
    while (!making || making->envelope->kind() != envelope::Kind::booking_state) {
        if (making) settle(making->lease, "");
        making = next();
        ASSERT_TRUE(making);
    }
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto line = outbox::Ledger::open_line(
            txn, patient, {making->lease, envelope::Route::booking_create, "/calendars/events/appointments", "{}"},
            "open");
        CLINIC_TRY(line);
        return outbox::Outbox::release_leases(txn, making->lease);
    });
    clinic.book(patient, "A2", ten());
    take(booking("GHLours", ten(), Booking::new_, lead)); // it has been made, and nobody has answered
    round();
    for (int made = 0; const auto lease = next();) {
        const bool looks =
            lease->look_up_first && lease->envelope->text(envelope::Field::aid) == aid_of(patient, first);
        settle(lease->lease, looks ? "GHLours" : lease->create ? "GHLmade" + std::to_string(++made) : "");
    }
    std::vector<std::string> objects;
    for (const auto& one : beside(patient)) objects.push_back(one.appointment == first ? "A1 " : "A2 ");
    for (std::size_t i = 0; i < objects.size(); ++i) objects[i] += beside(patient)[i].object;
    EXPECT_THAT(objects, ::testing::UnorderedElementsAre("A1 GHLours", "A2 GHLmade1"));
}

// Our own calling-off comes back before we hear that it was taken.
TEST_F(BookingsInGhl, OneThatWeCallOffIsNoPersonsWordBeforeItIsSettled) {
    allow({.told = true, .create = true});
    const auto patient = linked("N1", lead);
    book(patient, AppointmentStatus::booked);
    EXPECT_THAT(told(), ElementsAre("new@0+2"));
    const auto object = beside(patient).at(0).object;
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    auto lease = next();
    for (; lease && lease->envelope->kind() != envelope::Kind::booking_state; lease = next()) settle(lease->lease, "");
    ASSERT_TRUE(lease);
    ASSERT_EQ(lease->envelope->text(envelope::Field::booking), "cancelled");
    take(booking(object, ten(), Booking::cancelled, lead));
    round();
    EXPECT_TRUE(open().empty()) << "it is leased";
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::granted);
    take(booking(object, ten(), Booking::invalid, lead));
    round();
    EXPECT_TRUE(open().empty()) << "and its opposite waits behind it";
    settle(lease->lease, "");
    round();
    EXPECT_TRUE(open().empty());
    EXPECT_THAT(told(), ElementsAre("new@0+2"));
}

TEST_F(BookingsInGhl, OneWhoseAppointmentWasDaysAgoIsForAPersonWhereNoTimeIsTold) {
    const auto patient = bound();
    const auto days_ago = ten() - release::testing::one_day * 5;
    book(patient, AppointmentStatus::completed, days_ago);
    round();
    EXPECT_THAT(told(), IsEmpty());
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::booking_time);
    shown(Booking::showed, days_ago);
    EXPECT_TRUE(open().empty());
}

} // namespace
} // namespace clinic::crm
