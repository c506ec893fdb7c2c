#include "sync/options.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/fakes/temp_folder.h"

namespace clinic::sync {
namespace {

using nlohmann::json;

json whole() {
    return json::parse(
        R"({"box":"demo-1","egress":"/e","state":"/s","credential":"/c","records":"/r","diagnose":"/d","workers":3,
        "ghl":{"base":"https://ghl.example:8443","location":"loc1","token_file":"/t","ca":"/ca","tag_prefix":"ce-","call_timeout_s":7,"requests_per_second_max":1000,
               "fields":{"pid":"f1","stage":"f2","last":"f3","next":"f4","appt_status":"f5","appt_when":"f6"}},
        "mqtt":{"host":"ops.example","port":8884,"ca":"/ca","cert":"/cert","key":"/key","will_delay_s":15}})");
}

Result<Options> read(const std::string& text) {
    const fakes::TempFolder folder;
    std::ofstream{folder / "c.json"} << text;
    return read_options(folder / "c.json");
}

TEST(Options, AreReadWhole) {
    const auto options = read(whole().dump());
    ASSERT_TRUE(options) << options.error().what.c_str();
    EXPECT_EQ(options->box, "demo-1");
    EXPECT_EQ(options->workers, 3);
    EXPECT_EQ(options->diagnose, "/d");
    EXPECT_EQ(options->ghl->client.host, "ghl.example");
    EXPECT_EQ(options->ghl->client.port, 8443);
    EXPECT_EQ(options->ghl->client.call_max, std::chrono::seconds{7});
    EXPECT_EQ(options->ghl->rules.fields.appt_when, "f6");
    EXPECT_EQ(options->ghl->rate.per_second_max, 1'000);
    EXPECT_EQ(options->mqtt->client, "demo-1");
    EXPECT_EQ(options->mqtt->will_delay, std::chrono::seconds{15});
}

TEST(Options, ThePollingIsReadWhole) {
    auto some = whole();
    some["ghl"]["reads"] = {{"calendars", {"CAL1", "CAL2"}}, {"campaigns", {"spring-2026"}}, {"sources", {"website"}}};
    some["ghl"]["polling"] = {{"hours", "mon-fri 08:00-18:00"}, {"country", "DE"}, {"busy_s", 30}, {"quiet_s", 200}};
    const auto options = read(some.dump());
    ASSERT_TRUE(options) << options.error().what.c_str();
    EXPECT_EQ(options->ghl->rules.reads.calendars, (std::vector<std::string>{"CAL1", "CAL2"}));
    EXPECT_EQ(options->ghl->rules.reads.campaigns, std::vector<std::string>{"spring-2026"});
    EXPECT_TRUE(options->ghl->polling->hours);
    EXPECT_EQ(options->ghl->polling->country, "DE");
    EXPECT_EQ(options->ghl->polling->pace.busy, std::chrono::seconds{30});
    EXPECT_FALSE(read(whole().dump())->ghl->polling) << "not asked for: GHL is not polled";
    for (const auto& [section, key, wrong] :
         std::vector<std::tuple<const char*, const char*, json>>{{"reads", "calendars", {"a b"}},
                                                                 {"reads", "campaigns", {"Spring"}},
                                                                 {"reads", "campaigns", {"spring", "spring"}},
                                                                 {"reads", "sources", "website"},
                                                                 {"reads", "others", json::array()},
                                                                 {"polling", "hours", "always"},
                                                                 {"polling", "country", "Germany"},
                                                                 {"polling", "busy_s", 1}}) {
        auto bad = some;
        bad["ghl"][section][key] = wrong;
        EXPECT_FALSE(read(bad.dump())) << section << key << wrong;
    }
}

// No time of a booking leaves unless that is said, and no booking's state.
TEST(Options, BookingsAreToldAsFarAsIsSaid) {
    auto some = whole();
    some["ghl"]["reads"] = {{"calendars", {"CAL1", "CAL2"}}};
    EXPECT_FALSE(read(some.dump())->ghl->rules.bookings);
    some["ghl"]["bookings"] = json::object();
    EXPECT_TRUE(read(some.dump())->ghl->rules.bookings);
    some["ghl"]["bookings"] = {{"calendar", "CAL2"}};
    EXPECT_EQ(read(some.dump())->ghl->rules.booking_calendar, "");
    some["ghl"]["bookings"]["create"] = true;
    EXPECT_EQ(read(some.dump())->ghl->rules.booking_calendar, "CAL2");
    for (const auto& wrong : {json{{"create", true}}, json{{"calendar", "CAL3"}}, json{{"create", 1}},
                              json{{"calendar", "CAL1"}, {"titles", true}}, json("CAL1")}) {
        some["ghl"]["bookings"] = wrong;
        EXPECT_FALSE(read(some.dump())) << wrong;
    }
}

TEST(Options, FieldsAreOptionalUntilTheyArePrepared) {
    auto some = whole();
    some["ghl"].erase("fields");
    const auto options = read(some.dump());
    ASSERT_TRUE(options);
    EXPECT_FALSE(options->ghl->rules.fields.complete());
}

TEST(Options, EachModuleHasItsVersion) {
    auto some = whole();
    const auto of = [&](envelope::Route route) {
        return std::string{read(some.dump())->ghl->client.dialects.version(route)};
    };
    some["ghl"]["version"] = "2021-07-28";
    EXPECT_EQ(of(envelope::Route::calendars_read), "2021-04-15") << "theirs, as older settings mean it";
    some["ghl"]["version"] = "v3";
    EXPECT_EQ(of(envelope::Route::calendars_read), "v3");
    EXPECT_EQ(of(envelope::Route::tags_add), "v3");
    some["ghl"]["versions"] = {{"contacts", "2021-07-28"}};
    EXPECT_EQ(of(envelope::Route::tags_add), "2021-07-28");
    EXPECT_EQ(of(envelope::Route::fields_read), "v3");
    some["ghl"]["versions"] = {{"contacts", "v4"}};
    EXPECT_FALSE(read(some.dump()));
    some["ghl"]["versions"] = {{"people", "v3"}};
    EXPECT_FALSE(read(some.dump()));
}

TEST(Options, TheRelayIsHeardWhereItIsAskedForAndThePollingIsComplete) {
    auto some = whole();
    EXPECT_FALSE(read(some.dump())->relay);
    some["mqtt"]["relay"] = true;
    EXPECT_FALSE(read(some.dump())) << "without the polling";
    some["ghl"]["polling"] = json::object();
    ASSERT_TRUE(read(some.dump()));
    EXPECT_TRUE(read(some.dump())->relay);
    some["mqtt"]["relay"] = "yes";
    EXPECT_FALSE(read(some.dump()));
}

TEST(Options, LanesAreOptional) {
    auto some = whole();
    some.erase("ghl");
    some.erase("mqtt");
    const auto options = read(some.dump());
    ASSERT_TRUE(options);
    EXPECT_FALSE(options->ghl);
    EXPECT_FALSE(options->mqtt);
}

TEST(Options, NobodyIsToldTracesUnlessThatIsSaid) {
    EXPECT_FALSE(read(whole().dump())->traces);
    auto some = whole();
    some["traces"] = {{"base", "https://collector.example:4318"}, {"ca", "/ca"}};
    const auto options = read(some.dump());
    ASSERT_TRUE(options && options->traces);
    EXPECT_EQ(options->traces->host, "collector.example");
    EXPECT_EQ(options->traces->port, 4'318);
    EXPECT_EQ(options->traces->ca, "/ca");
    some["traces"]["base"] = "http://collector.example";
    EXPECT_FALSE(read(some.dump())) << "in clear";
    some["traces"] = {{"base", "https://collector.example"}, {"token", "x"}};
    EXPECT_FALSE(read(some.dump()));
}

TEST(Options, EveryBrokenRuleIsAnError) {
    const std::function<void(json&)> breaks[] = {
        [](json& c) { c["unknown"] = 1; },
        [](json& c) { c["ghl"]["unknown"] = 1; },
        [](json& c) { c["ghl"]["fields"]["unknown"] = "x"; },
        [](json& c) { c["mqtt"]["unknown"] = 1; },
        [](json& c) { c.erase("box"); },
        [](json& c) { c["box"] = "Demo/#"; },
        [](json& c) { c["egress"] = ""; },
        [](json& c) { c["state"] = 7; },
        [](json& c) { c.erase("credential"); },
        [](json& c) { c["workers"] = 0; },
        [](json& c) { c["workers"] = 65; },
        [](json& c) { c["workers"] = 2.5; },
        [](json& c) { c["ghl"] = "https://x"; },
        [](json& c) { c["ghl"]["base"] = "http://ghl.example"; },
        [](json& c) { c["ghl"]["base"] = "https://ghl.example/path"; },
        [](json& c) { c["ghl"]["base"] = "https://ghl.example:0"; },
        [](json& c) { c["ghl"]["base"] = "https://ghl.example:99999"; },
        [](json& c) { c["ghl"]["base"] = "https://"; },
        [](json& c) { c["ghl"]["location"] = "a/b"; },
        [](json& c) { c["ghl"]["fields"].erase("last"); },
        [](json& c) { c["ghl"]["fields"]["last"] = "f1"; },
        [](json& c) { c["ghl"]["call_timeout_s"] = -1; },
        [](json& c) { c["ghl"]["requests_per_second_max"] = 0; },
        [](json& c) { c["mqtt"]["port"] = 70'000; },
        [](json& c) { c["mqtt"].erase("key"); },
    };
    int number = 0;
    for (const auto& broken : breaks) {
        auto one = whole();
        broken(one);
        EXPECT_FALSE(read(one.dump())) << number;
        ++number;
    }
    EXPECT_FALSE(read("{"));
    EXPECT_FALSE(read(R"({"box":"a","box":"b"})"));
    EXPECT_FALSE(read("[]"));
}

TEST(Options, AnAddressMayStandInTheBase) {
    auto some = whole();
    some["ghl"]["base"] = "https://[::1]:9/";
    const auto options = read(some.dump());
    ASSERT_TRUE(options);
    EXPECT_EQ(options->ghl->client.host, "::1");
    EXPECT_EQ(options->ghl->client.port, 9);
    some["ghl"]["base"] = "https://services.leadconnectorhq.com";
    EXPECT_EQ(read(some.dump())->ghl->client.port, 443);
}

} // namespace
} // namespace clinic::sync
