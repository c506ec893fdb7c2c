// The clinic's appointments as bookings of GHL's calendar, over a whole box that tells their times: made, moved, called
// off by the clinic; and called off by somebody in GHL, which stays so until a person decides.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>

#include "tests/e2e/box.h"
#include "tests/emulator/handlers.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr long two_days = 2L * 24 * 3'600;
constexpr int shown_s = 60;
constexpr int deleted_s = 180; // GHL is asked for a second answer, a minute after the first

class Bookings : public testing::Test {
protected:
    void SetUp() override {
        for (const char* file : {"clinicd.json", "sync.json"}) {
            const auto path = box.folder() / "etc" / file;
            auto all = json::parse(std::ifstream{path});
            all["ghl"]["reads"] = {{"calendars", {emulator::calendar_id}}};
            all["ghl"]["bookings"] = {{"calendar", emulator::calendar_id}, {"create", true}};
            if (std::string{file} == "clinicd.json")
                all["ghl"].update({{"coalesce_ms", 0}, {"index_lag_ms", 1'000}, {"late_ms", 1'000}});
            else
                all["ghl"]["polling"] = {{"busy_s", 5}};
            std::ofstream{path} << all;
        }
        for (const char* program : {"clinicd", "clinic-syncd"}) EXPECT_TRUE(box.kill_program(program));
        ASSERT_TRUE(eventually([&] { return box.status().value("lanes", json::object()).contains("crm"); }, shown_s));
    }
    void say(const std::string& event, const std::string& status, long ahead = two_days) {
        const auto message =
            siu(event, "C" + std::to_string(++said_), "P1", "Quillfeather", "Una", "A1", ahead, status);
        ASSERT_TRUE(eventually([&] { return box.send(message).find("|AA|") != std::string::npos; }, shown_s));
    }
    json bookings() const { return box.ghl().value("appointments", json::array()); }
    bool is(const char* status) const {
        const auto all = bookings();
        return all.size() == 1 && all[0]["appointmentStatus"] == status;
    }
    // As a person in GHL does.
    void by_hand(const std::string& method, const std::string& path, const json& body) const {
        const auto base = box.endpoints().at("ghl").at("base").get<std::string>();
        const auto done =
            run("curl --silent --fail -X " + method + " --cacert '" + (box.folder() / "ca.pem").string() +
                "' -H \"Authorization: Bearer $(cat '" + (box.folder() / "keys" / "ghl-emulator.token").string() +
                "')\" -H 'Version: 2021-04-15' -H 'Content-Type: application/json' --data '" + body.dump() + "' " +
                base + path);
        EXPECT_EQ(done.exit, 0) << done.out;
    }
    void set(const std::string& status) const {
        by_hand("PUT", "/calendars/events/appointments/" + bookings()[0]["id"].get<std::string>(),
                {{"appointmentStatus", status}});
    }
    std::ptrdiff_t times_read() const {
        const auto all = box.requests();
        return std::ranges::count_if(all, [](const json& request) {
            return request["path"].get<std::string>().starts_with("/calendars/events?") && request["status"] == 200;
        });
    }
    json conflicts() const {
        const auto said = json::parse(box.ctl("link list --json").out, nullptr, false);
        return said.is_object() ? said.value("conflicts", json::array()) : json::array();
    }

    Box box;

private:
    int said_ = 0;
};

TEST_F(Bookings, FollowTheClinicAndAreNotSetUpAgainWhereGhlCalledThemOff) {
    box.fault("timeout-after-effect", 3); // whatever of it is written first: nothing is made twice
    say("S12", "Booked");
    ASSERT_TRUE(eventually([&] { return is("new"); }, shown_s)) << box.status()["egress"].dump();
    const auto made = bookings()[0];
    EXPECT_EQ(made["title"].get<std::string>().substr(0, 2), "a_");
    EXPECT_EQ(made["calendarId"], emulator::calendar_id);
    EXPECT_EQ(made["startTime"].get<std::string>().substr(17), "00.000Z");
    ASSERT_EQ(box.contacts().size(), 1U);
    EXPECT_EQ(made["contactId"], box.contacts()[0]["id"]);

    say("S14", "Confirmed");
    ASSERT_TRUE(eventually([&] { return is("confirmed"); }, shown_s)) << box.status()["egress"].dump();
    say("S13", "Booked", two_days + 7'200);
    ASSERT_TRUE(eventually([&] { return bookings()[0]["startTime"] != made["startTime"]; }, shown_s));
    EXPECT_EQ(bookings()[0]["id"], made["id"]);

    set("cancelled");
    ASSERT_TRUE(eventually([&] { return conflicts().size() == 1; }, shown_s));
    const auto conflict = conflicts()[0];
    EXPECT_EQ(conflict["field"], "booking_cancelled");
    EXPECT_EQ(conflict["theirs"], "cancelled");
    say("S14", "Confirmed", two_days + 7'200);
    ASSERT_TRUE(eventually([&] { return box.status()["egress"]["crm"]["pending"] == 0; }, shown_s));
    EXPECT_TRUE(is("cancelled")) << bookings().dump();
    const auto decided = box.ctl("link settle " + std::to_string(conflict["number"].get<int>()) +
                                 " clinic --reason 'the patient comes after all'");
    EXPECT_EQ(decided.exit, 0) << decided.out;
    ASSERT_TRUE(eventually([&] { return is("confirmed"); }, shown_s)) << box.status()["egress"].dump();
    ASSERT_TRUE(eventually([&] { return conflicts().empty(); }, shown_s));

    say("S15", "Cancelled", two_days + 7'200);
    ASSERT_TRUE(eventually([&] { return is("cancelled"); }, shown_s));
    for (const auto& request : box.requests()) {
        const auto body = request["body"].get<std::string>();
        EXPECT_EQ(body.find("Quillfeather"), std::string::npos);
        if (request["path"].get<std::string>().find("/calendars/events/appointments") == std::string::npos) continue;
        if (body.find(R"("toNotify")") == std::string::npos) continue; // the person's
        EXPECT_NE(body.find(R"("toNotify":false)"), std::string::npos) << body;
    }
}

// No list shows it any more, and no webhook told of it: it is missed as soon as clinic-syncd is back, and a person is
// asked.
TEST_F(Bookings, OneThatWasDeletedWhileNobodyLookedIsMissed) {
    say("S12", "Booked");
    ASSERT_TRUE(eventually([&] { return is("new"); }, shown_s)) << box.status()["egress"].dump();
    const auto before = times_read();
    ASSERT_TRUE(eventually([&] { return times_read() > before + 1; }, shown_s)) << "it was seen";
    for (const auto pid : box.pids("clinic-syncd")) EXPECT_EQ(kill(pid, SIGSTOP), 0);
    by_hand("DELETE", "/calendars/events/" + bookings()[0]["id"].get<std::string>(), json::object());
    EXPECT_TRUE(box.kill_program("clinic-syncd"));
    ASSERT_TRUE(eventually([&] { return conflicts().size() == 1; }, deleted_s));
    EXPECT_EQ(conflicts()[0]["field"], "booking_cancelled");
    EXPECT_EQ(conflicts()[0]["theirs"], "deleted");
    EXPECT_TRUE(bookings().empty()) << "it is not set up again by itself";
}

} // namespace
} // namespace clinic::e2e
