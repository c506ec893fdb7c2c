#include "sync/poll/poller.h"

#include "tests/sync/poll/poll_fixture.h"

namespace clinic::poll {
namespace {

TEST_F(Polling, TellsWhatHasChangedAndNothingTwice) {
    const auto one = lead("Ottoline"), two = lead("Percival");
    EXPECT_EQ(ids(envelope::CrmKind::contact), (std::vector{one, two}));
    EXPECT_EQ(last.code, "");
    EXPECT_EQ(last.requests, 4) << "the location once an hour, contacts, a calendar, opportunities";
    EXPECT_TRUE(round().empty());
    EXPECT_EQ(last.requests, 3);
    clock.advance(10ms);
    send("POST", "/contacts/" + one + "/tags", {{"tags", {"vip"}}});
    EXPECT_EQ(ids(envelope::CrmKind::contact), std::vector{one});
}

TEST_F(Polling, TheMarkOutlivesARestartAndMovesOnlyBehindWhatClinicdHolds) {
    lead("Ottoline");
    refuse = true;
    round();
    EXPECT_NE(last.code, "");
    EXPECT_EQ(marks->contacts_ms(), 0);
    refuse = false;
    round();
    const auto mark = marks->contacts_ms();
    EXPECT_GT(mark, 0);
    open();
    EXPECT_EQ(marks->contacts_ms(), mark);
    clock.advance(10min);
    const auto later = lead("Percival");
    round();
    clock.advance(10min);
    open();
    EXPECT_EQ(ids(envelope::CrmKind::contact), std::vector{later}) << "what lies behind the overlap is not read again";
}

// Every page is full, some of one and the same moment: none is passed over.
TEST_F(Polling, ManyContactsComeInPages) {
    std::vector<std::string> all;
    for (int i = 0; i < 7; ++i) all.push_back(lead("A" + std::to_string(i)));
    Json body{{"locationId", emulator::location}, {"firstName", "B"}};
    for (int i = 0; i < 5; ++i) all.push_back(json(send("POST", "/contacts/", body))["contact"]["id"]); // at once
    open(3);
    auto told = ids(envelope::CrmKind::contact);
    std::ranges::sort(told);
    std::ranges::sort(all);
    EXPECT_EQ(told, all);
    EXPECT_EQ(last.code, "");
}

// Of the long one nothing is known but where it stands: those before it and behind it are read, also when it is read
// for the comparison, and the next round has whole pages again.
TEST_F(Polling, AContactThatIsLongerThanAnAnswerMayBeIsPassedOver) {
    std::vector<std::string> all;
    for (int i = 0; i < 4; ++i) all.push_back(lead("A" + std::to_string(i)));
    lead(std::string(300'000, 'L'));
    for (int i = 0; i < 4; ++i) all.push_back(lead("B" + std::to_string(i)));
    std::ranges::sort(all);
    open(4);
    auto told = ids(envelope::CrmKind::contact);
    std::ranges::sort(told);
    EXPECT_EQ(told, all);
    EXPECT_EQ(last.code, "");

    std::int64_t step = 0, from = 0;
    bool whole = false;
    walks = [&](const envelope::CrmWalk& done) {
        if (done.walk != 0) from = done.reached_ms;
        whole = whole || done.whole;
        return whole || step > 40 ? WalkTerms{} : WalkTerms{.step = WalkStep::read, .walk = ++step, .from_ms = from};
    };
    const auto before = egress->seen<CrmFact>().size();
    poller->walk({}, clock.monotonic() + 10min);
    EXPECT_TRUE(whole) << step;
    EXPECT_GE(egress->seen<CrmFact>().size() - before, all.size());

    clock.advance(10min);
    for (int i = 0; i < 3; ++i) lead("C" + std::to_string(i));
    round();
    const auto requests = last.requests;
    open(4);
    clock.advance(10min);
    lead("D");
    round();
    EXPECT_LT(last.requests, requests + 3) << "behind it nothing is short any more";
}

TEST_F(Polling, AnotherLocationIsReadFromItsBeginning) {
    const auto one = lead("Percival");
    round();
    clock.advance(10min);
    rules.location = "elsewhere";
    open();
    EXPECT_EQ(marks->contacts_ms(), 0);
    rules.location = emulator::location;
    open();
    EXPECT_GT(marks->contacts_ms(), 0);
}

TEST_F(Polling, IdentifiersArePassedOnceAndOnlyWhereClinicdAllows) {
    const auto before = lead("Ottoline", "+14155552671");
    round();
    EXPECT_TRUE(egress->seen<envelope::MatchProbe>().empty());
    clock.advance(10min);
    probing = true;
    round(); // from here on it is known that they are allowed
    const auto id = lead("Percival", "+14155552672");
    open(); // also by one that starts only now
    round();
    const auto probes = egress->seen<envelope::MatchProbe>();
    ASSERT_EQ(probes.size(), 2U);
    EXPECT_EQ(probes[0].contact, before) << "read before that";
    EXPECT_EQ(probes[1].contact, id);
    EXPECT_EQ(probes[1].phone, "+14155552672");
    EXPECT_EQ(probes[1].national, "4155552672");
    round();
    EXPECT_EQ(egress->seen<envelope::MatchProbe>().size(), 2U);
}

TEST_F(Polling, AProbeThatWasNotTakenIsPassedAgain) {
    probing = true;
    refuse_probes = true;
    const auto id = lead("Ottoline", "+14155552671");
    round();
    EXPECT_NE(last.code, "");
    refuse_probes = false;
    EXPECT_EQ(ids(envelope::CrmKind::contact), std::vector{id});
    EXPECT_EQ(egress->seen<envelope::MatchProbe>().size(), 2U);
}

TEST_F(Polling, AContactOfAnotherCenturyKeepsNoneFromBeingRead) {
    lead("Ottoline");
    clock.advance(std::chrono::hours{24 * 365 * 20});
    const auto ahead = lead("Percival");
    send("POST", "/contacts/search", Json::parse(envelope::changed_contacts_body(rules, 0, 1, 1))); // indexed by now
    clock.set({clock.now().micros - 20LL * 365 * 86'400'000'000});
    clock.advance(10min);
    round();
    clock.advance(10min);
    open();
    const auto id = lead("Quentin");
    EXPECT_EQ(ids(envelope::CrmKind::contact), (std::vector{id, ahead}));
}

// One of GHL's services that is down takes no delivery with it.
TEST_F(Polling, AFaultOfOneReadAloneLeavesTheLaneOpen) {
    failing = envelope::Route::opportunities_page;
    for (int in_a_row = 1; in_a_row <= 5; ++in_a_row) {
        round();
        EXPECT_EQ(last.code, "http_502");
        EXPECT_TRUE(lane_.up());
    }
}

TEST_F(Polling, ABookingThatIsGoneNoLongerStands) {
    const auto contact = lead("Ottoline");
    const std::string day = envelope::iso_ms((clock.now().micros / 1'000'000 / 3'600 + 30) * 3'600'000);
    const auto id = book(contact, day);
    EXPECT_EQ(ids(envelope::CrmKind::appointment), std::vector{id});
    clock.advance(1s);
    const std::string other = envelope::iso_ms((clock.now().micros / 1'000'000 / 3'600 + 24 * 200) * 3'600'000);
    send("PUT", "/calendars/events/appointments/" + id, {{"startTime", other}}); // out of the window
    EXPECT_TRUE(round().empty()) << "one list may be wrong";
    clock.advance(59s);
    EXPECT_TRUE(round().empty());
    clock.advance(1s);
    const auto facts = round();
    ASSERT_EQ(facts.size(), 1U);
    EXPECT_EQ(std::get<envelope::CrmAppointment>(facts[0].said).status, envelope::Booking::cancelled);
    clock.advance(60s);
    EXPECT_TRUE(round().empty()) << "once";
}

TEST_F(Polling, ABookingThatOneListAloneLacksStands) {
    const auto contact = lead("Ottoline");
    const auto at = [&](std::int64_t hours) {
        return envelope::iso_ms((clock.now().micros / 1'000'000 / 3'600 + hours) * 3'600'000);
    };
    const std::string here = at(30), away = at(24 * 200);
    const auto id = book(contact, here);
    const auto put = [&](const std::string& when) {
        clock.advance(60s);
        send("PUT", "/calendars/events/appointments/" + id, {{"startTime", when}});
    };
    const auto is_cancelled = [](const CrmFact& fact) {
        return std::get<envelope::CrmAppointment>(fact.said).status == envelope::Booking::cancelled;
    };
    round();
    for (int i = 0; i < 2; ++i) { // the second time it is missed for the first time again
        put(away);
        EXPECT_TRUE(round().empty());
        put(here);
        const auto facts = round();
        ASSERT_EQ(facts.size(), 1U);
        EXPECT_FALSE(is_cancelled(facts[0]));
    }
}

TEST_F(Polling, ABookingWhoseOwnObjectSaysCancelledIsToldAtOnce) {
    const auto contact = lead("Ottoline");
    const auto id = book(contact, envelope::iso_ms((clock.now().micros / 1'000'000 / 3'600 + 30) * 3'600'000));
    round();
    clock.advance(1s);
    send("PUT", "/calendars/events/appointments/" + id, {{"appointmentStatus", "cancelled"}});
    const auto facts = round();
    ASSERT_EQ(facts.size(), 1U);
    EXPECT_EQ(std::get<envelope::CrmAppointment>(facts[0].said).status, envelope::Booking::cancelled);
}

TEST_F(Polling, ABookingInAStateOfV3IsThereStill) {
    const std::string contact = lead("Ottoline");
    const std::string booking = book(contact, "2026-11-22T09:00:00-05:00");
    EXPECT_EQ(ids(envelope::CrmKind::appointment), std::vector{booking});
    EXPECT_EQ(client
                  ->post("/_by_hand", Json{{"method", "PUT"},
                                           {"path", "/calendars/events/appointments/" + booking},
                                           {"body", {{"appointmentStatus", "completed"}}}}
                                          .dump())
                  .status,
              200);
    clock.advance(1h);
    std::map<std::string, envelope::Booking> told;
    for (const auto& fact : round())
        if (const auto* booked = std::get_if<envelope::CrmAppointment>(&fact.said)) told[fact.id] = booked->status;
    EXPECT_EQ(told, (std::map<std::string, envelope::Booking>{{booking, envelope::Booking::showed}}));
}

TEST_F(Polling, WhatGhlShowsAsDeletedIsToldAsDeleted) {
    const std::string contact = lead("Ottoline");
    const std::string opened = open_case(contact), booking = book(contact, "2026-11-22T09:00:00-05:00");
    EXPECT_FALSE(round().empty());
    client->post("/_faults", R"({"knob":"shows_deleted","value":1})");
    clock.advance(1h);
    for (const auto& path : {"/contacts/" + contact, "/opportunities/" + opened})
        EXPECT_EQ(send("DELETE", path).status, 200) << path;
    EXPECT_EQ(send("DELETE", "/calendars/events/" + booking, Json::object()).status, 201);
    std::map<std::string, bool> deleted;
    for (const auto& fact : round()) deleted[fact.id] = fact.deleted();
    EXPECT_TRUE(deleted[contact]);
    EXPECT_TRUE(deleted[opened]);
    EXPECT_TRUE(deleted[booking]);
}

TEST_F(Polling, ABookingThatIsOverTakesNoOtherThePlace) {
    open(100, 1);
    const auto contact = lead("Ottoline");
    const auto in_hours = [&](std::int64_t hours) {
        return envelope::iso_ms((clock.now().micros / 1'000'000 / 3'600 + hours) * 3'600'000);
    };
    book(contact, in_hours(30));
    EXPECT_EQ(ids(envelope::CrmKind::appointment).size(), 1U);
    clock.advance(60h);
    const auto id = book(contact, in_hours(30));
    EXPECT_EQ(ids(envelope::CrmKind::appointment), std::vector{id});
    clock.advance(1s);
    send("PUT", "/calendars/events/appointments/" + id, {{"startTime", in_hours(24 * 200)}});
    round();
    clock.advance(60s);
    EXPECT_EQ(ids(envelope::CrmKind::appointment), std::vector{id}) << "it is seen that it is gone";
}

TEST_F(Polling, OpportunitiesAndTheZoneAreTold) {
    const auto contact = lead("Ottoline");
    send("POST", "/opportunities/",
         {{"pipelineId", emulator::pipeline_id},
          {"locationId", emulator::location},
          {"name", "p_1"},
          {"status", "open"},
          {"contactId", contact}});
    int opportunities = 0;
    std::string zone;
    for (const auto& fact : round()) {
        opportunities += fact.kind == envelope::CrmKind::opportunity ? 1 : 0;
        if (const auto* place = std::get_if<envelope::CrmLocation>(&fact.said)) zone = place->zone;
    }
    EXPECT_EQ(opportunities, 1);
    EXPECT_EQ(zone, "America/New_York");
}

// Else a clinic with many of them would see a contact that changes late.
TEST_F(Polling, ManyOpportunitiesAreReadInTurns) {
    for (int i = 0; i < 12; ++i) open_case(lead("One"));
    open(1);
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 10U);
    EXPECT_EQ(last.code, "");
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 2U) << "it goes on where it stood";
    open_case(lead("Another"));
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 0U) << "from the first again";
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 1U);
}

TEST_F(Polling, ACalendarThatIsTooLongIsReadInThePartsOfTheRoundBefore) {
    const auto contact = lead("One");
    constexpr int bookings = 20; // of 20 KB each: more than an answer may be
    for (int i = 0; i < bookings; ++i)
        json(send("POST", "/calendars/events/appointments",
                  {{"calendarId", emulator::calendar_id},
                   {"locationId", emulator::location},
                   {"contactId", contact},
                   {"startTime", envelope::iso_ms((clock.now().micros / 900'000'000 + 96 * (i + 1)) * 900'000)},
                   {"ignoreFreeSlotValidation", true},
                   {"title", std::string(20'000, 'x')}}));
    EXPECT_EQ(ids(envelope::CrmKind::appointment).size(), 1U * bookings);
    const auto first = last.requests;
    EXPECT_EQ(ids(envelope::CrmKind::appointment).size(), 0U);
    EXPECT_EQ(last.code, "");
    EXPECT_LT(last.requests + 1, first) << "but the location, what was too long is not asked for again";
}

// What GHL's people do is to be seen, a stop above all, also while nothing may be written.
TEST_F(Polling, ALaneThatIsClosedForItsFieldsIsReadThrough) {
    lane::Fault fields{envelope::LaneState::down, "fields", {}};
    fields.reads_go_on = true;
    lane_.probed(fields);
    EXPECT_FALSE(lane_.up());
    const auto id = lead("One");
    EXPECT_EQ(ids(envelope::CrmKind::contact), std::vector{id});
    EXPECT_EQ(last.code, "");
    lane_.probed(lane::Fault{envelope::LaneState::down, "unauthorized", {}});
    lead("Two");
    EXPECT_EQ(round().size(), 0U);
    EXPECT_EQ(last.code, "closed");
}

TEST_F(Polling, FaultsOfTheFarSideCloseTheLaneAndTheNextRoundGoesOn) {
    const auto id = lead("Ottoline");
    client->post("/_faults", R"({"fault":"html-body","count":3})");
    for (int in_a_row = 1; in_a_row <= 3; ++in_a_row) { // as many as lane::LaneLimits has
        EXPECT_TRUE(lane_.up());
        EXPECT_TRUE(round().empty());
        EXPECT_EQ(last.code, "http_502");
    }
    EXPECT_FALSE(lane_.up());
    lane_.probed(std::nullopt);
    EXPECT_EQ(ids(envelope::CrmKind::contact), std::vector{id});
}

// What a webhook is a reason for: one request, and clinicd is not told of a round.
TEST_F(Polling, LooksOutOfTurnAtWhatThereIsReasonTo) {
    round();
    const auto rounds = egress->seen<envelope::CrmPolled>().size();
    const auto before = egress->seen<CrmFact>().size();
    const auto one = lead("Ottoline"), two = lead("Percival");
    poller->look(envelope::CrmKind::contact);
    poller->look(envelope::CrmKind::contact);
    const auto made = poller->look_now({});
    EXPECT_EQ(made.code, "");
    EXPECT_EQ(made.requests, 1);
    const auto told = egress->seen<CrmFact>();
    ASSERT_EQ(told.size(), before + 2);
    EXPECT_EQ(told[before].id, one);
    EXPECT_EQ(told[before + 1].id, two);
    EXPECT_EQ(egress->seen<envelope::CrmPolled>().size(), rounds);
    EXPECT_EQ(poller->look_now({}).requests, 0) << "for no reason nothing is asked";
}

TEST_F(Polling, ALookThatTheIndexKeptTheChangeFromIsMadeAgain) {
    round();
    client->post("/_faults", R"({"knob":"index_lag_ms","value":30000})");
    const auto before = egress->seen<CrmFact>().size();
    const auto id = lead("Ottoline");
    poller->look(envelope::CrmKind::contact);
    EXPECT_EQ(poller->look_now({}).requests, 1);
    EXPECT_EQ(egress->seen<CrmFact>().size(), before);
    clock.advance(60s);
    EXPECT_EQ(poller->look_now({}).requests, 1);
    ASSERT_EQ(egress->seen<CrmFact>().size(), before + 1);
    EXPECT_EQ(egress->seen<CrmFact>().back().id, id);
}

TEST_F(Polling, ALookIsMadeWhileTheNextRoundIsFarAway) {
    PollOptions how{.egress = folder / "egress.sock"};
    how.pace.busy = 1h;
    poller.emplace(how, rules, lane_, *channel, *marks, clock);
    const std::jthread thread{[this](std::stop_token stop) { poller->run(std::move(stop)); }};
    ASSERT_TRUE(support::eventually([&] {
        return !egress->seen<envelope::CrmPolled>().empty() && egress->seen<envelope::CrmPolled>().back().code.empty();
    }));
    const auto id = lead("Ottoline");
    poller->look(envelope::CrmKind::contact);
    EXPECT_TRUE(support::eventually(
        [&] { return !egress->seen<CrmFact>().empty() && egress->seen<CrmFact>().back().id == id; }));
}

// As clinicd asks for it: pages to the last, then a contact that is there, and one that is not.
TEST_F(Polling, AFullComparisonTellsAllOfItAnewAndWhatIsGone) {
    std::vector<std::string> all;
    for (int i = 0; i < 3; ++i) all.push_back(lead("A" + std::to_string(i)));
    open(2);
    round();
    walks = [&](const envelope::CrmWalk& done) -> WalkTerms {
        if (done.looked == "GHLnobody1") return {.step = WalkStep::rest, .walk = 7};
        if (!done.looked.empty()) return {.step = WalkStep::look, .walk = 7, .id = "GHLnobody1"};
        if (done.whole) return {.step = WalkStep::look, .walk = 7, .id = all[1]};
        return {.step = WalkStep::read, .walk = 7, .from_ms = done.reached_ms};
    };
    const auto before = egress->seen<CrmFact>().size();
    poller->walk({}, clock.monotonic() + 1min);
    std::vector<std::string> told;
    for (const auto& fact : egress->seen<CrmFact>()) told.push_back(fact.id);
    told.erase(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(before));
    for (const auto& id : all) EXPECT_NE(std::ranges::find(told, id), told.end());
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), all[1]) << "read by itself";
    const auto steps = egress->seen<envelope::CrmWalk>();
    EXPECT_EQ(steps[0].walk, 0);
    EXPECT_TRUE(steps.back().absent);
    EXPECT_EQ(steps.back().looked, "GHLnobody1");
    EXPECT_FALSE(steps[steps.size() - 2].absent);
    EXPECT_TRUE(lane_.up()) << "that it is not there is no fault";
}

// What the rounds read whole is told by the next one as if it were new: whether GHL kept what we wrote shows nowhere
// else.
TEST_F(Polling, AFullComparisonHasTheOpportunitiesToldOnceMore) {
    const auto contact = lead("A");
    const std::string opportunity = json(send("POST", "/opportunities/",
                                              {{"pipelineId", emulator::pipeline_id},
                                               {"locationId", emulator::location},
                                               {"name", "Somebody"},
                                               {"status", "open"},
                                               {"contactId", contact}}))["opportunity"]["id"];
    const auto booking = book(contact, "2026-11-25T09:15:00.000Z");
    EXPECT_EQ(ids(envelope::CrmKind::opportunity).size(), 1U);
    EXPECT_EQ(round().size(), 0U);
    walks = [&](const envelope::CrmWalk& done) -> WalkTerms {
        return {.step = done.whole ? WalkStep::rest : WalkStep::read, .walk = 7, .from_ms = done.reached_ms};
    };
    poller->walk({}, clock.monotonic() + 1min);
    const auto told = round();
    ASSERT_EQ(told.size(), 2U) << "and no contact: those were read by the comparison itself";
    EXPECT_NE(std::ranges::find(told, opportunity, &CrmFact::id), told.end());
    EXPECT_NE(std::ranges::find(told, booking, &CrmFact::id), told.end());
    EXPECT_EQ(round().size(), 0U) << "once";
}

// A change of the first minute of the day is seen as fast as any other of the clinic's hours.
TEST_F(Polling, TheWaitBeforeTheClinicOpensIsOneOfItsHours) {
    setenv("TZ", "UTC", 1);
    tzset();
    hours = Hours::parse("sun-sat 10:03-24:00"); // it is ten
    open();
    EXPECT_EQ(poller->rest_after(3), 45s);
    hours = Hours::parse("sun-sat 10:05-24:00");
    open();
    EXPECT_EQ(poller->rest_after(3), 240s);
}

TEST_F(Polling, AFullComparisonStopsAtTheNextRoundAndKeepsOutOfTheClinicsHours) {
    lead("A");
    round();
    walks = [&](const envelope::CrmWalk&) -> WalkTerms {
        return {.step = WalkStep::read, .walk = 7, .from_ms = 0, .quiet = true};
    };
    const auto reads = [&] {
        int count = 0;
        for (const auto& one : egress->seen<envelope::Attempt>())
            count += one.route == envelope::Route::contacts_changed ? 1 : 0;
        return count;
    };
    const int before = reads();
    poller->walk({}, clock.monotonic());
    EXPECT_EQ(reads(), before);
    hours = Hours::parse("sun-sat 00:00-24:00");
    ASSERT_TRUE(hours);
    open();
    round();
    const int by_round = reads();
    poller->walk({}, clock.monotonic() + 1min);
    EXPECT_EQ(reads(), by_round);
}

// Names in every answer, and none in what is told.
TEST_F(Polling, NoNameIsInWhatIsTold) {
    probing = true;
    round();
    lead("Quillfeather", "+14155552671");
    for (const auto& fact : round()) EXPECT_EQ(envelope::encode(Request{fact}).find("uillfeather"), std::string::npos);
    for (const auto& attempt : egress->seen<envelope::Attempt>())
        EXPECT_EQ(attempt.body.find("4155552671"), std::string::npos);
}

} // namespace
} // namespace clinic::poll
