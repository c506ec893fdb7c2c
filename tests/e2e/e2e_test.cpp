// The main job from end to end, on the product as `packaging/try` runs it: real mosquitto, real TLS, two processes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <set>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr const char* field_pid = "CEpid00000000000000A";
const std::map<std::string, std::string> field_ids{{"stage", "CEstage000000000000B"},
                                                   {"last", "CElast0000000000000C"},
                                                   {"next", "CEnext0000000000000D"},
                                                   {"appt_status", "CEapptstatus0000000E"},
                                                   {"appt_when", "CEapptwhen000000000F"}};

std::string field(const json& contact, const std::string& id) {
    for (const auto& one : contact.value("customFields", json::array()))
        if (one.value("id", std::string{}) == id) return one.value("value", std::string{});
    return "";
}

bool tagged(const json& contact, const std::string& tag) {
    const auto tags = contact.value("tags", json::array());
    return std::find(tags.begin(), tags.end(), json(tag)) != tags.end();
}

bool balanced(const json& status) {
    const auto& crm = status.at("egress").at("crm");
    std::int64_t sum = 0;
    for (const char* key : {"pending", "leased", "delivered", "superseded", "withdrawn", "parked", "dead", "discarded"})
        sum += crm.at(key).get<std::int64_t>();
    bool feeds = true;
    for (const auto& [name, feed] : status.at("intake").items())
        feeds = feeds && feed.at("received") ==
                             feed.at("stored").get<std::int64_t>() + feed.at("quarantined").get<std::int64_t>() +
                                 feed.at("refused").get<std::int64_t>() + feed.at("duplicate").get<std::int64_t>();
    return feeds && crm.at("released") == sum;
}

class EndToEnd : public testing::Test {
protected:
    static void SetUpTestSuite() { box_ = std::make_unique<Box>(); }
    static void TearDownTestSuite() { box_.reset(); }
    static Box& box() { return *box_; }

    // A control id and a patient number that no other case uses.
    static std::string fresh(const std::string& letter) {
        return letter + std::to_string(std::time(nullptr)) + "X" + std::to_string(++counter_);
    }

    static bool settled() {
        const auto status = box().status();
        if (!status.contains("egress")) return false;
        const auto& crm = status["egress"]["crm"];
        return crm["pending"] == 0 && crm["leased"] == 0;
    }
    // The contact that appeared since `before`: the test's own patient.
    static json new_contact(const std::set<std::string>& before) {
        for (const auto& contact : box().contacts())
            if (!before.contains(contact.at("id").get<std::string>())) return contact;
        return nullptr;
    }
    static json contact(const std::string& id) {
        for (const auto& one : box().contacts())
            if (one.at("id") == id) return one;
        return nullptr;
    }
    static std::set<std::string> known() {
        std::set<std::string> ids;
        for (const auto& one : box().contacts()) ids.insert(one.at("id").get<std::string>());
        return ids;
    }
    // A patient of our own with a shell at GHL; its contact id.
    static std::string admit(const std::string& number, const std::string& family, const std::string& given) {
        const auto before = known();
        EXPECT_NE(box().send(adt("A28", fresh("C"), number, family, given)).find("MSA|AA|"), std::string::npos);
        EXPECT_TRUE(eventually([&] { return !new_contact(before).is_null() && settled(); }));
        const auto made = new_contact(before);
        return made.is_null() ? "" : made.at("id").get<std::string>();
    }
    static void basis(const std::string& words) { EXPECT_EQ(box().ctl("basis set " + words).exit, 0) << words; }

    static inline std::unique_ptr<Box> box_;
    static inline int counter_ = 0;
};

TEST_F(EndToEnd, AMessageIsKeptAnsweredReleasedAndShown) {
    const std::string number = fresh("N");
    const std::string contact_id = admit(number, "Quillfeather", "Ottoline");
    EXPECT_NE(box()
                  .send(siu("S12", fresh("C"), number, "Quillfeather", "Ottoline", fresh("A"), 5 * 86'400, "Booked"))
                  .find("MSA|AA|"),
              std::string::npos);
    EXPECT_TRUE(eventually([&] { return field(contact(contact_id), field_ids.at("appt_status")) == "booked"; }));

    const auto held = contact(contact_id);
    EXPECT_EQ(held.at("firstName"), field(held, field_pid));
    EXPECT_EQ(held.value("dnd", false), true);
    EXPECT_EQ(field(held, field_ids.at("stage")), "new");
    EXPECT_EQ(field(held, field_ids.at("appt_when")), "d3_7");
    EXPECT_TRUE(tagged(held, "ce-new-patient"));

    EXPECT_TRUE(eventually([] { return settled() && balanced(box().status()); }));
    const int stored = box().status().at("intake").at("mllp").at("stored").get<int>();
    EXPECT_GE(stored, 2);
    const std::string shown = "data-show=\"n:intake.mllp.stored\">" + std::to_string(stored) + "<";
    EXPECT_NE(box().page("/").find(shown), std::string::npos) << shown;
    EXPECT_LT(box().ctl("status").exit, 2);
    EXPECT_EQ(box().ctl("audit verify").exit, 0);
}

TEST_F(EndToEnd, NoNameLeavesAndNoneIsReadableOnTheDisk) {
    const std::string number = fresh("N");
    admit(number, "Zwirnhuber", "Kunigunde");
    EXPECT_TRUE(eventually([] { return settled(); }));
    const auto found =
        run("grep -rliE 'zwirnhuber|kunigunde|" + number + "' " + box().folder().string() + " --exclude-dir=bin");
    EXPECT_EQ(found.out, "");
    EXPECT_EQ(run("grep -c 'SQLite format 3' " + box().folder().string() + "/records/records.db").out, "0\n");
}

TEST_F(EndToEnd, CentralOpsHearsOfTheBox) {
    const std::string state = box().mqtt("clinic/demo-1/state", 1);
    EXPECT_NE(state.find("\"online\":true"), std::string::npos) << state;
    const std::string metrics = box().mqtt("clinic/demo-1/up/v1/metrics", 1);
    EXPECT_NE(metrics.find("\"data\""), std::string::npos) << metrics;
    EXPECT_EQ(metrics.find("p_"), std::string::npos);
}

TEST_F(EndToEnd, CsvComesInAndABadLineIsNamed) {
    const std::string number = fresh("N");
    const auto before = known();
    const auto good = box().ctl_with_file("import patients {}", "record_number,family_name,given_name,birth_date\n" +
                                                                    number + ",Ravenscroft,Mabel,1971-05-06\n");
    EXPECT_EQ(good.exit, 0) << good.out;
    EXPECT_TRUE(eventually([&] { return !new_contact(before).is_null(); }));
    const auto bad = box().ctl_with_file("import patients {}", "record_number,family_name,given_name,birth_date\n" +
                                                                   fresh("N") + ",Ravenscroft,Maud,someday\n");
    EXPECT_EQ(bad.exit, 2);
    EXPECT_NE(bad.out.find("line 2"), std::string::npos) << bad.out;
    EXPECT_EQ(bad.out.find("Ravenscroft"), std::string::npos);
    const auto again = box().ctl_with_file("import patients {}", "record_number,family_name,given_name,birth_date\n" +
                                                                     number + ",Ravenscroft,Mabel,1971-05-06\n");
    EXPECT_EQ(again.exit, 0) << again.out;
    EXPECT_TRUE(balanced(box().status()));
    EXPECT_TRUE(eventually([] { return box().status().at("intake").at("csv").at("duplicate").get<int>() == 1; }));
    const std::string id = new_contact(before).at("id").get<std::string>();
    const std::string next_year = std::to_string(std::stoi(run("date -u +%Y").out) + 1);
    const auto booked =
        box().ctl_with_file("import appointments {}", "appointment_id,record_number,start,status\n" + fresh("A") + "," +
                                                          number + "," + next_year + "-12-01T09:00,booked\n");
    EXPECT_EQ(booked.exit, 0) << booked.out;
    EXPECT_TRUE(eventually([&] { return field(contact(id), field_ids.at("appt_status")) == "booked"; }));
}

TEST_F(EndToEnd, AMergeArchivesTheOldContactAndTheSurvivorGoesOn) {
    const std::string survivor = fresh("N"), prior = fresh("N");
    const std::string kept = admit(survivor, "Mergewell", "Sibyl");
    const std::string old = admit(prior, "Mergewell", "Sybil");
    std::string message = adt("A40", fresh("C"), survivor, "Mergewell", "Sibyl") + "MRG|" + prior + "^^^CLINIC^MR\r";
    EXPECT_NE(box().send(message).find("MSA|AA|"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return field(contact(old), field_ids.at("stage")) == "archived"; }));
    EXPECT_NE(box()
                  .send(siu("S12", fresh("C"), prior, "Mergewell", "Sibyl", fresh("A"), 20 * 86'400, "Booked"))
                  .find("MSA|AA|"),
              std::string::npos);
    EXPECT_TRUE(eventually([&] { return field(contact(kept), field_ids.at("appt_when")) == "d8_30"; }));
    EXPECT_EQ(field(contact(old), field_ids.at("appt_when")), "none");
}

TEST_F(EndToEnd, AWithdrawnConsentSuppressesOnceAndStopsTheRest) {
    const std::string number = fresh("N");
    const std::string id = admit(number, "Thistlewood", "Agnes");
    const auto imported = box().ctl_with_file("import consents {}", "record_number,scope,state,given_on\n" + number +
                                                                        ",crm_sync,revoked,2026-11-01\n");
    EXPECT_EQ(imported.exit, 0) << imported.out;
    EXPECT_TRUE(eventually([&] {
        return tagged(contact(id), "ce-do-not-contact") && field(contact(id), field_ids.at("stage")) == "archived" &&
               settled();
    }));
    const auto requests = box().requests().size();
    EXPECT_NE(box()
                  .send(siu("S12", fresh("C"), number, "Thistlewood", "Agnes", fresh("A"), 86'400, "Booked"))
                  .find("MSA|AA|"),
              std::string::npos);
    EXPECT_TRUE(eventually([] { return settled(); }));
    const auto all = box().requests();
    EXPECT_TRUE(std::none_of(all.begin() + static_cast<std::ptrdiff_t>(requests), all.end(), [&](const json& one) {
        return one.at("path").get<std::string>().find(id) != std::string::npos;
    }));
}

TEST_F(EndToEnd, EachBasisLetsOutWhatItMay) {
    const std::string number = fresh("N");
    basis("off");
    auto before = known();
    EXPECT_NE(box().send(adt("A28", fresh("C"), number, "Basiliou", "Petra")).find("MSA|AA|"), std::string::npos);
    for (const char* closed : {"deid", "authorized", "consumer_consent"}) {
        basis(closed);
        EXPECT_EQ(box().ctl("release daily").exit, 0);
        EXPECT_TRUE(eventually([] { return settled(); }));
        EXPECT_TRUE(new_contact(before).is_null()) << closed;
    }
    EXPECT_EQ(box()
                  .ctl_with_file("import consents {}",
                                 "record_number,scope,state,given_on\n" + number + ",crm_sync,granted,2026-11-01\n")
                  .exit,
              0);
    EXPECT_TRUE(eventually([&] { return !new_contact(before).is_null(); })) << "consumer_consent with consent";
    basis("authorized");
    EXPECT_EQ(box().ctl("release daily").exit, 0);
    EXPECT_TRUE(eventually([] { return settled(); }));
    EXPECT_NE(field(new_contact(before), field_ids.at("stage")), "archived") << "authorized with consent";
    before = known();
    const std::string signed_one = fresh("N");
    EXPECT_NE(box().send(adt("A28", fresh("C"), signed_one, "Basiliou", "Thekla")).find("MSA|AA|"), std::string::npos);
    EXPECT_TRUE(eventually([] { return settled(); }));
    EXPECT_TRUE(new_contact(before).is_null()) << "authorized, and not signed yet";
    EXPECT_EQ(box()
                  .ctl_with_file("import consents {}",
                                 "record_number,scope,state,given_on\n" + signed_one + ",crm_sync,granted,2026-11-01\n")
                  .exit,
              0);
    EXPECT_TRUE(eventually([&] { return !new_contact(before).is_null(); })) << "authorized and signed";
    basis("baa");
    before = known();
    EXPECT_NE(box().send(adt("A28", fresh("C"), fresh("N"), "Basiliou", "Pavlos")).find("MSA|AA|"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return !new_contact(before).is_null(); })) << "baa";
}

TEST_F(EndToEnd, TheDailyJobSaysThatABucketMoved) {
    const std::string number = fresh("N");
    const std::string id = admit(number, "Tidewater", "Cora");
    EXPECT_NE(box()
                  .send(siu("S12", fresh("C"), number, "Tidewater", "Cora", fresh("A"), 4 - 12 * 3'600, "Booked"))
                  .find("MSA|AA|"),
              std::string::npos);
    EXPECT_TRUE(eventually([&] { return !field(contact(id), field_ids.at("appt_when")).empty() && settled(); }));
    EXPECT_NE(field(contact(id), field_ids.at("next")), "none");
    // An open appointment counts for twelve hours; nothing arrives any more, and they pass.
    EXPECT_TRUE(eventually([&] {
        EXPECT_EQ(box().ctl("release daily").exit, 0);
        return field(contact(id), field_ids.at("next")) == "none";
    }));
}

TEST_F(EndToEnd, AnEffectWithoutAnAnswerIsNotDoneTwice) {
    for (const char* fault : {"timeout-after-effect", "422-but-created", "5xx", "rate-limited", "html-body"}) {
        box().fault(fault, 1);
        const auto before = known();
        EXPECT_NE(box().send(adt("A28", fresh("C"), fresh("N"), "Onceonly", "Theodora")).find("MSA|AA|"),
                  std::string::npos);
        EXPECT_TRUE(eventually([&] { return !new_contact(before).is_null() && settled(); }, 90)) << fault;
        EXPECT_EQ(known().size(), before.size() + 1) << fault;
    }
    std::set<std::string> markers;
    for (const auto& one : box().contacts())
        EXPECT_TRUE(markers.insert(field(one, field_pid)).second) << "two contacts with one marker";
    EXPECT_TRUE(balanced(box().status()));
}

TEST_F(EndToEnd, AKilledProcessIsBackAndTheBooksBalance) {
    for (const char* program : {"clinicd", "clinic-syncd", "clinicd"}) {
        const std::string number = fresh("N");
        const auto before = known();
        EXPECT_NE(box().send(adt("A28", fresh("C"), number, "Resurgam", "Leonie")).find("MSA|AA|"), std::string::npos);
        EXPECT_TRUE(box().kill_program(program));
        EXPECT_TRUE(eventually([&] { return !new_contact(before).is_null() && settled(); }, 60)) << program;
        EXPECT_EQ(known().size(), before.size() + 1) << program;
        EXPECT_TRUE(balanced(box().status()));
    }
    EXPECT_EQ(box().ctl("audit verify").exit, 0);
}

TEST_F(EndToEnd, EveryPartOfNoWayOutHolds) {
    // Without root there is one user, and the part that says so does not hold.
    if (geteuid() != 0) GTEST_SKIP() << "two users need root";
    const auto status = json::parse(box().ctl("status --json").out);
    ASSERT_TRUE(status.contains("containment"));
    for (const auto& part : status["containment"]["parts"]) EXPECT_EQ(part.value("holds", false), true) << part.dump();
    const auto peek = run("setpriv --reuid=61702 --regid=61702 --clear-groups cat " + box().folder().string() +
                          "/records/records.db");
    EXPECT_NE(peek.exit, 0);
    EXPECT_NE(peek.out.find("Permission denied"), std::string::npos);
}

TEST_F(EndToEnd, WhatItDoesNotOfferItRefuses) {
    EXPECT_NE(box().page("/api/v1/patients").find(" 404 "), std::string::npos);
    const auto posted = run("curl --silent --include --max-time 10 -X POST -d '{}' --cacert " +
                            box().endpoints().at("console_ca").get<std::string>() + " " +
                            box().endpoints().at("console").get<std::string>() + "/api/v1/status");
    EXPECT_EQ(posted.out.find(" 200 "), std::string::npos);
    EXPECT_NE(box().page("/metrics").find("# TYPE"), std::string::npos);
    EXPECT_NE(box().page("/api/health").find(" 200 "), std::string::npos);
}

// A wrong key: the box says so, answers its senders that they must keep their messages, and makes no new store.
TEST_F(EndToEnd, YAWrongKeyLocksTheBoxAndLosesNothing) {
    const auto key = box().folder() / "keys" / "store.key";
    const auto kept = box().folder() / "keys" / "store.key.kept";
    const auto contacts = known();
    run("cp -p " + key.string() + " " + kept.string() + " && openssl rand -hex 32 > " + key.string());
    EXPECT_TRUE(box().kill_program("clinicd"));
    EXPECT_TRUE(eventually([] { return box().status().value("mode", "") == "locked"; }));
    EXPECT_NE(box().send(adt("A28", fresh("C"), fresh("N"), "Waitwell", "Una")).find("MSA|AE|"), std::string::npos);
    EXPECT_EQ(box().ctl("status").exit, 2);
    for (const char* command :
         {"feed list", "messages list", "quarantine replay --all", "sync dead list", "audit verify"}) {
        const auto said = box().ctl(command);
        EXPECT_EQ(said.exit, 2) << command;
        EXPECT_NE(said.out.find("the records are closed"), std::string::npos) << command << ": " << said.out;
    }
    EXPECT_NE(box().page("/").find(" 200 "), std::string::npos);
    run("cp -p " + kept.string() + " " + key.string());
    EXPECT_TRUE(box().kill_program("clinicd"));
    EXPECT_TRUE(eventually([] { return box().status().value("mode", "") == "running"; }));
    EXPECT_TRUE(balanced(box().status()));
    EXPECT_EQ(known(), contacts);
}

// Last: it stops the box and starts it again.
TEST_F(EndToEnd, ZStopLeavesNothingAndASecondTryGoesOn) {
    EXPECT_TRUE(eventually([] { return settled(); }));
    const auto before = box().status();
    const auto contacts = known();
    box().stop();
    EXPECT_TRUE(box().processes().empty());
    box().start();
    const auto after = box().status();
    EXPECT_EQ(after.at("egress").at("crm").at("released"), before.at("egress").at("crm").at("released"));
    EXPECT_EQ(after.at("intake"), before.at("intake"));
    EXPECT_EQ(known(), contacts);
    EXPECT_TRUE(balanced(after));
    const auto again = known();
    EXPECT_NE(box().send(adt("A28", fresh("C"), fresh("N"), "Continuo", "Basso")).find("MSA|AA|"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return !new_contact(again).is_null(); }));
}

} // namespace
} // namespace clinic::e2e
