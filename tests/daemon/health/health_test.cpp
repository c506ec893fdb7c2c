#include "daemon/health/health.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "daemon/health/findings.h"
#include "daemon/web/words/words.h"
#include "tests/daemon/health/health_fixture.h"

namespace clinic::health {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(HealthOf, ABoxWithABasisAndItsLinksIsWell) {
    well_box();
    const Status status = look();
    EXPECT_EQ(status.well, Status::Well::well);
    EXPECT_THAT(codes(status), IsEmpty());
    EXPECT_EQ(status.mode, Mode::running);
    EXPECT_EQ(status.ghl.key, "ghl.nothing_yet");
    EXPECT_TRUE(ready(status));
}

TEST_F(HealthOf, BooksAndFeedsComeFromTheStore) {
    well_box();
    set_counter(0, 12);
    set_counter(static_cast<int>(outbox::State::delivered), 9);
    set_counter(static_cast<int>(outbox::State::parked), 3);
    set_feed("mllp", 5, 4, 1);
    clock_.advance(3s);
    everything_up();
    const Status status = look();
    EXPECT_EQ(status.crm.released, 12);
    EXPECT_EQ(status.crm.delivered, 9);
    EXPECT_EQ(status.crm.parked, 3);
    ASSERT_EQ(status.feeds.size(), 2U);
    EXPECT_EQ(status.feeds[0].received, 5);
    EXPECT_EQ(status.feeds[0].last_message_s, 3);
    EXPECT_EQ(status.feeds[1].last_message_s, -1);
    EXPECT_EQ(status.ghl.key, "ghl.parked");
    EXPECT_THAT(codes(status), ElementsAre("E2302"));
    EXPECT_EQ(status.well, Status::Well::well) << "what is parked needs a person, and the box is well";
}

TEST_F(HealthOf, OnePersonIsToldWhatHasJustBeenAcknowledged) {
    well_box();
    look();
    set_feed("mllp", 1, 1, 0);
    health_.changed();
    EXPECT_EQ(health_.status().feeds[0].received, 0) << "viewers are many: theirs is 20 ms behind at most";
    EXPECT_EQ(health_.status_of_now().feeds[0].received, 1);
}

TEST_F(HealthOf, BooksThatDoNotAddUpAreSaid) {
    well_box();
    set_counter(0, 12);
    EXPECT_THAT(codes(look()), Contains("E2009"));
}

TEST_F(HealthOf, AReconnectOfAFewSecondsIsNoNews) {
    well_box();
    look();
    network_down();
    look();
    clock_.advance(1s);
    EXPECT_THAT(codes(look()), IsEmpty());
    everything_up();
    clock_.advance(2s);
    EXPECT_THAT(codes(look()), IsEmpty());
}

TEST_F(HealthOf, WhatNobodyAnsweredWasWaitedForAndIsShownAtOnce) {
    well_box();
    look();
    health_.lanes({.kernel_synchronised = true, .mqtt = envelope::LaneState::up, .crm_code = "timeout"});
    EXPECT_THAT(codes(look()), ElementsAre("E2103"));
    health_.lanes({.kernel_synchronised = true, .crm_code = "offline", .mqtt_code = "offline"});
    EXPECT_THAT(codes(look()), ElementsAre("E2102")) << "one trouble takes the other's place, without a gap";
    everything_up();
    EXPECT_THAT(codes(look()), IsEmpty());
}

TEST_F(HealthOf, ATroubleOfTheLinksIsToldToCentralOpsOnceItLasts) {
    const auto told = [&] {
        write([](records::Transaction&) -> Result<void> { return {}; });
        look();
        const auto events = health_.device().events;
        return std::any_of(events.begin(), events.end(), [](const auto& event) { return event.code == "E2101"; });
    };
    well_box();
    look();
    clock_.advance(3s);
    EXPECT_THAT(codes(look()), ElementsAre("E2101"));
    EXPECT_FALSE(told());
    clock_.advance(15s);
    look();
    EXPECT_TRUE(told());
}

TEST_F(HealthOf, ABoxThatHasJustStartedWaitsForItsDeliveryProgram) {
    attach();
    set_basis(release::Basis::baa);
    clock_.advance(2s);
    EXPECT_THAT(codes(look()), IsEmpty());
    clock_.advance(1s);
    EXPECT_THAT(codes(look()), ElementsAre("E2101"));
    EXPECT_EQ(look().ghl.key, "ghl.program_idle");
}

TEST_F(HealthOf, TheSameWordsOfTheDeliveryProgramAreNoChange) {
    well_box();
    look();
    const auto before = health_.change();
    everything_up();
    EXPECT_EQ(health_.change(), before);
    clock_.advance(4s);
    everything_up();
    EXPECT_GT(health_.change(), before) << "after a silence they are";
}

TEST_F(HealthOf, APageThatIsLookedAtIsWatchedUntilItWouldHaveComeAgain) {
    EXPECT_FALSE(health_.watched());
    health_.looked_at();
    clock_.advance(44s);
    EXPECT_TRUE(health_.watched());
    clock_.advance(2s);
    EXPECT_FALSE(health_.watched());
}

TEST_F(HealthOf, NoNetworkIsOneLineAndGoesByItself) {
    well_box();
    network_down();
    const Timestamp since = look().at;
    clock_.advance(16s);
    network_down();
    const Status down = look();
    EXPECT_THAT(codes(down), ElementsAre("E2102"));
    EXPECT_EQ(down.needs.front().since, since);
    EXPECT_EQ(down.well, Status::Well::look);
    EXPECT_EQ(down.ghl.key, "ghl.link_down_idle");
    everything_up();
    EXPECT_THAT(codes(look()), IsEmpty());
}

TEST_F(HealthOf, ASilentDeliveryProgramHidesItsLanes) {
    attach();
    set_basis(release::Basis::baa);
    look();
    clock_.advance(16s);
    EXPECT_THAT(codes(look()), ElementsAre("E2101"));
}

TEST_F(HealthOf, ARefusedKeyIsNotTakenForAFaultOfTheNetwork) {
    well_box();
    const envelope::TimeState refused{.kernel_synchronised = true,
                                      .crm = envelope::LaneState::paused,
                                      .mqtt = envelope::LaneState::up,
                                      .crm_code = "unauthorized"};
    health_.lanes(refused);
    look();
    clock_.advance(16s);
    health_.lanes(refused);
    const Status status = look();
    EXPECT_THAT(codes(status), ElementsAre("E2104"));
    EXPECT_EQ(status.ghl.key, "ghl.key_refused");
}

TEST(Findings, EachCodeOfTheLaneHasItsCause) {
    using envelope::LaneState;
    const auto trouble = [](const char* code) { return crm_trouble({.crm = LaneState::paused, .crm_code = code}); };
    EXPECT_EQ(crm_trouble({.crm = LaneState::up}), LinkTrouble::none);
    for (const char* code : {"offline", "timeout", "tls", "starting"})
        EXPECT_EQ(trouble(code), LinkTrouble::unreachable) << code;
    for (const char* code : {"throttled", "rate_budget"}) EXPECT_EQ(trouble(code), LinkTrouble::throttled) << code;
    for (const char* code : {"unauthorized", "scope", "forbidden", "no_token"})
        EXPECT_EQ(trouble(code), LinkTrouble::unauthorized) << code;
    for (const char* code : {"http_500", "http_503", "not_json"}) EXPECT_EQ(trouble(code), LinkTrouble::faulty) << code;
    EXPECT_EQ(trouble("certificate"), LinkTrouble::untrusted);
    EXPECT_EQ(trouble("http_404"), LinkTrouble::wrong_location);
    EXPECT_EQ(trouble("not_configured"), LinkTrouble::unset);
}

// A box that delivers, but for its lane to GHL.
Status with_lane(envelope::LaneState state, const char* code) {
    Status status;
    status.store_open = true;
    status.basis = "baa";
    status.clock_trusted = true;
    status.disk_free_percent = 50;
    status.lanes_age_s = 0;
    status.lanes = {.crm = state, .mqtt = envelope::LaneState::up, .crm_code = code};
    return status;
}

// As it is two minutes later.
Status shown(Status status) {
    Watch watch;
    watch.look(findings(status), {}, base::Micros{0});
    status.needs = watch.look(findings(status), {}, base::Micros{120'000'000}).visible;
    status.ghl = ghl_answer(status);
    return status;
}

TEST(Findings, EachTroubleOfTheWayToGhlIsANeedAndNeverUpToDate) {
    struct Row {
        const char *code, *need, *idle, *waiting;
    };
    for (const Row& row : {Row{"offline", "E2103", "ghl.link_down_idle", "ghl.link_down"},
                           Row{"http_503", "E2105", "ghl.link_down_idle", "ghl.link_down"},
                           Row{"not_json", "E2105", "ghl.link_down_idle", "ghl.link_down"},
                           Row{"certificate", "E2107", "ghl.link_down_idle", "ghl.link_down"},
                           Row{"unauthorized", "E2104", "ghl.key_refused", "ghl.key_refused"},
                           Row{"http_404", "E2108", "ghl.not_set_up", "ghl.not_set_up"},
                           Row{"unprepared", "E2109", "ghl.not_set_up", "ghl.not_set_up"},
                           Row{"not_configured", "E2109", "ghl.not_set_up", "ghl.not_set_up"}}) {
        for (const std::int64_t waiting : {0, 3}) {
            Status status = with_lane(envelope::LaneState::down, row.code);
            status.crm = {.released = 5, .pending = waiting, .delivered = 5 - waiting};
            status.crm.oldest_pending_s = waiting == 0 ? 0 : 7'200;
            const Status seen = shown(status);
            EXPECT_THAT(codes(seen), ElementsAre(row.need)) << row.code << waiting;
            EXPECT_EQ(seen.ghl.key, waiting == 0 ? row.idle : row.waiting) << row.code;
            EXPECT_EQ(seen.ghl.tone, Tone::look) << row.code << waiting;
        }
    }
}

TEST(Findings, AFieldThatIsGoneInGhlIsNamed) {
    Status status = with_lane(envelope::LaneState::down, "fields");
    status.lanes.location = {{envelope::Part::stage, envelope::Lack::missing},
                             {envelope::Part::calendar, envelope::Lack::unset}};
    status.crm = {.released = 5, .pending = 2, .delivered = 3};
    const Status seen = shown(status);
    EXPECT_THAT(codes(seen), ElementsAre("E2111"));
    EXPECT_EQ(seen.needs.front().name, "ce_stage");
    EXPECT_EQ(seen.needs.front().number, 1) << "what was never set up is not lost";
    EXPECT_EQ(seen.ghl.key, "ghl.fields");
    status.lanes.crm = envelope::LaneState::up;
    status.lanes.crm_code = "";
    status.lanes.location = {{envelope::Part::pipeline, envelope::Lack::missing}};
    EXPECT_THAT(codes(shown(status)), ElementsAre("E2111"));
    EXPECT_EQ(shown(status).ghl.key, "ghl.on_their_way") << "all else goes on";
}

TEST(Findings, AChangeThatGhlDidNotKeepIsSaid) {
    Status status = with_lane(envelope::LaneState::up, "");
    status.lanes.read_backs = {.read = 20, .differing = 2};
    EXPECT_THAT(codes(shown(status)), ElementsAre("E2112"));
    EXPECT_EQ(shown(status).needs.front().number, 2);
    status.lanes.read_backs.differing = 0;
    EXPECT_THAT(codes(shown(status)), ElementsAre());
}

TEST(Findings, WhatTheRelayToldAndCouldNotBeTakenIsSaidForADay) {
    Status status = with_lane(envelope::LaneState::up, "");
    status.at = Timestamp{1'795'255'200'000'000};
    status.lanes.webhooks = envelope::Webhooks{.up = true,
                                               .told = 9,
                                               .looked = 3,
                                               .refused = 1,
                                               .bad = 2,
                                               .newest_ms = 1'795'255'199'000,
                                               .fault_ms = 1'795'255'100'000};
    EXPECT_THAT(codes(shown(status)), ElementsAre("E2113"));
    EXPECT_EQ(shown(status).needs.front().number, 3);
    EXPECT_THAT(to_metrics(status), testing::HasSubstr("clinic_webhooks_total{result=\"bad\"} 2"));
    EXPECT_THAT(to_metrics(status), testing::HasSubstr("clinic_webhooks_newest_age_seconds 1"));
    status.at = Timestamp{status.at.micros + 86'400'000'000};
    EXPECT_THAT(codes(shown(status)), ElementsAre());
    status.lanes.webhooks.reset();
    EXPECT_THAT(to_metrics(status), testing::Not(testing::HasSubstr("clinic_webhooks")));
}

TEST(Findings, WhatGhlHoldsOtherwiseForAnHourIsSaidByHowMuchItIs) {
    Status status = with_lane(envelope::LaneState::up, "");
    status.consistency.lasting = 5;
    EXPECT_THAT(codes(shown(status)), ElementsAre()) << "nothing was compared yet";
    status.consistency.compared = 500;
    EXPECT_THAT(codes(shown(status)), ElementsAre()) << "99 %";
    status.consistency.lasting = 6;
    EXPECT_THAT(codes(shown(status)), ElementsAre("E2321"));
    EXPECT_EQ(shown(status).needs.front().number, 6);
    status.consistency.lasting = 26;
    EXPECT_THAT(codes(shown(status)), ElementsAre("E2322"));
    status.consistency = {.compared = 500, .differing = 26, .lasting = 0, .at = {}};
    EXPECT_EQ(status.consistency.percent(), 94);
    EXPECT_THAT(codes(shown(status)), ElementsAre()) << "it may be on its way";
    status.consistency = {.compared = 1, .differing = 3, .lasting = 3, .at = {}};
    EXPECT_EQ(status.consistency.percent(), 0);
}

TEST(Findings, WhatWaitsIsSaidByHowLong) {
    struct Row {
        const char* code;
        envelope::LaneState lane;
        std::int64_t waiting, oldest_s;
        const char* key;
        Tone tone;
        bool needs_somebody;
    };
    using enum envelope::LaneState;
    for (const Row& row : {Row{"", up, 0, 0, "ghl.up_to_date", Tone::well, false},
                           Row{"", up, 2, 60, "ghl.on_their_way", Tone::well, false},
                           Row{"", up, 2, 61, "ghl.waiting", Tone::information, false},
                           Row{"", up, 2, 3'600, "ghl.waiting", Tone::information, false},
                           Row{"", up, 2, 3'601, "ghl.waiting", Tone::look, true},
                           Row{"throttled", paused, 2, 15, "ghl.on_their_way", Tone::well, false},
                           Row{"throttled", paused, 2, 16, "ghl.throttled", Tone::information, false}}) {
        Status status = with_lane(row.lane, row.code);
        status.crm = {.released = 5, .pending = row.waiting, .delivered = 5 - row.waiting};
        status.crm.oldest_pending_s = row.oldest_s;
        status.crm.last_delivered_s = 9;
        const Status seen = shown(status);
        EXPECT_EQ(seen.ghl.key, row.key) << row.oldest_s;
        EXPECT_EQ(seen.ghl.tone, row.tone) << row.oldest_s;
        EXPECT_EQ(codes(seen), row.needs_somebody ? std::vector<std::string>{"E2303"} : std::vector<std::string>{});
    }
    Status silent = with_lane(up, "");
    silent.lanes_age_s = 600;
    silent.crm = {.released = 2, .pending = 2};
    silent.crm.oldest_pending_s = 5;
    EXPECT_EQ(shown(silent).ghl.key, "ghl.program");
    EXPECT_EQ(shown(silent).ghl.tone, Tone::look);
}

TEST_F(HealthOf, ALimitOfTheBrokerIsSaidForWhatItIsWithTheNextStep) {
    well_box();
    look();
    for (const auto& [code, need, cause, remedy] :
         {std::tuple{"quota", "E2110", "this box's quota at the broker is used up (MQTT 0x97)", "raise the quota"},
          std::tuple{"rate", "E2110", "speaks too often (MQTT 0x96)", "bursts of 20"},
          std::tuple{"too_large", "E2110", "a message of this box too large (MQTT 0x95)", "64 KiB"},
          std::tuple{"throttled", "E2110", "the broker is busy (MQTT 0x89)", "load"},
          std::tuple{"timeout", "E2106", "the broker does not answer", "cable"},
          std::tuple{"offline", "E2106", "no connection to the broker", "mqtt.host"},
          std::tuple{"unauthorized", "E2106", "does not admit this box", "access list"},
          std::tuple{"taken_over", "E2106", "under this box's name", "its own"},
          std::tuple{"state_file", "E2106", "cannot keep its numbers", "state folder"},
          std::tuple{"stopped", "E2106", "", ""}}) {
        const envelope::TimeState said{.kernel_synchronised = true, .crm = envelope::LaneState::up, .mqtt_code = code};
        health_.lanes(said);
        look();
        clock_.advance(2s);
        health_.lanes(said);
        const Status status = look();
        ASSERT_THAT(codes(status), ElementsAre(need)) << code;
        EXPECT_THAT(status.needs[0].cause.c_str(), testing::HasSubstr(cause)) << code;
        EXPECT_THAT(status.needs[0].remedy.c_str(), testing::HasSubstr(remedy)) << code;
        EXPECT_EQ(*remedy == '\0', *status.needs[0].remedy.c_str() == '\0');
    }
    health_.lanes({.kernel_synchronised = true, .crm_code = "offline", .mqtt_code = "quota"});
    EXPECT_THAT(codes(look()), Contains("E2103")) << "a broker that refuses is a network";
}

TEST_F(HealthOf, ASenderThatIsSilentForTooLongNeedsALook) {
    well_box();
    set_feed("mllp/lab", 1, 1, 0);
    set_feed("mllp/pms", 1, 1, 0);
    int silent = 0;
    std::vector<std::string> asked;
    health_.expect([&](const Feed& sender, Timestamp now) {
        EXPECT_EQ(now, clock_.now());
        asked.push_back(sender.feed);
        const bool is = sender.feed == "pms" ? silent > 0 : silent > 1;
        return Expected{600, is};
    });
    const auto whats = [&] {
        everything_up();
        std::vector<std::string> all;
        const auto status = nlohmann::json::parse(to_json(look()));
        for (const auto& need : status.at("needs")) all.push_back(need.at("what"));
        return all;
    };
    EXPECT_THAT(whats(), IsEmpty());
    EXPECT_THAT(asked, ElementsAre("lab", "pms")) << "those that have a name";
    silent = 1;
    EXPECT_THAT(whats(), IsEmpty()) << "it has a minute to come back";
    EXPECT_EQ(nlohmann::json::parse(to_json(look())).at("feeds").at("pms").at("state"), "silent");
    EXPECT_EQ(nlohmann::json::parse(to_json(look())).at("feeds").at("lab").at("state"), "on_time");
    EXPECT_EQ(nlohmann::json::parse(to_json(look())).at("feeds").at("lab").at("expected_s"), 600);
    clock_.advance(60s);
    EXPECT_THAT(whats(), ElementsAre("Nothing comes from pms"));
    EXPECT_EQ(look().well, Status::Well::look);
    silent = 2;
    EXPECT_THAT(whats(), ElementsAre("Nothing comes from 2 senders, lab among them"));
    health_.lanes({}); // nobody vouches for the time any more
    clock_.advance(11min);
    EXPECT_THAT(codes(look()), testing::Not(Contains("E2402"))) << "by a clock that is not trusted nobody is late";
    silent = 0;
    EXPECT_THAT(whats(), IsEmpty());
    health_.expect({});
    EXPECT_EQ(nlohmann::json::parse(to_json(look())).at("feeds").at("pms").at("state"), "nothing_expected");
}

TEST_F(HealthOf, ABoxWithoutCentralOperationsIsWell) {
    attach();
    set_basis(release::Basis::baa);
    const envelope::TimeState alone{
        .kernel_synchronised = true, .crm = envelope::LaneState::up, .mqtt_code = "not_configured"};
    health_.lanes(alone);
    look();
    clock_.advance(16s);
    health_.lanes(alone);
    EXPECT_THAT(codes(look()), IsEmpty());
}

TEST_F(HealthOf, ThrottlingNeedsNobody) {
    well_box();
    const envelope::TimeState throttled{.kernel_synchronised = true,
                                        .crm = envelope::LaneState::paused,
                                        .mqtt = envelope::LaneState::up,
                                        .crm_code = "throttled"};
    health_.lanes(throttled);
    look();
    clock_.advance(20s);
    health_.lanes(throttled);
    EXPECT_THAT(codes(look()), IsEmpty());
}

TEST_F(HealthOf, WithoutABasisNothingLeavesAndThePageSaysSo) {
    attach();
    everything_up();
    const Status status = look();
    EXPECT_THAT(codes(status), ElementsAre("E2201"));
    EXPECT_EQ(status.ghl.key, "ghl.basis_off");
}

TEST_F(HealthOf, AnExpiredBasisClosesByItself) {
    attach();
    everything_up();
    set_basis(release::Basis::baa, clock_.now() + std::chrono::hours{24 * 5});
    Status status = look();
    EXPECT_THAT(codes(status), ElementsAre("E2203"));
    EXPECT_EQ(status.needs.front().number, 4);
    clock_.advance(std::chrono::hours{24 * 6});
    everything_up();
    status = look();
    EXPECT_THAT(codes(status), Contains("E2202"));
    EXPECT_EQ(status.ghl.key, "ghl.basis_expired");
    EXPECT_EQ(health_.device().basis, "off");
}

TEST_F(HealthOf, AStoredPolicyThatIsNotOursCountsAsNoBasis) {
    attach();
    everything_up();
    write([](records::Transaction& txn) { return records::set_setting(txn, "policy", "{\"basis\":\"baa\"}"); });
    set_feed("mllp", 1, 1, 0);
    const Status status = look();
    EXPECT_EQ(status.basis, "off");
    EXPECT_EQ(status.feeds[0].received, 1) << "the books are still read";
}

TEST_F(HealthOf, ALockedStoreIsNotWorkingAndSaysTheNextStep) {
    health_.set_mode(Mode::locked, Error{Errc::locked, "the key is wrong", "put the credential back"});
    const Status status = look();
    EXPECT_EQ(status.well, Status::Well::not_working);
    ASSERT_THAT(codes(status), ElementsAre("E2001"));
    EXPECT_STREQ(status.needs.front().cause.c_str(), "the key is wrong");
    EXPECT_STREQ(status.needs.front().remedy.c_str(), "put the credential back");
    EXPECT_STREQ(status.needs.front().action.c_str(), words::text("E2001.action").c_str());
    EXPECT_EQ(status.ghl.key, "ghl.closed");
    EXPECT_FALSE(ready(status));
    EXPECT_EQ(status.feeds.size(), 2U);
}

TEST_F(HealthOf, ADamagedStoreSaysWhatIsLostUntilItIsOpenAgain) {
    const Error damage{Errc::tampered, "a page of the store does not open"};
    health_.records_closed(damage, "1 page of people (patient)");
    EXPECT_EQ(look().needs.front().cause, "a page of the store does not open; lost: 1 page of people (patient)");
    health_.records_closed(damage);
    EXPECT_EQ(look().needs.front().cause, "a page of the store does not open");
}

TEST_F(HealthOf, ADrainedBoxIsNotReadyUntilItIsToldTo) {
    well_box();
    health_.drain(true);
    const auto drained = look();
    EXPECT_EQ(drained.mode, Mode::draining);
    EXPECT_FALSE(ready(drained));
    EXPECT_THAT(codes(drained), ElementsAre("E2017"));
    health_.drain(false);
    EXPECT_TRUE(ready(look()));
}

TEST_F(HealthOf, ALostBusIsInformationAndNoTrouble) {
    well_box();
    health_.dbus("lost");
    const auto lost = look();
    EXPECT_EQ(lost.dbus, "lost");
    EXPECT_EQ(lost.well, Status::Well::well);
    EXPECT_THAT(codes(lost), ElementsAre("E2016"));
}

TEST_F(HealthOf, APartOfTheContainmentThatDoesNotHoldIsSaid) {
    well_box();
    health_.set_containment({{"network namespace", false, "the machine refuses it"}, {"own user", true, ""}});
    EXPECT_THAT(codes(look()), ElementsAre("E2008"));
    EXPECT_FALSE(health_.device().contained);
}

TEST_F(HealthOf, EventsRaisedWithoutAStoreAreKeptAndReachIt) {
    health_.raise("E1001", "critical");
    ASSERT_FALSE(health_.device().events.empty());
    const auto number = health_.device().events.front().number;
    everything_up();
    attach();
    write([](records::Transaction&) -> Result<void> { return {}; }); // behind the posted events
    look();
    const auto events = health_.device().events;
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.front().number, number);
    EXPECT_EQ(events.front().code, "E1001");
    EXPECT_EQ(events.front().severity, "critical");
}

TEST_F(HealthOf, AcknowledgedEventsAreNotReportedAgainAfterARestartEither) {
    well_box();
    health_.raise("E1001", "critical");
    health_.raise("E1001", "warn");
    write([](records::Transaction&) -> Result<void> { return {}; });
    look();
    auto events = health_.device().events;
    ASSERT_EQ(events.size(), 2U);
    EXPECT_LT(events[0].number, events[1].number);
    health_.acknowledge_events(events[0].number);
    EXPECT_EQ(health_.device().events.size(), 1U);
    write([](records::Transaction&) -> Result<void> { return {}; });
    health_.detach();
    Health restarted{settings_, clock_};
    restarted.attach(*store_);
    ASSERT_EQ(restarted.device().events.size(), 1U);
    EXPECT_EQ(restarted.device().events.front().number, events[1].number);
    restarted.detach();
}

// A burst goes out as fast as it is acknowledged: no look at the clock between one full frame and the next.
TEST_F(HealthOf, OneFullFrameOfEventsFollowsTheOther) {
    well_box();
    for (int i = 0; i < 70; ++i) health_.raise("E1001", "warn");
    write([](records::Transaction&) -> Result<void> { return {}; });
    std::vector<std::size_t> frames;
    for (auto events = health_.device().events; !events.empty(); events = health_.device().events) {
        frames.push_back(events.size());
        health_.acknowledge_events(events.back().number);
    }
    EXPECT_THAT(frames, ElementsAre(32, 32, 6));
}

TEST_F(HealthOf, MemoryKeepsTheNewestEventsAlone) {
    look(); // a box without its records is news of its own
    for (int i = 0; i < events_memory_max + 10; ++i) health_.raise("E1001", "info");
    health_.raise("E2009", "warn");
    std::vector<envelope::Device::Event> all;
    for (;;) {
        const auto part = health_.device().events;
        if (part.empty()) break;
        all.insert(all.end(), part.begin(), part.end());
        health_.acknowledge_events(part.back().number);
    }
    EXPECT_EQ(all.size(), static_cast<std::size_t>(events_memory_max));
    EXPECT_EQ(all.back().code, "E2009");
}

TEST_F(HealthOf, WhatBecomesVisibleIsAnEventOnce) {
    health_.set_containment({{"own user", false, ""}});
    attach();
    set_basis(release::Basis::baa);
    everything_up();
    look();
    look();
    write([](records::Transaction&) -> Result<void> { return {}; });
    look();
    const auto events = health_.device().events;
    EXPECT_EQ(std::count_if(events.begin(), events.end(), [](const auto& event) { return event.code == "E2008"; }), 1);
}

TEST_F(HealthOf, TheDeviceFramePassesItsOwnChecker) {
    well_box();
    health_.raise("E1001", "critical");
    write([](records::Transaction&) -> Result<void> { return {}; });
    look();
    const auto decoded = envelope::decode_reply(envelope::encode(envelope::Reply{health_.device()}));
    ASSERT_TRUE(decoded) << decoded.error().what.c_str();
    const auto& device = std::get<envelope::Device>(*decoded);
    EXPECT_EQ(device.mode, "running");
    EXPECT_EQ(device.feeds.size(), 2U);
    EXPECT_EQ(device.disk_free_percent % 5, 0);
}

TEST_F(HealthOf, AListenerIsWokenOnceUntilTheNextLook) {
    int wakes = 0;
    health_.on_change([&] { ++wakes; });
    for (int i = 0; i < 100; ++i) health_.changed();
    EXPECT_EQ(wakes, 1);
    const Status first = look();
    EXPECT_EQ(first.change, health_.change());
    health_.changed();
    EXPECT_EQ(wakes, 2);
    EXPECT_LT(health_.status().change, health_.change())
        << "a look within 200 ms is the same look, and says that it is older";
    health_.on_change({});
}

TEST(Findings, InformationIsNoEventUntilItIsMore) {
    Watch watch;
    EXPECT_TRUE(watch.look({{"E2203", Tone::information, 8}}, {}, {}).news.empty());
    EXPECT_EQ(watch.look({{"E2203", Tone::look, 7}}, {}, {}).news.size(), 1U);
    EXPECT_TRUE(watch.look({{"E2203", Tone::look, 6}}, {}, {}).news.empty());
}

TEST(Findings, AtMostSevenLinesAndTheWorstFirst) {
    Status status;
    status.store_open = true;
    status.basis = "baa";
    status.basis_expires_s = 1;
    status.lanes_age_s = 0;
    status.lanes = {.crm = envelope::LaneState::up, .mqtt = envelope::LaneState::down};
    status.crm = {.released = 8, .parked = 1, .dead = 6};
    status.quarantine_items = 1;
    status.clock_trusted = true;
    status.disk_free_percent = 1;
    status.containment = {{"own user", false, ""}};
    status.store.authentication_failures = 1;
    Watch watch;
    watch.look(findings(status), {}, base::Micros{0});
    const auto seen = watch.look(findings(status), {}, base::Micros{120'000'000});
    ASSERT_EQ(seen.visible.size(), static_cast<std::size_t>(needs_max));
    EXPECT_EQ(seen.visible.front().code, "E2007");
    EXPECT_EQ(seen.visible.front().tone, Tone::not_working);
}

} // namespace
} // namespace clinic::health
