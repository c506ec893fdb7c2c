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

} // namespace
} // namespace clinic::health
