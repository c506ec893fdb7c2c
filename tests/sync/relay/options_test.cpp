#include "sync/relay/options.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/fakes/temp_folder.h"
#include "tests/sync/relay/signed.h"

namespace clinic::relay {
namespace {

using nlohmann::json;

class RelayOptions : public testing::Test {
protected:
    Result<Options> read(const json& object, const std::string& name = {}) {
        std::ofstream{folder / "relay.json"} << object.dump();
        return read_options(folder / "relay.json", name);
    }
    const fakes::TempFolder folder;
    json good{{"name", "r1"},
              {"certificate", "/door.pem"},
              {"key", "/door.key"},
              {"app", test::app},
              {"signature", {{"key", test::Signer::ed25519().public_key()}}},
              {"locations",
               {{test::location,
                 {{"box", "demo-1"},
                  {"reads", {{"calendars", {"calendar1"}}, {"campaigns", {"spring-checkup"}}}},
                  {"fields",
                   {{"pid", "a"},
                    {"stage", "b"},
                    {"last", "c"},
                    {"next", "d"},
                    {"appt_status", "e"},
                    {"appt_when", "f"}}}}}}},
              {"mqtt", {{"host", "b"}, {"ca", "/ca"}, {"cert", "/c"}, {"key", "/k"}}}};
};

TEST_F(RelayOptions, AreReadWithTheirDefaults) {
    const auto options = read(good);
    ASSERT_TRUE(options) << options.error().what.c_str();
    EXPECT_EQ(options->port, 8'443);
    EXPECT_EQ(options->broker.client, "relay-r1");
    EXPECT_EQ(options->reception.boxes.at(test::location).name, "demo-1");
    EXPECT_EQ(options->reception.boxes.at(test::location).rules.reads.calendars, std::vector<std::string>{"calendar1"});
    EXPECT_TRUE(options->keys.legacy.empty());
    EXPECT_EQ(read(good, "r7")->name, "r7");
    good.erase("name");
    EXPECT_FALSE(read(good)->name.empty()); // the machine's
}

TEST_F(RelayOptions, AreClosed) {
    const auto broken = [&](auto change) {
        json object = good;
        change(object);
        return !read(object);
    };
    EXPECT_TRUE(broken([](json& o) { o["unknown"] = 1; }));
    EXPECT_TRUE(broken([](json& o) { o["locations"][test::location]["unknown"] = 1; }));
    EXPECT_TRUE(broken([](json& o) { o["locations"][test::location]["bookings"] = {{"calendar", "another"}}; }));
    EXPECT_TRUE(broken([](json& o) { o["mqtt"]["client"] = "x"; }));
    for (const char* key : {"certificate", "key", "app", "signature", "locations", "mqtt"})
        EXPECT_TRUE(broken([&](json& o) { o.erase(key); })) << key;
    EXPECT_TRUE(broken([](json& o) { o["name"] = "R 1"; }));
    EXPECT_TRUE(broken([](json& o) { o["locations"] = json::object(); }));
    EXPECT_TRUE(broken([](json& o) { o["locations"]["a b"] = o["locations"][test::location]; }));
    EXPECT_TRUE(broken([](json& o) { o["locations"][test::location]["box"] = "a/b"; }));
    EXPECT_TRUE(broken([](json& o) { o["locations"][test::location]["fields"]["last"] = "a"; }));
    EXPECT_TRUE(broken([](json& o) { o["window_min"] = 1; }));
    EXPECT_TRUE(broken([](json& o) { o["listen"] = {{"port", 0}}; }));
}

TEST_F(RelayOptions, FeedOneBoxFromOneLocation) {
    good["locations"]["CEotherLocation00001"] = good["locations"][test::location];
    const auto options = read(good);
    ASSERT_FALSE(options);
    EXPECT_STREQ(options.error().what.c_str(), "locations: one box for two locations");
}

TEST_F(RelayOptions, AreCheckedFromTheCommandLine) {
    const auto exit_code = [&](const std::string& arguments) {
        const int status = std::system((std::string{CLINIC_RELAY} + " " + arguments + " >/dev/null 2>&1").c_str());
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    const auto file = (folder / "relay.json").string();
    ASSERT_TRUE(read(good));
    EXPECT_EQ(exit_code("--config " + file + " --check"), 0);
    EXPECT_EQ(exit_code("--check"), 64);
    EXPECT_EQ(exit_code("--config /nowhere --check"), 78);
    good["signature"]["key"] = "nonsense";
    ASSERT_TRUE(read(good));
    EXPECT_EQ(exit_code("--config " + file + " --check"), 78);
}

} // namespace
} // namespace clinic::relay
