#include "provisioning/status_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace clinic::provisioning {
namespace {

using nlohmann::json;

json status() {
    return json::parse(R"({
        "at": "2026-11-21T10:00:00Z", "box": "demo-1", "version": "0.1.0", "mode": "running", "well": "look",
        "answers": {"box": {"state": "look", "text": "Needs a look"},
                    "ghl": {"state": "well", "text": "23 changes are waiting, the oldest for 6 minutes: GHL is slowing us down, we go on by ourselves"},
                    "needs": {"state": "look", "text": "1 thing needs you"}},
        "needs": [{"code": "E2401", "what": "1 message is in quarantine", "since": "2026-11-21T08:12:00Z", "cause": "the segment PID is missing in what came over the line today", "remedy": "look at: clinicctl quarantine list", "action": "Ask your technician to look at it with the practice system's support."}],
        "intake": {"mllp": {"received": 1234567, "stored": 1234560, "quarantined": 1, "refused": 2, "duplicate": 4},
                   "csv": {"received": 0, "stored": 0, "quarantined": 0, "refused": 0, "duplicate": 0}},
        "feeds": {"mllp": {"last_message_s": 125, "balanced": true}, "csv": {"last_message_s": null, "balanced": true},
                  "front-desk": {"sender_of": "mllp", "balanced": true, "last_message_s": 7300, "received": 77, "stored": 77, "quarantined": 0, "refused": 0, "duplicate": 0}},
        "egress": {"crm": {"released": 9, "pending": 1, "leased": 1, "delivered": 2, "superseded": 1, "withdrawn": 1, "parked": 1, "dead": 1, "discarded": 1}},
        "queue": {"crm": {"oldest_s": 400, "last_delivered_s": 65, "balanced": true}},
        "lanes": {"crm": {"state": "paused"}, "mqtt": {"state": "up"}, "program": {"state": "up"}},
        "basis": {"name": "baa", "expired": false}, "clock": {"trusted": true, "zone_minutes": 60},
        "containment": {"held": 1, "all": 2, "parts": [{"part": "network namespace", "holds": false, "detail": "not here"}, {"part": "own user", "holds": true, "detail": "yes"}]},
        "store": {"patients": 40, "quarantine_items": 3, "disk_free_percent": 85, "free_key_slots": 120, "authentication_failures": 0}})");
}

TEST(StatusView, FitsIn80ColumnsAndAnswersInOrder) {
    const std::string text = view(status(), false);
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), 80u) << line;
    EXPECT_LT(text.find("Needs a look"), text.find("23 changes"));
    EXPECT_LT(text.find("23 changes"), text.find("1 thing needs you"));
    EXPECT_NE(text.find("1 message is in quarantine since 09:12 (E2401)"), std::string::npos) << text;
    EXPECT_NE(text.find("Technician: the segment PID"), std::string::npos);
    EXPECT_NE(text.find("look at: clinicctl"), std::string::npos) << "with what to do";
    EXPECT_NE(text.find("mllp    1,234,567 1,234,560           1       2         4 2 min ago"), std::string::npos)
        << text;
}

TEST(StatusView, SaysOfTheCheckOfTheStoreWhatIsKnown) {
    const auto said = [](json check) {
        auto one = status();
        one["store"]["check"] = std::move(check);
        const std::string text = view(one, false);
        const auto at = text.find("Checked       ") + 14;
        return text.substr(at, text.find('\n', at) - at);
    };
    json check{{"running", false}, {"last", nullptr}, {"last_s", nullptr}, {"sound", nullptr}, {"tables_skipped", 0}};
    EXPECT_EQ(said(check), "never");
    check["running"] = true;
    EXPECT_EQ(said(check), "never, the first is under way");
    check.update({{"last", "2026-11-21T09:58:00Z"}, {"last_s", 120}, {"sound", true}});
    EXPECT_EQ(said(check), "2 min ago; the next is under way");
    check.update({{"running", false}, {"tables_skipped", 3}, {"keys_damaged", 2}});
    EXPECT_EQ(said(check), "2 min ago, 3 tables left out, keys of 2 people DAMAGED");
    check = {{"last", "2026-11-21T09:58:00Z"}, {"last_s", 120}, {"sound", false}};
    EXPECT_EQ(said(check), "2 min ago: DAMAGED");
}

TEST(StatusView, GivesALongNameALineOfItsOwn) {
    auto one = status();
    const std::string name(32, 'n');
    one["feeds"][name] = one["feeds"]["front-desk"];
    one["feeds"][name]["received"] = 12'345'678;
    one["containment"]["parts"][0]["detail"] = std::string(30, 'd') + " " + std::string(40, 'e');
    const std::string text = view(one, false);
    EXPECT_NE(text.find("    " + name + "\n         12,345,678"), std::string::npos) << text;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(StatusView, ShowsTheBooksFreshnessAndWhatDoesNotHold) {
    const std::string text = view(status(), false);
    EXPECT_NE(text.find("released 9 = delivered 2 + pending 1 + leased 1 + superseded 1"), std::string::npos);
    EXPECT_NE(text.find("2 min ago"), std::string::npos);
    EXPECT_NE(text.find("front-desk"), std::string::npos);
    EXPECT_NE(text.find("at 08:58"), std::string::npos);
    EXPECT_NE(text.find("never"), std::string::npos);
    EXPECT_NE(text.find("1 of 2 parts hold"), std::string::npos);
    auto old = status();
    old["feeds"]["csv"]["last_message_s"] = 7'200;
    EXPECT_NE(view(old, false).find("at 09:00"), std::string::npos) << "as the page says it, in the clinic's zone";
    old["feeds"]["csv"]["last_message_s"] = 430LL * 86'400;
    std::istringstream in{view(old, false)};
    for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), 80u) << line;
    EXPECT_NE(text.find("does not hold: network namespace"), std::string::npos);
}

TEST(StatusView, ShowsTheQueueTheKeysAndWhetherTheBooksAddUp) {
    const std::string text = view(status(), false);
    EXPECT_NE(text.find("last delivered 1 min ago, the oldest came 6 min ago"), std::string::npos) << text;
    EXPECT_NE(text.find("The books add up"), std::string::npos);
    EXPECT_NE(text.find("3 in quarantine, 85% of the disk free"), std::string::npos);
    EXPECT_NE(text.find("120 in reserve, 0 pages failed their seal"), std::string::npos);
    EXPECT_NE(text.find("delivery program up"), std::string::npos);
    for (const char* feed : {"mllp", "csv", "front-desk"}) {
        auto wrong = status();
        wrong["feeds"][feed]["balanced"] = false;
        EXPECT_NE(view(wrong, false).find("The books do NOT add up"), std::string::npos) << feed;
    }
    auto wrong = status();
    wrong["queue"]["crm"]["balanced"] = false;
    EXPECT_NE(view(wrong, false).find("The books do NOT add up"), std::string::npos);
}

TEST(ImportView, NamesEachFaultByLine) {
    const auto text = view_import(json::parse(R"({"received":2,"stored":1,"duplicate":0,"quarantined":1,"refused":0,
        "faults":[{"line":3,"column":"birth_date","what":"not a date","remedy":"write YYYY-MM-DD"}]})"));
    EXPECT_EQ(text,
              "2 lines: 1 stored, 0 already here, 1 not accepted\nline 3, birth_date: not a date; write YYYY-MM-DD\n");
}

TEST(BasisView, SaysWhenItHasExpired) {
    const auto text = view_basis(json::parse(
        R"({"mode":"baa","in_effect":"off","unlinked":"park","evidence":"","expires":"2026-01-01T00:00:00Z"})"));
    EXPECT_NE(text.find("In effect off"), std::string::npos);
}

// Not the moment behind it, which is the next day's.
TEST(BasisView, SaysTheLastDay) {
    const auto text = view_basis(json::parse(
        R"({"mode":"baa","in_effect":"baa","unlinked":"park","evidence":"","expires":"2027-01-01T07:00:00Z","last_day":"2026-12-31"})"));
    EXPECT_NE(text.find("Last day  2026-12-31\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("T07"), std::string::npos) << text;
}

TEST(BasisView, SaysWhenTimesLeave) {
    const json basis{{"mode", "baa"}, {"in_effect", "baa"}, {"unlinked", "park"}, {"bookings", "times"}};
    EXPECT_NE(view_basis(basis).find("start and end of appointments leave"), std::string::npos);
    auto told = basis;
    told["bookings"] = "status";
    EXPECT_NE(view_basis(told).find("no time leaves"), std::string::npos);
    told["bookings"] = "none";
    EXPECT_EQ(view_basis(told).find("Bookings"), std::string::npos);
}

TEST(StatusView, SaysOnWhichDayTheBasisEnds) {
    auto said = status();
    said["at"] = "2026-11-27T08:00:00Z";
    said["basis"] = {
        {"name", "baa"}, {"expired", false}, {"expires", "2027-01-01T07:00:00Z"}, {"last_day", "2026-12-31"}};
    EXPECT_NE(view(said, false).find("Basis         baa, ends on 2026-12-31 (in 34 days)\n"), std::string::npos);
    said["at"] = "2027-01-03T08:00:00Z";
    said["basis"]["expired"] = true;
    EXPECT_NE(view(said, false).find("Basis         baa, ended on 2026-12-31 (2 days ago)\n"), std::string::npos);
}

// Zeros would look like a loss.
TEST(StatusView, SaysOfClosedRecordsThatNobodyKnowsWhatIsInThem) {
    auto closed = status();
    closed["mode"] = "locked";
    closed["store"] = {{"open", false}, {"patients", 0}, {"disk_free_percent", 85}};
    const std::string text = view(closed, false);
    EXPECT_NE(text.find("Books         Not known while the records are closed."), std::string::npos) << text;
    EXPECT_NE(text.find("Store         mode locked, 85% of the disk free"), std::string::npos) << text;
    for (const char* guess : {"patients", "add up", "Basis", "Checked"})
        EXPECT_EQ(text.find(guess), std::string::npos) << guess << "\n" << text;
}

} // namespace
} // namespace clinic::provisioning
