// What other settings would let leave: the same as leaves once they are set.
#include "daemon/release/preview.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/release/clinic.h"

namespace clinic::release {
namespace {

using envelope::Kind;
using outbox::Beside;
using outbox::Held;
using records::AppointmentStatus;
using records::ConsentScope;
using records::ConsentState;
using testing::Clinic;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr BookingOptions times{.told = true, .create = true};
constexpr const char* case_state = "case.state";
constexpr const char* booking_state = "booking.state";

class PreviewOfSettings : public ::testing::Test {
protected:
    void SetUp() override { clinic.set_basis(Basis::baa, clinic.in_days(300)); }

    Settings now() {
        Settings out;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto settings = clinic.releaser.settings(session);
            CLINIC_TRY(settings);
            out = *settings;
            return {};
        }));
        out.policy.unlinked = Unlinked::shell;
        return out;
    }
    Settings with(CaseOptions cases, BookingOptions bookings) {
        Settings out = now();
        out.cases = cases;
        out.bookings = bookings;
        return out;
    }
    Preview seen(const Settings& then) {
        Preview made;
        do {
            const auto done = preview(*clinic.store, clinic.releaser, {now(), then, {}}, 2, made);
            EXPECT_TRUE(done) << done.error().what.c_str();
        } while (made.next);
        return made;
    }
    std::int64_t count(Literal sql) {
        std::int64_t out = -1;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            auto rows = session.prepare(sql);
            CLINIC_TRY(rows);
            CLINIC_TRY(rows->step());
            out = rows->integer(0);
            return {};
        }));
        return out;
    }
    Counts delivered() {
        Counts out;
        for (const auto& one : clinic.deliver()) ++out[envelope::name(one.kind())];
        return out;
    }
    // Two with a visit to come, one of whom has had one this morning too, and one without any.
    void three_people() {
        first = clinic.add("N1", "Quillfeather");
        const auto second = clinic.add("N2", "Waitwell");
        clinic.add("N3", "Ashgrove");
        clinic.book(first, "A1", clinic.in_days(1));
        clinic.book(first, "A2", clinic.clock.now() - std::chrono::hours{3}, AppointmentStatus::completed);
        clinic.book(second, "A3", clinic.in_days(5));
        clinic.book(second, "A4", clinic.in_days(6));
    }

    Clinic clinic;
    records::PatientId first;
};

TEST_F(PreviewOfSettings, CountsWhatLeavesOnceTheyAreSet) {
    three_people();
    const auto made = seen(with({.told = true}, times));
    EXPECT_EQ(made.patients, 3);
    EXPECT_EQ(made.now.leaves.count(case_state) + made.now.leaves.count(booking_state), 0U);
    clinic.releaser.tell_cases({.told = true});
    clinic.releaser.tell_bookings(times, {});
    clinic.walk();
    EXPECT_EQ(made.then.leaves, delivered());
    EXPECT_EQ(made.then.leaves.at(case_state), 3);
    EXPECT_EQ(made.then.leaves.at(booking_state), 3);
    EXPECT_THAT(made.then.fields.at(case_state), UnorderedElementsAre(Pair("stage", 3), Pair("outcome", 3)));
    EXPECT_THAT(made.then.fields.at(booking_state),
                UnorderedElementsAre(Pair("aid", 3), Pair("booking", 3), Pair("from", 3), Pair("until", 3)));
    EXPECT_EQ(seen(now()).then.leaves, made.then.leaves) << "held by GHL or not";
}

TEST_F(PreviewOfSettings, LeavesNothingBehind) {
    three_people();
    const auto beside = count("SELECT count(*) FROM beside");
    const auto links = count("SELECT count(*) FROM link");
    const auto rows = count("SELECT count(*) FROM outbox");
    const auto audited = count("SELECT count(*) FROM audit_link");
    seen(with({.told = true}, times));
    EXPECT_EQ(count("SELECT count(*) FROM beside"), beside);
    EXPECT_EQ(count("SELECT count(*) FROM link"), links);
    EXPECT_EQ(count("SELECT count(*) FROM outbox"), rows);
    EXPECT_EQ(count("SELECT count(*) FROM audit_link"), audited);
    EXPECT_EQ(delivered().count(case_state), 0U);
}

TEST_F(PreviewOfSettings, WithoutTimesThereAreNoBookingsToMake) {
    three_people();
    EXPECT_EQ(seen(with({}, {.told = true})).then.leaves.count(booking_state), 0U);
}

TEST_F(PreviewOfSettings, WhoHasNoContactIsNotSpokenOfBesideIt) {
    three_people();
    auto parked = with({.told = true}, times);
    parked.policy.unlinked = Unlinked::park;
    const auto made = seen(parked);
    EXPECT_THAT(made.then.leaves, IsEmpty());
    EXPECT_EQ(made.then.stays.at(case_state).at("no_contact"), 3);
    EXPECT_EQ(made.then.stays.at(booking_state).at("no_contact"), 3);
}

TEST_F(PreviewOfSettings, WhatIsToldAlreadyIsTakenBackAndTheRestStays) {
    clinic.releaser.tell_cases({.told = true});
    clinic.releaser.tell_bookings(times, {});
    three_people();
    delivered();
    auto closed = now();
    closed.policy.basis = Basis::authorized;
    const auto made = seen(closed);
    EXPECT_THAT(made.then.leaves,
                UnorderedElementsAre(Pair("contact.suppress", 3), Pair(case_state, 3), Pair(booking_state, 3)));
    EXPECT_EQ(made.then.stays.at(case_state).at("no_consent"), 3);
    EXPECT_EQ(made.then.stays.at(booking_state).at("no_consent"), 3);
    closed.policy.basis = Basis::off;
    EXPECT_THAT(seen(closed).then.leaves, IsEmpty());
    EXPECT_EQ(seen(with({}, {})).then.leaves.count(case_state), 0U) << "a pipeline that is gone takes nothing back";
}

TEST_F(PreviewOfSettings, WhatAPersonInGhlStandsAgainstStays) {
    clinic.releaser.tell_cases({.told = true});
    three_people();
    delivered();
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto number = Beside::known(txn, first, Kind::case_state);
        CLINIC_TRY(number);
        return Beside::hold(txn, first, **number, Held::by_ghl);
    });
    const auto made = seen(now());
    EXPECT_EQ(made.then.leaves.at(case_state), 2);
    EXPECT_EQ(made.then.stays.at(case_state).at("held_in_ghl"), 1);
}

TEST_F(PreviewOfSettings, WhoIsInactiveAndUnknownThereIsNotSpokenOf) {
    clinic.add("N1", "Quillfeather", false, false);
    const auto made = seen(now());
    EXPECT_THAT(made.then.leaves, IsEmpty());
    EXPECT_EQ(made.then.stays.at("contact.state").at("inactive_unknown"), 1);
}

} // namespace
} // namespace clinic::release
