// Bookings that live in GHL, and the clinic's appointments that they are.
#include "daemon/crm/bookings.h"

#include <gmock/gmock.h>

#include "daemon/crm/repair.h"
#include "daemon/outbox/beside.h"
#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

using envelope::Booking;

using records::AppointmentStatus;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BookingsInGhl : public Crm {
protected:
    static constexpr const char* theirs = "GHLappt1";

    void SetUp() override {
        Crm::SetUp();
        allow({.told = true});
    }
    void allow(release::BookingOptions options) { clinic.releaser.tell_bookings(options, find_booking); }

    // What was told of bookings: "confirmed", or "new@0+2" with its time as quarters from `at_ten`.
    std::vector<std::string> told() {
        std::vector<std::string> out;
        for (const auto& one : clinic.deliver()) {
            if (one.kind() != envelope::Kind::booking_state) continue;
            out.emplace_back(one.text(envelope::Field::booking));
            if (const auto slot = one.slot())
                out.back() +=
                    "@" + std::to_string(slot->first - ten_) + "+" + std::to_string(slot->second - slot->first);
        }
        return out;
    }
    std::vector<outbox::Besides> beside(PatientId patient) {
        std::vector<outbox::Besides> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto all = outbox::Beside::all(txn, patient);
            CLINIC_TRY(all);
            out = std::move(*all);
            return {};
        });
        return out;
    }
    // An appointment at ten whose booking lives in GHL, found, and all of it told.
    PatientId bound(Booking status = Booking::new_) {
        const auto patient = linked("N1", lead);
        if (clinic.releaser.booking_options().create) take(booking(theirs, ten(), status, lead));
        clinic.book(patient, "A1", ten());
        take(booking(theirs, ten(), status, lead));
        EXPECT_THAT(told(), IsEmpty());
        EXPECT_EQ(beside(patient).size(), 1U);
        return patient;
    }
    void shown(Booking status, Timestamp at) { take(booking(theirs, at, status, lead)); }
    void book(PatientId patient, AppointmentStatus status, std::optional<Timestamp> at = std::nullopt) {
        clinic.book(patient, "A1", at.value_or(ten()), status);
    }
    // As the polling would have it: the same is read later than all that we have written can take to show.
    void read_again(Booking status, Timestamp at) {
        const auto before = seen(theirs, CrmKind::appointment);
        clinic.clock.advance(std::chrono::minutes{2});
        auto fact = before->fact;
        fact.read_ms = now_ms();
        std::get<CrmAppointment>(fact.said).status = status;
        std::get<CrmAppointment>(fact.said).from_quarter = at.micros / quarter_us;
        std::get<CrmAppointment>(fact.said).until_quarter = at.micros / quarter_us + 2;
        take(fact);
        round();
    }
    Timestamp ten() {
        if (ten_ == 0) ten_ = at_ten().micros / quarter_us;
        return Timestamp{ten_ * quarter_us};
    }
    std::optional<envelope::Lease> next() {
        std::optional<envelope::Lease> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, false, std::chrono::minutes{3});
            CLINIC_TRY(lease);
            out = std::move(*lease);
            return {};
        });
        return out;
    }
    // Delivered; what was found or made for it.
    void settle(std::int64_t lease, std::string object) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto settled =
                outbox::Outbox::settle(txn, {.lease = lease, .contact = "", .object = std::move(object), .steps = {}});
            return settled ? Result<void>{} : settled.error();
        });
    }
    std::int64_t differing_bookings() {
        std::int64_t out = 0;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = count_differing(txn);
            CLINIC_TRY(found);
            out = found->of.at(static_cast<std::size_t>(Differs::booking));
            return {};
        });
        return out;
    }
    Repaired repair(bool dry_run = false) {
        Repaired out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto next = Repair{clinic.releaser, dry_run}.slice(txn, Differs::booking, 0, out);
            return next ? Result<void>{} : next.error();
        });
        return out;
    }
    std::string aid_of(PatientId patient, records::AppointmentId appointment) {
        std::string out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto aid = outbox::Links::aid(txn, envelope::Destination::crm, patient, appointment);
            CLINIC_TRY(aid);
            out = aid->text();
            return {};
        });
        return out;
    }
    Errc decide(bool ghl) {
        const auto one = open().at(0);
        const auto done = clinic.store->write([&](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(settle_number(txn, one.number, ghl ? Literal{"ghl"} : Literal{"clinic"}));
            const auto object = object_at(txn, one.object);
            CLINIC_TRY(object);
            const auto whose = BookingCheck{clinic.releaser, {}}.decided(txn, **object, one, ghl);
            return whose ? Result<void>{} : whose.error();
        });
        return done ? Errc{} : done.error().code;
    }

private:
    std::int64_t ten_ = 0;
};

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
