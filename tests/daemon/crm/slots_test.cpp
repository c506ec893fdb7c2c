#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

class Slots : public Crm {};

TEST_F(Slots, ABookingOverTheClinicsScheduleIsShown) {
    clinic.book(clinic.add("N1", "Quillfeather"), "A1", at_ten());
    take(booking("GHLappt1", at_ten()));
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::slot);
    EXPECT_EQ(open()[0].ours, "taken:1");
}

TEST_F(Slots, BesideItThereIsRoom) {
    clinic.book(clinic.add("N1", "Quillfeather"), "A1", at_ten());
    take(booking("GHLappt1", at_ten() + base::Micros{2 * quarter_us}));
    take(booking("GHLappt2", at_ten() - base::Micros{2 * quarter_us}));
    EXPECT_TRUE(open().empty());
}

TEST_F(Slots, ThePatientsOwnVisitIsNoCompetition) {
    const auto patient = linked("N1", lead);
    clinic.book(patient, "A1", at_ten());
    take(booking("GHLappt1", at_ten(), envelope::Booking::confirmed, lead));
    EXPECT_TRUE(open().empty());
}

TEST_F(Slots, ACancelledOneIsSettled) {
    clinic.book(clinic.add("N1", "Quillfeather"), "A1", at_ten());
    take(booking("GHLappt1", at_ten()));
    take(booking("GHLappt1", at_ten(), envelope::Booking::cancelled));
    EXPECT_TRUE(open().empty());
}

// The clinic's side moves without a word of GHL: each round looks again.
TEST_F(Slots, WhatTheClinicBooksLaterIsFoundInTheNextRound) {
    take(booking("GHLappt1", at_ten()));
    EXPECT_TRUE(open().empty());
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", at_ten());
    round();
    EXPECT_EQ(open().size(), 1U);
    clinic.book(patient, "A1", at_ten(), records::AppointmentStatus::cancelled);
    round();
    EXPECT_TRUE(open().empty());
}

// More than one round looks at: the next one goes on, and each has its turn.
TEST_F(Slots, OfManyEachIsLookedAtWithinSomeRounds) {
    options.again_a_round = 2;
    reconciler.emplace(options, clinic.releaser);
    const auto patient = clinic.add("N1", "Quillfeather");
    for (int i = 0; i < 5; ++i)
        take(booking("GHLappt" + std::to_string(i), at_ten() + base::Micros{(i / 3) * 4 * quarter_us}));
    clinic.book(patient, "A1", at_ten());
    clinic.book(patient, "A2", at_ten() + base::Micros{4 * quarter_us});
    const auto after_a_round = [&] {
        round();
        return open().size();
    };
    EXPECT_EQ(after_a_round(), 2U);
    EXPECT_EQ(after_a_round(), 4U);
    EXPECT_EQ(after_a_round(), 5U);
    clinic.book(patient, "A1", at_ten(), records::AppointmentStatus::cancelled);
    clinic.book(patient, "A2", at_ten() + base::Micros{4 * quarter_us}, records::AppointmentStatus::cancelled);
    for (int i = 0; i < 3; ++i) round();
    EXPECT_TRUE(open().empty());
}

// No list of GHL's shows what is over, and so no change of it.
TEST_F(Slots, OneThatIsOverWaitsForNobody) {
    clinic.book(clinic.add("N1", "Quillfeather"), "A1", at_ten());
    take(booking("GHLappt1", at_ten()));
    ASSERT_EQ(open().size(), 1U);
    clinic.clock.advance(std::chrono::hours{24 * 3});
    round();
    EXPECT_TRUE(open().empty());
}

TEST_F(Slots, ACalendarThatIsNotConfiguredIsRefused) {
    auto fact = booking("GHLappt1", at_ten());
    std::get<CrmAppointment>(fact.said).calendar = "CAL2";
    EXPECT_EQ(take(fact).taken, Taken::refused);
}

} // namespace
} // namespace clinic::crm
