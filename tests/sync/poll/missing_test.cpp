// What no list of GHL's shows any more: clinicd hears that all was told, and has it read by itself.
#include "tests/sync/poll/poll_fixture.h"

namespace clinic::poll {
namespace {

// clinicd hears since when all that GHL lists has been told: it asks for what it knows and was not told.
TEST_F(Polling, SaysSinceWhenAllHasBeenTold) {
    open_case(lead("Ottoline"));
    const auto began = clock.now().micros / 1'000;
    clock.advance(1s);
    round();
    const auto first = polled();
    EXPECT_EQ(first.opportunities_ms, first.bookings_ms);
    EXPECT_LE(first.opportunities_ms, began);
    clock.advance(10min);
    round();
    EXPECT_EQ(polled().opportunities_ms, first.opportunities_ms) << "what is known is not told again";
    clock.advance(10min);
    open();
    failing = envelope::Route::opportunities_page;
    round();
    EXPECT_EQ(polled().opportunities_ms, 0) << "not all was read";
    EXPECT_EQ(polled().bookings_ms, clock.now().micros / 1'000);
    failing = envelope::Route::calendar_events;
    open();
    round();
    EXPECT_EQ(polled().bookings_ms, 0);
}

TEST_F(Polling, AClockThatIsSetBackHasAllToldAnew) {
    open_case(lead("Ottoline"));
    round();
    const auto first = polled().opportunities_ms;
    clock.set(clock.now() - base::Micros{std::chrono::minutes{3}});
    round();
    EXPECT_LT(polled().opportunities_ms, first);
    EXPECT_GT(polled().opportunities_ms, 0);
}

TEST_F(Polling, AListThatTakesSeveralRoundsIsToldWhenItsEndIs) {
    for (int i = 0; i < 12; ++i) open_case(lead("One"));
    open(1);
    round();
    EXPECT_EQ(polled().opportunities_ms, 0);
    round();
    EXPECT_NE(polled().opportunities_ms, 0);
}

// Whether it is one that clinicd knows, it has to say: so all are told once more, at most once an hour.
TEST_F(Polling, AnOpportunityThatIsMissingHasAllToldAnew) {
    const auto contact = lead("Ottoline");
    const auto gone = open_case(contact);
    open_case(lead("Percival"));
    const auto last_one = open_case(lead("Quentin"));
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 3U);
    const auto since = polled().opportunities_ms;
    send("DELETE", "/opportunities/" + gone);
    clock.advance(10min);
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 0U);
    clock.advance(55min);
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 0U) << "the pass that sees that the hour is over";
    EXPECT_EQ(polled().opportunities_ms, since);
    clock.advance(1min);
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 2U);
    EXPECT_GT(polled().opportunities_ms, since);
    send("DELETE", "/opportunities/" + last_one);
    for (int i = 0; i < 5; ++i) {
        clock.advance(5min);
        EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 0U);
    }
}

// The only answers that say so: any other leaves it as it is.
TEST_F(Polling, OnlyWhatGhlDoesNotHaveIsAbsent) {
    const auto contact = lead("Ottoline");
    const auto opportunity = open_case(contact);
    const auto booking = book(contact, envelope::iso_ms((clock.now().micros / 1'000'000 / 3'600 + 30) * 3'600'000));
    round();
    const std::vector<std::pair<envelope::CrmKind, std::string>> all{{envelope::CrmKind::contact, contact},
                                                                     {envelope::CrmKind::opportunity, opportunity},
                                                                     {envelope::CrmKind::appointment, booking}};
    const auto look = [&](envelope::CrmKind kind, const std::string& id) {
        std::optional<envelope::CrmWalk> done;
        walks = [&](const envelope::CrmWalk& said) {
            if (said.looked.empty()) return WalkTerms{.step = WalkStep::look, .kind = kind, .id = id};
            done = said;
            return WalkTerms{};
        };
        poller->walk({}, clock.monotonic() + 1min);
        return done;
    };
    for (const auto& [kind, id] : all) {
        for (const char* fault : {"5xx", "html-body", "rate-limited", "html-429", "forbidden", "scope-lost"}) {
            client->post("/_faults", R"({"fault":")" + std::string{fault} + R"(","count":1})");
            const auto done = look(kind, id);
            EXPECT_FALSE(done && done->absent) << fault;
            if (std::string_view{fault} == "forbidden") {
                EXPECT_TRUE(done) << "the next one may be read";
                EXPECT_TRUE(lane_.up()) << "one that is not for us keeps nothing else from leaving";
            }
            lane_.probed(std::nullopt);
            budget.emplace(clock, limits);
        }
        const auto there = look(kind, id);
        ASSERT_TRUE(there) << id;
        EXPECT_FALSE(there->absent);
        EXPECT_EQ(there->kind, kind);
        EXPECT_EQ(egress->seen<CrmFact>().back().id, id) << "and it is told as it is";
        const auto none = look(kind, "GHLnobody1");
        ASSERT_TRUE(none);
        EXPECT_TRUE(none->absent);
    }
    EXPECT_TRUE(lane_.up());
}

} // namespace
} // namespace clinic::poll
