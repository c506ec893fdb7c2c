// What the emulator sends of its own changes, to a door of the test's own, over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "tests/emulator/emulator_fixture.h"
#include "tests/sync/support/scripted_https.h"

namespace clinic::emulator {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class Told : public GhlEmulator {
protected:
    Told() { signal(SIGPIPE, SIG_IGN); }
    void listen(const Json& more = Json::object()) {
        Json how{{"ports", {door.port()}}, {"authority", authority.pem()}, {"again_after_ms", 1}, {"jitter_ms", 1}};
        how.update(more);
        const Reply said = client->post("/_webhooks", how.dump());
        ASSERT_EQ(said.status, 200) << said.body;
        ASSERT_TRUE(json(said)["public_key"].get<std::string>().starts_with("MCowBQYDK2Vw"));
    }
    support::Sent at_the_door(const support::Received& one) {
        const std::lock_guard hold{mutex};
        came.push_back(one);
        const int status = refusals > 0 ? refusal : 200;
        refusals -= refusals > 0 ? 1 : 0;
        changed.notify_all();
        return support::answer(status, "{}");
    }
    // The types of the first `count`, sorted: their order is not the order of the changes.
    std::vector<std::string> types(std::size_t count) {
        std::vector<std::string> out;
        for (const auto& one : first(count)) out.push_back(one.value("type", ""));
        std::sort(out.begin(), out.end());
        return out;
    }
    std::vector<Json> first(std::size_t count) {
        std::unique_lock lock{mutex};
        EXPECT_TRUE(changed.wait_for(lock, 10s, [&] { return came.size() >= count; })) << came.size();
        std::vector<Json> out;
        for (const auto& one : came) out.push_back(Json::parse(one.body));
        came.clear();
        out.resize(std::max(out.size(), count), Json::object());
        return out;
    }
    Reply by_hand(const char* method, const std::string& path, const Json& body = nullptr) {
        Json call{{"method", method}, {"path", path}};
        if (!body.is_null()) call["body"] = body;
        return client->post("/_by_hand", call.dump());
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<support::Received> came;
    int refusals = 0, refusal = 429;
    support::Authority authority{folder.path(), "authority"};
    support::ScriptedHttps door{authority.issue("door", "IP:127.0.0.1"),
                                [this](const support::Received& one) { return at_the_door(one); }};
};

TEST_F(Told, AChangeByAPersonIsToldByItselfSignedAndWithAllThatWasEntered) {
    listen();
    const std::string contact = json(by_hand("POST", "/contacts/",
                                             {{"locationId", location},
                                              {"firstName", "Ada"},
                                              {"lastName", "Example"},
                                              {"phone", "+15035550100"},
                                              {"tags", {"spring"}}}))["contact"]["id"];
    EXPECT_EQ(recorded().size(), 0U) << "by hand is not recorded";
    const Json told = first(1)[0];
    EXPECT_EQ(told["type"], "ContactCreate");
    EXPECT_EQ(told["id"], contact);
    EXPECT_EQ(told["name"], "Ada Example");
    EXPECT_EQ(told["phone"], "+15035550100");
    EXPECT_EQ(told["locationId"], location);
    EXPECT_EQ(told["appId"], "CEapp000000000000001");
    EXPECT_EQ(told["timestamp"], iso_time(clock.now().micros / 1'000));
    EXPECT_FALSE(told["webhookId"].get<std::string>().empty());
    EXPECT_FALSE(told.contains("dateUpdated")) << "no page of an event has it";
    by_hand("POST", "/contacts/" + contact + "/tags", {{"tags", {"vip"}}});
    const Json tagged = first(1)[0];
    EXPECT_EQ(tagged["type"], "ContactTagUpdate");
    EXPECT_THAT(tagged["tags"], ElementsAre("spring", "vip")) << "the full set, not the difference";
    by_hand("PUT", "/contacts/" + contact, {{"dnd", true}, {"city", "Salem"}});
    EXPECT_THAT(types(2), ElementsAre("ContactDndUpdate", "ContactUpdate"));
    by_hand("DELETE", "/contacts/" + contact);
    const Json gone = first(1)[0];
    EXPECT_EQ(gone["type"], "ContactDelete");
    EXPECT_EQ(gone["name"], "Ada Example");
    EXPECT_EQ(door.received().front().path, "/ghl/webhooks");
    EXPECT_EQ(door.received().front().headers.at("x-ghl-signature").size(), 88U);
}

TEST_F(Told, OurOwnWritesComeBackAndWhatIsSeededOrDroppedDoesNot) {
    listen();
    seed({{"firstName", "Grace"}});
    const std::string contact = create();
    EXPECT_THAT(types(1), ElementsAre("ContactCreate"));
    fault("accepted-and-dropped");
    send("PUT", "/contacts/" + contact, {{"dnd", false}});
    send("PUT", "/contacts/" + contact, {{"city", "Salem"}});
    EXPECT_THAT(types(1), ElementsAre("ContactUpdate"));
}

TEST_F(Told, AnOpportunityIsToldTwiceAndAnAppointmentUnderItsName) {
    const std::string contact = create();
    listen();
    const Json opened = json(by_hand("POST", "/opportunities/",
                                     {{"pipelineId", pipeline_id},
                                      {"locationId", location},
                                      {"name", "Ada, crown"},
                                      {"status", "open"},
                                      {"contactId", contact}}))["opportunity"];
    EXPECT_THAT(types(2), ElementsAre("OpportunityCreate", "OpportunityUpdate"));
    const std::string path = "/opportunities/" + opened["id"].get<std::string>();
    by_hand("PUT", path, {{"pipelineStageId", stage_ids[2]}, {"status", "won"}});
    EXPECT_THAT(types(3), ElementsAre("OpportunityStageUpdate", "OpportunityStatusUpdate", "OpportunityUpdate"));
    by_hand("DELETE", path);
    EXPECT_THAT(types(2), ElementsAre("OpportunityDelete", "OpportunityUpdate"));
    const std::string booking = json(by_hand("POST", "/calendars/events/appointments",
                                             {{"calendarId", calendar_id},
                                              {"locationId", location},
                                              {"contactId", contact},
                                              {"startTime", "2026-11-22T09:00:00-05:00"}}))["id"];
    const Json booked = first(1)[0];
    EXPECT_EQ(booked["type"], "AppointmentCreate");
    EXPECT_EQ(booked["appointment"]["id"], booking);
    by_hand("PUT", "/calendars/events/appointments/" + booking, {{"appointmentStatus", "cancelled"}});
    EXPECT_EQ(first(1)[0]["appointment"]["appointmentStatus"], "cancelled");
    by_hand("DELETE", "/calendars/events/" + booking);
    EXPECT_THAT(types(1), ElementsAre("AppointmentDelete"));
}

TEST_F(Told, TheAppIsToldThatItWasInstalledAndRemoved) {
    listen({{"app", "CEappOfAnother000001"}});
    client->post("/_oauth", R"({"do":"allow"})");
    const Json installed = first(1)[0];
    EXPECT_EQ(installed["type"], "INSTALL");
    EXPECT_EQ(installed["appId"], "CEappOfAnother000001");
    EXPECT_EQ(installed["installType"], "Location");
    EXPECT_EQ(installed["locationId"], location);
    client->post("/_oauth", R"({"do":"uninstall"})");
    EXPECT_EQ(first(1)[0]["type"], "UNINSTALL");
}

TEST_F(Told, OnlyA429IsToldAgainAndTheBytesAreTheSame) {
    refusals = 2;
    listen();
    create();
    const auto same = first(3);
    EXPECT_EQ(same[0], same[2]) << "with its webhookId and its time";
    {
        const std::lock_guard hold{mutex};
        refusals = 1, refusal = 503;
    }
    create("p_2");
    EXPECT_EQ(first(1)[0]["firstName"], "p_2");
    create("p_3");
    EXPECT_EQ(first(1)[0]["firstName"], "p_3") << "p_2 is lost for good";
}

TEST_F(Told, EachTwiceWhereThatIsAskedForAndNobodyWithoutADoor) {
    listen({{"twice", true}});
    create();
    const auto both = first(2);
    EXPECT_EQ(both[0]["webhookId"], both[1]["webhookId"]);
    EXPECT_EQ(client->post("/_webhooks", "{}").status, 200);
    create("p_2");
    listen();
    create("p_3");
    EXPECT_EQ(first(1)[0]["firstName"], "p_3");
}

} // namespace
} // namespace clinic::emulator
