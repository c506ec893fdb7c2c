// The first hour on a whole box: from nothing to a signed hand-over, cut at every write, and in the places where
// clinics put their boxes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>

#include "crypto/base/files.h"
#include "tests/e2e/setup/terminal.h"
#include "tests/e2e/setup/unset_box.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class Setup : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "a network of one's own, and sealed keys, need root";
        enter_own_network();
        set_resolver("nameserver 192.168.77.1\n");
        unset_ = std::make_unique<UnsetBox>();
    }
    UnsetBox& unset() { return *unset_; }

    std::string text(const std::filesystem::path& file) const {
        const auto read = base::read_text(file, 4 * 1'048'576);
        return read ? *read : std::string{};
    }
    // What stopped it, and the one next step.
    static bool says(const Ran& ran, const std::string& stopped, const std::string& next) {
        const auto what = ran.out.find("Stopped: ");
        const auto then = ran.out.find("Next: ");
        return ran.exit == 2 && what != std::string::npos && ran.out.find("Stopped: ", what + 1) == std::string::npos &&
               ran.out.find(stopped, what) != std::string::npos && then != std::string::npos &&
               ran.out.find(next, then) != std::string::npos;
    }

    // For the pictures of the guide: tests/e2e/setup/screens.
    static void keep_screen(const char* name, const std::string& shown) {
        if (const char* folder = std::getenv("CLINIC_SCREENS"))
            std::ofstream{std::filesystem::path{folder} / name} << shown;
    }

    std::unique_ptr<UnsetBox> unset_;
};

TEST_F(Setup, AFileOfAnswersSetsUpAWholeBox) {
    unset().keep_answers(unset().answers());
    const auto begun = std::chrono::steady_clock::now();
    const auto ran = unset().set_up();
    const auto took = std::chrono::steady_clock::now() - begun;
    RecordProperty("setup_ms", static_cast<int>(took / std::chrono::milliseconds{1}));
    ASSERT_EQ(ran.exit, 0) << ran.out;
    EXPECT_LT(took, std::chrono::seconds{60});
    EXPECT_TRUE(unset().progress().at("finished").get<bool>());
    keep_screen("by_file", ran.out);
    EXPECT_EQ(unset().box().contacts().size(), 1U) << "the test person, by the emulator's own word";
    EXPECT_NE(unset().box().mqtt("clinic/demo-1/up/v1/#", 1).find("demo-1"), std::string::npos);
    EXPECT_EQ(unset().box().send(adt("A04", "1", "7", "Waitwell", "Una")).find("MSA|AA") != std::string::npos, true);

    // What is handed over is the box's, says no secret, and is the same when it is written again.
    const std::string json_file = text(unset().in("setup") / "handover.json"),
                      pdf = text(unset().in("setup") / "handover.pdf");
    EXPECT_TRUE(pdf.starts_with("%PDF-"));
    const json handed = json::parse(json_file);
    const std::string verify = "verify " + (unset().in("setup") / "handover.json").string();
    EXPECT_EQ(run(unset().in("bin/clinicctl").string() + " setup " + verify + " --key " +
                  handed.at("signature").at("key").get<std::string>())
                  .exit,
              0);
    for (const char* file : {"ghl.token", "phrase", "words.txt"}) {
        const std::string secret = text(unset().in(file));
        ASSERT_FALSE(secret.empty()) << file;
        for (const std::string& where : {json_file, pdf, text(unset().in("setup") / "progress.json"), ran.out})
            EXPECT_EQ(where.find(secret.substr(0, secret.find('\n'))), std::string::npos) << file;
    }
    const auto again = unset().set_up();
    EXPECT_EQ(again.exit, 0) << again.out;
    EXPECT_EQ(text(unset().in("setup") / "handover.json"), json_file);
    EXPECT_EQ(text(unset().in("setup") / "handover.pdf"), pdf);
    EXPECT_EQ(unset().box().contacts().size(), 2U) << "it did nothing again: the other one is of the message above";

    // A step is done again where it is asked for, and what it proves with it.
    const auto feeds = unset().setup("--again feeds --answers " + unset().in("answers.json").string());
    EXPECT_EQ(feeds.exit, 0) << feeds.out;
    EXPECT_NE(feeds.out.find("Step 5 of 6: Who sends"), std::string::npos) << feeds.out;
    EXPECT_EQ(feeds.out.find("Step 2 of 6: Whose"), std::string::npos) << feeds.out;
    EXPECT_NE(feeds.out.find("Step 6 of 6: Does it arrive?"), std::string::npos) << feeds.out;
    EXPECT_EQ(unset().box().contacts().size(), 3U) << "a test person of this proof's own";
}

// The ids are found in GHL: nobody types any.
TEST_F(Setup, FindsTheFieldsThatTheAnswersDoNotName) {
    json some = unset().answers();
    some["ghl"].erase("fields");
    unset().keep_answers(some);
    const auto ran = unset().set_up();
    EXPECT_EQ(ran.exit, 0) << ran.out;
    EXPECT_NE(ran.out.find("GHL: the six custom fields are there."), std::string::npos) << ran.out;
    for (const char* file : {"clinicd.json", "clinic-syncd.json"})
        EXPECT_EQ(json::parse(text(unset().in("unset") / file)).at("ghl").at("fields").size(), 6U) << file;
    EXPECT_EQ(unset().box().contacts().size(), 1U) << "the test person";
}

// The ids are written, and the plug is pulled before the programs are started with them.
TEST_F(Setup, StartsTheProgramsWithTheFieldsAlsoWhereItWasCutBehindThem) {
    json some = unset().answers();
    some["ghl"].erase("fields");
    unset().keep_answers(some);
    const auto has_fields = [&] {
        return json::parse(text(unset().in("unset/clinic-syncd.json"))).value("ghl", json::object()).contains("fields");
    };
    const std::string right = text(unset().in("ghl.token"));
    unset().secret("ghl.token", "pit-wrong\n"); // it stops where the fields would be looked for
    ASSERT_EQ(unset().set_up().exit, 2);
    ASSERT_EQ(unset().ctl("ghl token --etc " + unset().in("unset").string(), right).exit, 0);
    Ran ran;
    for (int moment = 1; moment < 60 && !has_fields(); ++moment)
        ran = unset().setup("--answers " + unset().in("answers.json").string(), "",
                            "CLINIC_CUT=" + std::to_string(moment) + " LD_PRELOAD=" CUT_LIBRARY);
    ASSERT_TRUE(has_fields());
    ASSERT_NE(ran.exit, 0) << "it was not cut there";
    EXPECT_FALSE(unset().progress().at("finished").get<bool>());
    const auto goes_on = unset().set_up();
    EXPECT_EQ(goes_on.exit, 0) << goes_on.out;
    const auto made = unset().box().contacts();
    ASSERT_EQ(made.size(), 1U);
    EXPECT_FALSE(made.front().value("customFields", json::array()).empty()) << "without them it is a name alone";
}

// A step that stops has changed nothing behind where it stopped, and leaves no word that lets a store be made later.
TEST_F(Setup, NoFirstStoreIsAllowedBehindAStepThatStopped) {
    unset().keep_answers(unset().answers());
    const auto before = text(unset().in("unset/clinicd.json"));
    std::ofstream{unset().in("unset/keys/before.1.clinic-edge.store")} << "another machine's";
    const auto refused = unset().set_up();
    EXPECT_TRUE(says(refused, "this box had a key of its records before", "mount their disk")) << refused.out;
    EXPECT_EQ(text(unset().in("unset/clinicd.json")), before);
    std::filesystem::remove(unset().in("unset/keys/before.1.clinic-edge.store"));

    unset().systemd().fail(true);
    const auto stopped = unset().set_up();
    EXPECT_TRUE(says(stopped, "could not be started with the new settings", "journalctl")) << stopped.out;
    EXPECT_FALSE(std::filesystem::exists(unset().in("records/make-store")));
    unset().systemd().fail(false);
    const auto ran = unset().set_up();
    EXPECT_EQ(ran.exit, 0) << ran.out;
    EXPECT_FALSE(std::filesystem::exists(unset().in("records/make-store"))) << "clinicd takes it away";
}

// Nor a socket of systemd's own: who has set the box up by half goes on when it answers.
TEST_F(Setup, WithoutABusItSaysThatNothingWasStartedAndGoesOnWithOne) {
    // This machine's own, which root may ask, is hidden from us alone.
    ASSERT_EQ(run("test ! -e /run/systemd/private || mount -t tmpfs none /run/systemd").exit, 0);
    unset().keep_answers(unset().answers());
    const auto stopped = unset().set_up_without_a_bus();
    EXPECT_TRUE(says(stopped, "systemd does not answer", "reboot")) << stopped.out;
    EXPECT_FALSE(std::filesystem::exists(unset().in("records/make-store"))) << "no store is made by the next start";
    EXPECT_FALSE(unset().state().at("steps").contains("claim"));
    const auto ran = unset().set_up();
    EXPECT_EQ(ran.exit, 0) << ran.out;
    EXPECT_NE(ran.out.find("Step 1 of 6: done"), std::string::npos) << ran.out;
}

TEST_F(Setup, SaysEveryFaultOfTheAnswersBeforeAnythingIsChanged) {
    json wrong = unset().answers();
    wrong["ghl"].erase("location");
    wrong["ghl"]["fields"]["colour"] = "x";
    wrong["basis"]["mode"] = "consumer_consent";
    wrong["keys"]["passphrase"] = "in the clear";
    wrong.erase("zone");
    std::filesystem::permissions(unset().in("ghl.token"), std::filesystem::perms{0644});
    std::ofstream{unset().in("words.txt")} << "another clinic's";
    unset().keep_answers(wrong);
    const auto before = text(unset().in("unset") / "clinicd.json");
    const auto ran = unset().set_up();
    EXPECT_EQ(ran.exit, 2);
    for (const char* fault : {"ghl.location is missing", "ghl.fields.colour is unknown", "basis.mode does not fit",
                              "keys.passphrase is unknown", "zone is missing", "ghl.token_file may be read by others",
                              "keys.recovery_words_file is there already"})
        EXPECT_NE(ran.out.find(fault), std::string::npos) << fault << "\n" << ran.out;
    EXPECT_EQ(ran.out.find("in the clear"), std::string::npos);
    EXPECT_EQ(text(unset().in("unset") / "clinicd.json"), before);
    EXPECT_EQ(text(unset().in("words.txt")), "another clinic's");
    EXPECT_FALSE(std::filesystem::exists(unset().in("setup")));
}

// At a terminal, as a technician does it: with a mistake, Ctrl-C in the middle, and the words typed back from the
// paper.
TEST_F(Setup, ATechnicianAnswersAtATerminal) {
    const json known = unset().answers();
    const auto text_of = [&](const char* part, const char* key) { return known.at(part).at(key).get<std::string>(); };
    {
        Terminal terminal{unset().setup_command("")};
        ASSERT_TRUE(terminal.answer("Organization", "Hill & Dale")) << terminal.seen();
        ASSERT_TRUE(terminal.answer("Clinic (this", "Mill Street")) << terminal.seen();
        terminal.interrupt();
        EXPECT_TRUE(terminal.ends());
    }
    EXPECT_FALSE(unset().progress().at("finished").get<bool>());
    Terminal terminal{unset().setup_command("")};
    const auto claim = [&](const std::string& zone) {
        for (const auto& [question, typed] :
             std::vector<std::pair<std::string, std::string>>{{"Organization", "Hill & Dale"},
                                                              {"Clinic (this", "Mill Street"},
                                                              {"Name of this box", "demo-1"},
                                                              {"Time zone", zone},
                                                              {"Address of GHL", text_of("ghl", "base")},
                                                              {"Location id", text_of("ghl", "location")},
                                                              {"File with the token", text_of("ghl", "token_file")}})
            ASSERT_TRUE(terminal.answer(question, typed)) << terminal.seen();
        ASSERT_TRUE(terminal.answer("Do central operations", "no")) << terminal.seen();
    };
    claim("Mars/Base");
    ASSERT_TRUE(terminal.sees("Not understood: zone is not a zone")) << terminal.seen();
    claim("America/Denver");
    EXPECT_TRUE(terminal.answer("Is this right?", "no"));
    // The emulator's certificate is of an authority of the test's, which a terminal does not ask for: the system's is.
    terminal.count_from_here();
    claim("America/Denver");
    EXPECT_TRUE(terminal.answer("Is this right?", "yes"));
    EXPECT_TRUE(terminal.answer("Kind of clinic", "medical")) << terminal.seen();
    EXPECT_TRUE(terminal.answer("Legal basis (", "off")) << terminal.seen();
    ASSERT_TRUE(terminal.sees("Then press Enter")) << terminal.seen();
    const auto words = terminal.grid();
    ASSERT_EQ(words.size(), 24U) << terminal.seen();
    terminal.type("");
    for (std::size_t i = 0; i < words.size(); ++i)
        ASSERT_TRUE(
            terminal.answer("Word " + std::to_string(i + 1) + " of 24", i == 0 ? words[i] : words[i].substr(0, 4)))
            << i << ": four letters are enough";
    EXPECT_TRUE(terminal.answer("A passphrase besides?", "no")) << terminal.seen();
    EXPECT_TRUE(terminal.answer("Name of a sender", "pms")) << terminal.seen();
    EXPECT_TRUE(terminal.answer("Its address", "127.0.0.1")) << terminal.seen();
    EXPECT_TRUE(terminal.answer("Name of a sender", "done")) << terminal.seen();
    ASSERT_TRUE(terminal.sees("Have each of them send a message now")) << terminal.seen();
    EXPECT_NE(unset().box().send(adt("A04", "1", "7", "Waitwell", "Una")).find("MSA|AA"), std::string::npos);
    EXPECT_TRUE(terminal.sees("pms  ADT^A04")) << terminal.seen();
    EXPECT_TRUE(terminal.sees("Stopped: ghl.issuer")) << terminal.seen();
    EXPECT_TRUE(terminal.ends());
    EXPECT_EQ(terminal.seen().find("Waitwell"), std::string::npos);
    // Of steps 2 to 5, with nothing typed twice and the words written once. Step 1 asks nothing, and the test to both
    // sides of step 6 is in the file of answers' own time.
    const auto by_hand = terminal.by_hand(24);
    std::printf("%d answers; by hand some %d s\n", terminal.answers(), static_cast<int>(by_hand.count()));
    RecordProperty("answers", terminal.answers());
    RecordProperty("by_hand_s", static_cast<int>(by_hand.count()));
    EXPECT_LE(by_hand, std::chrono::minutes{9}) << "ten, with a minute for the test to both sides";
    std::string shown;
    for (const auto& line : terminal.lines()) shown += line + "\n";
    keep_screen("typed", shown);
    for (const auto& line : terminal.lines()) {
        const bool is_typed = line.find("]: /") != std::string::npos || line.find("]: https:") != std::string::npos;
        EXPECT_TRUE(is_typed || line.size() <= 80) << line;
    }
    EXPECT_TRUE(unset().state().at("steps").contains("feeds"));
}

// Each run is cut at a later moment than the one before it, until one comes to its end. Whatever a cut left, the next
// run goes on from it; there is one store, one recovery key, one test person.
TEST_F(Setup, GoesOnAfterACutAtEveryMoment) {
    unset().keep_answers(unset().answers());
    Ran ran;
    int cuts = 0;
    for (int moment = 1; moment < 400; ++moment) {
        ran = unset().setup("--answers " + unset().in("answers.json").string(), "",
                            "CLINIC_CUT=" + std::to_string(moment) + " LD_PRELOAD=" CUT_LIBRARY);
        if (ran.exit == 0) break;
        ASSERT_TRUE(ran.exit == 137 || ran.exit == -1 || ran.exit == 9) << moment << ": " << ran.exit << ran.out;
        ++cuts;
        const auto left = unset().progress();
        ASSERT_TRUE(left.is_object() && left.contains("steps")) << moment << ": " << left.dump();
    }
    RecordProperty("cuts", cuts);
    ASSERT_EQ(ran.exit, 0) << ran.out;
    EXPECT_GT(cuts, 20);
    EXPECT_EQ(unset().box().contacts().size(), 1U);
    int recovery = 0;
    const json kept = unset().state();
    for (const json& slot : kept.at("steps").at("keys").at("facts").at("slots"))
        recovery += slot.at("kind") == "recovery" ? 1 : 0;
    EXPECT_EQ(recovery, 1);
    EXPECT_EQ(unset().box().status().value("mode", ""), "running");
}

TEST_F(Setup, WithoutANameServerStopsBeforeAnythingElse) {
    set_resolver("# the router gave none\n");
    unset().keep_answers(unset().answers());
    const auto ran = unset().set_up();
    EXPECT_TRUE(says(ran, "net.resolver", "echo 'nameserver ADDRESS' >>/etc/resolv.conf")) << ran.out;
    EXPECT_EQ(unset().state(), json::object());
    set_resolver("nameserver 192.168.77.1\n");
    EXPECT_EQ(unset().set_up().exit, 0) << "it goes on when it is mended";
}

// The router names a server, which does not answer.
TEST_F(Setup, ASilentNameServerIsNamed) {
    auto answers = unset().answers();
    answers["ghl"]["base"] = "https://services.example.test";
    unset().keep_answers(answers);
    const auto ran = unset().set_up();
    EXPECT_TRUE(says(ran, "ghl.names: the clinic's name server does not answer", "see that the router runs"))
        << ran.out;
    EXPECT_NE(ran.out.find("getent hosts"), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("DNS FAIL"), std::string::npos) << ran.out;
}

// A firewall that opens TLS: its certificate is of an authority that the box does not trust, and that is named.
TEST_F(Setup, AFirewallThatOpensTlsIsNamedByItsIssuer) {
    auto answers = unset().answers();
    const std::string port = std::to_string(unset().box().console_port() + 8);
    ASSERT_EQ(run("cd " + unset().in("").string() +
                  " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "
                  "'/O=Acme/CN=Firewall CA' -addext subjectAltName=IP:127.0.0.1 -keyout proxy.key -out proxy.pem "
                  "2>/dev/null && { setsid openssl s_server -quiet -accept 127.0.0.1:" +
                  port + " -cert proxy.pem -key proxy.key </dev/null >/dev/null 2>&1 & echo $! >proxy.pid; }")
                  .exit,
              0);
    answers["ghl"]["base"] = "https://127.0.0.1:" + port;
    unset().keep_answers(answers);
    const auto ran = unset().set_up();
    run("kill $(cat " + unset().in("proxy.pid").string() + ")");
    EXPECT_TRUE(says(ran, "ghl.issuer", "have the clinic's firewall not inspect")) << ran.out;
    EXPECT_NE(ran.out.find("Acme, Firewall CA"), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("TLS FAIL"), std::string::npos) << ran.out;
}

TEST_F(Setup, AWrongTokenIsNamedWithTheCommandThatStoresAnother) {
    const std::string right = text(unset().in("ghl.token"));
    unset().secret("ghl.token", "pit-wrong\n");
    unset().keep_answers(unset().answers());
    const auto ran = unset().set_up();
    EXPECT_TRUE(says(ran, "ghl.accepted: GHL does not accept the token", "clinicctl ghl token, with a new private"))
        << ran.out;
    EXPECT_NE(ran.out.find("auth FAIL"), std::string::npos) << ran.out;
    EXPECT_EQ(ran.out.find("pit-wrong"), std::string::npos);
    const auto stored = unset().ctl("ghl token --etc " + unset().in("unset").string(), "a token of two words\n");
    EXPECT_EQ(stored.exit, 2);
    EXPECT_NE(stored.out.find("that is no token"), std::string::npos) << stored.out;
    EXPECT_EQ(unset().ctl("ghl token --etc " + unset().in("unset").string(), right).exit, 0);
    const auto mended = unset().set_up(); // goes on where it stopped
    EXPECT_EQ(mended.exit, 0) << mended.out;
    const auto followed = unset().ctl("ghl token --next --etc " + unset().in("unset").string(), right);
    EXPECT_EQ(followed.exit, 0) << followed.out;
    EXPECT_NE(followed.out.find("takes over"), std::string::npos) << followed.out;
    EXPECT_TRUE(std::filesystem::exists(unset().in("unset") / "keys" / "clinic-edge.ghl-next"));
}

// The practice system speaks from another address than the technician was told.
TEST_F(Setup, MllpFromTheWrongAddressIsSaidWithTheWayToAllowIt) {
    auto answers = unset().answers();
    answers["feeds"][0]["addresses"] = json{"192.168.77.9"};
    answers["feeds_wait_s"] = 6;
    unset().keep_answers(answers);
    ASSERT_EQ(unset().setup("--answers " + unset().in("answers.json").string()).exit, 0);
    unset().box().send(adt("A04", "1", "7", "Waitwell", "Una"));
    const auto ran = unset().setup("--again feeds --answers " + unset().in("answers.json").string());
    EXPECT_NE(ran.out.find("Turned away: 127.0.0.1 speaks to the box"), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("clinicctl feed set pms --address 127.0.0.1"), std::string::npos) << ran.out;
    ASSERT_EQ(unset().box().ctl("feed set pms --address 127.0.0.1").exit, 0);
    EXPECT_NE(unset().box().send(adt("A04", "2", "8", "Waitwell", "Uma")).find("MSA|AA"), std::string::npos);
    answers["feeds"][0]["addresses"] = json{"127.0.0.1"};
    unset().keep_answers(answers);
    const auto heard = unset().setup("--again feeds --answers " + unset().in("answers.json").string());
    EXPECT_NE(heard.out.find("pms  ADT^A04"), std::string::npos) << heard.out;
    EXPECT_EQ(heard.out.find("Waitwell"), std::string::npos);
    EXPECT_TRUE(unset().state().at("steps").at("feeds").at("facts").at("feeds").at(0).at("heard").get<bool>());
}

} // namespace
} // namespace clinic::e2e
