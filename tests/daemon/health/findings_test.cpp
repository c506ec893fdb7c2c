// What a status is found to need: from numbers to lines, without a box.
#include "daemon/health/findings.h"

#include <gmock/gmock.h>

#include "daemon/web/words/words.h"
#include "tests/daemon/health/health_fixture.h"

namespace clinic::health {
namespace {

using ::testing::ElementsAre;

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

TEST(Findings, MoreInGhlThanIsKeptAnEyeOnIsSaid) {
    Status status = with_lane(envelope::LaneState::up, "");
    status.crm_full = true;
    EXPECT_THAT(codes(shown(status)), ElementsAre("E2323"));
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

// Whatever else is on its way, parked or there: what a person has to look at is not up to date.
TEST(Findings, WhatWasSetAsideIsNotUpToDate) {
    Status status = with_lane(envelope::LaneState::up, "");
    for (const outbox::Books& books : {outbox::Books{.released = 5, .delivered = 3, .dead = 2},
                                       outbox::Books{.released = 5, .pending = 1, .delivered = 2, .dead = 2},
                                       outbox::Books{.released = 5, .parked = 3, .dead = 2}}) {
        status.crm = books;
        status.crm.last_delivered_s = books.delivered > 0 ? 9 : -1;
        const Status seen = shown(status);
        EXPECT_EQ(seen.ghl.key, "ghl.dead");
        EXPECT_EQ(seen.ghl.n, 2);
        EXPECT_EQ(seen.ghl.tone, Tone::look);
        EXPECT_EQ(codes(seen).front(), "E2301");
    }
    status.crm = {.released = 5, .pending = 3, .dead = 2, .oldest_pending_s = 61};
    EXPECT_EQ(shown(status).ghl.key, "ghl.waiting") << "it says nothing of the rest";
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

TEST(Findings, PeopleWhoseKeysAreDamagedAreCountedAndNothingElseIsCalledDown) {
    Status status = with_lane(envelope::LaneState::up, "");
    status.check.last_keys_damaged = 2;
    const Status seen = shown(status);
    ASSERT_THAT(codes(seen), ElementsAre("E2019"));
    EXPECT_EQ(seen.needs.front().number, 2);
    EXPECT_EQ(seen.needs.front().tone, Tone::look);
    status.check.keys_damaged = 1;
    EXPECT_EQ(shown(status).needs.front().number, 2) << "what the ended check knew stands beside the one under way";
    status.check.keys_damaged = 3;
    EXPECT_EQ(shown(status).needs.front().number, 3) << "and what that one has found is said at once";
}

} // namespace
} // namespace clinic::health
