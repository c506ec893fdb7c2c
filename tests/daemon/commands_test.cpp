// What clinicctl may ask for and get wrong: said with what to do, and nothing is changed by half.
#include "daemon/commands.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "daemon/crm/comparison.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/seen.h"
#include "sync/envelope/names.h"
#include "tests/daemon/intake/desk.h"

namespace clinic::daemon {
namespace {

using intake::testing::Desk;
using intake::testing::joined;
using intake::testing::msh;
using nlohmann::json;
using testing::HasSubstr;

constexpr uid_t operator_uid = 1'000;

class CommandsTest : public testing::Test {
protected:
    void SetUp() override { health.attach(*desk.store); }
    void TearDown() override {
        setenv("TZ", "UTC", 1);
        tzset();
        health.detach();
    }
    Result<control::Answer> ask(const char* command, const json& args, const std::string& body = {}) {
        return all.at(command).run({.args = args, .body = body, .asker = operator_uid});
    }
    json data(const char* command, const json& args, const std::string& body = {}) {
        const auto answer = ask(command, args, body);
        EXPECT_TRUE(answer) << command << ": " << (answer ? "" : answer.error().what.c_str());
        return answer ? *answer->data : json{};
    }
    // Refused with this to do, and neither the policy nor the audit chain has moved.
    void expect_refused(const char* command, const json& args, const char* remedy, const std::string& body = {}) {
        const auto before = data("basis-show", json::object());
        const auto links = desk.count("SELECT count(*) FROM audit_link");
        const auto answer = ask(command, args, body);
        ASSERT_FALSE(answer) << command << args;
        EXPECT_THAT(std::string{answer.error().what.c_str()} + "; " + answer.error().remedy.c_str(), HasSubstr(remedy));
        EXPECT_EQ(data("basis-show", json::object()), before) << args;
        EXPECT_EQ(desk.count("SELECT count(*) FROM audit_link"), links) << args;
    }

    Desk desk;
    fakes::TempFolder folder;
    health::Health health{{.box = "box-1", .version = "0.1.0", .records = folder.path()}, desk.clock};
    Housekeeping housekeeping{*desk.store, desk.releaser, *desk.feeds, health, desk.clock};
    ContainmentReport containment{{.records = folder.path()}, {}, health};
    control::Commands all =
        commands({*desk.store, desk.releaser, housekeeping, health, containment, *desk.feeds, *desk.ingest});
};

// What leaves until a day that somebody mistyped leaves longer than the agreement says.
TEST_F(CommandsTest, ABasisEndsOnADayThatIs) {
    for (const json& wrong :
         {json("2027-02-30"), json("2027-02-29"), json("2027-04-31"), json("2027-13-01"), json("2027-00-10"),
          json("2027-01-00"), json("2027-1-1"), json("20270101"), json(" 2027-01-01"), json("2027-01-01 "),
          json("2027-01-01T00:00"), json("99999-01-01"), json("-027-01-01"), json("2027--1-01"), json("tomorrow"),
          json(""), json(20'270'101), json(nullptr)})
        expect_refused("basis-set", {{"mode", "baa"}, {"expires", wrong}}, "write it as YYYY-MM-DD", "paper");
    EXPECT_EQ(data("basis-set", {{"mode", "baa"}, {"expires", "2028-02-29"}}, "paper").at("expires"),
              "2028-03-01T00:00:00Z")
        << "the last day still counts";
    setenv("TZ", "America/New_York", 1);
    tzset();
    EXPECT_EQ(data("basis-set", {{"mode", "baa"}, {"expires", "2026-12-31"}}, "paper").at("expires"),
              "2027-01-01T05:00:00Z")
        << "the clinic's day";
    EXPECT_EQ(data("basis-set", {{"mode", "baa"}, {"expires", "2027-03-13"}}, "paper").at("expires"),
              "2027-03-14T05:00:00Z");
    EXPECT_EQ(data("basis-set", {{"mode", "baa"}, {"expires", "2027-03-14"}}, "paper").at("expires"),
              "2027-03-15T04:00:00Z")
        << "a day of 23 hours";
}

TEST_F(CommandsTest, AnAgreementNeedsItsPaperAndItsEnd) {
    const char* remedy = "add --evidence FILE --expires YYYY-MM-DD";
    expect_refused("basis-set", {{"mode", "baa"}}, remedy);
    expect_refused("basis-set", {{"mode", "baa"}, {"expires", "2027-12-31"}}, remedy);
    expect_refused("basis-set", {{"mode", "baa"}}, remedy, "paper");
    for (const json& wrong : {json("BAA"), json(""), json("none"), json(1)})
        expect_refused("basis-set", {{"mode", wrong}}, "off, deid, authorized, baa or consumer_consent");
    const auto set = data("basis-set", {{"mode", "baa"}, {"expires", "2027-12-31"}}, "paper");
    EXPECT_EQ(set.at("in_effect"), "baa");
    EXPECT_EQ(data("basis-set", {{"mode", "off"}}).at("in_effect"), "off");
    expect_refused("basis-set", {{"mode", "baa"}}, remedy, "another paper");
    EXPECT_EQ(data("basis-set", {{"mode", "baa"}}), set) << "what is on file needs no paper again";
}

TEST_F(CommandsTest, AnAgreementThatHasEndedLetsNothingOut) {
    const auto set = data("basis-set", {{"mode", "baa"}, {"expires", "2020-12-31"}}, "paper");
    EXPECT_EQ(set.at("mode"), "baa");
    EXPECT_EQ(set.at("in_effect"), "off");
}

TEST_F(CommandsTest, WordsThatAreNoneAreRefused) {
    expect_refused("policy-unlinked", {{"mode", "both"}}, "park or shell");
    expect_refused("policy-unlinked", json::object(), "park or shell");
    expect_refused("import", {{"kind", "people"}}, "patients, appointments or consents", "record_number\n1\n");
    expect_refused("import", {{"kind", "patients"}}, "", "no such column\n1\n");
    const json reason{{"reason", "asked to"}};
    for (const char* command : {"sync-dead-retry", "sync-dead-discard"}) {
        auto args = reason;
        expect_refused(command, args, "--class, or --all");
        args["class"] = "http_422";
        expect_refused(command, args, "refused, gone, duplicate");
        args = reason;
        args["number"] = 4'711;
        expect_refused(command, args, "clinicctl sync dead list");
    }
    expect_refused("sync-dead-discard", {{"all", true}}, "--reason");
    EXPECT_EQ(data("sync-dead-discard", {{"all", true}, {"reason", "asked to"}}).at("discarded"), 0);
    expect_refused("ledger", {{"day", "yesterday"}}, "YYYY-MM-DD");
    expect_refused("ledger", {{"kind", "patient"}}, "contact.state");
    expect_refused("ledger", {{"number", "4711"}}, "no patient has this record number");
    expect_refused("ledger", {{"pid", "p_00000000000000000000000000"}}, "ce_pid");
    expect_refused("policy-preview", {{"after", "01900000-0000-7000-8000-000000000000"}, {"basis", "none"}}, "baa");
    expect_refused("policy-preview", {{"pipeline", "yes"}}, "on or off");
    expect_refused("policy-preview", {{"bookings", "on"}}, "off, states or times");
}

TEST_F(CommandsTest, WhatWasSetAsideIsShownWithWhatToDoAndSentAgainOrGivenUp) {
    data("basis-set", {{"mode", "baa"}, {"expires", "2028-02-29"}}, "paper");
    data("policy-unlinked", {{"mode", "shell"}});
    data("import", {{"kind", "patients"}}, "record_number,family_name\n1,Waitwell\n2,Quillfeather\n");
    const auto die = [&](const char* code) {
        EXPECT_TRUE(desk.store->write([&](records::Transaction& txn) -> Result<void> {
            const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
            CLINIC_TRY(lease);
            CLINIC_TRY(outbox::Ledger::open_line(
                txn, std::nullopt, {(*lease)->lease, envelope::Route::contact_create, "/contacts/", "{}"}, "open"));
            return outbox::Outbox::kill(txn, (*lease)->lease, code);
        }));
    };
    die("http_422");
    die("duplicate");
    const auto all = data("sync-dead-list", json::object());
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(data("sync-dead-list", {{"class", "refused"}}).size(), 1U);
    const auto number = data("sync-dead-list", {{"class", "refused"}}).at(0).at("number");
    const auto links = desk.count("SELECT count(*) FROM audit_link");
    const auto one = data("sync-dead-show", {{"number", number}});
    EXPECT_EQ(desk.count("SELECT count(*) FROM audit_link"), links + 1) << "who looked";
    EXPECT_EQ(one.at("class"), "refused");
    EXPECT_EQ(one.at("kind"), "contact.state");
    EXPECT_EQ(one.at("attempts"), 1);
    EXPECT_EQ(one.at("requests").at(0).at("route"), "contact_create");
    EXPECT_EQ(one.at("envelope").at("kind"), "contact.state");
    EXPECT_THAT(one.at("next").get<std::string>(), HasSubstr("clinicctl sync dead retry --class refused"));

    const auto status = data("sync-status", json::object());
    EXPECT_EQ(status.at("dead").size(), 2U);
    EXPECT_EQ(status.at("books").at("dead"), 2);
    EXPECT_EQ(status.at("next_try_at"), json{});

    EXPECT_EQ(data("sync-dead-retry", {{"class", "duplicate"}}).at("retried"), 1);
    const auto waits = data("sync-status", json::object());
    EXPECT_EQ(waits.at("waiting").at("kinds").at(0).at("kind"), "contact.state");
    EXPECT_NE(waits.at("next_try_at"), json{});
    EXPECT_EQ(data("sync-dead-discard", {{"number", number}, {"reason", "asked to"}}).at("discarded"), 1);
    EXPECT_EQ(data("sync-dead-list", json::object()).size(), 0U);
}

TEST_F(CommandsTest, AFullComparisonIsAskedForOnceAndARepairNamesItsKind) {
    const auto dry = data("sync-compare", {{"dry_run", true}});
    EXPECT_EQ(dry.at("asked"), false);
    EXPECT_EQ(dry.at("under_way"), json{});
    EXPECT_EQ(dry.at("last"), json{});
    EXPECT_EQ(dry.at("percent"), json{});
    EXPECT_EQ(dry.at("kinds").size(), crm::every_kind.size());
    const auto asked = data("sync-compare", json::object());
    EXPECT_EQ(asked.at("under_way").at("by"), "operator");
    EXPECT_EQ(asked.at("under_way").at("step"), "waits");
    EXPECT_EQ(data("sync-compare", json::object()).at("under_way").at("number"), asked.at("under_way").at("number"));
    expect_refused("sync-repair", json::object(), "--kind fields, tags");
    expect_refused("sync-repair", {{"kind", "all"}}, "--kind fields, tags");
    EXPECT_EQ(data("sync-repair", {{"kind", "gone"}, {"dry_run", true}}).at("found"), 0);
}

TEST_F(CommandsTest, TheTemplateSaysWhatTheTagsMeanAndHowLongThingsAreKept) {
    const auto before = data("template-show", json::object());
    EXPECT_TRUE(before.at("title").is_null());
    EXPECT_EQ(before.at("retention"), (json{{"quarantine_days", 30}, {"dead_letter_days", 90}, {"ledger_years", 6}}));
    json chosen{{"id", "dental"},
                {"title", "Dental practice"},
                {"retention", {{"quarantine_days", 14}, {"dead_letter_days", 60}, {"ledger_years", 10}}}};
    for (const char* word : envelope::vocabulary) chosen["vocabulary"][word] = "what it means";
    auto wrong = chosen;
    wrong["vocabulary"].erase("recall_due");
    expect_refused("template-take", wrong, "no template");
    wrong = chosen;
    wrong["retention"]["ledger_years"] = 5;
    expect_refused("template-take", wrong, "6 to 10 years");
    EXPECT_TRUE(data("template-show", json::object()).at("title").is_null()) << "nothing of it was taken";
    data("template-take", chosen);
    EXPECT_EQ(data("template-show", json::object()), chosen);
}

TEST_F(CommandsTest, TheLedgerIsReadByPersonDayAndKindAndWhoReadItStandsInTheChain) {
    data("basis-set", {{"mode", "baa"}, {"expires", "2028-02-29"}}, "paper");
    data("policy-unlinked", {{"mode", "shell"}});
    data("import", {{"kind", "patients"}}, "record_number,family_name\n1,Waitwell\n2,Quillfeather\n");
    std::string pid;
    EXPECT_TRUE(desk.store->write([&](records::Transaction& txn) -> Result<void> {
        const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
        CLINIC_TRY(lease);
        const auto open = outbox::Outbox::leased(txn, (*lease)->lease);
        CLINIC_TRY(open);
        pid = open->front().envelope.text(envelope::Field::pid);
        const auto line = outbox::Ledger::open_line(
            txn, open->front().patient, {(*lease)->lease, envelope::Route::contact_create, "/contacts/", "{}"}, "open",
            R"({"path":"/contacts/","fields":{"ce_stage":"new"}})");
        return line ? Result<void>{} : line.error();
    }));
    const auto links = desk.count("SELECT count(*) FROM audit_link");
    const auto subjects = desk.count("SELECT count(*) FROM audit_subject");
    const auto of_one = data("ledger", {{"pid", pid}});
    EXPECT_EQ(desk.count("SELECT count(*) FROM audit_link"), links + 1);
    EXPECT_EQ(desk.count("SELECT count(*) FROM audit_subject"), subjects + 1) << "about whom";
    ASSERT_EQ(of_one.at("lines").size(), 1U);
    EXPECT_EQ(of_one.at("pid"), pid);
    EXPECT_EQ(of_one.at("next"), json{});
    const auto& line = of_one.at("lines").at(0);
    EXPECT_EQ(line.at("kind"), "contact.state");
    EXPECT_EQ(line.at("destination"), "crm");
    EXPECT_EQ(line.at("fields"), (json{{"ce_stage", "new"}}));
    const std::string today = line.at("at").get<std::string>().substr(0, 10);
    EXPECT_EQ(data("ledger", {{"day", today}}).at("lines").size(), 1U);
    EXPECT_EQ(data("ledger", {{"day", "2001-01-01"}}).at("lines").size(), 0U);
    EXPECT_EQ(data("ledger", {{"kind", "appt.state"}}).at("lines").size(), 0U);
    std::size_t found = 0;
    for (const char* number : {"1", "2"}) found += data("ledger", {{"number", number}}).at("lines").size();
    EXPECT_EQ(found, 1U) << "one of the two";
}

// What would leave and what not, by kind and reason; and the policy, the outbox and the books are as before.
TEST_F(CommandsTest, APolicyIsPreviewedAndNothingIsChanged) {
    data("import", {{"kind", "patients"}}, "record_number,family_name\n1,Waitwell\n2,Quillfeather\n");
    const auto before = data("basis-show", json::object());
    const auto seen = data("policy-preview", {{"basis", "baa"}, {"unlinked", "shell"}});
    EXPECT_EQ(seen.at("patients"), 2);
    EXPECT_EQ(seen.at("now").at("leaves"), json::object());
    EXPECT_EQ(seen.at("now").at("stays"), (json{{"contact.state", {{"basis_off", 2}}}}));
    EXPECT_EQ(seen.at("then").at("leaves"), (json{{"contact.state", 2}}));
    EXPECT_EQ(seen.at("next"), json{});
    const auto parked = data("policy-preview", {{"basis", "baa"}}).at("then").at("stays");
    EXPECT_EQ(parked, (json{{"contact.state", {{"no_contact", 2}}}}));
    const auto with_cases =
        data("policy-preview", {{"basis", "baa"}, {"unlinked", "shell"}, {"pipeline", "on"}, {"bookings", "times"}});
    EXPECT_EQ(with_cases.at("now"), seen.at("now"));
    EXPECT_EQ(with_cases.at("then").at("leaves"), (json{{"case.state", 2}, {"contact.state", 2}}));
    EXPECT_EQ(with_cases.at("then").at("fields").at("case.state"), (json{{"stage", 2}, {"outcome", 2}}));
    EXPECT_EQ(data("policy-preview", {{"basis", "authorized"}}).at("then").at("stays"),
              (json{{"contact.state", {{"no_consent", 2}}}}));
    EXPECT_EQ(data("basis-show", json::object()), before);
    EXPECT_EQ(desk.count("SELECT count(*) FROM outbox"), 0);
    desk.clock.advance(std::chrono::hours{24 * 31});
    EXPECT_EQ(data("policy-preview", {{"basis", "baa"}, {"days", 30}}).at("patients"), 0) << "nothing changed since";
}

TEST_F(CommandsTest, AFileWithFaultsNeedsALook) {
    for (const char* kind : {"patients", "appointments", "consents"}) {
        const auto answer =
            ask("import", {{"kind", kind}},
                std::string{kind} == "patients"       ? "record_number\n1\n"
                : std::string{kind} == "appointments" ? "appointment_id,record_number\nA,2\n"
                                                      : "record_number,scope,state\n1,crm_sync,granted\n");
        ASSERT_TRUE(answer) << kind;
        EXPECT_EQ(answer->exit, std::string{kind} == "appointments" ? 2 : 0) << *answer->data;
    }
}

TEST_F(CommandsTest, AFeedIsAddedOnceAndOnlyAKnownOneIsChanged) {
    const json pms{{"name", "pms"}, {"addresses", {"192.0.2.1"}}};
    data("feed-add", pms);
    expect_refused("feed-add", pms, "there is a feed of that name; change it with: clinicctl feed set");
    for (const char* command : {"feed-show", "feed-set", "feed-remove"})
        expect_refused(command, {{"name", "other"}}, "no such feed; look at: clinicctl feed list");
    expect_refused("feed-set", {{"name", "pms"}, {"addresses", {"somewhere"}}}, "");
    EXPECT_EQ(data("feed-show", {{"name", "pms"}}).at("addresses"), json{"192.0.2.1"}) << "as it was";
}

TEST_F(CommandsTest, AFeedThatIsExpectedToSendIsSilentWhenItDoesNot) {
    data("feed-add", {{"name", "pms"}, {"addresses", {"192.0.2.1"}}, {"expect", "2h"}});
    const auto is_silent = [&] {
        return data("feed-list", json::object()).at("feeds").at(0).at("books").at("silent").get<bool>();
    };
    desk.clock.advance(std::chrono::hours{2});
    EXPECT_FALSE(is_silent());
    desk.clock.advance(std::chrono::seconds{1});
    EXPECT_TRUE(is_silent()) << "it never sent, and two hours are over since somebody expected it to";
    data("feed-set", {{"name", "pms"}, {"sender", "A|B"}});
    EXPECT_TRUE(is_silent()) << "another setting does not begin anew";
    EXPECT_EQ(data("feed-set", {{"name", "pms"}, {"expect", "3h"}}).at("expect"), "3h");
    EXPECT_FALSE(is_silent());
    expect_refused("feed-set", {{"name", "pms"}, {"expect", "often"}}, "10m to 31d");
    expect_refused("feed-set", {{"name", "pms"}, {"hours", "9-5"}}, "mon-fri 08:00-18:00, or always");
    data("feed-set", {{"name", "pms"}, {"expect", "none"}});
    desk.clock.advance(std::chrono::hours{1'000});
    EXPECT_FALSE(is_silent());
}

// Stored feeds that cannot be read are not taken for none: adding one would be the end of the others.
TEST_F(CommandsTest, FeedsThatCannotBeReadAreNotWrittenOver) {
    data("feed-add", {{"name", "pms"}, {"addresses", {"192.0.2.1"}}});
    const auto spoil = [&](std::string_view text) {
        EXPECT_TRUE(desk.store->write([&](records::Transaction& txn) -> Result<void> {
            auto change = txn.prepare("UPDATE setting SET value = ? WHERE key = 'feeds'");
            CLINIC_TRY(change);
            CLINIC_TRY(change->bind(text).run());
            EXPECT_EQ(txn.changed_rows(), 1);
            return {};
        }));
    };
    spoil("[{");
    for (const char* command : {"feed-add", "feed-set", "feed-remove"})
        expect_refused(command, {{"name", "lab"}, {"addresses", {"192.0.2.2"}}}, "the stored feeds are not as written");
}

// What the setup's test asks is answered of its own test person, and of nobody else.
TEST_F(CommandsTest, TheSetupsTestPersonIsFollowedAndNobodyElse) {
    data("basis-set", {{"mode", "baa"}, {"expires", "2028-02-29"}}, "paper");
    data("policy-unlinked", {{"mode", "shell"}});
    EXPECT_EQ(data("setup-person-look", {{"number", "CE-TEST-1"}}).at("known"), false);
    data("import", {{"kind", "patients"}}, "record_number,family_name\nCE-TEST-1,Test\n7,Waitwell\n");
    const auto said = data("setup-person-look", {{"number", "CE-TEST-1"}});
    EXPECT_EQ(said.at("known"), true);
    EXPECT_EQ(said.at("waits"), true);
    EXPECT_EQ(said.at("delivered"), false);
    EXPECT_EQ(said.at("attempts"), json::array());
    for (const json& other : {json("7"), json("CE-TEST-" + std::string(40, '1')), json(7)})
        expect_refused("setup-person-look", {{"number", other}}, "no test person");
}

TEST_F(CommandsTest, TheSetupsEventIsFollowedUntilItIsAcknowledged) {
    const auto look = [&](std::int64_t after) {
        EXPECT_TRUE(
            desk.store->write([](records::Transaction&) -> Result<void> { return {}; })); // behind what is posted
        return data("setup-event-look", {{"after", after}});
    };
    const auto first = data("setup-event", json::object()).at("after").get<std::int64_t>();
    EXPECT_EQ(look(first), (json{{"stored", true}, {"acknowledged", false}}));
    health.acknowledge_events(INT64_MAX);
    EXPECT_EQ(look(first), (json{{"stored", true}, {"acknowledged", true}}));
    const auto second = data("setup-event", json::object()).at("after").get<std::int64_t>();
    EXPECT_EQ(look(second).at("acknowledged"), false) << "another one is not the first";
}

TEST_F(CommandsTest, WhoWasTurnedAwayIsListedWithItsAddress) {
    const intake::Address stranger{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 168, 1, 20};
    desk.feeds->turned_away().note(stranger, false, desk.clock.now());
    desk.feeds->turned_away().note(stranger, false, desk.clock.now());
    for (std::uint8_t i = 1; i < intake::turned_away_max; ++i)
        desk.feeds->turned_away().note({0xFD, i}, true, desk.clock.now());
    const auto one = data("feed-list", json::object()).at("turned_away").at(0);
    EXPECT_EQ(one.at("address"), "192.168.1.20");
    EXPECT_EQ(one.at("times"), 2);
    EXPECT_EQ(one.at("by_tls"), false);
    desk.feeds->turned_away().note({0xFE}, false, desk.clock.now());
    const auto rows = data("feed-list", json::object()).at("turned_away");
    EXPECT_EQ(rows.size(), intake::turned_away_max);
    EXPECT_EQ(rows.back().at("address"), "fe00::") << "the oldest went";
}

TEST_F(CommandsTest, WithoutRecordsTheStatusIsSaidAndTheRestIsRefused) {
    health.detach();
    health.records_closed(Error{Errc::locked, "the key does not open the store"});
    const auto closed = commands(health, containment);
    const json none = json::object();
    const control::Question question{.args = none, .body = {}, .asker = operator_uid};
    const auto status = closed.at("status").run(question);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->data->at("mode"), "locked");
    EXPECT_NE(status->exit, 0) << "a script must not take it for well";
    EXPECT_TRUE(closed.at("containment").run(question));
    json checks = json::array();
    for (const auto& one : health::declared_checks()) checks.push_back({{"id", one.id.c_str()}, {"result", "ok"}});
    const json told{{"checks", std::move(checks)}};
    EXPECT_TRUE(closed.at("checks-tell").run({.args = told, .body = {}, .asker = operator_uid}));
    EXPECT_TRUE(closed.at("metrics").run(question));
    EXPECT_EQ(closed.size(), 5U);
    const auto other = closed.at(control::any_other).run(question);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::locked);
    EXPECT_STREQ(other.error().remedy.c_str(), "see why, and what to do: clinicctl status");
    health.attach(*desk.store);
}

TEST_F(CommandsTest, ResultsOfOtherChecksAreRefusedWhole) {
    json checks = json::array();
    for (const auto& one : health::declared_checks()) checks.push_back({{"id", one.id.c_str()}, {"result", "fail"}});
    auto more = checks;
    more[0]["said"] = "of the machine";
    expect_refused("checks-tell", {{"checks", more}}, "restart clinicd");
    expect_refused("checks-tell", json::object(), "restart clinicd");
    EXPECT_EQ(health.status_of_now().checks.age_s, -1);
    EXPECT_EQ(data("checks-tell", {{"checks", checks}}).at("taken"), health::checks_declared);
    EXPECT_EQ(health.status_of_now().checks.age_s, 0);
}

} // namespace
} // namespace clinic::daemon
