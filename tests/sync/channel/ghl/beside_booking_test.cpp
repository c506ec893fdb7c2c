// An appointment as a booking in an emulated GHL: made, moved and called off, and every way that leaves it unknown
// whether it was made.
#include <nlohmann/json.hpp>

#include "sync/channel/ghl/ghl_channel.h"
#include "tests/emulator/emulator_fixture.h"

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;
using emulator::Json;
using envelope::Booking;
using envelope::Lease;
using envelope::Outcome;

using Said = std::vector<Route>;

class BookingGate final : public lane::Gate {
public:
    explicit BookingGate(const WriteRules& rules) : rules_{rules} {}
    Result<envelope::Verdict> ask(const envelope::Attempt& attempt) override {
        CLINIC_TRY(envelope::check_request(rules_, attempt.route, attempt.path, attempt.body));
        routes.push_back(attempt.route);
        return envelope::Verdict{++attempts_, answer, ""};
    }
    Said routes;
    envelope::Answer answer = envelope::Answer::go;

private:
    const WriteRules& rules_;
    std::int64_t attempts_ = 0;
};

class BookingOfAnAppointment : public emulator::GhlEmulator {
protected:
    static constexpr std::int64_t nine = 1'994'728; // 2026-11-22, a whole hour

    void SetUp() override {
        client->post("/_faults", R"({"knob":"rate_per_10s","value":100000})");
        rules_.location = emulator::location;
        rules_.fields = {emulator::field_ce_pid,  emulator::field_ce_stage,       emulator::field_ce_last,
                         emulator::field_ce_next, emulator::field_ce_appt_status, emulator::field_ce_appt_when};
        rules_.bookings = true;
        rules_.booking_calendar = emulator::calendar_id;
        std::ofstream{folder / "token"} << emulator::token;
        ClientOptions how;
        how.host = "127.0.0.1";
        how.port = static_cast<std::uint16_t>(emulator->port());
        how.ca = emulator::certificate().authority;
        how.token_file = folder / "token";
        how.call_max = 400ms;
        ghl_ = std::move(*GhlClient::make(how, clock));
        lane::RateLimits limits;
        limits.per_second = limits.per_second_max = limits.burst = 10'000;
        budget_.emplace(clock, limits);
        channel_.emplace(*ghl_, rules_, *budget_);
        contact_ = create();
    }

    Lease lease(Booking status, std::optional<std::int64_t> from = std::nullopt) {
        using envelope::Field;
        envelope::MetadataEnvelope out{envelope::Kind::booking_state};
        out.put(Field::mid, envelope::Pseudonym::random('m')).put_site("s_0123456789").put_sequence(3);
        out.put(Field::pid, envelope::Pseudonym::random('p')).put(Field::aid, aid_).put(Field::booking, status);
        if (from) out.put_slot(*from, *from + 2);
        Lease lease{.lease = 12, .envelope = std::move(out), .contact = contact_, .object = object_};
        lease.create = object_.empty() && from && status != Booking::cancelled;
        return lease;
    }
    static Lease unsure(Lease lease, int unsure_ms) {
        lease.look_up_first = true;
        lease.unsure_ms = unsure_ms;
        return lease;
    }
    lane::Delivery deliver(const Lease& lease) {
        gate_.routes.clear();
        auto out = channel_->deliver(lease, gate_, {});
        if (!out.settle.object.empty()) object_ = out.settle.object;
        return out;
    }
    Json bookings() { return state()["appointments"]; }
    void fault(const char* name) { client->post("/_faults", Json{{"fault", name}}.dump()); }
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

    WriteRules rules_;
    BookingGate gate_{rules_};
    std::unique_ptr<GhlClient> ghl_;
    std::optional<lane::RateBudget> budget_;
    std::optional<GhlChannel> channel_;
    envelope::Pseudonym aid_ = envelope::Pseudonym::random('a');
    std::string contact_, object_;
};

TEST_F(BookingOfAnAppointment, IsMadeMovedAndCalledOffByOneRequestEach) {
    strangers(create(), "Ada"); // the time is taken in GHL: the clinic's word counts
    EXPECT_EQ(deliver(lease(Booking::new_, nine)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Said{Route::booking_create});
    ASSERT_EQ(bookings().size(), 2U);
    auto held = bookings()[1];
    EXPECT_EQ(held["id"], object_);
    EXPECT_EQ(held["title"], aid_.text());
    EXPECT_EQ(held["contactId"], contact_);
    EXPECT_EQ(held["startTime"], envelope::quarter_time(nine));
    EXPECT_EQ(held["endTime"], envelope::quarter_time(nine + 2));
    EXPECT_EQ(held["appointmentStatus"], "new");
    EXPECT_EQ(deliver(lease(Booking::confirmed, nine + 4)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Said{Route::booking_update});
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
        EXPECT_EQ(gate_.routes, Said{Route::booking_search});
        clock.advance(300ms);
        EXPECT_EQ(deliver(unsure(lease(Booking::new_, nine), 59'700)).settle.code, "adopted");
        EXPECT_EQ(bookings().size(), before + 1);
        EXPECT_EQ(bookings()[before]["id"], object_);
    }
}

TEST_F(BookingOfAnAppointment, IsNotAStrangersOfTheSameContactAndTime) {
    strangers(contact_, "Ada");
    strangers(create(), std::string{aid_.text()}); // our own title at another contact
    clock.advance(1s);
    EXPECT_EQ(deliver(unsure(lease(Booking::new_, nine), 0)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, (Said{Route::booking_search, Route::booking_create}));
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
    EXPECT_EQ(gate_.routes, (Said{Route::booking_search, Route::booking_update})) << "and none is made";
    out = deliver(unsure(lease(Booking::cancelled), 0));
    EXPECT_EQ(out.settle.code, "no_object");
    EXPECT_TRUE(bookings().empty());
}

TEST_F(BookingOfAnAppointment, IsWrittenDownAndNotSentInADryRun) {
    gate_.answer = envelope::Answer::dry;
    EXPECT_EQ(deliver(lease(Booking::new_, nine)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Said{Route::booking_create});
    EXPECT_TRUE(bookings().empty());
}

} // namespace
} // namespace clinic::ghl
