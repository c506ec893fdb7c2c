// Every rule, over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/emulator/emulator_fixture.h"

namespace clinic::emulator {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// ---- token, version, routes -------------------------------------------------------------------------------------

TEST_F(GhlEmulator, RefusesAMissingToken) {
    const Reply reply = client->send("GET", "/locations/CEdemoLocation000001", {{"Version", "2021-07-28"}}, "");
    EXPECT_EQ(reply.status, 401);
    EXPECT_EQ(json(reply)["message"], "Invalid JWT");
}

TEST_F(GhlEmulator, RefusesAnotherToken) {
    Headers headers = usual();
    headers["Authorization"] = "Bearer pit-another";
    const Reply reply = client->send("GET", "/locations/CEdemoLocation000001", headers, "");
    EXPECT_EQ(reply.status, 401);
    EXPECT_EQ(json(reply)["message"], "Invalid Private Integration token");
}

TEST_F(GhlEmulator, TakesTheThirdVersionEverywhere) {
    Headers headers = usual();
    headers["Version"] = "v3";
    EXPECT_EQ(client->send("GET", "/locations/CEdemoLocation000001", headers, "").status, 200);
    EXPECT_EQ(client->send("GET", "/calendars/?locationId=CEdemoLocation000001", headers, "").status, 200);
}

TEST_F(GhlEmulator, MakesACustomFieldAndKeepsIt) {
    const std::string there = "/locations/CEdemoLocation000001/customFields";
    const Json body{{"name", "ce_more"}, {"dataType", "TEXT"}, {"model", "contact"}};
    const Reply made = send("POST", there, body);
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string id = json(made)["customField"]["id"];
    EXPECT_EQ(json(made)["customField"]["fieldKey"], "contact.ce_more");
    EXPECT_EQ(send("POST", there, body).status, 400) << "the name is taken";
    EXPECT_EQ(send("POST", there, {{"name", "x"}, {"dataType", "TEXT"}, {"options", {"a"}}}).status, 422);
    stop();
    start();
    const auto fields = json(send("GET", there + "?model=contact"))["customFields"];
    EXPECT_TRUE(std::any_of(fields.begin(), fields.end(), [&](const Json& one) { return one["id"] == id; }));
    const std::string contact = create();
    EXPECT_EQ(send("PUT", "/contacts/" + contact, {{"customFields", {{{"id", id}, {"field_value", "a"}}}}}).status,
              200);
}

TEST_F(GhlEmulator, PeopleTakeFieldsAwayAndChangeThem) {
    const std::string contact = create();
    const auto writes = [&] {
        return send("PUT", "/contacts/" + contact,
                    {{"customFields", {{{"id", field_ce_stage}, {"field_value", "archived"}}}}})
            .status;
    };
    EXPECT_EQ(writes(), 200);
    EXPECT_EQ(client->post("/_fields", R"({"name":"ce_stage","do":"shorten"})").status, 200);
    EXPECT_EQ(writes(), 400) << "no option of the list any more";
    EXPECT_EQ(client->post("/_fields", R"({"name":"ce_stage","do":"retype"})").status, 200);
    EXPECT_EQ(writes(), 422);
    EXPECT_EQ(client->post("/_fields", R"({"name":"ce_stage","do":"remove"})").status, 200);
    EXPECT_EQ(writes(), 400);
    EXPECT_EQ(client->post("/_fields", R"({"name":"ce_stage","do":"remove"})").status, 400);
}

TEST_F(GhlEmulator, WantsTheVersionOfEachModule) {
    Headers headers = usual();
    headers.erase("Version");
    const Reply none = client->send("GET", "/locations/CEdemoLocation000001", headers, "");
    EXPECT_EQ(none.status, 401);
    EXPECT_EQ(json(none)["message"], "version header was not found.");
    const Reply wrong = client->send("GET", "/locations/CEdemoLocation000001", calendars(), "");
    EXPECT_EQ(wrong.status, 401);
    EXPECT_EQ(json(wrong)["message"], "version header is invalid");
    EXPECT_EQ(client->send("GET", "/calendars/events/appointments/x", usual(), "").status, 401);
}

TEST_F(GhlEmulator, SaysWhichRouteItDoesNotHave) {
    const Reply reply = send("GET", "/contacts/x/notes");
    EXPECT_EQ(reply.status, 404);
    EXPECT_EQ(json(reply)["message"], "Cannot GET /contacts/x/notes");
}

TEST_F(GhlEmulator, RefusesABodyThatIsNotJson) {
    EXPECT_EQ(client->send("POST", "/contacts/", usual(), "{\"locationId\":").status, 400);
    EXPECT_EQ(client->send("POST", "/contacts/", usual(), "[]").status, 400);
    Headers headers = usual();
    headers["Content-Type"] = "text/plain";
    EXPECT_EQ(client->send("POST", "/contacts/", headers, shell("p_1").dump()).status, 400);
}

TEST_F(GhlEmulator, KeepsALocationToItsToken) {
    EXPECT_EQ(send("GET", "/locations/another").status, 403);
    Json body = shell("p_1");
    body["locationId"] = "another";
    const Reply reply = send("POST", "/contacts/", body);
    EXPECT_EQ(reply.status, 403);
    EXPECT_EQ(json(reply)["message"], "The token does not have access to this location.");
}

// ---- location ---------------------------------------------------------------------------------------------------

TEST_F(GhlEmulator, ShowsTheLocationAndItsSettings) {
    const Json body = json(send("GET", "/locations/CEdemoLocation000001"));
    EXPECT_EQ(body["location"]["id"], location);
    EXPECT_EQ(body["location"]["settings"]["allowDuplicateContact"], false);
}

TEST_F(GhlEmulator, ShowsTheCustomFieldsWithTheirStableIds) {
    const Json body = json(send("GET", "/locations/CEdemoLocation000001/customFields?model=contact"));
    ASSERT_EQ(body["customFields"].size(), 6U);
    EXPECT_EQ(body["customFields"][0]["id"], field_ce_pid);
    EXPECT_EQ(body["customFields"][0]["fieldKey"], "contact.ce_pid");
    EXPECT_EQ(Json::parse(fields_as_json(default_fields()))["ce_appt_when"], field_ce_appt_when);
    for (const CustomField& field : default_fields()) EXPECT_EQ(field.id.size(), 20U) << field.name;
}

TEST_F(GhlEmulator, ListsTheTagsThatContactsBrought) {
    create();
    EXPECT_EQ(send("POST", "/locations/CEdemoLocation000001/tags", {{"name", "VIP"}}).status, 200);
    EXPECT_EQ(send("POST", "/locations/CEdemoLocation000001/tags", {{"name", "vip"}}).status, 400);
    const Json tags = json(send("GET", "/locations/CEdemoLocation000001/tags"))["tags"];
    ASSERT_EQ(tags.size(), 2U);
    EXPECT_EQ(tags[0]["name"], "ce-new-patient");
    EXPECT_EQ(tags[1]["name"], "vip");
}

// ---- contacts ---------------------------------------------------------------------------------------------------

TEST_F(GhlEmulator, CreatesAContactAndShowsIt) {
    const std::string id = create();
    EXPECT_EQ(id.size(), 20U);
    const Json contact = json(send("GET", "/contacts/" + id))["contact"];
    EXPECT_EQ(contact["firstName"], "p_1");
    EXPECT_EQ(contact["dnd"], true);
    EXPECT_EQ(contact["customFields"], Json::parse(R"([{"id":"CEpid00000000000000A","value":"p_1"}])"));
    EXPECT_EQ(contact["dateAdded"], "2026-11-21T10:00:00.000Z");
}

TEST_F(GhlEmulator, RefusesAnUnknownPropertyAndDoesNothing) {
    Json body = shell("p_1");
    body["patientId"] = 7;
    body["dnd"] = "yes";
    const Reply reply = send("POST", "/contacts/", body);
    EXPECT_EQ(reply.status, 422);
    EXPECT_EQ(json(reply)["message"],
              Json::parse(R"(["property patientId should not exist","dnd must be a boolean value"])"));
    EXPECT_EQ(json(reply)["error"], "Unprocessable Entity");
    EXPECT_TRUE(state()["contacts"].empty());
}

TEST_F(GhlEmulator, RefusesTheLocationInAnUpdate) {
    const Reply reply = send("PUT", "/contacts/" + create(), {{"locationId", location}});
    EXPECT_EQ(reply.status, 422);
    EXPECT_EQ(json(reply)["message"][0], "property locationId should not exist");
}

TEST_F(GhlEmulator, SaysAnAbsentContactIsABadRequest) {
    for (const Reply& reply : {send("GET", "/contacts/nobody"), send("PUT", "/contacts/nobody", {{"dnd", true}}),
                               send("POST", "/contacts/nobody/tags", {{"tags", {"a"}}})}) {
        EXPECT_EQ(reply.status, 400);
        EXPECT_EQ(json(reply)["message"], "Contact with id nobody not found");
    }
}

TEST_F(GhlEmulator, RefusesADuplicateAndTellsItsName) {
    const std::string known =
        seed({{"firstName", "Ada"}, {"lastName", "Example"}, {"email", "ada@example.test"}, {"phone", "+1 555 0100"}});
    Json body{{"locationId", location}, {"email", "ADA@example.test"}};
    const Reply by_email = send("POST", "/contacts/", body);
    EXPECT_EQ(by_email.status, 400);
    EXPECT_EQ(json(by_email)["message"], "This location does not allow duplicated contacts.");
    EXPECT_EQ(json(by_email)["meta"],
              Json({{"contactId", known}, {"contactName", "Ada Example"}, {"matchingField", "email"}}));
    body = {{"locationId", location}, {"phone", "15550100"}};
    EXPECT_EQ(json(send("POST", "/contacts/", body))["meta"]["matchingField"], "phone");
    EXPECT_EQ(send("PUT", "/contacts/" + create(), {{"email", "ada@example.test"}}).status, 400);
    EXPECT_EQ(state()["contacts"].size(), 2U);
}

TEST_F(GhlEmulator, MisspellsItsSuccess) {
    const Json body = json(send("PUT", "/contacts/" + create(), {{"dnd", false}}));
    EXPECT_EQ(body["succeded"], true);
    EXPECT_EQ(body["contact"]["dnd"], false);
}

TEST_F(GhlEmulator, KeepsFieldsThatAnUpdateDoesNotMention) {
    const std::string id = create();
    const Json stage{{"id", field_ce_stage}, {"field_value", "active"}};
    const Json next{{"key", "ce_next"}, {"field_value", "d8_30"}};
    EXPECT_EQ(send("PUT", "/contacts/" + id, {{"customFields", {stage, next}}}).status, 200);
    EXPECT_EQ(state()["contacts"][0]["fields"],
              Json({{"ce_pid", "p_1"}, {"ce_stage", "active"}, {"ce_next", "d8_30"}}));
    const Json cleared{{"id", field_ce_stage}, {"field_value", ""}};
    EXPECT_EQ(send("PUT", "/contacts/" + id, {{"customFields", {cleared}}}).status, 200);
    EXPECT_EQ(state()["contacts"][0]["fields"], Json({{"ce_pid", "p_1"}, {"ce_next", "d8_30"}}));
}

struct FieldCase {
    const char* entry;
    int status;
};

TEST_F(GhlEmulator, ChecksTheShapeAndTheIdOfCustomFields) {
    const std::string id = create();
    for (const auto& [entry, status] : {
             FieldCase{R"({"id":"CEstage000000000000B","value":"active"})", 422},
             FieldCase{R"({"fieldId":"CEstage000000000000B","field_value":"active"})", 422},
             FieldCase{R"({"field_value":"active"})", 422},
             FieldCase{R"({"id":"CEstage000000000000B"})", 422},
             FieldCase{R"({"id":"CEstage000000000000B","field_value":1})", 422},
             FieldCase{R"("CEstage000000000000B")", 422},
             FieldCase{R"({"id":"CEnobody000000000000","field_value":"active"})", 400},
             FieldCase{R"({"key":"contact.ce_stage","field_value":"active"})", 400},
             FieldCase{R"({"id":"CEstage000000000000B","field_value":"thriving"})", 400},
             FieldCase{R"({"id":"CEstage000000000000B","fieldValue":"active"})", 200},
         }) {
        const Json body{{"customFields", Json::array({Json::parse(entry)})}};
        EXPECT_EQ(send("PUT", "/contacts/" + id, body).status, status) << entry;
    }
}

TEST_F(GhlEmulator, ChecksDoNotDisturbSettings) {
    const std::string path = "/contacts/" + create();
    EXPECT_EQ(send("PUT", path, Json::parse(R"({"dndSettings":{"SMS":{"status":"active"}}})")).status, 200);
    EXPECT_EQ(send("PUT", path, Json::parse(R"({"dndSettings":{"SMS":{"status":"loud"}}})")).status, 422);
    EXPECT_EQ(send("PUT", path, Json::parse(R"({"dndSettings":{"Fax":{"status":"active"}}})")).status, 422);
}

TEST_F(GhlEmulator, UpsertsByAnIdentifierAndDropsWhatItDoesNotSay) {
    const std::string ada =
        seed({{"firstName", "Ada"}, {"email", "ada@example.test"}, {"additionalEmails", {"second@example.test"}}});
    const std::string grace = seed({{"firstName", "Grace"}, {"phone", "+15035550100"}});
    const auto upsert = [&](Json body) {
        body["locationId"] = location;
        return send("POST", "/contacts/upsert", body);
    };
    EXPECT_EQ(upsert({{"firstName", "p_1"}}).status, 400) << "by nothing";
    const Reply both = upsert({{"email", "ada@example.test"}, {"phone", "+15035550100"}, {"gender", "f"}});
    EXPECT_EQ(both.status, 200);
    EXPECT_EQ(json(both)["new"], false);
    EXPECT_EQ(json(both)["contact"]["id"], ada);
    EXPECT_FALSE(json(both)["contact"].contains("phone")) << "dropped: another contact has it";
    EXPECT_FALSE(json(both)["contact"].contains("gender"));
    EXPECT_EQ(json(upsert({{"email", "second@example.test"}}))["contact"]["email"], "second@example.test")
        << "the first address is lost";
    EXPECT_EQ(json(upsert({{"phone", "+15035550100"}, {"createNewIfDuplicateAllowed", true}}))["contact"]["id"], grace);
    EXPECT_EQ(json(upsert({{"email", "new@example.test"}}))["new"], true);
    EXPECT_EQ(upsert({{"email", "new@example.test"}, {"id", ada}}).status, 422);
}

TEST_F(GhlEmulator, SpeaksV3InItsOwnWords) {
    Headers v3 = usual();
    v3["Version"] = "v3";
    const std::string path = "/contacts/" + create();
    const Reply put = client->send("PUT", path, v3, R"({"dndSettings":{"sms":{"status":"active"}}})");
    EXPECT_EQ(json(put)["succeeded"], true) << put.body;
    EXPECT_TRUE(json(put)["contact"]["dndSettings"].contains("sms"));
    EXPECT_TRUE(json(send("GET", path))["contact"]["dndSettings"].contains("SMS"));
    EXPECT_EQ(client->send("PUT", path, v3, R"({"dndSettings":{"SMS":{"status":"active"}}})").status, 422);
    const Json booking{{"calendarId", calendar_id},
                       {"locationId", location},
                       {"contactId", path.substr(10)},
                       {"startTime", "2026-11-22T09:00:00-05:00"},
                       {"appointmentStatus", "active"}};
    EXPECT_EQ(send("POST", "/calendars/events/appointments", booking).status, 422);
    const Reply booked = client->send("POST", "/calendars/events/appointments", v3, booking.dump());
    EXPECT_EQ(booked.status, 200);
    EXPECT_TRUE(json(booked).contains("dateUpdated"));
}

TEST_F(GhlEmulator, DeletesAContact) {
    const std::string id = create();
    EXPECT_EQ(send("DELETE", "/contacts/" + id).status, 200);
    EXPECT_EQ(send("GET", "/contacts/" + id).status, 400);
}

// ---- tags -------------------------------------------------------------------------------------------------------

TEST_F(GhlEmulator, AddsTagsInLowerCaseOnce) {
    const std::string path = "/contacts/" + create() + "/tags";
    const Reply reply = send("POST", path, {{"tags", {"CE-Recall-Due", "ce-new-patient", "ce-recall-due"}}});
    EXPECT_EQ(reply.status, 201);
    EXPECT_EQ(json(reply)["tags"], Json({"ce-new-patient", "ce-recall-due"}));
    EXPECT_EQ(json(reply)["tagsAdded"], Json::array({"ce-recall-due"}));
}

TEST_F(GhlEmulator, RemovesTagsByADeleteWithABody) {
    const std::string path = "/contacts/" + create() + "/tags";
    const Reply reply = send("DELETE", path, {{"tags", {"CE-NEW-PATIENT", "never-there"}}});
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(json(reply)["tags"], Json::array());
    EXPECT_EQ(send("DELETE", path).status, 422);
    EXPECT_EQ(send("DELETE", path, {{"tags", "one"}}).status, 422);
}

TEST_F(GhlEmulator, ReplacesAllTagsInAnUpdate) {
    const std::string id = create();
    EXPECT_EQ(send("PUT", "/contacts/" + id, {{"tags", {"Only"}}}).status, 200);
    EXPECT_EQ(state()["contacts"][0]["tags"], Json::array({"only"}));
}

// ---- search -----------------------------------------------------------------------------------------------------

TEST_F(GhlEmulator, FindsAContactOnlyAfterTheIndexLag) {
    create();
    const Json filter{{"field", std::string{"customFields."} + field_ce_pid}, {"operator", "eq"}, {"value", "p_1"}};
    EXPECT_EQ(found(filter), 0U);
    EXPECT_EQ(state()["contacts"].size(), 1U);
    clock.advance(299ms);
    EXPECT_EQ(found(filter), 0U);
    clock.advance(1ms);
    EXPECT_EQ(found(filter), 1U);
}

TEST_F(GhlEmulator, SearchesWhatTheIndexHasAndNotWhatIsThere) {
    knob("index_lag_ms", 60'000);
    const std::string id = seed({{"firstName", "Ada"}});
    send("POST", "/contacts/" + id + "/tags", {{"tags", {"late"}}});
    const Json filter{{"field", "tags"}, {"operator", "eq"}, {"value", "late"}};
    EXPECT_EQ(found(filter), 0U);
    clock.advance(60s);
    EXPECT_EQ(found(filter), 1U);
}

TEST_F(GhlEmulator, UnderstandsFiltersAndGroups) {
    seed({{"firstName", "Ada"}, {"tags", {"a", "b"}}});
    seed({{"firstName", "Bob"}, {"tags", {"b"}}, {"country", "US"}});
    const auto filter = [](const char* field, const char* operation, const Json& value) {
        return Json{{"field", field}, {"operator", operation}, {"value", value}};
    };
    EXPECT_EQ(found(filter("tags", "eq", "b")), 2U);
    EXPECT_EQ(found(filter("tags", "eq", {"a", "z"})), 1U);
    EXPECT_EQ(found(filter("tags", "not_eq", "a")), 1U);
    EXPECT_EQ(found(filter("firstNameLowerCase", "contains", "o")), 1U);
    EXPECT_EQ(found(filter("firstName", "not_contains", "o")), 1U);
    EXPECT_EQ(found(filter("dateAdded", "range", {{"gte", "2026-11-21"}, {"lt", "2026-11-22"}})), 2U);
    EXPECT_EQ(found({{"field", "country"}, {"operator", "exists"}}), 1U);
    EXPECT_EQ(found({{"field", "country"}, {"operator", "not_exists"}}), 1U);
    const Json both{filter("tags", "eq", "a"), filter("firstName", "eq", "Bob")};
    EXPECT_EQ(found({{"group", "OR"}, {"filters", both}}), 2U);
    EXPECT_EQ(found({{"group", "AND"}, {"filters", both}}), 0U);
}

TEST_F(GhlEmulator, RefusesASearchThatItDoesNotUnderstand) {
    const Reply empty = send("POST", "/contacts/search", Json::object());
    EXPECT_EQ(empty.status, 422);
    EXPECT_EQ(json(empty)["message"], Json({"locationId should not be empty", "pageLimit should not be empty"}));
    const auto status_of = [&](const char* filter) {
        return send("POST", "/contacts/search", search_for(Json::parse(filter))).status;
    };
    EXPECT_EQ(status_of(R"({"field":"contact_name","operator":"eq","value":"x"})"), 400);
    EXPECT_EQ(status_of(R"({"field":"customFields.nobody","operator":"eq","value":"x"})"), 400);
    EXPECT_EQ(status_of(R"({"field":"tags","operator":"is","value":"x"})"), 422);
    EXPECT_EQ(status_of(R"({"field":"tags","operator":"eq"})"), 422);
    EXPECT_EQ(status_of(R"({"group":"XOR","filters":[]})"), 422);
    EXPECT_EQ(status_of(R"("tags")"), 422);
    EXPECT_EQ(send("POST", "/contacts/search", {{"locationId", location}, {"pageLimit", 101}}).status, 422);
    EXPECT_EQ(send("POST", "/contacts/search", {{"locationId", location}, {"pageLimit", 1}, {"limit", 1}}).status, 422);
}

TEST_F(GhlEmulator, PagesNewestFirst) {
    for (const char* name : {"one", "two", "three"}) seed({{"firstName", name}});
    Json body{{"locationId", location}, {"pageLimit", 2}};
    const Json first = json(send("POST", "/contacts/search", body));
    EXPECT_EQ(first["total"], 3);
    ASSERT_EQ(first["contacts"].size(), 2U);
    EXPECT_EQ(first["contacts"][0]["firstName"], "three");
    body["page"] = 2;
    EXPECT_EQ(json(send("POST", "/contacts/search", body))["contacts"][0]["firstName"], "one");
    body.erase("page");
    body["searchAfter"] = first["contacts"][1]["searchAfter"];
    EXPECT_EQ(json(send("POST", "/contacts/search", body))["contacts"][0]["firstName"], "one");
    EXPECT_EQ(
        json(send("POST", "/contacts/search", {{"locationId", location}, {"pageLimit", 5}, {"query", "TW"}}))["total"],
        1);
}

// ---- opportunities and appointments -----------------------------------------------------------------------------

TEST_F(GhlEmulator, MovesAnOpportunityThroughItsPipeline) {
    const Json pipelines = json(send("GET", "/opportunities/pipelines?locationId=CEdemoLocation000001"))["pipelines"];
    ASSERT_EQ(pipelines.size(), 1U);
    const Json stage = pipelines[0]["stages"][2]["id"];
    const Json body{{"pipelineId", pipelines[0]["id"]},
                    {"locationId", location},
                    {"name", "p_1"},
                    {"status", "open"},
                    {"contactId", create()}};
    const Reply created = send("POST", "/opportunities/", body);
    ASSERT_EQ(created.status, 201) << created.body;
    const std::string path = "/opportunities/" + json(created)["opportunity"]["id"].get<std::string>();
    EXPECT_EQ(send("POST", "/opportunities/", body).status, 400);
    EXPECT_EQ(json(send("PUT", path, {{"pipelineStageId", stage}}))["opportunity"]["pipelineStageId"], stage);
    EXPECT_EQ(send("PUT", path, {{"pipelineStageId", "nowhere"}}).status, 400);
    EXPECT_EQ(send("PUT", path, {{"locationId", location}}).status, 422);
    EXPECT_EQ(json(send("PUT", path + "/status", {{"status", "won"}}))["succeded"], true);
    EXPECT_EQ(send("PUT", path + "/status", {{"status", "all"}}).status, 422);
    EXPECT_EQ(json(send("GET", path))["opportunity"]["status"], "won");
    EXPECT_EQ(state()["opportunities"][0]["status"], "won");
    EXPECT_EQ(send("PUT", "/opportunities/nobody", {{"status", "won"}}).status, 400);
}

TEST_F(GhlEmulator, FindsAnOpportunityOfAContactAfterTheIndexLagByTheNamesOfItsVersion) {
    const std::string contact = create();
    EXPECT_EQ(send("POST", "/opportunities/",
                   {{"pipelineId", pipeline_id},
                    {"locationId", location},
                    {"name", "p_1"},
                    {"status", "open"},
                    {"contactId", contact}})
                  .status,
              201);
    const std::string dated = std::string{"/opportunities/search?location_id="} + location + "&contact_id=" + contact;
    const std::string here = std::string{"/opportunities/search?locationId="} + location + "&contactId=" + contact;
    EXPECT_TRUE(json(send("GET", dated))["opportunities"].empty());
    clock.advance(300ms);
    EXPECT_EQ(json(send("GET", dated))["opportunities"][0]["name"], "p_1");
    EXPECT_TRUE(json(send("GET", dated + "&pipeline_id=another"))["opportunities"].empty());
    EXPECT_EQ(send("GET", dated + "&limit=101").status, 422);
    EXPECT_EQ(send("GET", here).status, 422) << "the names of v3";
    Headers v3 = usual();
    v3["Version"] = "v3";
    EXPECT_EQ(json(client->send("GET", here, v3, ""))["opportunities"].size(), 1U);
    EXPECT_EQ(client->send("GET", dated, v3, "").status, 422);
}

TEST_F(GhlEmulator, BooksAnAppointmentAndTitlesItWithTheName) {
    const std::string contact = seed({{"firstName", "Ada"}, {"lastName", "Example"}});
    Json body{{"calendarId", calendar_id},
              {"locationId", location},
              {"contactId", contact},
              {"startTime", "2026-11-22T09:00:00-05:00"}};
    const Reply created = send("POST", "/calendars/events/appointments", body);
    ASSERT_EQ(created.status, 200) << created.body;
    EXPECT_EQ(json(created)["title"], "Ada Example");
    EXPECT_FALSE(json(created).contains("dateAdded"));
    EXPECT_EQ(send("POST", "/calendars/events/appointments", body).status, 400);
    body["ignoreFreeSlotValidation"] = true;
    EXPECT_EQ(send("POST", "/calendars/events/appointments", body).status, 200);
    const std::string path = "/calendars/events/appointments/" + json(created)["id"].get<std::string>();
    EXPECT_EQ(json(send("PUT", path, {{"appointmentStatus", "showed"}, {"toNotify", false}}))["appointmentStatus"],
              "showed");
    EXPECT_EQ(send("PUT", path, {{"appointmentStatus", "arrived"}}).status, 422);
    EXPECT_EQ(send("PUT", path, {{"contactId", contact}}).status, 422);
    EXPECT_EQ(json(send("GET", path))["event"]["appointmentStatus"], "showed");
    clock.advance(300ms); // the index lags
    EXPECT_EQ(json(send("GET", "/contacts/" + contact + "/appointments"))["events"].size(), 2U);
    EXPECT_EQ(state()["appointments"].size(), 2U);
    const std::string event = "/calendars/events/" + json(created)["id"].get<std::string>();
    EXPECT_EQ(send("DELETE", event, Json::object()).status, 201);
    EXPECT_EQ(send("DELETE", event, Json::object()).status, 400);
    EXPECT_EQ(state()["appointments"].size(), 1U);
}

} // namespace
} // namespace clinic::emulator
