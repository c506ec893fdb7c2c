// What a client reads that polls.
#include "tests/emulator/emulator_fixture.h"

namespace clinic::emulator {
namespace {

class Polled : public GhlEmulator {
protected:
    static Json changed_since(const std::string& since) {
        return {{"locationId", location},
                {"page", 1},
                {"pageLimit", 100},
                {"filters", {{{"field", "dateUpdated"}, {"operator", "range"}, {"value", {{"gte", since}}}}}},
                {"sort", {{{"field", "dateUpdated"}, {"direction", "asc"}}}}};
    }
};

TEST_F(Polled, ContactsComeInTheOrderOfTheirChanges) {
    const auto first = create("p_1");
    clock.advance(std::chrono::seconds{5});
    const auto second = create("p_2");
    clock.advance(std::chrono::seconds{5});
    send("POST", "/contacts/" + first + "/tags", {{"tags", {"vip"}}});
    clock.advance(std::chrono::seconds{5});
    const auto all = json(send("POST", "/contacts/search", changed_since("2020-01-01T00:00:00.000Z")))["contacts"];
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0]["id"], second);
    EXPECT_EQ(all[1]["id"], first);
    const auto newest = json(send("POST", "/contacts/search", changed_since(all[1]["dateUpdated"])))["contacts"];
    ASSERT_EQ(newest.size(), 1U);
    EXPECT_EQ(newest[0]["id"], first);
    auto wrong = changed_since("2020-01-01T00:00:00.000Z");
    wrong["sort"][0]["direction"] = "up";
    EXPECT_EQ(send("POST", "/contacts/search", wrong).status, 422);
}

TEST_F(Polled, OpportunitiesComePageByPage) {
    for (const char* pid : {"p_1", "p_2", "p_3"})
        EXPECT_EQ(send("POST", "/opportunities/",
                       {{"pipelineId", pipeline_id},
                        {"locationId", location},
                        {"name", pid},
                        {"status", "open"},
                        {"contactId", create(pid)}})
                      .status,
                  201);
    const Json details{{"notes", false}, {"tasks", false}, {"calendarEvents", false}, {"unReadConversations", false}};
    Json body{{"locationId", location},      {"query", ""}, {"limit", 2}, {"page", 2}, {"searchAfter", Json::array()},
              {"additionalDetails", details}};
    const auto page = json(send("POST", "/opportunities/search", body));
    EXPECT_EQ(page["total"], 3);
    EXPECT_EQ(page["opportunities"].size(), 1U);
    EXPECT_TRUE(page["opportunities"][0].contains("contact")) << "with the contact's name, as the live service does";
    body.erase("searchAfter");
    EXPECT_EQ(send("POST", "/opportunities/search", body).status, 422);
}

TEST_F(Polled, TheBookingsOfACalendarInAWindow) {
    const auto contact = create("p_1");
    EXPECT_EQ(send("POST", "/calendars/events/appointments",
                   {{"calendarId", calendar_id},
                    {"locationId", location},
                    {"contactId", contact},
                    {"startTime", "2026-11-22T09:00:00-05:00"},
                    {"title", "Appointment"}})
                  .status,
              200);
    const auto window = [&](const char* from, const char* until) {
        return send("GET", std::string{"/calendars/events?locationId="} + location + "&calendarId=" + calendar_id +
                               "&startTime=" + from + "&endTime=" + until);
    };
    EXPECT_EQ(json(window("1795356000000", "1795356000001"))["events"].size(), 1U); // 2026-11-22T14:00:00Z
    EXPECT_EQ(json(window("1795356000001", "1795356000002"))["events"].size(), 0U);
    EXPECT_EQ(window("x", "1").status, 422);
}

} // namespace
} // namespace clinic::emulator
