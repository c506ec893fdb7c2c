// A box that GHL's page has authorized, instead of one with a token: made, renewed when GHL forgets the token, told
// when the app is removed, and made anew; and tokens in two slots. What waits meanwhile is delivered.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <memory>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class LetIn : public testing::Test {
protected:
    static void SetUpTestSuite() { box_ = std::make_unique<Box>(); }
    static void TearDownTestSuite() { box_.reset(); }
    static Box& box() { return *box_; }

    static std::filesystem::path settings() { return box().folder() / "etc" / "sync.json"; }
    static void change(const std::function<void(json& ghl)>& with) {
        auto all = json::parse(std::ifstream{settings()});
        with(all["ghl"]);
        std::ofstream{settings()} << all;
        box().kill_program("clinic-syncd");
    }
    static std::string ask() { return " --ask " + (box().folder() / "sync" / "ask.sock").string(); }
    static json grant() { return json::parse(box().ctl("ghl show --json" + ask()).out, nullptr, false); }
    static std::string state() {
        const auto said = grant();
        return said.is_object() ? said.value("state", said.value("way", "")) : "";
    }
    static json person(const std::string& does) {
        const auto there = box().endpoints().at("ghl").at("faults").get<std::string>();
        return json::parse(run("curl --silent --cacert '" + (box().folder() / "ca.pem").string() +
                               "' --data '{\"do\":\"" + does + "\"}' " + there.substr(0, there.rfind('/')) + "/_oauth")
                               .out,
                           nullptr, false);
    }
    static Ran authorize() {
        code_ = person("allow").value("code", "");
        return run("echo 'https://clinic-edge.local/ghl?code=" + code_ + "&state=x' | " +
                   box().endpoints().at("clinicctl").at(0).get<std::string>() + " ghl authorize" + ask());
    }
    static bool delivers(const std::string& number) {
        const auto before = box().contacts().size();
        EXPECT_NE(box().send(adt("A28", "C" + number, number, "Quillfeather", "Una")).find("|AA|"), std::string::npos);
        return eventually([&] { return box().contacts().size() == before + 1; }, 60);
    }
    static bool needs(const std::string& code) {
        const auto said = box().status()["needs"];
        for (const auto& need : said)
            if (need["code"] == code) return true;
        return false;
    }

    static inline std::unique_ptr<Box> box_;
    static inline std::string code_; // the newest
};

TEST_F(LetIn, AnAuthorizationIsMadeRenewedToldWhenItEndsAndMadeAnew) {
    std::ofstream{box().folder() / "keys" / "app.secret"} << "CEsecret 1&=";
    std::filesystem::permissions(box().folder() / "keys" / "app.secret", std::filesystem::perms{0444});
    change([](json& ghl) {
        ghl.erase("token_file");
        ghl["oauth"] = {{"client_id", "CEapp000000000000001"},
                        {"client_secret_file", (box().folder() / "keys" / "app.secret").string()},
                        {"redirect_uri", "https://clinic-edge.local/ghl"}};
    });
    EXPECT_TRUE(eventually([] { return state() == "none"; })) << grant().dump();
    EXPECT_TRUE(eventually([] { return needs("E2104"); })) << box().status()["needs"].dump();
    EXPECT_NE(box().ctl("ghl show" + ask()).out.find("chooselocation?response_type=code&redirect_uri=https%3A%2F%2F"),
              std::string::npos);

    const auto made = authorize();
    EXPECT_EQ(made.exit, 0) << made.out;
    EXPECT_TRUE(delivers("G1")) << box().status()["lanes"].dump();
    EXPECT_EQ(state(), "works");

    person("forget_access");
    EXPECT_TRUE(delivers("G2")) << "by a token that was fetched in between";
    box().kill_program("clinic-syncd");
    EXPECT_TRUE(delivers("G3")) << "it is kept over a restart";

    person("uninstall");
    EXPECT_NE(box().send(adt("A28", "CG4", "G4", "Quillfeather", "Una")).find("|AA|"), std::string::npos);
    EXPECT_TRUE(eventually([] { return state() == "dead" && needs("E2104"); }, 60)) << grant().dump();
    const auto wrong = run("echo nonsense | " + box().endpoints().at("clinicctl").at(0).get<std::string>() +
                           " ghl authorize" + ask() + " 2>&1");
    EXPECT_EQ(wrong.exit, 2);
    EXPECT_NE(wrong.out.find("GHL does not give a token for this"), std::string::npos) << wrong.out;
    const auto before = box().contacts().size();
    EXPECT_EQ(authorize().exit, 0);
    EXPECT_TRUE(eventually([&] { return box().contacts().size() == before + 1 && !needs("E2104"); }, 60))
        << "what waited is delivered: " << box().status()["lanes"].dump();
    const auto log = run("cat '" + (box().folder() / "logs" / "clinic-syncd.log").string() + "'").out;
    EXPECT_EQ(log.find("CEsecret"), std::string::npos);
    EXPECT_EQ(log.find(code_), std::string::npos);
}

TEST_F(LetIn, ATokenIsChangedWithoutAPauseByTheOtherSlot) {
    const auto keys = box().folder() / "keys";
    change([&](json& ghl) {
        ghl.erase("oauth");
        ghl["token_file"] = (keys / "ghl.token").string();
        ghl["next_token_file"] = (keys / "ghl.next").string();
    });
    EXPECT_TRUE(eventually([] { return state() == "token"; }));
    EXPECT_TRUE(delivers("T1"));
    // The one in use is taken back by GHL; the next one is the emulator's own.
    run("cp -p '" + (keys / "ghl.token").string() + "' '" + (keys / "ghl.next").string() + "'; printf pit-revoked >'" +
        (keys / "ghl.token").string() + "'");
    EXPECT_TRUE(delivers("T2"));
}

} // namespace
} // namespace clinic::e2e
