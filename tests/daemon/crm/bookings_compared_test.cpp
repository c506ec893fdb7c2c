// Bookings in the full comparison: those that differ, and what a repair does about them.
#include <gmock/gmock.h>

#include "tests/daemon/crm/bookings_fixture.h"

namespace clinic::crm {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(BookingsInGhl, ThatDifferAreOfAKindOfTheirOwnUntilTheyAgree) {
    const auto patient = bound();
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed"));
    shown(Booking::confirmed, ten());
    EXPECT_EQ(differing_bookings(), 0);
    shown(Booking::new_, ten());
    EXPECT_EQ(differing_bookings(), 1);
    EXPECT_EQ(repair().put_again, 1) << "it is in the queue already";
    EXPECT_THAT(told(), ElementsAre("confirmed"));
    EXPECT_EQ(differing_bookings(), 1) << "until GHL shows it";
    shown(Booking::confirmed, ten());
    EXPECT_EQ(differing_bookings(), 0);
}

// Changed there more often than it is written again by itself: nobody says it any more, and a repair does.
TEST_F(BookingsInGhl, ARepairSaysTheClinicsSideWhereItsWordCounts) {
    allow({.told = true, .create = true});
    const auto patient = bound();
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed@0+2"));
    const Timestamp moved = ten() + base::Micros{4 * quarter_us};
    for (int times = 0; times < 3; ++times) {
        shown(Booking::confirmed, moved);
        EXPECT_THAT(told(), ElementsAre("confirmed@0+2"));
        shown(Booking::confirmed, ten());
    }
    shown(Booking::confirmed, moved);
    EXPECT_THAT(told(), IsEmpty());
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(differing_bookings(), 1);

    EXPECT_EQ(repair(true).put_again, 1);
    EXPECT_EQ(open().size(), 1U);
    EXPECT_THAT(told(), IsEmpty()) << "a dry run changes nothing";
    const auto repaired = repair();
    EXPECT_EQ(repaired.found, 1);
    EXPECT_EQ(repaired.put_again, 1);
    EXPECT_EQ(repaired.left, 0);
    EXPECT_EQ(repaired.patients, std::vector{patient});
    EXPECT_TRUE(open().empty()) << "the clinic's side was chosen";
    EXPECT_THAT(told(), ElementsAre("confirmed@0+2"));
    shown(Booking::confirmed, ten());
    EXPECT_EQ(differing_bookings(), 0);
    EXPECT_EQ(repair().found, 0);
}

TEST_F(BookingsInGhl, ARepairLeavesToAPersonWhatIsAPersons) {
    bound();
    const Timestamp moved = ten() + base::Micros{4 * quarter_us};
    const auto is_left = [&](Field field) {
        ASSERT_EQ(open().size(), 1U);
        EXPECT_EQ(open()[0].field, field);
        EXPECT_EQ(differing_bookings(), 1);
        for (const bool dry_run : {true, false}) {
            EXPECT_EQ(repair(dry_run).put_again, 0);
            EXPECT_EQ(repair(dry_run).left, 1);
        }
        EXPECT_EQ(open().size(), 1U);
        EXPECT_THAT(told(), IsEmpty());
    };
    shown(Booking::cancelled, ten());
    is_left(Field::booking_cancelled);
    shown(Booking::new_, ten());
    EXPECT_EQ(differing_bookings(), 0);
    shown(Booking::new_, moved); // and times are not told
    is_left(Field::booking_time);
    shown(Booking::showed, ten());
    is_left(Field::booking_status);
    take(gone_booking(theirs));
    EXPECT_EQ(differing_bookings(), 1);
    EXPECT_EQ(repair().left, 1);
}

TEST_F(BookingsInGhl, WhatAPersonHasDecidedOrTheClinicHasFollowedDiffersNoMore) {
    const auto patient = bound();
    shown(Booking::cancelled, ten());
    EXPECT_EQ(differing_bookings(), 1);
    EXPECT_EQ(decide(true), Errc{});
    round();
    EXPECT_EQ(differing_bookings(), 0) << "GHL's side counts";
    shown(Booking::new_, ten());
    shown(Booking::cancelled, ten());
    EXPECT_EQ(differing_bookings(), 1);
    book(patient, AppointmentStatus::cancelled);
    EXPECT_EQ(differing_bookings(), 1);
    EXPECT_THAT(told(), IsEmpty());
    round();
    EXPECT_EQ(differing_bookings(), 0) << "the clinic has called it off too";
}

// GHL accepted a write and kept nothing of it: told anew when a full comparison begins.
TEST_F(BookingsInGhl, WhatGhlAcceptedAndDidNotKeepIsFoundWhenItIsToldAnew) {
    const auto patient = bound();
    book(patient, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed"));
    wrote(patient);
    auto same = seen(theirs, CrmKind::appointment)->fact;
    same.read_ms = now_ms();
    take(same);
    EXPECT_EQ(differing_bookings(), 0) << "our write may not show yet";
    clinic.clock.advance(std::chrono::minutes{2});
    take(contact(lead));
    same.read_ms = now_ms();
    take(same);
    EXPECT_EQ(differing_bookings(), 1);
    const auto repaired = repair();
    EXPECT_EQ(repaired.put_again, 1);
    EXPECT_THAT(told(), ElementsAre("confirmed"));
}

// Heard while ours was on its way, and it stands no more: no round compares it by itself.
TEST_F(BookingsInGhl, OneThatCameToItsEndThereUnnoticedIsFoundByTheComparisonAndForAPerson) {
    const auto patient = bound();
    book(patient, AppointmentStatus::confirmed);
    shown(Booking::showed, ten());
    EXPECT_THAT(told(), ElementsAre("confirmed"));
    round();
    EXPECT_TRUE(open().empty());
    clinic.clock.advance(std::chrono::minutes{2});
    auto same = seen(theirs, CrmKind::appointment)->fact;
    same.read_ms = now_ms();
    take(same);
    EXPECT_EQ(differing_bookings(), 1);
    round();
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::booking_status);
    EXPECT_EQ(repair().left, 1);
    EXPECT_EQ(decide(true), Errc{});
    round();
    EXPECT_EQ(differing_bookings(), 0);
}
} // namespace
} // namespace clinic::crm
