// What the setup leaves on a box: settings with all else in them kept, keys that are made once, and one first store.
#include "provisioning/setup/box_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "crypto/base/files.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

class OfTheBox : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "keys are sealed by root: run as root";
        for (const char* part : {"etc", "etc/keys", "etc/tls", "records"})
            std::filesystem::create_directory(folder / part);
        keep("clinicd.json", {{"box", "new-box"},
                              {"zone", "UTC"},
                              {"records", (folder / "records").string()},
                              {"credential", "/run/credentials/clinicd.service/clinic-edge.store"},
                              {"operators", {"root"}},
                              {"console", {{"names", {"clinic-edge.local"}}}},
                              {"mllp", {{"allow", {"10.0.0.1"}}}}});
        keep("clinic-syncd.json", {{"box", "new-box"},
                                   {"credential", "/run/credentials/clinic-syncd.service/clinic-edge.sync-state"},
                                   {"workers", 7}});
        for (const char* name : {"token", "device.key"}) std::ofstream{folder / name} << name << "\n";
        for (const char* name : {"ca.pem", "device.pem"}) std::ofstream{folder / name} << certificate(name);
    }
    static std::string certificate(const std::string& text) {
        return "-----BEGIN CERTIFICATE-----\n" + text + "\n-----END CERTIFICATE-----\n";
    }
    void keep(const char* name, const json& value) const { std::ofstream{folder / "etc" / name} << value.dump(); }
    json settings(const char* name) const { return json::parse(std::ifstream{folder / "etc" / name}); }
    std::filesystem::path in(const char* name) const { return folder.path() / name; }
    Claim claim() const {
        Claim one{"Group",    "Street",
                  "clinic-7", "America/Denver",
                  {},         Ops{"ops.example", 8'883, in("ca.pem"), in("device.pem"), in("device.key")}};
        one.ghl.base = "https://ghl.example";
        one.ghl.location = "Location1";
        one.ghl.token_file = in("token");
        one.ghl.fields = {{"pid", "f1"}};
        return one;
    }
    Progress progress() const { return std::move(*Progress::open(in("setup"), true)); }

    fakes::TempFolder folder;
    BoxFiles files{folder / "etc"};
};

TEST_F(OfTheBox, SettingsKeepWhatTheSetupDidNotAsk) {
    std::filesystem::permissions(in("etc/clinicd.json"), std::filesystem::perms{0640});
    ASSERT_EQ(chown(in("etc/clinicd.json").c_str(), 0, 4'711), 0);
    ASSERT_TRUE(files.write_settings(claim()));
    const json ours = settings("clinicd.json"), theirs = settings("clinic-syncd.json");
    EXPECT_EQ(ours.at("mllp").at("allow"), json::array({"10.0.0.1"}));
    EXPECT_EQ(ours.at("console").at("names"), json::array({"clinic-edge.local", "clinic-7"}));
    EXPECT_EQ(ours.at("ghl").at("fields"), theirs.at("ghl").at("fields"));
    EXPECT_EQ(theirs.at("workers"), 7);
    EXPECT_EQ(theirs.at("ghl").at("token_file"), "/run/credentials/clinic-syncd.service/clinic-edge.ghl-token");
    EXPECT_EQ(theirs.at("mqtt").at("key"), "/run/credentials/clinic-syncd.service/clinic-edge.device");
    struct stat about {};
    ASSERT_EQ(stat(in("etc/clinicd.json").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0640U);
    EXPECT_EQ(about.st_gid, 4'711U);

    auto other = claim();
    other.box = "clinic-8";
    other.ops.reset();
    ASSERT_TRUE(files.write_settings(other));
    EXPECT_EQ(settings("clinicd.json").at("console").at("names"), json::array({"clinic-edge.local", "clinic-8"}));
    EXPECT_FALSE(settings("clinic-syncd.json").contains("mqtt"));
}

TEST_F(OfTheBox, TheTokenThatWillFollowIsNamedOnceAndAtTheUnitsCredential) {
    ASSERT_TRUE(files.write_settings(claim()));
    EXPECT_FALSE(settings("clinic-syncd.json").at("ghl").contains("next_token_file"));
    ASSERT_TRUE(files.name_next_token());
    EXPECT_EQ(settings("clinic-syncd.json").at("ghl").at("next_token_file"),
              "/run/credentials/clinic-syncd.service/clinic-edge.ghl-next");
    json own = settings("clinic-syncd.json");
    own["ghl"]["next_token_file"] = "/somewhere/else";
    keep("clinic-syncd.json", own);
    ASSERT_TRUE(files.name_next_token());
    ASSERT_TRUE(files.write_settings(claim())) << "nor does another setup change it";
    EXPECT_EQ(settings("clinic-syncd.json"), own);
    own["ghl"]["next_token_file"] = "";
    keep("clinic-syncd.json", own);
    ASSERT_TRUE(files.name_next_token());
    EXPECT_NE(settings("clinic-syncd.json").at("ghl").at("next_token_file"), "") << "that names none";
}

TEST_F(OfTheBox, ATokenThatIsReadFromAnotherFileThanTheUnitsCredentialIsNamed) {
    const auto elsewhere = [this] { return *files.token_elsewhere(ghl_next_slot, ghl_next_key); };
    ASSERT_TRUE(files.write_settings(claim()));
    EXPECT_EQ(elsewhere(), "") << "none is named yet";
    ASSERT_TRUE(files.name_next_token());
    EXPECT_EQ(elsewhere(), "");
    EXPECT_EQ(*files.token_elsewhere(ghl_token_slot, ghl_token_key), "");
    json own = settings("clinic-syncd.json");
    own["ghl"]["next_token_file"] = "/somewhere/else";
    keep("clinic-syncd.json", own);
    EXPECT_EQ(elsewhere(), "/somewhere/else");
}

TEST_F(OfTheBox, IdsOfFieldsAreWrittenIntoBothFilesOnce) {
    auto unset = claim();
    unset.ghl.fields = json::object();
    EXPECT_EQ(files.write_location({{"pid", "f1"}}, json::array()).error().code, Errc::refused)
        << "there is no location yet";
    ASSERT_TRUE(files.write_settings(unset));
    EXPECT_FALSE(settings("clinicd.json").at("ghl").contains("fields")) << "nothing was said of them";
    const auto first = files.write_location({{"pid", "f1"}, {"stage", "f2"}}, {"c1", "c2"});
    ASSERT_TRUE(first);
    EXPECT_TRUE(*first);
    for (const char* file : {"clinicd.json", "clinic-syncd.json"}) {
        EXPECT_EQ(settings(file).at("ghl").at("fields"), (json{{"pid", "f1"}, {"stage", "f2"}})) << file;
        EXPECT_EQ(settings(file).at("ghl").at("reads").at("calendars"), (json{"c1", "c2"})) << file;
        EXPECT_EQ(settings(file).at("ghl").at("location"), "Location1") << file;
    }
    EXPECT_FALSE(*files.write_location({{"pid", "f1"}, {"stage", "f2"}}, {"c1", "c2"})) << "nothing is written again";
    EXPECT_FALSE(*files.write_location({{"pid", "f1"}, {"stage", "f2"}}, {"c3"})) << "a list that is there stays";
    ASSERT_TRUE(files.write_settings(unset));
    EXPECT_TRUE(settings("clinic-syncd.json").at("ghl").contains("polling"));
    EXPECT_TRUE(settings("clinicd.json").at("ghl").contains("fields")) << "a claim that says nothing keeps them";
    for (const char* file : {"clinicd.json", "clinic-syncd.json"}) {
        auto all = settings(file);
        all["ghl"]["bookings"] = {{"calendar", "c1"}, {"create", true}};
        std::ofstream{in(file)} << all;
    }
    unset.ghl.location = "Location2";
    ASSERT_TRUE(files.write_settings(unset));
    for (const char* file : {"clinicd.json", "clinic-syncd.json"}) {
        EXPECT_FALSE(settings(file).at("ghl").contains("fields")) << "they are another location's";
        EXPECT_FALSE(settings(file).at("ghl").contains("bookings")) << file;
        EXPECT_FALSE(settings(file).at("ghl").at("reads").contains("calendars")) << file;
    }
}

TEST_F(OfTheBox, KeysAreMadeOnceAndTheFirstStoreIsAllowedOnce) {
    ASSERT_EQ(chown(in("records").c_str(), 4'711, 4'711), 0);
    auto first = progress();
    ASSERT_TRUE(files.make_keys(first));
    EXPECT_EQ(first.noted("first_store"), "making");
    EXPECT_FALSE(std::filesystem::exists(in("records/make-store"))) << "nothing is allowed before all else is done";
    ASSERT_TRUE(files.allow_first_store(first));
    struct stat about {};
    ASSERT_EQ(lstat(in("records/make-store").c_str(), &about), 0);
    EXPECT_EQ(about.st_uid, 0U) << "nothing in clinicd's folder is given away by its name";
    ASSERT_TRUE(files.take_permission_back());
    EXPECT_FALSE(std::filesystem::exists(in("records/make-store")));
    ASSERT_TRUE(files.take_permission_back()) << "also where clinicd was quicker";

    const auto key = *base::read_text(in("etc/keys/clinic-edge.store"), 65'536);
    ASSERT_TRUE(files.make_keys(first)) << "again, after a cut before the store was there";
    EXPECT_EQ(*base::read_text(in("etc/keys/clinic-edge.store"), 65'536), key);
    ASSERT_TRUE(files.allow_first_store(first));
    EXPECT_TRUE(std::filesystem::exists(in("records/make-store")));
}

// A box that was set up by hand, or whose disk is missing, gets no new store for the asking.
TEST_F(OfTheBox, NeverMakesASecondStore) {
    auto now = progress();
    ASSERT_TRUE(files.keys().put("clinic-edge.store", "clinic-edge.store", base::as_bytes("a key of before")));
    ASSERT_TRUE(files.make_keys(now));
    ASSERT_TRUE(files.allow_first_store(now));
    EXPECT_FALSE(std::filesystem::exists(in("records/make-store")));

    std::filesystem::remove(in("etc/keys/clinic-edge.store"));
    std::ofstream{in("records/records.db")} << "pages";
    const auto refused = files.make_keys(now);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::refused);
    EXPECT_STREQ(refused.error().remedy.c_str(),
                 "put its copy back, or use the recovery words: clinicctl keys recover --new-key");
    EXPECT_FALSE(std::filesystem::exists(in("etc/keys/clinic-edge.store")));
}

// Once it was made, an empty folder is a disk that is not mounted, with whatever became of the key.
TEST_F(OfTheBox, AStoreThatWasMadeAndIsNotThereIsNotMadeAnew) {
    auto now = progress();
    ASSERT_TRUE(files.make_keys(now));
    ASSERT_TRUE(now.note("first_store", "made"));
    for (int taken_away = 0; taken_away < 2; ++taken_away) {
        const auto refused = files.make_keys(now);
        ASSERT_FALSE(refused) << taken_away;
        EXPECT_EQ(refused.error().code, Errc::not_found);
        EXPECT_STREQ(refused.error().remedy.c_str(), "mount their disk; then: clinicctl setup --again claim");
        std::filesystem::remove(in("etc/keys/clinic-edge.store"));
    }
    EXPECT_EQ(now.noted("first_store"), "made");
    ASSERT_TRUE(files.allow_first_store(now));
    EXPECT_FALSE(std::filesystem::exists(in("records/make-store")));
}

// The note may be gone with the disk that it was on; a key of before says the same.
TEST_F(OfTheBox, ABoxThatHadAKeyHadAStore) {
    for (const char* kept : {"before.2.clinic-edge.store", "plain.store"}) {
        auto now = progress();
        std::ofstream{in("etc/keys") / kept} << "a key";
        const auto refused = files.make_keys(now);
        ASSERT_FALSE(refused) << kept;
        EXPECT_EQ(refused.error().code, Errc::refused);
        EXPECT_EQ(now.noted("first_store"), "");
        std::filesystem::remove(in("etc/keys") / kept);
    }
    auto now = progress();
    std::ofstream{in("etc/keys/clinic-edge.store")} << "another machine's";
    const auto locked = files.make_keys(now);
    ASSERT_FALSE(locked);
    EXPECT_EQ(locked.error().code, Errc::locked);
    EXPECT_STREQ(locked.error().remedy.c_str(),
                 "leave it where it is, and have the recovery words: clinicctl keys recover --new-key");
}

TEST_F(OfTheBox, SecretsLieSealedAndCertificatesOpen) {
    ASSERT_TRUE(files.seal_secrets(claim()));
    const auto opened = files.keys().get("clinic-edge.ghl-token", "clinic-edge.ghl-token");
    ASSERT_TRUE(opened);
    EXPECT_TRUE((*opened)->same_as(base::as_bytes("token\n")));
    EXPECT_EQ(base::read_text(in("etc/keys/clinic-edge.ghl-token"), 65'536)->find("token\n"), std::string::npos);
    EXPECT_EQ(*base::read_text(in("etc/tls/device.pem"), 65'536), certificate("device.pem"));
    EXPECT_EQ(std::filesystem::status(in("etc/keys/clinic-edge.device")).permissions(), std::filesystem::perms{0600});
}

// What the setup never asks for was set by somebody who wanted it: a claim that is made again leaves it.
TEST_F(OfTheBox, AClaimMadeAgainKeepsWhatItDoesNotSay) {
    auto one = claim();
    one.ghl.ca_file = in("ca.pem");
    one.ghl.tag_prefix = "vet-";
    one.ghl.late_ms = 90'000;
    one.ghl.call_timeout_s = 9;
    ASSERT_TRUE(files.write_settings(one));
    json theirs = settings("clinic-syncd.json");
    theirs["ghl"]["next_token_file"] = "/run/next";
    theirs["ghl"]["version"] = "2021-07-28";
    theirs["ghl"]["requests_per_second_max"] = 5;
    theirs["mqtt"]["keep_alive_s"] = 60;
    keep("clinic-syncd.json", theirs);
    const json ours = settings("clinicd.json");

    auto again = claim();
    again.ghl.location = "Location2";
    again.ops->host = "other.example";
    ASSERT_TRUE(files.write_settings(again));
    theirs["ghl"]["location"] = "Location2";
    theirs["mqtt"]["host"] = "other.example";
    EXPECT_EQ(settings("clinic-syncd.json"), theirs);
    EXPECT_EQ(settings("clinicd.json").at("ghl").at("late_ms"), ours.at("ghl").at("late_ms"));
    EXPECT_EQ(settings("clinicd.json").at("ghl").at("tag_prefix"), "vet-");
    again.ghl.tag_prefix = "ce-";
    ASSERT_TRUE(files.write_settings(again));
    EXPECT_EQ(settings("clinic-syncd.json").at("ghl").at("tag_prefix"), "ce-") << "and takes what it says";
}

TEST_F(OfTheBox, AGrantOfGhlStaysAndNeedsNoToken) {
    auto one = claim();
    one.ghl.token_file.reset();
    const auto neither = files.seal_secrets(one);
    ASSERT_FALSE(neither);
    EXPECT_EQ(neither.error().code, Errc::refused);
    json theirs = settings("clinic-syncd.json");
    const json oauth{{"client_id", "app"}, {"client_secret_file", "/run/app"}, {"redirect_uri", "https://a.example"}};
    theirs["ghl"] = {{"oauth", oauth}};
    keep("clinic-syncd.json", theirs);
    for (const bool has_token : {false, true}) {
        if (has_token) one.ghl.token_file = in("token");
        ASSERT_TRUE(files.seal_secrets(one));
        ASSERT_TRUE(files.write_settings(one));
        EXPECT_EQ(settings("clinic-syncd.json").at("ghl").at("oauth"), oauth);
        EXPECT_FALSE(settings("clinic-syncd.json").at("ghl").contains("token_file"))
            << "clinic-syncd takes one of both";
        EXPECT_FALSE(std::filesystem::exists(in("etc/keys/clinic-edge.ghl-token")));
    }
}

// What is copied is open to everybody: certificates alone, whatever became of the file since the answers were read.
TEST_F(OfTheBox, NothingButCertificatesLiesOpen) {
    std::ofstream{in("device.pem")} << "Subject: clinic-7\n"
                                    << certificate("one") << "root:$y$j9T\n"
                                    << certificate("two");
    ASSERT_TRUE(files.seal_secrets(claim()));
    EXPECT_EQ(*base::read_text(in("etc/tls/device.pem"), 65'536), certificate("one") + certificate("two"));
    for (const std::string& other :
         {certificate("one") + "-----BEGIN PRIVATE KEY-----\nMIIE\n", std::string{"root:$y$j9T\n"}}) {
        std::filesystem::remove(in("device.pem"));
        std::ofstream{in("another")} << other;
        std::filesystem::create_symlink(in("another"), in("device.pem"));
        EXPECT_FALSE(files.seal_secrets(claim())) << other;
        EXPECT_EQ(*base::read_text(in("etc/tls/device.pem"), 65'536), certificate("one") + certificate("two"));
        std::filesystem::remove(in("another"));
    }
}

} // namespace
} // namespace clinic::setup
