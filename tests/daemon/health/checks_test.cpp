// What clinicctl check found, as clinicd is told of it: taken whole or not at all, shown, told once and taken back.
#include "daemon/health/checks.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "daemon/web/words/words.h"
#include "tests/daemon/health/health_fixture.h"

namespace clinic::health {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Told = std::vector<std::pair<std::string, std::string>>;

std::size_t place(std::string_view id) {
    const auto& all = declared_checks();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return id == one.id.c_str(); });
    EXPECT_NE(found, all.end()) << id;
    return static_cast<std::size_t>(found - all.begin());
}

json all_well() {
    json said = json::array();
    for (const auto& one : declared_checks()) said.push_back({{"id", one.id.c_str()}, {"result", "ok"}});
    return said;
}

class Checks : public HealthOf {
protected:
    void SetUp() override {
        HealthOf::SetUp();
        well_box();
    }
    void told(std::map<std::string, CheckResult> results) {
        CheckSet set{};
        for (const auto& [id, result] : results) set[place(id)] = result;
        health_.take_checks(set);
        written();
    }
    void written() {
        write([](records::Transaction&) -> Result<void> { return {}; }); // behind what was posted
    }
    void an_hour() {
        clock_.advance(std::chrono::hours{1});
        everything_up();
    }
    // What central ops has not heard yet; it has, after that.
    Told heard() {
        Told all;
        for (auto events = health_.device().events; !events.empty(); events = health_.device().events) {
            for (const auto& event : events) all.emplace_back(event.code, event.severity);
            health_.acknowledge_events(events.back().number);
        }
        return all;
    }
};

TEST(DeclaredChecks, HaveACodeOfTheirOwnAndWordsForIt) {
    std::set<std::string> codes, ids;
    const auto has_words = [](std::string_view code) {
        return words::has(std::string{code} + ".what") || words::has(std::string{code} + ".what.other");
    };
    for (const auto& one : declared_checks()) {
        const std::string_view code = one.code.c_str(), behind = one.behind.c_str();
        EXPECT_TRUE(ids.emplace(one.id.c_str()).second) << one.id.c_str();
        EXPECT_TRUE(!one.is_told() || codes.emplace(code).second) << code;
        EXPECT_TRUE(code.empty() || has_words(code)) << code;
        EXPECT_TRUE(behind.empty() || has_words(behind)) << behind;
    }
}

TEST(DeclaredChecks, AndTheirPageAreOne) {
    std::ifstream in{CLINIC_SOURCE_DIR "/docs/events.md"};
    const std::string page{std::istreambuf_iterator<char>{in}, {}};
    for (const auto& one : declared_checks()) {
        if (!one.is_told()) continue;
        const std::string code = one.code.c_str(), id = one.id.c_str(), behind = one.behind.c_str();
        const std::string row = "| " + code + " | " + words::text(code + ".what").c_str() + " | [" + id +
                                "](checks.md#" + id + ") | " + (behind.empty() ? "–" : behind) + " |";
        EXPECT_NE(page.find(row), std::string::npos) << row;
    }
}

TEST(ReadChecks, TakesAWholeSetAndNothingElse) {
    const auto whole = all_well();
    ASSERT_TRUE(read_checks(whole));
    const auto refused = [&](const std::function<void(json&)>& change) {
        auto said = whole;
        change(said);
        return !read_checks(said);
    };
    EXPECT_TRUE(refused([](json& said) { said.erase(3); })) << "one is missing";
    EXPECT_TRUE(refused([](json& said) { said[3] = said[4]; })) << "one twice";
    EXPECT_TRUE(refused([](json& said) { said.push_back(said[0]); }));
    EXPECT_TRUE(refused([](json& said) { said[3]["id"] = "disk.colour"; }));
    EXPECT_TRUE(refused([](json& said) { said[3]["result"] = "perhaps"; }));
    EXPECT_TRUE(refused([](json& said) { said[3]["result"] = 2; }));
    EXPECT_TRUE(refused([](json& said) { said[3]["said"] = "Zaphod"; })) << "no text of the machine's";
    EXPECT_TRUE(refused([](json& said) { said[3] = "ok"; }));
    EXPECT_TRUE(refused([](json& said) { said = json::object(); }));
}

TEST_F(Checks, WhatAilsIsShownWithItsWordsAndItsId) {
    told({{"machine.temperature", CheckResult::fail}, {"disk.space", CheckResult::warn}});
    const auto status = look();
    ASSERT_THAT(codes(status), ElementsAre("E4004")) << "disk.space is told by clinicd itself";
    EXPECT_STREQ(status.needs[0].what.c_str(), "The machine is too warm");
    EXPECT_STREQ(status.needs[0].cause.c_str(), "machine.temperature");
    EXPECT_EQ(status.well, Status::Well::look);
    const auto said = json::parse(to_json(status)).at("checks");
    EXPECT_EQ(said.at("ailing"), json::parse(R"([{"id":"machine.temperature","result":"fail","code":"E4004",
                               "doc":"checks.md#machine.temperature"},
                              {"id":"disk.space","result":"warn","code":"E2006","doc":"checks.md#disk.space"}])"));
    EXPECT_EQ(said.at("counts").at("ok"), checks_declared - 2);
    EXPECT_EQ(said.at("age_s"), 0);
    told({});
    EXPECT_THAT(codes(look()), IsEmpty());
}

TEST_F(Checks, ManyDoNotPushOutWhatClinicdSees) {
    health_.dbus("lost"); // information
    std::map<std::string, CheckResult> all;
    for (const auto& one : declared_checks()) all[one.id.c_str()] = CheckResult::warn;
    all["setup.users"] = CheckResult::fail;
    told(all);
    const auto shown = codes(look());
    ASSERT_EQ(shown.size(), static_cast<std::size_t>(needs_max));
    EXPECT_EQ(shown.front(), "E4105") << "the worst of them first";
    EXPECT_EQ(shown.back(), "E2016");
}

TEST_F(Checks, AChangeIsAnEventOnceAndTakenBackWhenItLasts) {
    look();
    heard();
    told({{"machine.load", CheckResult::warn}});
    EXPECT_EQ(heard(), (Told{{"E4003", "warn"}}));
    an_hour();
    told({{"machine.load", CheckResult::warn}});
    EXPECT_EQ(heard(), Told{});
    an_hour();
    told({{"machine.load", CheckResult::fail}});
    EXPECT_EQ(heard(), (Told{{"E4003", "error"}})) << "worse is news at once";
    an_hour();
    told({});
    EXPECT_EQ(heard(), Told{}) << "once may be chance";
    an_hour();
    told({});
    EXPECT_EQ(heard(), (Told{{"E4003", "info"}}));
}

TEST_F(Checks, OneThatFlapsIsToldThreeTimesADay) {
    look();
    heard();
    std::size_t events = 0;
    for (int hour = 0; hour < 24; ++hour) {
        told({{"machine.load", hour % 3 == 0 ? CheckResult::warn : CheckResult::ok}});
        events += heard().size();
        an_hour();
    }
    EXPECT_EQ(events, 2 * CheckNews::raised_a_day_max) << "raised and taken back";
    told({{"machine.load", CheckResult::warn}});
    EXPECT_EQ(heard(), (Told{{"E4003", "warn"}})) << "a day later it is news again";
}

TEST_F(Checks, WhatCouldNotBeLookedAtTakesNothingBack) {
    told({{"machine.load", CheckResult::warn}});
    look();
    heard();
    for (int hour = 0; hour < 3; ++hour) told({{"machine.load", CheckResult::not_known}});
    for (int hour = 0; hour < 3; ++hour) told({{"machine.load", CheckResult::suppressed}});
    EXPECT_EQ(heard(), Told{});
    EXPECT_THAT(codes(look()), IsEmpty()) << "nobody says that it still is";
}

TEST_F(Checks, WhatANeedExplainsIsNotToldTwice) {
    network_down();
    look();
    clock_.advance(20s);
    network_down();
    ASSERT_THAT(codes(look()), ElementsAre("E2102"));
    written();
    heard();
    told({{"net.route", CheckResult::fail}});
    EXPECT_THAT(codes(look()), ElementsAre("E2102"));
    EXPECT_EQ(heard(), Told{});
    everything_up();
    EXPECT_THAT(codes(look()), IsEmpty()) << "what was explained is not found again by itself";
}

TEST_F(Checks, ASetThatHasGrownOldIsNamedAndSaysNothingElse) {
    EXPECT_THAT(codes(look()), IsEmpty()) << "of a box that was never told";
    told({{"machine.load", CheckResult::warn}});
    look();
    heard();
    for (int hour = 0; hour < 3; ++hour) an_hour();
    const auto status = look();
    ASSERT_THAT(codes(status), ElementsAre("E4000"));
    EXPECT_EQ(status.needs[0].number, 3);
    EXPECT_TRUE(json::parse(to_json(status)).at("checks").at("old").get<bool>());
    written();
    EXPECT_EQ(heard(), (Told{{"E4000", "warn"}}));
    told({});
    EXPECT_THAT(codes(look()), IsEmpty());
}

TEST_F(Checks, ATimerThatNeverRanIsNamedWhereThereIsOne) {
    auto settings = settings_;
    settings.checked_hourly = true;
    Health timed{settings, clock_};
    EXPECT_THAT(codes(timed.status_of_now()), ::testing::Not(::testing::Contains("E4000")));
    clock_.advance(std::chrono::hours{3});
    EXPECT_THAT(codes(timed.status_of_now()), ::testing::Contains("E4000"));
    timed.take_checks({});
    EXPECT_THAT(codes(timed.status_of_now()), ::testing::Not(::testing::Contains("E4000")));
}

TEST_F(Checks, ARestartForgetsNeitherTheSetNorWhatWasTold) {
    told({{"machine.load", CheckResult::warn}, {"package.state", CheckResult::not_known}});
    written();
    look();
    heard();
    written();
    health_.detach();
    clock_.advance(std::chrono::hours{1});
    Health restarted{settings_, clock_};
    restarted.attach(*store_);
    restarted.lanes({.kernel_synchronised = true,
                     .https_offset_s = 1,
                     .crm = envelope::LaneState::up,
                     .mqtt = envelope::LaneState::up});
    const auto status = restarted.status_of_now();
    EXPECT_THAT(codes(status), ElementsAre("E4003"));
    EXPECT_EQ(status.checks.age_s, 3'600);
    EXPECT_EQ(status.checks.set[place("package.state")], CheckResult::not_known);
    CheckSet set{};
    set[place("machine.load")] = CheckResult::warn;
    restarted.take_checks(set);
    EXPECT_THAT(restarted.device().events, IsEmpty()) << "told before the restart";
    restarted.take_checks({});
    restarted.take_checks({});
    written();
    const auto events = restarted.device().events;
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].severity, "info");
    restarted.detach();
}

// Nobody looks over a box that is off: its first set comes two minutes after its start.
TEST_F(Checks, ABoxThatWasOffMissedNoSet) {
    told({{"machine.load", CheckResult::warn}});
    look();
    heard();
    written();
    health_.detach();
    clock_.advance(std::chrono::hours{14});
    Health restarted{settings_, clock_};
    restarted.attach(*store_);
    const auto up = [&] {
        restarted.lanes({.kernel_synchronised = true,
                         .https_offset_s = 1,
                         .crm = envelope::LaneState::up,
                         .mqtt = envelope::LaneState::up});
        return restarted.status_of_now();
    };
    const auto status = up();
    EXPECT_THAT(codes(status), IsEmpty()) << "nor is what was found yesterday told as today's";
    EXPECT_EQ(status.checks.age_s, 14 * 3'600);
    EXPECT_TRUE(json::parse(to_json(status)).at("checks").at("old").get<bool>());
    written();
    EXPECT_THAT(restarted.device().events, IsEmpty());
    for (int hour = 0; hour < 3; ++hour) {
        EXPECT_THAT(codes(up()), IsEmpty()) << hour;
        clock_.advance(std::chrono::hours{1});
    }
    const auto later = up();
    ASSERT_THAT(codes(later), ElementsAre("E4000")) << "the timer does not run";
    EXPECT_EQ(later.needs[0].number, 3);
    restarted.take_checks({});
    EXPECT_THAT(codes(up()), IsEmpty());
    restarted.detach();
}

TEST_F(Checks, TheyAreShownWhileTheRecordsAreClosed) {
    health_.detach();
    health_.records_closed({Errc::locked, "no key"});
    health_.take_checks([] {
        CheckSet set{};
        set[place("disk.errors")] = CheckResult::fail;
        set[place("keys.there")] = CheckResult::fail;
        return set;
    }());
    EXPECT_THAT(codes(health_.status_of_now()), ElementsAre("E2001", "E4205")) << "the missing key is E2001 already";
}

} // namespace
} // namespace clinic::health
