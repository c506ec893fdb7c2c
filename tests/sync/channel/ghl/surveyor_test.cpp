#include "sync/channel/ghl/surveyor.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sync/channel/ghl/ghl_channel.h"
#include "sync/lane/worker.h"
#include "tests/fakes/manual_clock.h"
#include "tests/sync/channel/ghl/https_fixture.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::ghl {
namespace {

using envelope::Lack;
using envelope::LocationFault;
using envelope::Part;
using nlohmann::json;
using support::eventually;
using namespace std::chrono_literals;

json text_field(const std::string& id, const std::string& name) {
    return {{"id", id}, {"name", name}, {"fieldKey", "contact." + name}, {"dataType", "TEXT"}};
}

// A location that the test changes, and a clinicd that lets everything go.
class OfALocation : public HttpsFixture {
protected:
    OfALocation() {
        for (const Part part : envelope::field_parts)
            fields.push_back(text_field(rules().fields.of(part), envelope::field_name(part)));
        egress.emplace(folder / "egress.sock", [this](const envelope::Request& request) { return clinicd(request); });
        serve([this](const support::Received& seen) { return ghl(seen); });
        ghl_client = client();
    }

    std::optional<envelope::Reply> clinicd(const envelope::Request& request) {
        if (std::holds_alternative<envelope::Attempt>(request)) return envelope::Verdict{++attempts, verdict, ""};
        return envelope::Settled{};
    }
    support::Sent ghl(const support::Received& seen) {
        if (seen.path == "/locations/loc1/customFields" && seen.method == "GET")
            return support::answer(200, json{{"customFields", fields}}.dump());
        if (seen.path == "/locations/loc1/customFields") return make(json::parse(seen.body));
        if (seen.path == "/locations/loc1/tags")
            return support::answer(200, R"({"tags":[{"id":"t1","name":"ce-returning"},{"id":"t2","name":"vip"}]})");
        if (seen.path == "/opportunities/pipelines?locationId=loc1" && !pipelines_allowed)
            return support::answer(401, R"({"message":"The token is not authorized for this scope."})");
        if (seen.path == "/opportunities/pipelines?locationId=loc1" && !pipeline_there)
            return support::answer(200, R"({"pipelines":[]})");
        if (seen.path == "/opportunities/pipelines?locationId=loc1")
            return support::answer(
                200, R"({"pipelines":[{"id":"p1","name":"Care","stages":[{"id":"s-1","name":"New"},{"id":"s-2"}]}]})");
        if (seen.path == "/calendars/?locationId=loc1")
            return support::answer(200, R"({"calendars":[{"id":"k1","name":"Desk"}]})");
        if (seen.path == "/locations/loc1") return support::answer(200, R"({"location":{}})");
        return support::answer(400, R"({"message":"Custom field not found","statusCode":400})");
    }
    support::Sent make(const json& body) {
        if (!makes) return support::answer(422, R"({"message":["no"]})");
        fields.push_back(text_field("made" + std::to_string(fields.size()), body.at("name")));
        return support::answer(201, json{{"customField", fields.back()}}.dump());
    }
    Surveyor surveyor(const WriteRules& of, SurveyTimes times = {}) {
        return Surveyor{{*ghl_client, budget, of, board, time}, folder / "egress.sock", times};
    }
    void remove(Part part) {
        std::erase_if(fields, [&](const json& one) { return one.at("name") == envelope::field_name(part); });
    }
    std::size_t asked(const std::string& method, const std::string& path) const {
        const auto all = server->received();
        return static_cast<std::size_t>(std::count_if(
            all.begin(), all.end(), [&](const auto& seen) { return seen.method == method && seen.path == path; }));
    }

    std::vector<json> fields; // while the server waits
    bool makes = true, pipelines_allowed = true, pipeline_there = true;
    envelope::Answer verdict = envelope::Answer::go;
    std::int64_t attempts = 0;
    fakes::ManualClock time;
    lane::Board board{time};
    lane::RateBudget budget{time};
    std::optional<support::ScriptedEgress> egress;
    std::unique_ptr<GhlClient> ghl_client;
};

TEST_F(OfALocation, IsReadInFourRequestsThatAreAskedForAndSettled) {
    auto looks = surveyor(rules());
    const auto there = looks.look(Extent::all, {});
    ASSERT_TRUE(there.fields && there.tags && there.pipelines && there.calendars);
    EXPECT_EQ(there.fields->size(), 6U);
    EXPECT_EQ(ours(there, Part::stage)->id, "fStage");
    EXPECT_EQ(there.tags->size(), 2U);
    EXPECT_EQ(there.pipelines->front().stages.size(), 2U);
    EXPECT_EQ(there.calendars->front().name, "Desk");
    EXPECT_TRUE(there.unread.empty());
    EXPECT_FALSE(looks.lacking());
    EXPECT_TRUE(board.said().location.empty());
    const auto asked_for = egress->seen<envelope::Attempt>();
    ASSERT_EQ(asked_for.size(), 4U);
    for (const auto& one : asked_for) {
        EXPECT_EQ(one.lease, 0);
        EXPECT_TRUE(envelope::check_request(rules(), one.route, one.path, one.body)) << one.path;
    }
    ASSERT_EQ(egress->seen<envelope::Settle>().size(), 1U);
    EXPECT_EQ(egress->seen<envelope::Settle>().front().steps.size(), 4U);
    EXPECT_EQ(server->received().back().headers.at("version"), "2021-04-15") << "the calendars'";
}

TEST_F(OfALocation, WhatIsLackingIsNamedAndHoldsTheLane) {
    auto looks = surveyor(rules());
    remove(Part::stage);
    for (auto& one : fields)
        if (one.at("name") == "ce_last") one["dataType"] = "NUMERICAL";
    for (auto& one : fields)
        if (one.at("name") == "ce_appt_status") {
            one["dataType"] = "SINGLE_OPTIONS";
            one["picklistOptions"] = {"none", "booked"};
        }
    looks.look(Extent::all, {});
    EXPECT_EQ(board.said().location,
              (std::vector{LocationFault{Part::stage, Lack::missing}, LocationFault{Part::last, Lack::retyped},
                           LocationFault{Part::appt_status, Lack::options}}));
    ASSERT_TRUE(looks.lacking());
    EXPECT_EQ(looks.lacking()->code, "fields");
    EXPECT_EQ(looks.lacking()->state, envelope::LaneState::down);
    EXPECT_TRUE(looks.lacking()->reads_go_on);

    GhlChannel channel{*ghl_client, rules(), budget, {}, &looks};
    lane::EgressClient to_clinicd{folder / "egress.sock"};
    ASSERT_TRUE(to_clinicd.connect());
    const base::Pulse pulse;
    lane::EgressGate gate{to_clinicd, rules(), nullptr, 2s, {}, pulse};
    EXPECT_EQ(channel.probe(gate, {}).fault->code, "fields") << "a probe does not open it";
}

TEST_F(OfALocation, WhatCannotBeReadIsSaidAndJudgesNothing) {
    pipelines_allowed = false;
    auto looks = surveyor(rules());
    const auto there = looks.look(Extent::all, {});
    ASSERT_EQ(there.unread.size(), 1U);
    EXPECT_STREQ(there.unread.front().first, "pipelines");
    EXPECT_EQ(there.unread.front().second, "scope");
    EXPECT_TRUE(there.calendars) << "the others are read all the same";
    verdict = envelope::Answer::hold;
    const auto nothing = looks.look(Extent::all, {});
    EXPECT_FALSE(nothing.fields);
    EXPECT_FALSE(looks.lacking()) << "the last look that could read stands";
}

TEST_F(OfALocation, MissingFieldsAreMadeAndNoOther) {
    WriteRules unset = rules();
    unset.fields = {};
    fields.clear();
    fields.push_back(text_field("x1", "ce_next"));
    auto looks = surveyor(unset);
    ASSERT_TRUE(looks.lacking());
    EXPECT_EQ(looks.lacking()->code, "unprepared");
    EXPECT_FALSE(looks.lacking()->reads_go_on) << "without the marker's field nobody is told from a stranger";
    EXPECT_EQ(board.said().location.size(), 6U) << "none is configured";
    const auto there = looks.look(Extent::all_and_make, {});
    EXPECT_EQ(there.created_parts.size(), 5U);
    EXPECT_EQ(ours(there, Part::next)->id, "x1") << "what is there stays";
    EXPECT_EQ(asked("POST", "/locations/loc1/customFields"), 5U);
    for (const Part part : envelope::field_parts) ASSERT_NE(ours(there, part), nullptr);
    EXPECT_TRUE(surveyor(unset).look(Extent::all_and_make, {}).created_parts.empty()) << "again: nothing";
}

TEST_F(OfALocation, AFieldThatGhlDoesNotMakeIsSaid) {
    makes = false;
    remove(Part::last);
    const auto there = surveyor(rules()).look(Extent::all_and_make, {});
    EXPECT_EQ(there.failed_parts, std::vector{Part::last});
    EXPECT_EQ(asked("POST", "/locations/loc1/customFields"), 1U) << "once, and not again in the same look";
}

// A refusal of a body because a field is gone is nobody's fault but the location's: no envelope dies of it.
TEST_F(OfALocation, ARefusedBodyIsLookedIntoBeforeItCounts) {
    auto looks = surveyor(rules());
    GhlChannel channel{*ghl_client, rules(), budget, {}, &looks};
    lane::EgressClient to_clinicd{folder / "egress.sock"};
    ASSERT_TRUE(to_clinicd.connect());
    const base::Pulse pulse;
    lane::EgressGate gate{to_clinicd, rules(), nullptr, 2s, {}, pulse};
    EXPECT_TRUE(channel.deliver(contact_state({"returning"}), gate, {}).settle.counts_against)
        << "all fields are there: it is its own";
    remove(Part::stage);
    EXPECT_TRUE(channel.deliver(contact_state({"returning"}), gate, {}).settle.counts_against)
        << "just looked: not again within a minute";
    time.advance(61s);
    const auto held = channel.deliver(contact_state({"returning"}), gate, {});
    EXPECT_FALSE(held.settle.counts_against);
    EXPECT_EQ(held.fault->code, "fields");
    EXPECT_EQ(asked("GET", "/locations/loc1/customFields"), 2U);
}

// Its cases wait, asked for nothing; all else goes on.
TEST_F(OfALocation, APipelineThatIsNotThereHoldsItsCasesAlone) {
    WriteRules set = rules();
    set.pipeline = {"p1", {"", "s-1", "", "", "", "", "s-2"}};
    auto looks = surveyor(set);
    looks.look(Extent::all, {});
    EXPECT_TRUE(board.said().location.empty());
    GhlChannel channel{*ghl_client, set, budget, {}, &looks};
    lane::EgressClient to_clinicd{folder / "egress.sock"};
    ASSERT_TRUE(to_clinicd.connect());
    const base::Pulse pulse;
    lane::EgressGate gate{to_clinicd, set, nullptr, 2s, {}, pulse};
    auto state = common(envelope::Kind::case_state);
    state.put(envelope::Field::stage, envelope::Stage::new_).put(envelope::Field::outcome, envelope::Case::open);
    auto moved = leased(std::move(state));
    moved.object = "o1";
    pipeline_there = false;
    time.advance(61s);
    auto held = channel.deliver(moved, gate, {}); // GHL: 400, "not found"
    EXPECT_EQ(held.settle.code, "no_pipeline");
    EXPECT_FALSE(held.settle.counts_against);
    EXPECT_EQ(held.settle.retry_after_ms, 300'000);
    EXPECT_EQ(board.said().location, (std::vector{LocationFault{Part::pipeline, Lack::missing}}));
    EXPECT_FALSE(looks.lacking()) << "the lane is open";
    held = channel.deliver(moved, gate, {});
    EXPECT_EQ(held.settle.code, "no_pipeline");
    EXPECT_EQ(asked("PUT", "/opportunities/o1"), 1U) << "and nothing is asked meanwhile";
    pipelines_allowed = false;
    looks.look(Extent::all, {});
    EXPECT_TRUE(looks.lacks_pipeline()) << "what was not read is as it was";
    pipelines_allowed = pipeline_there = true;
    set.pipeline.stages[0] = "s-9";
    looks.look(Extent::all, {});
    EXPECT_EQ(board.said().location, (std::vector{LocationFault{Part::pipeline, Lack::options}}));
    set.pipeline.stages[0] = "";
    looks.look(Extent::all, {});
    EXPECT_FALSE(looks.lacks_pipeline());
}

TEST_F(OfALocation, IsLookedAtAgainAndAgainSoonerWhileSomethingIsLacking) {
    remove(Part::pid);
    auto looks = surveyor(rules(), {.period = 1h, .lacking_period = 20ms});
    std::jthread running{[&](std::stop_token stop) { looks.run(std::move(stop)); }};
    EXPECT_TRUE(eventually([&] { return asked("GET", "/locations/loc1/customFields") >= 3; }));
}

} // namespace
} // namespace clinic::ghl
