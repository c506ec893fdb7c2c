// What clinicctl asks of messages and of the quarantine, on the real store: what is shown, and what the audit chain
// says.
#include "daemon/message_commands.h"

#include <nlohmann/json.hpp>

#include "daemon/records/messages.h"
#include "tests/daemon/intake/desk.h"

namespace clinic::daemon {
namespace {

using intake::FeedSettings;
using intake::Peer;
using intake::testing::Desk;
using intake::testing::joined;
using intake::testing::msh;
using nlohmann::json;

constexpr uid_t operator_uid = 1'000;
constexpr const char* reason = "the sender asks why";

struct Link {
    std::string detail;
    std::int64_t actor_id = 0, subjects = 0;
    audit::Action action{};
};

class MessageCommands : public testing::Test {
protected:
    Result<control::Answer> ask(const char* command, const json& args) {
        return commands.at(command).run({.args = args, .body = {}, .asker = operator_uid});
    }
    json data(const char* command, const json& args) {
        const auto answer = ask(command, args);
        EXPECT_TRUE(answer) << answer.error().what.c_str();
        return answer ? *answer->data : json{};
    }
    std::int64_t links() { return desk.count("SELECT count(*) FROM audit_link"); }
    Link newest_link() {
        return desk.read([](records::Snapshot& session) -> Result<Link> {
            auto find =
                session.prepare("SELECT detail, actor_id, action, (SELECT count(*) FROM audit_subject WHERE link"
                                " = number) FROM audit_link ORDER BY number DESC LIMIT 1");
            if (!find) return find.error();
            CLINIC_TRY(find->step());
            return Link{std::string{find->text(0)}, find->integer(1), find->integer(3),
                        static_cast<audit::Action>(find->integer(2))};
        });
    }
    static std::string person(int number, const std::string& name = "Waitwell^Una") {
        const auto text = std::to_string(number);
        return joined({msh("ADT^A28", text), "PID|1||" + text + "^^^HOSP^MR||" + name + "||19800101"});
    }
    void send_wrong(const Peer& from, int id) {
        const auto text = std::to_string(id);
        desk.send_from(from, joined({msh("ADT^A28", text), "PID|1||" + text + "^^^HOSP^MR||Wrong^Date||19801331"}));
    }

    Desk desk{{FeedSettings{.name = "medway", .sender = "APP|FAC", .rules = {.character_set = "8859/2"}}}};
    const Peer anywhere{.address = {1}};
    control::Commands commands = message_commands(*desk.store, *desk.ingest, *desk.feeds);
};

TEST_F(MessageCommands, RevealOnlyForAReasonWhichIsInTheChain) {
    desk.send_from(anywhere, person(10));
    const auto id = data("messages-list", {{"limit", 1}}).at(0).at("id");
    const auto before = links();
    for (const std::string& wrong :
         std::vector<std::string>{"", "why", std::string(201, 'x'), "two\nlines", "\xff\xff\xff\xff"}) {
        const auto refused = ask("messages-show", {{"id", id}, {"reveal", true}, {"reason", wrong}});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::refused);
    }
    EXPECT_EQ(links(), before) << "what was not shown was not looked at";
    const auto masked = data("messages-show", {{"id", id}}).at("text").get<std::string>();
    EXPECT_EQ(masked.find("Waitwell"), std::string::npos);
    EXPECT_EQ(newest_link().detail, "message_show " + id.dump());
    EXPECT_EQ(newest_link().action, audit::Action::read);
    const auto shown = data("messages-show", {{"id", id}, {"reveal", true}, {"reason", reason}});
    EXPECT_NE(shown.at("text").get<std::string>().find("Waitwell"), std::string::npos);
    const auto link = newest_link();
    EXPECT_EQ(link.detail, "message_reveal " + id.dump() + ": " + reason);
    EXPECT_EQ(link.action, audit::Action::disclose);
    EXPECT_EQ(link.actor_id, operator_uid);
    EXPECT_EQ(link.subjects, 1) << "about whom";
}

TEST_F(MessageCommands, AnItemOfTheQuarantineIsRevealedOnlyForAReasonToo) {
    send_wrong(anywhere, 1);
    const auto id = data("quarantine-list", json::object()).at(0).at("id");
    EXPECT_EQ(newest_link().detail, "quarantine_list");
    EXPECT_FALSE(ask("quarantine-show", {{"id", id}, {"reveal", true}}));
    EXPECT_EQ(data("quarantine-show", {{"id", id}}).at("text").get<std::string>().find("Wrong"), std::string::npos);
    const auto shown = data("quarantine-show", {{"id", id}, {"reveal", true}, {"reason", reason}});
    EXPECT_NE(shown.at("text").get<std::string>().find("Wrong"), std::string::npos);
    EXPECT_EQ(newest_link().detail, "quarantine_reveal " + id.dump() + ": " + reason);
    EXPECT_EQ(newest_link().action, audit::Action::disclose);
}

TEST_F(MessageCommands, ShowTextAsItsSenderMeantIt) {
    desk.send_from(anywhere, person(10, "\xA3uk^Ewa"));
    const auto id = data("messages-list", {{"limit", 1}}).at(0).at("id");
    const auto shown = data("messages-show", {{"id", id}, {"reveal", true}, {"reason", reason}});
    EXPECT_NE(shown.at("text").get<std::string>().find("\xC5\x81uk"), std::string::npos) << shown.at("text");
}

TEST_F(MessageCommands, ListsAreBoundedAndHaveANextPage) {
    for (int number = 1; number <= 205; ++number) desk.send_from(anywhere, person(number));
    EXPECT_EQ(data("messages-list", json::object()).size(), 20U);
    const auto page = data("messages-list", {{"limit", 1'000'000}});
    ASSERT_EQ(page.size(), 200U);
    const auto rest = data("messages-list", {{"limit", 200}, {"before", page.back().at("id")}});
    EXPECT_EQ(rest.size(), 5U);
    EXPECT_LT(rest.front().at("id").get<int>(), page.back().at("id").get<int>());
    for (int id = 1'001; id <= 1'025; ++id) send_wrong(anywhere, id);
    const auto items = data("quarantine-list", {{"limit", 22}});
    ASSERT_EQ(items.size(), 22U);
    EXPECT_EQ(data("quarantine-list", {{"before", items.back().at("id")}}).size(), 3U);
}

TEST_F(MessageCommands, ReplayTakesWhatItsSendersNewRulesUnderstand) {
    const auto rule = [&](bool preadmit_is_appointment) {
        desk.name(FeedSettings{
            .name = "medway", .sender = "APP|FAC", .rules = {.preadmit_is_appointment = preadmit_is_appointment}});
    };
    rule(true);
    desk.send_from(anywhere, joined({msh("ADT^A05", "1"), "PID|1||11^^^HOSP^MR||Waitwell^Una||19800101"}));
    const auto items = data("quarantine-list", json::object());
    ASSERT_EQ(items.size(), 1U) << "an appointment without a time is none";
    EXPECT_EQ(items.at(0).at("feed"), "mllp/medway");
    EXPECT_EQ(data("quarantine-replay", {{"all", true}}).at("items").at(0).at("as"), "quarantined");
    rule(false);
    EXPECT_TRUE(data("quarantine-replay", {{"all", true}, {"feed", "other"}}).at("items").empty());
    const auto replayed = data("quarantine-replay", {{"all", true}, {"feed", "medway"}});
    EXPECT_EQ(replayed.at("items").at(0).at("as"), "stored");
    EXPECT_TRUE(desk.number("HOSP|11"));
    EXPECT_TRUE(data("quarantine-replay", {{"all", true}}).at("items").empty()) << "it waits no more";
}

TEST_F(MessageCommands, DiscardSettlesForAReasonTurnByTurn) {
    for (int id = 1; id <= 102; ++id) send_wrong(anywhere, id);
    EXPECT_FALSE(ask("quarantine-discard", {{"all", true}}));
    const auto first = data("quarantine-discard", {{"all", true}, {"reason", reason}});
    EXPECT_EQ(first.at("items").size(), 100U);
    ASSERT_TRUE(first.at("next").is_number());
    const auto last = data("quarantine-discard", {{"all", true}, {"reason", reason}, {"after", first.at("next")}});
    EXPECT_EQ(last.at("items").size(), 2U);
    EXPECT_TRUE(last.at("next").is_null());
    EXPECT_EQ(newest_link().detail, "quarantine_discard " + last.at("items").at(1).at("id").dump() + ": " + reason);
    EXPECT_EQ(desk.read([](records::Snapshot& session) { return records::count_waiting(session); }), 0);
    const auto again = ask("quarantine-discard", {{"id", 1}, {"reason", reason}});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
}

} // namespace
} // namespace clinic::daemon
