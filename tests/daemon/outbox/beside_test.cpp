// What a patient has in GHL beside the contact: an opportunity and bookings.
#include "daemon/outbox/beside.h"

#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

using envelope::Case;
using envelope::Outcome;
using envelope::Route;
using Result_ = envelope::StepOutcome::Result;

class BesideAContact : public OutboxTest {
protected:
    void SetUp() override {
        OutboxTest::SetUp();
        who_ = patient("1");
        link(who_, "contact1");
    }

    MetadataEnvelope case_state(Transaction& txn, PatientId who, Case outcome) {
        return begun(txn, who, Kind::case_state).put(Field::stage, Stage::active).put(Field::outcome, outcome);
    }
    std::int64_t push_case(PatientId who, Case outcome = Case::open) {
        return push(who, [&](Transaction& txn) {
            EXPECT_TRUE(Beside::number_of(txn, who, Kind::case_state));
            return case_state(txn, who, outcome);
        });
    }
    std::int64_t push_booking(PatientId who, records::AppointmentId appointment, envelope::Booking status,
                              bool with_slot) {
        return push(who, [&](Transaction& txn) {
            EXPECT_TRUE(Beside::number_of(txn, who, Kind::booking_state, appointment));
            auto out = begun(txn, who, Kind::booking_state)
                           .put(Field::aid, *Links::aid(txn, Destination::crm, who, appointment))
                           .put(Field::booking, status);
            return with_slot ? out.put_slot(1'994'728, 1'994'730) : out;
        });
    }
    records::AppointmentId appointment() {
        return in([&](Transaction& txn) -> Result<records::AppointmentId> {
            return records::AppointmentId::make(txn.now());
        });
    }
    std::int64_t number(PatientId who, Kind kind, std::optional<records::AppointmentId> appointment = std::nullopt) {
        return in([&](Transaction& txn) { return Beside::number_of(txn, who, kind, appointment); });
    }
    Besides at(PatientId who, std::int64_t number) {
        return in([&](Transaction& txn) { return Beside::at(txn, who, number); });
    }
    bool made(std::int64_t lease, const std::string& object) {
        return settle({.lease = lease, .outcome = Outcome::delivered, .contact = "", .object = object, .steps = {}});
    }
    bool nothing_there(std::int64_t lease) { return retry(lease, 0, false, "no_object"); }

    PatientId who_;
};

TEST_F(BesideAContact, AnOpenCaseMakesAnOpportunityAndTheNextOneMovesIt) {
    const auto row = push_case(who_);
    const auto first = lease();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->lease, row);
    EXPECT_EQ(first->contact, "contact1");
    EXPECT_EQ(first->object, "");
    EXPECT_TRUE(first->create);
    EXPECT_FALSE(first->look_up_first);
    EXPECT_TRUE(made(row, "opp1"));
    push_case(who_, Case::lost);
    const auto second = lease();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->object, "opp1");
    EXPECT_FALSE(second->create);
    const auto owner = in([](Transaction& txn) { return Beside::owner_of(txn, Kind::case_state, "opp1"); });
    ASSERT_TRUE(owner);
    EXPECT_EQ(owner->patient, who_);
    EXPECT_FALSE(in([](Transaction& txn) { return Beside::owner_of(txn, Kind::booking_state, "opp1"); }));
}

TEST_F(BesideAContact, ACaseWaitsForTheContact) {
    const auto other = patient("2");
    push_case(other);
    EXPECT_FALSE(lease());
    EXPECT_EQ(rows_in(State::parked), 1);
    link(other, "contact2");
    const auto then = lease();
    ASSERT_TRUE(then);
    EXPECT_EQ(then->contact, "contact2");
    EXPECT_TRUE(books().balanced());
}

TEST_F(BesideAContact, WhatClosesWhatWasNeverMadeIsDiscarded) {
    push_case(who_, Case::abandoned);
    push_booking(who_, appointment(), envelope::Booking::cancelled, false);
    push_booking(who_, appointment(), envelope::Booking::showed,
                 false); // none lives there, and none is made of a status
    EXPECT_FALSE(lease());
    EXPECT_EQ(books().discarded, 3);
    EXPECT_TRUE(books().balanced());
}

TEST_F(BesideAContact, AnUnansweredCreateIsLookedForUntilItIsSure) {
    const auto row = push_case(who_);
    ASSERT_EQ(leased(), row);
    const auto line = attempt(row, who_, Route::case_create);
    EXPECT_TRUE(settle({.lease = row,
                        .outcome = Outcome::retry,
                        .code = "timeout",
                        .contact = "",
                        .steps = {{line, Result_::unknown, 0}}}));
    auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->look_up_first);
    EXPECT_EQ(again->unsure_ms, unsure_for.count());
    release_leases(row);
    clock_.advance(unsure_for);
    again = lease();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->look_up_first);
    EXPECT_EQ(again->unsure_ms, 0);
    EXPECT_TRUE(again->create);
    EXPECT_TRUE(made(row, "opp1"));
    EXPECT_FALSE(at(who_, number(who_, Kind::case_state)).unsure_since);
}

TEST_F(BesideAContact, ARefusalThatProvesNothingWasMadeNeedsNoLook) {
    const auto row = push_case(who_);
    ASSERT_EQ(leased(), row);
    close(attempt(row, who_, Route::case_create), Result_::answered, 429);
    release_leases(row);
    const auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->look_up_first);
}

TEST_F(BesideAContact, ACreateOfUnknownOutcomeIsUnsureAnewAfterARestart) {
    const auto row = push_case(who_);
    ASSERT_EQ(leased(), row);
    attempt(row, who_, Route::case_create);
    clock_.advance(unsure_for * 2);
    open();
    release_leases();
    const auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->look_up_first);
    EXPECT_EQ(again->unsure_ms, unsure_for.count());
}

TEST_F(BesideAContact, WhatClosesLooksForWhatMayHaveBeenMade) {
    const auto row = push_case(who_);
    ASSERT_EQ(leased(), row);
    attempt(row, who_, Route::case_create);
    release_leases(row);
    const auto closing = push_case(who_, Case::abandoned);
    auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->lease, closing);
    EXPECT_TRUE(got->look_up_first);
    EXPECT_FALSE(got->create);
    EXPECT_TRUE(nothing_there(closing));
    EXPECT_FALSE(at(who_, number(who_, Kind::case_state)).unsure_since);
    EXPECT_EQ(books().discarded, 1);
    EXPECT_EQ(books().superseded, 1);
    EXPECT_TRUE(books().balanced());
}

// Else GHL's own bookings of somebody would be nobody's for good, and each of them be made a second time.
TEST_F(BesideAContact, ABookingIsWaitedForWhileALookIsStillToCome) {
    const auto may_come = [&] {
        return in([](Transaction& txn) { return Beside::a_booking_may_come(txn, "contact1"); });
    };
    const auto row = push_booking(who_, appointment(), envelope::Booking::new_, true);
    ASSERT_EQ(leased(), row);
    EXPECT_FALSE(may_come());
    attempt(row, who_, Route::booking_create);
    EXPECT_TRUE(may_come());
    retry(row, 0, true, "http_422");
    EXPECT_TRUE(may_come());
    ASSERT_EQ(leased(), row);
    attempt(row, who_, Route::booking_create);
    retry(row, 0, true, "http_422");
    ASSERT_EQ(books().dead, 1);
    EXPECT_FALSE(may_come()) << "nobody looks for it any more";
    in([&](Transaction& txn) { return Outbox::retry_dead(txn, row); });
    EXPECT_TRUE(may_come());
    ASSERT_EQ(leased(), row);
    in([&](Transaction& txn) { return Outbox::withdraw_lease(txn, row, "over"); });
    EXPECT_FALSE(may_come());
}

TEST_F(BesideAContact, EachAppointmentHasABookingOfItsOwn) {
    const auto monday = appointment(), friday = appointment();
    const auto first = push_booking(who_, monday, envelope::Booking::new_, true);
    const auto second = push_booking(who_, friday, envelope::Booking::new_, true);
    const auto newer = push_booking(who_, monday, envelope::Booking::confirmed, true);
    EXPECT_EQ(books().superseded, 1);
    ASSERT_NE(first, newer);
    ASSERT_EQ(leased(), second);
    EXPECT_TRUE(made(second, "appt-friday"));
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->lease, newer);
    EXPECT_EQ(got->object, "");
    EXPECT_TRUE(made(newer, "appt-monday"));
    const auto of_friday = number(who_, Kind::booking_state, friday),
               of_monday = number(who_, Kind::booking_state, monday);
    EXPECT_EQ(at(who_, of_friday).object, "appt-friday");
    const auto said =
        in([&](Transaction& txn) { return Outbox::last_said_of(txn, who_, Kind::booking_state, of_monday); });
    EXPECT_NE(said.content.find("confirmed"), std::string::npos);
    const auto other =
        in([&](Transaction& txn) { return Outbox::last_said_of(txn, who_, Kind::booking_state, of_friday); });
    EXPECT_NE(other.content.find("\"new\""), std::string::npos);
}

TEST_F(BesideAContact, AnotherContactHasNeither) {
    const auto row = push_case(who_);
    ASSERT_EQ(leased(), row);
    EXPECT_TRUE(made(row, "opp1"));
    const auto moving = push_case(who_);
    link(who_, "contact2");
    EXPECT_FALSE(lease()); // of the earlier contact's, where nothing is said but the end
    EXPECT_EQ(books().discarded, 1);
    ASSERT_NE(moving, push_case(who_));
    const auto anew = lease();
    ASSERT_TRUE(anew);
    EXPECT_TRUE(anew->create);
    EXPECT_EQ(anew->contact, "contact2");
}

TEST_F(BesideAContact, GoesWithTheContactInAMerge) {
    const auto row = push_case(who_);
    ASSERT_EQ(leased(), row);
    EXPECT_TRUE(made(row, "opp1"));
    const auto survivor = patient("2");
    EXPECT_EQ(in([&](Transaction& txn) { return Links::merge(txn, survivor, who_); }), Merged::moved);
    push_case(survivor, Case::lost);
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->object, "opp1");
    EXPECT_TRUE(in([&](Transaction& txn) { return Beside::all(txn, who_); }).empty());
}

TEST_F(BesideAContact, GoesWithThePerson) {
    const auto row = push_case(who_);
    ASSERT_EQ(leased(), row);
    EXPECT_TRUE(made(row, "opp1"));
    erase(who_);
    EXPECT_FALSE(in([](Transaction& txn) { return Beside::owner_of(txn, Kind::case_state, "opp1"); }));
}

TEST_F(BesideAContact, HoldsUpNothingThatIsAboutTheContact) {
    const auto opening = push_case(who_);
    ASSERT_EQ(leased(), opening);
    retry(opening, 300'000, false, "no_pipeline");
    const auto said =
        push(who_, [&](Transaction& txn) { return consent_state(txn, who_, envelope::Scope::reminders); });
    EXPECT_EQ(leased(), said) << "a consent waits for no opportunity";
    EXPECT_TRUE(deliver(said));
    const auto state = push_contact(who_), visit = push_appt(who_);
    const auto both = lease();
    ASSERT_TRUE(both);
    EXPECT_EQ(both->lease, state);
    EXPECT_TRUE(both->also) << visit;
    retry(state, 300'000);
    EXPECT_EQ(leased(), 0);
    clock_.advance(seconds{301});
    EXPECT_EQ(leased(), opening) << "the oldest, now that both are due";
    EXPECT_TRUE(made(opening, "opp1"));
    EXPECT_EQ(leased(), state);
}

TEST_F(BesideAContact, AnIdThatIsNoneIsRefused) {
    const auto one = number(who_, Kind::case_state);
    EXPECT_EQ(tried([&](Transaction& txn) { return Beside::set(txn, who_, one, "Anna Muster"); }).error().code,
              Errc::refused);
    const auto other = patient("2");
    EXPECT_EQ(tried([&](Transaction& txn) { return Beside::set(txn, other, one, "opp1"); }).error().code,
              Errc::not_found);
}

TEST_F(BesideAContact, WhatIsLeftIsEndedAtTheContactThatWasTheirs) {
    push_case(who_);
    const auto first = lease();
    EXPECT_TRUE(made(first->lease, "opp1"));
    const auto left = number(who_, Kind::case_state);
    link(who_, "contact2");
    EXPECT_EQ(at(who_, left).contact, "contact1");
    const auto end = in([&](Transaction& txn) {
        return Outbox::push(txn, Destination::crm, who_, case_state(txn, who_, Case::abandoned), {}, {}, left);
    });
    push_case(who_);
    EXPECT_NE(number(who_, Kind::case_state), left);
    const auto ending = lease();
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->lease, end);
    EXPECT_EQ(ending->contact, "contact1");
    EXPECT_EQ(ending->object, "opp1");
    const auto open = in([&](Transaction& txn) { return Outbox::leased(txn, end); });
    EXPECT_EQ(open.front().left_at, "contact1");
    EXPECT_TRUE(deliver(end));
    const auto making = lease();
    ASSERT_TRUE(making);
    EXPECT_EQ(making->contact, "contact2");
    EXPECT_TRUE(making->create);
    EXPECT_TRUE(made(making->lease, "opp2"));
    EXPECT_EQ(at(who_, left).object, "opp1") << "what GHL goes on showing of it is known";
}

TEST_F(BesideAContact, WhatIsLeftAndNotThereIsForgotten) {
    push_case(who_);
    EXPECT_TRUE(made(lease()->lease, "opp1"));
    const auto left = number(who_, Kind::case_state);
    link(who_, "contact2");
    in([&](Transaction& txn) {
        return Outbox::push(txn, Destination::crm, who_, case_state(txn, who_, Case::abandoned), {}, {}, left);
    });
    EXPECT_TRUE(nothing_there(lease()->lease));
    const auto gone = tried([&](Transaction& txn) { return Beside::at(txn, who_, left); });
    EXPECT_EQ(gone.error().code, Errc::not_found);
    EXPECT_TRUE(books().balanced());
}

TEST_F(BesideAContact, TheMarkerSaysWhoseABookingIs) {
    const auto monday = appointment(), same_time = appointment();
    push_booking(who_, monday, envelope::Booking::new_, true);
    const auto taken = number(who_, Kind::booking_state, same_time);
    in([&](Transaction& txn) { return Beside::set(txn, who_, taken, "booking1", Made::by_others); });
    EXPECT_TRUE(made(lease()->lease, "booking1")); // it carries the other one's title
    const auto owner = in([](Transaction& txn) { return Beside::owner_of(txn, Kind::booking_state, "booking1"); });
    EXPECT_EQ(owner->number, number(who_, Kind::booking_state, monday));
    EXPECT_EQ(at(who_, taken).object, "");
}

} // namespace
} // namespace clinic::outbox
