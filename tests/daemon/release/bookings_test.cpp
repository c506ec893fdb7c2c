// Appointments as bookings of ours: which are made, moved and called off.
#include "daemon/release/bookings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/outbox/beside.h"
#include "tests/daemon/release/clinic.h"

namespace clinic::release {
namespace {

using envelope::Booking;
using envelope::Field;
using envelope::Kind;
using records::AppointmentFacts;
using records::AppointmentStatus;
using testing::Clinic;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::int64_t a_quarter = 900'000'000;
constexpr Timestamp noon{1'764'244'800'000'000};

std::optional<BookingState> state_of(AppointmentStatus status, base::Micros from_now, base::Micros lasts = {}) {
    AppointmentFacts facts{{}, status, noon + from_now, std::nullopt};
    if (lasts.count() > 0) facts.end = *facts.start + lasts;
    return booking_of(facts, noon);
}

TEST(BookingOf, AnAppointmentSaysItsStatusInGhlsWords) {
    const std::vector<std::pair<AppointmentStatus, Booking>> all{
        {AppointmentStatus::requested, Booking::new_},
        {AppointmentStatus::booked, Booking::new_},
        {AppointmentStatus::confirmed, Booking::confirmed},
        {AppointmentStatus::arrived, Booking::showed},
        {AppointmentStatus::completed, Booking::showed},
        {AppointmentStatus::cancelled, Booking::cancelled},
        {AppointmentStatus::no_show, Booking::noshow},
        {AppointmentStatus::rescheduled, Booking::new_},
        {AppointmentStatus::entered_in_error, Booking::cancelled}};
    for (const auto& [status, said] : all) EXPECT_EQ(state_of(status, std::chrono::hours{3})->status, said);
}

TEST(BookingOf, TimesAreQuartersOutwards) {
    const auto state = state_of(AppointmentStatus::booked, std::chrono::minutes{67}, std::chrono::minutes{10});
    EXPECT_EQ(state->from, noon.micros / a_quarter + 4);
    EXPECT_EQ(state->until, state->from + 2);
    EXPECT_EQ(state_of(AppointmentStatus::booked, {})->until, noon.micros / a_quarter + 2); // half an hour
}

TEST(BookingOf, TheWindowIsThePollings) {
    EXPECT_FALSE(state_of(AppointmentStatus::completed, -std::chrono::hours{25}));
    EXPECT_FALSE(state_of(AppointmentStatus::booked, -std::chrono::hours{2})->ahead);
    EXPECT_TRUE(state_of(AppointmentStatus::booked, std::chrono::hours{90 * 24})->ahead);
    EXPECT_FALSE(state_of(AppointmentStatus::booked, std::chrono::hours{90 * 24 + 1})->ahead);
    EXPECT_FALSE(state_of(AppointmentStatus::cancelled, std::chrono::hours{2})->ahead);
}

class OurBookings : public ::testing::Test {
protected:
    void SetUp() override {
        clinic.releaser.tell_bookings({.told = true, .create = true}, {});
        clinic.set_basis(Basis::baa, clinic.in_days(300));
        tomorrow = Timestamp{clinic.in_days(1).micros / a_quarter * a_quarter};
    }
    std::vector<std::string> told() {
        std::vector<std::string> out;
        for (const auto& one : clinic.deliver()) {
            if (one.kind() != Kind::booking_state) continue;
            out.emplace_back(one.text(Field::booking));
            if (const auto slot = one.slot())
                out.back() += "@" + std::to_string(slot->first - tomorrow.micros / a_quarter);
        }
        return out;
    }

    Clinic clinic;
    Timestamp tomorrow{};
};

TEST_F(OurBookings, AreMadeMovedAndCalledOff) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.book(patient, "A1", tomorrow, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed@0"));
    clinic.walk();
    EXPECT_THAT(told(), IsEmpty());
    clinic.book(patient, "A1", tomorrow + base::Micros{4 * a_quarter}, AppointmentStatus::rescheduled);
    EXPECT_THAT(told(), ElementsAre("new@4"));
    clinic.book(patient, "A1", tomorrow + base::Micros{4 * a_quarter}, AppointmentStatus::cancelled);
    EXPECT_THAT(told(), ElementsAre("cancelled"));
}

TEST_F(OurBookings, AreOneEachAppointment) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    clinic.book(patient, "A2", tomorrow + base::Micros{8 * a_quarter});
    EXPECT_THAT(told(), UnorderedElementsAre("new@0", "new@8"));
}

TEST_F(OurBookings, AreNotMadeOfWhatIsOverCalledOffOrFarAway) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", clinic.clock.now() - std::chrono::hours{3}, AppointmentStatus::completed);
    clinic.book(patient, "A2", tomorrow, AppointmentStatus::cancelled);
    clinic.book(patient, "A3", clinic.in_days(120));
    EXPECT_THAT(told(), IsEmpty());
    clinic.clock.advance(testing::one_day * 40);
    clinic.walk();
    EXPECT_EQ(told().size(), 1U);
}

TEST_F(OurBookings, OneThatWasCalledOffBeforeItWasMadeIsNotMade) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.deliver();
    clinic.book(patient, "A1", tomorrow);
    clinic.book(patient, "A1", tomorrow, AppointmentStatus::cancelled);
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(clinic.books().discarded, 1);
}

TEST_F(OurBookings, SayNothingOfTimesWhereTheSettingsDoNotAnyMore) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    clinic.releaser.tell_bookings({.told = true}, {});
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(clinic.books().withdrawn, 1);
}

TEST_F(OurBookings, NeedWhatAStateNeeds) {
    clinic.set_basis(Basis::authorized, clinic.in_days(300));
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), IsEmpty());
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::granted);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    for (const Basis closed : {Basis::off, Basis::deid}) {
        clinic.set_basis(closed);
        clinic.book(patient, "A2", tomorrow);
        EXPECT_THAT(told(), IsEmpty()) << name(closed);
    }
}

TEST_F(OurBookings, AreTakenBackWithTheContact) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    EXPECT_THAT(told(), ElementsAre("cancelled"));
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::granted);
    EXPECT_THAT(told(), ElementsAre("new@0"));
}

TEST_F(OurBookings, AreTakenBackBeforeAPersonIsErased) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    told();
    const auto take_back = [&] { return clinic.take_back(patient); };
    EXPECT_EQ(take_back(), TakenBack::waits);
    EXPECT_THAT(told(), ElementsAre("cancelled"));
    EXPECT_EQ(take_back(), TakenBack::done);
}

TEST_F(OurBookings, AnEndThatTheClinicDoesNotSayChangesNoneInGhl) {
    const auto patient = clinic.add("N1", "Quillfeather");
    told();
    const std::int64_t from = tomorrow.micros / a_quarter;
    clinic.releaser.tell_bookings({.told = true, .create = true}, [&](records::Session&, std::string_view,
                                                                      std::int64_t) {
        return Result<std::optional<FoundBooking>>{
            FoundBooking{"theirs1", {.status = Booking::confirmed, .from_quarter = from, .until_quarter = from + 4}}};
    });
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), IsEmpty()) << "an hour, confirmed, as somebody in GHL made it";
}

TEST_F(OurBookings, OneThatGhlsTimeCountsForIsCalledOffAllTheSame) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    told();
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto all = outbox::Beside::all(txn, patient);
        CLINIC_TRY(all);
        return outbox::Beside::hold(txn, patient, all->front().number, outbox::Held::by_ghl);
    });
    clinic.book(patient, "A1", tomorrow + base::Micros{4 * a_quarter}, AppointmentStatus::rescheduled);
    EXPECT_THAT(told(), IsEmpty()) << "a person has said so";
    clinic.book(patient, "A1", tomorrow, AppointmentStatus::cancelled);
    EXPECT_THAT(told(), ElementsAre("cancelled"));
}

TEST_F(OurBookings, OfVisitsThatWereStayAsTheyWereTold) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.clock.advance(testing::one_day * 3);
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(clinic.take_back(patient), TakenBack::done);
}

TEST_F(OurBookings, AreLeftAsTheyAreWithoutTheSetting) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.book(patient, "A1", tomorrow, AppointmentStatus::confirmed);
    clinic.releaser.tell_bookings({}, {});
    EXPECT_THAT(told(), IsEmpty()) << "not configured: what waited goes no more";
    EXPECT_EQ(clinic.take_back(patient), TakenBack::waits) << "for the contact";
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(clinic.take_back(patient), TakenBack::done);
}

TEST_F(OurBookings, OfAnAppointmentThatIsAnothersNowIsCalledOff) {
    const auto patient = clinic.add("N1", "Quillfeather"), other = clinic.add("N2", "Quillfeather");
    const auto id = clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    EXPECT_EQ(clinic.book(other, "A1", tomorrow), id);
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.changed(txn, patient, id); });
    EXPECT_THAT(told(), UnorderedElementsAre("cancelled", "new@0"));
}

TEST_F(OurBookings, AreTakenBackWhenTheBasisExpires) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.clock.advance(testing::one_day * 299);
    tomorrow = Timestamp{clinic.in_days(5).micros / a_quarter * a_quarter};
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.clock.advance(testing::one_day * 2);
    clinic.walk();
    EXPECT_THAT(told(), ElementsAre("cancelled"));
}

TEST_F(OurBookings, OfSomebodyWhoIsMergedGoToTheSurvivor) {
    const auto survivor = clinic.add("N1", "Quillfeather"), prior = clinic.add("N2", "Quillfeather");
    clinic.book(prior, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.merge(survivor, prior);
    EXPECT_THAT(told(), UnorderedElementsAre("cancelled", "new@0")); // of the two contacts
}

TEST_F(OurBookings, OneThatIsEnteredInErrorIsCalledOff) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.book(patient, "A1", tomorrow, AppointmentStatus::entered_in_error);
    EXPECT_THAT(told(), ElementsAre("cancelled"));
}

// A create without an answer: looked for before another, adopted where it is found, and called off all the same where
// the clinic may not speak of the patient any more.
class UnsureBooking : public OurBookings {
protected:
    std::optional<envelope::Lease> next() {
        std::optional<envelope::Lease> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::minutes{3});
            CLINIC_TRY(lease);
            out = std::move(*lease);
            return {};
        });
        return out;
    }
    void settle(envelope::Settle outcome) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto settled = outbox::Outbox::settle(txn, outcome);
            return settled ? Result<void>{} : settled.error();
        });
    }
    records::PatientId begun() {
        const auto patient = clinic.add("N1", "Quillfeather");
        clinic.deliver();
        clinic.book(patient, "A1", tomorrow);
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            std::optional<envelope::Lease> lease;
            while (!lease || lease->envelope->kind() != Kind::booking_state) { // the contact's states go before it
                if (lease) CLINIC_TRY(outbox::Outbox::settle(txn, {.lease = lease->lease, .contact = "", .steps = {}}));
                auto due = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::minutes{3});
                CLINIC_TRY(due);
                if (!*due) return Error{Errc::not_found, "no booking is due"};
                lease = std::move(*due);
            }
            EXPECT_TRUE(lease->create);
            EXPECT_FALSE(lease->look_up_first);
            CLINIC_TRY(outbox::Ledger::open_line(
                txn, patient, {lease->lease, envelope::Route::booking_create, "/calendars/events/appointments", "{}"},
                "open"));
            return outbox::Outbox::release_leases(txn, lease->lease);
        });
        return patient;
    }
};

TEST_F(UnsureBooking, IsLookedForBeforeAnotherIsMade) {
    begun();
    const auto lease = next();
    ASSERT_TRUE(lease);
    EXPECT_TRUE(lease->look_up_first);
    EXPECT_GT(lease->unsure_ms, 0);
    settle({.lease = lease->lease,
            .outcome = envelope::Outcome::retry,
            .code = "adopted",
            .contact = "",
            .object = "GHLappt1",
            .steps = {}});
    const auto known = next();
    ASSERT_TRUE(known);
    EXPECT_EQ(known->object, "GHLappt1");
    EXPECT_FALSE(known->create);
    EXPECT_FALSE(known->look_up_first);
}

TEST_F(UnsureBooking, IsCalledOffOnceItIsFoundWhereTheClinicMayNotSpeakAnyMore) {
    const auto patient = begun();
    clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    auto lease = next();
    while (lease && lease->envelope->kind() != Kind::booking_state) {
        settle({.lease = lease->lease, .contact = "", .steps = {}});
        lease = next();
    }
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->envelope->text(Field::booking), "cancelled");
    EXPECT_TRUE(lease->look_up_first);
    EXPECT_FALSE(lease->create);
    settle(
        {.lease = lease->lease, .outcome = envelope::Outcome::retry, .code = "no_object", .contact = "", .steps = {}});
    EXPECT_EQ(clinic.books().discarded, 1) << "it was never made";
}

TEST_F(OurBookings, BeyondTheListOfAppointmentsAreTakenForWhatTheyAre) {
    const auto patient = clinic.add("N1", "Quillfeather");
    const Timestamp far = tomorrow + testing::one_day * 30;
    const auto id = clinic.book(patient, "A1", far);
    for (int i = 0; i < 70; ++i)
        clinic.book(patient, "S" + std::to_string(i), tomorrow + base::Micros{4 * i * a_quarter});
    EXPECT_EQ(told().size(), 71U);
    clinic.book(patient, "A1", far, AppointmentStatus::confirmed);
    EXPECT_THAT(told(), ElementsAre("confirmed@2880")) << "it is not called off";
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto number = outbox::Beside::known(txn, patient, Kind::booking_state, id);
        CLINIC_TRY(number);
        return outbox::Outbox::doubt_of(txn, patient, Kind::booking_state, **number);
    });
    clinic.walk();
    EXPECT_THAT(told(), ElementsAre("confirmed@2880")) << "the daily job has it too";
    clinic.book(patient, "A1", far, AppointmentStatus::entered_in_error);
    EXPECT_THAT(told(), ElementsAre("cancelled"));
}

TEST_F(OurBookings, OneWhoseTimeIsCorrectedToDaysAgoMovesThere) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", tomorrow);
    EXPECT_THAT(told(), ElementsAre("new@0"));
    clinic.book(patient, "A1", tomorrow - testing::one_day * 4, AppointmentStatus::completed);
    EXPECT_THAT(told(), ElementsAre("showed@-384"));
    clinic.book(patient, "A1", tomorrow - testing::one_day * 4, AppointmentStatus::no_show);
    EXPECT_THAT(told(), IsEmpty()) << "a visit that was stays as it was told";
}

TEST_F(OurBookings, OneThatWaitedUntilItsTimeWasOverIsNotMade) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", clinic.clock.now() + std::chrono::hours{2});
    clinic.deliver(false);
    clinic.clock.advance(std::chrono::hours{4});
    clinic.write([&](records::Transaction& txn) {
        return outbox::Links::set_contact(txn, patient, "contact1", outbox::Made::by_others);
    });
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(clinic.books().withdrawn, 1);
}

TEST_F(OurBookings, OfSomebodyWithoutAContactWaitNoLongerThanTheyHold) {
    const auto patient = clinic.add("N1", "Quillfeather");
    const auto waits = [&] {
        clinic.deliver(false);
        return clinic.books().parked;
    };
    EXPECT_EQ(waits(), 1); // the contact's state
    clinic.book(patient, "A1", tomorrow);
    clinic.book(patient, "A2", tomorrow + base::Micros{8 * a_quarter});
    clinic.book(patient, "A3", clinic.clock.now() + std::chrono::hours{2});
    EXPECT_EQ(waits(), 5) << "the appointment's state, and three bookings";
    clinic.book(patient, "A1", tomorrow, AppointmentStatus::cancelled);
    EXPECT_EQ(waits(), 4);
    clinic.book(patient, "A2", tomorrow, AppointmentStatus::entered_in_error);
    EXPECT_EQ(waits(), 3);
    clinic.clock.advance(testing::one_day * 3);
    clinic.walk();
    EXPECT_EQ(waits(), 2);
    EXPECT_EQ(clinic.books().discarded, 3);
}

} // namespace
} // namespace clinic::release
