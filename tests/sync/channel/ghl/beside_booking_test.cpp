// An appointment as a booking in an emulated GHL: made, moved and called off, and every way that leaves it unknown
// whether it was made.
#include "tests/sync/channel/ghl/beside_fixture.h"

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;
using emulator::Json;
using envelope::Booking;
using envelope::Lease;
using envelope::Outcome;

class BookingOfAnAppointment : public BesideAContactInGhl {
protected:
    static constexpr std::int64_t nine = 1'994'728; // 2026-11-22, a whole hour

    void SetUp() override {
        BesideAContactInGhl::SetUp();
        rules_.bookings = true;
        rules_.booking_calendar = emulator::calendar_id;
    }

    Lease lease(Booking status, std::optional<std::int64_t> from = std::nullopt) {
        using envelope::Field;
        auto out = begun(envelope::Kind::booking_state, envelope::Pseudonym::random('p'));
        out.put(Field::aid, aid_).put(Field::booking, status);
        if (from) out.put_slot(*from, *from + 2);
        Lease lease{.lease = 12, .envelope = std::move(out), .contact = contact_, .object = object_};
        lease.create = object_.empty() && from && status != Booking::cancelled;
        return lease;
    }
    Json bookings() { return state()["appointments"]; }
    // As a person in GHL makes one, over the same time.
    std::string strangers(const std::string& contact, const std::string& title) {
        const auto made = client->send("POST", "/calendars/events/appointments",
                                       {{"Authorization", std::string{"Bearer "} + emulator::token},
                                        {"Version", "2021-04-15"},
                                        {"Content-Type", "application/json"}},
                                       Json{{"calendarId", emulator::calendar_id},
                                            {"locationId", emulator::location},
                                            {"contactId", contact},
                                            {"title", title},
                                            {"ignoreFreeSlotValidation", true},
                                            {"startTime", envelope::quarter_time(nine)}}
                                           .dump());
        return json(made)["id"];
    }

    envelope::Pseudonym aid_ = envelope::Pseudonym::random('a');
};

TEST_F(BookingOfAnAppointment, IsMadeMovedAndCalledOffByOneRequestEach) {
    strangers(create(), "Ada"); // the time is taken in GHL: the clinic's word counts
    EXPECT_EQ(deliver(lease(Booking::new_, nine)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Routes{Route::booking_create});
    ASSERT_EQ(bookings().size(), 2U);
    auto held = bookings()[1];
    EXPECT_EQ(held["id"], object_);
    EXPECT_EQ(held["title"], aid_.text());
    EXPECT_EQ(held["contactId"], contact_);
    EXPECT_EQ(held["startTime"], envelope::quarter_time(nine));
    EXPECT_EQ(held["endTime"], envelope::quarter_time(nine + 2));
    EXPECT_EQ(held["appointmentStatus"], "new");
    EXPECT_EQ(deliver(lease(Booking::confirmed, nine + 4)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Routes{Route::booking_update});
    held = bookings()[1];
    EXPECT_EQ(held["startTime"], envelope::quarter_time(nine + 4));
    EXPECT_EQ(held["appointmentStatus"], "confirmed");
    EXPECT_EQ(deliver(lease(Booking::cancelled)).settle.outcome, Outcome::delivered);
    held = bookings()[1];
    EXPECT_EQ(held["startTime"], envelope::quarter_time(nine + 4));
    EXPECT_EQ(held["appointmentStatus"], "cancelled");
}

TEST_F(BookingOfAnAppointment, ThatLivesInGhlGetsItsStatusAndKeepsItsTimeAndTitle) {
    rules_.booking_calendar.clear();
    object_ = strangers(contact_, "Ada");
    EXPECT_EQ(deliver(lease(Booking::showed)).settle.outcome, Outcome::delivered);
    const auto held = bookings()[0];
    EXPECT_EQ(held["appointmentStatus"], "showed");
    EXPECT_EQ(held["title"], "Ada");
    EXPECT_EQ(held["startTime"], envelope::quarter_time(nine));
    // A time does not leave where none may.
    const auto refused = deliver(lease(Booking::new_, nine + 4));
    EXPECT_EQ(refused.settle.code, "write_set");
    EXPECT_TRUE(gate_.routes.empty());
}

TEST_F(BookingOfAnAppointment, ThatMayHaveBeenMadeIsFoundByItsTitleAndNeverMadeTwice) {
    for (const auto& [what, code] :
         {std::pair{"timeout-after-effect", "timeout"}, std::pair{"422-but-created", "http_422"}}) {
        contact_ = create();
        object_.clear();
        const auto before = bookings().size();
        fault(what);
        const auto lost = deliver(lease(Booking::new_, nine));
        EXPECT_EQ(lost.settle.outcome, Outcome::retry);
        EXPECT_EQ(lost.settle.code, code);
        EXPECT_EQ(object_, "");
        const auto early = deliver(unsure(lease(Booking::new_, nine), 60'000));
        EXPECT_EQ(early.settle.code, "look_up_wait");
        EXPECT_EQ(gate_.routes, Routes{Route::booking_search});
        clock.advance(300ms);
        EXPECT_EQ(deliver(unsure(lease(Booking::new_, nine), 59'700)).settle.code, "adopted");
        EXPECT_EQ(bookings().size(), before + 1);
        EXPECT_EQ(bookings()[before]["id"], object_);
    }
}

// A patient whose link was ended and set again: what was called off then carries the marker too.
TEST_F(BookingOfAnAppointment, ThatStandsIsTakenBeforeOneThatWasCalledOff) {
    for (int i = 0; i < 8; ++i) { // whatever their ids are
        contact_ = create();
        object_.clear();
        EXPECT_EQ(deliver(lease(Booking::new_, nine)).settle.outcome, Outcome::delivered);
        EXPECT_EQ(deliver(lease(Booking::cancelled)).settle.outcome, Outcome::delivered);
        const std::string called_off = object_;
        object_.clear();
        fault("422-but-created");
        EXPECT_EQ(deliver(lease(Booking::new_, nine)).settle.code, "http_422");
        clock.advance(1s);
        EXPECT_EQ(deliver(unsure(lease(Booking::new_, nine), 0)).settle.code, "adopted");
        EXPECT_NE(object_, called_off);
    }
}

TEST_F(BookingOfAnAppointment, IsNotAStrangersOfTheSameContactAndTime) {
    strangers(contact_, "Ada");
    strangers(create(), std::string{aid_.text()}); // our own title at another contact
    clock.advance(1s);
    EXPECT_EQ(deliver(unsure(lease(Booking::new_, nine), 0)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, (Routes{Route::booking_search, Route::booking_create}));
    EXPECT_EQ(bookings().size(), 3U);
    EXPECT_EQ(bookings()[2]["id"], object_);
    object_.clear();
    contact_ = create();
    EXPECT_EQ(deliver(unsure(lease(Booking::cancelled), 0)).settle.code, "no_object") << "what is over was never made";
}

TEST_F(BookingOfAnAppointment, ThatPeopleInGhlDeletedIsForAPersonUnlessItIsCalledOff) {
    object_ = "deleted1";
    auto out = deliver(lease(Booking::confirmed, nine));
    EXPECT_EQ(out.settle.code, "object_gone");
    EXPECT_TRUE(out.settle.counts_against);
    out = deliver(unsure(lease(Booking::confirmed, nine), 0));
    EXPECT_EQ(out.settle.code, "object_gone");
    EXPECT_EQ(gate_.routes, (Routes{Route::booking_search, Route::booking_update})) << "and none is made";
    out = deliver(unsure(lease(Booking::cancelled), 0));
    EXPECT_EQ(out.settle.code, "no_object");
    EXPECT_TRUE(bookings().empty());
}

TEST_F(BookingOfAnAppointment, IsWrittenDownAndNotSentInADryRun) {
    gate_.answer = envelope::Answer::dry;
    EXPECT_EQ(deliver(lease(Booking::new_, nine)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Routes{Route::booking_create});
    EXPECT_TRUE(bookings().empty());
}

TEST_F(BookingOfAnAppointment, OfAContactThatIsGoneEndsWithIt) {
    EXPECT_EQ(deliver(lease(Booking::new_, nine)).settle.outcome, Outcome::delivered);
    const auto made = object_;
    client->send("DELETE", "/contacts/" + contact_,
                 {{"Authorization", std::string{"Bearer "} + emulator::token}, {"Version", "2021-07-28"}}, "");
    object_ = "GHLneverWasThere0001"; // as if it had taken that along
    auto end = lease(Booking::cancelled);
    EXPECT_EQ(deliver(end).settle.code, "object_gone") << "tried again, and looked for";
    end.look_up_first = true;
    EXPECT_EQ(deliver(end).settle.code, "no_object");
    object_ = made; // it has left that where it was
    end = lease(Booking::cancelled);
    end.look_up_first = true;
    EXPECT_EQ(deliver(end).settle.outcome, Outcome::delivered);
    EXPECT_EQ(bookings()[0]["appointmentStatus"], "cancelled");
    object_.clear(); // one that may have been made there
    EXPECT_EQ(deliver(unsure(lease(Booking::cancelled), 1'000)).settle.code, "look_up_wait");
    EXPECT_EQ(deliver(unsure(lease(Booking::cancelled), 0)).settle.code, "no_object");
}

} // namespace
} // namespace clinic::ghl
