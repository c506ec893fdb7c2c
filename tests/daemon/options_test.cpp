// clinicd's settings file: what is wrong in it is said by its key, and nothing wrong is taken for something else.
#include "daemon/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/fakes/temp_folder.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json good() {
    return {
        {"box", "demo-1"},
        {"zone", "UTC"},
        {"records", "/var/lib/records"},
        {"credential", "/run/store.key"},
        {"operators", {0, 1'000}},
        {"console", {{"certificate", "/etc/console.pem"}, {"key", "/etc/console.key"}}},
        {"mllp", {{"allow", {"192.0.2.0/24"}}}},
        {"ghl",
         {{"location", "LOC1"},
          {"tag_prefix", "ce-"},
          {"fields",
           {{"pid", "a"}, {"stage", "b"}, {"last", "c"}, {"next", "d"}, {"appt_status", "e"}, {"appt_when", "f"}}}}}};
}

class OptionsFile : public testing::Test {
protected:
    // What is said of a file with this text; empty where it is taken.
    std::string said_of(const std::string& text) {
        std::ofstream{file_} << text;
        testing::internal::CaptureStderr();
        options = read_options(file_);
        const std::string said = testing::internal::GetCapturedStderr();
        EXPECT_EQ(said.empty(), options.has_value()) << said;
        return said;
    }
    std::string said_of(const json& settings) { return said_of(settings.dump()); }
    // Of one setting that has this value; the rest is good.
    std::string said_of(const char* path, const json& value) {
        json settings = good();
        settings[json::json_pointer{path}] = value;
        return said_of(settings);
    }

    std::optional<Options> options;

private:
    fakes::TempFolder folder_;

protected:
    const std::filesystem::path file_ = folder_ / "clinicd.json";
};

TEST_F(OptionsFile, IsTakenWithWhatMayBeLeftOut) {
    EXPECT_EQ(said_of(good()), "");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->operators, (std::vector<uid_t>{0, 1'000}));
    EXPECT_FALSE(options->user || options->peer);
    EXPECT_TRUE(options->mllp_certificate.empty());
    EXPECT_EQ(options->index_lag_ms, 60'000);
    EXPECT_EQ(options->late_ms, 120'000);
    EXPECT_EQ(options->coalesce_ms, 60'000);
    EXPECT_EQ(options->coalesce_quiet_ms, 15'000);
}

TEST_F(OptionsFile, NothingIsSentOnlyWhereThatIsSaid) {
    EXPECT_EQ(said_of(good()), "");
    EXPECT_FALSE(options->dry_run);
    EXPECT_EQ(said_of("/delivery", "live"), "");
    EXPECT_FALSE(options->dry_run);
    const auto live = *options;
    EXPECT_EQ(said_of("/delivery", "dry-run"), "");
    EXPECT_TRUE(options->dry_run);
    EXPECT_EQ(wait_for_restart(live, *options), std::vector<std::string>{"delivery"});
    for (const json& wrong : {json("dry_run"), json(""), json(true)})
        EXPECT_THAT(said_of("/delivery", wrong), HasSubstr("delivery")) << wrong;
}

TEST_F(OptionsFile, IsTakenWithEverything) {
    json all = good();
    all.update({{"user", 61'701}, {"peer", 4'294'967'294U}, {"zone", "America/New_York"}});
    all["console"]["names"] = {"clinic.local"};
    all["console"]["authority"] = "/etc/authority.pem";
    all["mllp"]["tls"] = {{"certificate", "/a"}, {"key", "/b"}, {"client_ca", "/c"}};
    all["ghl"].update({{"index_lag_ms", 0}, {"late_ms", 43'200'000}});
    EXPECT_EQ(said_of(all), "");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->user, 61'701U);
    EXPECT_EQ(options->peer, 4'294'967'294U);
    EXPECT_EQ(options->console_names, std::vector<std::string>{"clinic.local"});
    EXPECT_EQ(options->console_authority, "/etc/authority.pem");
    EXPECT_EQ(options->mllp_client_ca, "/c");
    EXPECT_EQ(options->index_lag_ms, 0);
    EXPECT_EQ(options->late_ms, 43'200'000);
}

TEST_F(OptionsFile, EachSettingThatIsMissingIsNamed) {
    for (const char* path :
         {"/box", "/zone", "/records", "/credential", "/operators", "/console", "/console/certificate", "/console/key",
          "/mllp", "/mllp/allow", "/ghl/location", "/ghl/tag_prefix", "/ghl/fields/pid", "/ghl/fields/stage",
          "/ghl/fields/last", "/ghl/fields/next", "/ghl/fields/appt_status", "/ghl/fields/appt_when"}) {
        json settings = good();
        const json::json_pointer at{path};
        settings[at.parent_pointer()].erase(at.back());
        std::string name{path + 1};
        std::replace(name.begin(), name.end(), '/', '.');
        const std::string said = said_of(settings);
        EXPECT_THAT(said, HasSubstr("options: " + name + " is missing\n"));
        EXPECT_THAT(said, HasSubstr(file_.string() + ": settings that cannot be used are named above; mend them"));
    }
}

TEST_F(OptionsFile, FieldsAreOptionalUntilTheyArePrepared) {
    json settings = good();
    settings["ghl"].erase("fields");
    EXPECT_EQ(said_of(settings), "");
}

TEST_F(OptionsFile, EachPartOfTlsIsNeeded) {
    for (const char* key : {"certificate", "key", "client_ca"}) {
        json tls{{"certificate", "/a"}, {"key", "/b"}, {"client_ca", "/c"}};
        tls.erase(key);
        EXPECT_THAT(said_of("/mllp/tls", tls), HasSubstr("options: mllp.tls." + std::string{key} + " is missing"));
    }
}

TEST_F(OptionsFile, AMisspeltSettingIsNamedInEveryPart) {
    for (const char* part : {"", "/console", "/mllp", "/ghl", "/ghl/fields"}) {
        std::string name{part};
        std::replace(name.begin(), name.end(), '/', '.');
        name = name.empty() ? "alow" : name.substr(1) + ".alow";
        EXPECT_THAT(said_of((std::string{part} + "/alow").c_str(), 1), HasSubstr("options: " + name + " is unknown\n"));
    }
    EXPECT_THAT(said_of("/mllp/tls", {{"ca", "/c"}}), HasSubstr("options: mllp.tls.ca is unknown\n"));
}

TEST_F(OptionsFile, AllThatIsWrongIsSaidAtOnce) {
    json settings = good();
    settings["box"] = 7;
    settings["console"] = "none";
    settings["mllp"]["alow"] = 1;
    const std::string said = said_of(settings);
    EXPECT_THAT(said, HasSubstr("options: box is not a text"));
    EXPECT_THAT(said, HasSubstr("options: console. is not an object of settings\n"));
    EXPECT_THAT(said, HasSubstr("options: mllp.alow is unknown\n"));
}

TEST_F(OptionsFile, ATextIsNotEmptyAndAPathIsAbsolute) {
    for (const char* path : {"/box", "/zone", "/ghl/location", "/ghl/tag_prefix", "/ghl/fields/pid"})
        for (const json& wrong : {json(""), json(1), json(nullptr), json::array()})
            EXPECT_THAT(said_of(path, wrong), HasSubstr("is not a text, or is empty")) << path;
    for (const char* path : {"/records", "/credential", "/console/certificate", "/console/key", "/console/authority"})
        for (const json& wrong : {json(""), json("records"), json("./records"), json(1), json(nullptr)})
            EXPECT_THAT(said_of(path, wrong), HasSubstr("is not an absolute path")) << path;
    for (const char* path : {"/console/names", "/mllp/allow"})
        for (const json& wrong : {json("10.0.0.1"), json{1}, json{"10.0.0.1", nullptr}, json::object()})
            EXPECT_THAT(said_of(path, wrong), HasSubstr("is not a list of texts")) << path;
}

// A number that is cut to fit would be another user: 4294967296 would be root.
TEST_F(OptionsFile, AUserIsAWholeNumberOfItsRange) {
    for (const json& wrong : {json(-1), json(1.5), json(true), json("no such user"), json(4'294'967'295),
                              json(4'294'967'296), json(18'446'744'073'709'551'615U)}) {
        EXPECT_THAT(said_of("/user", wrong), HasSubstr("options: user is not a user of this machine\n")) << wrong;
        EXPECT_THAT(said_of("/peer", wrong), HasSubstr("options: peer is not a user of this machine\n")) << wrong;
        EXPECT_THAT(said_of("/operators", {1'000, wrong}),
                    HasSubstr("options: operators names one that is not a user of this machine\n"))
            << wrong;
    }
    EXPECT_THAT(said_of("/operators", 1'000), HasSubstr("operators is not a list"));
}

// Too short a wait makes a second contact; cut to fit, half a day and a bit would be one.
TEST_F(OptionsFile, AWaitIsAWholeNumberOfItsRange) {
    for (const char* path : {"/ghl/index_lag_ms", "/ghl/late_ms", "/ghl/coalesce_ms", "/ghl/coalesce_quiet_ms"})
        for (const json& wrong :
             {json(-1), json(0.5), json(true), json("60000"), json(43'200'001), json(4'294'967'297), json(nullptr)})
            EXPECT_THAT(said_of(path, wrong), HasSubstr("ms is not a whole number of milliseconds")) << path << wrong;
}

// Without its bound one message could take the memory of all; with too small a one none would come in.
TEST_F(OptionsFile, TheLongestMessageIsOfItsRange) {
    EXPECT_EQ(said_of(good()), "");
    EXPECT_EQ(options->mllp_message_bytes_max, 1'048'576U);
    for (const std::size_t good : {65'536U, 1'000'000U, 10'485'760U}) {
        EXPECT_EQ(said_of("/mllp/message_bytes_max", good), "");
        EXPECT_EQ(options->mllp_message_bytes_max, good);
    }
    for (const json& wrong : {json(65'535), json(10'485'761), json(0), json(-1), json(1e6), json(true), json("1 MiB"),
                              json(nullptr), json(4'295'032'832)})
        EXPECT_THAT(said_of("/mllp/message_bytes_max", wrong),
                    HasSubstr("options: mllp.message_bytes_max is not a whole number of bytes from 65536 to 10485760, "
                              "64 KiB to 10 MiB\n"))
            << wrong;
}

// The C library takes a zone that it does not find for UTC: appointments would be hours off.
TEST_F(OptionsFile, AZoneIsOneOfThisMachines) {
    for (const char* wrong :
         {"Mars/Olympus", "America/New York", "/etc/localtime", "../zoneinfo/UTC", "America", "EST5ED"})
        EXPECT_THAT(said_of("/zone", wrong), HasSubstr("options: zone is not a zone of this machine's tz database\n"))
            << wrong;
}

TEST_F(OptionsFile, AFileThatIsNoneOrBrokenIsNamedWithWhatToDo) {
    testing::internal::CaptureStderr();
    EXPECT_FALSE(read_options(file_));
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                HasSubstr("options: " + file_.string() + ": a file cannot be opened; put the settings file back"));
    for (const std::string& broken : {std::string{}, std::string{"{"}, good().dump() + "x",
                                      std::string{R"({"box":"a","box":"b"})"}, std::string(70'000, ' ')}) {
        const std::string said = said_of(broken);
        EXPECT_THAT(said, HasSubstr("options: " + file_.string() + ": "));
        EXPECT_THAT(said, HasSubstr("clinicd starts with it by itself"));
    }
    EXPECT_THAT(said_of(std::string{"[1]"}), HasSubstr("options:  is not an object of settings\n"));
}

// A package cannot know which number its user gets.
TEST_F(OptionsFile, WhatThePackageShipsNamesItsUsersAndNeedsNoGhl) {
    json shipped = json::parse(std::ifstream{CLINIC_SOURCE_DIR "/packaging/etc/clinicd.json"});
    shipped["peer"] = "daemon"; // clinic-sync comes with the package
    EXPECT_EQ(said_of(shipped), "");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->peer, 1U);
    EXPECT_EQ(options->operators, std::vector<uid_t>{0});
    EXPECT_TRUE(options->ghl.location.empty());
    EXPECT_TRUE(options->mllp_allow.empty());
    EXPECT_EQ(said_of("/operators", {"root", 1'000}), "");
}

TEST_F(OptionsFile, BookingsAreMadeInACalendarThatIsRead) {
    json settings = good();
    settings["ghl"]["reads"] = {{"calendars", {"CAL1"}}};
    settings["ghl"]["bookings"] = {{"calendar", "CAL1"}, {"create", true}};
    EXPECT_EQ(said_of(settings), "");
    EXPECT_TRUE(options->ghl.bookings);
    EXPECT_EQ(options->ghl.booking_calendar, "CAL1");
    settings["ghl"]["bookings"]["calendar"] = "CAL2";
    EXPECT_THAT(said_of(settings),
                HasSubstr("options: ghl.bookings bookings: calendar is not one of reads.calendars\n"));
}

// Each of them one after the other is changed in the file, and named; who may come in is taken up without.
TEST_F(OptionsFile, WhatDiffersFromTheStartIsNamed) {
    ASSERT_EQ(said_of(good()), "");
    const auto running = *options;
    EXPECT_THAT(wait_for_restart(running, *options), testing::IsEmpty());
    const std::vector<std::tuple<const char*, json, std::string>> changes{
        {"/box", "demo-2", "box"},
        {"/zone", "Europe/Berlin", "zone"},
        {"/records", "/srv/records", "records"},
        {"/credential", "/run/other.key", "credential"},
        {"/user", 61'701, "user"},
        {"/peer", 61'702, "peer"},
        {"/operators", json::array(), "operators"},
        {"/console/key", "/etc/other.key", "console"},
        {"/console/names", {"a"}, "console"},
        {"/mllp/message_bytes_max", 65'536, "mllp.message_bytes_max"},
        {"/mllp/tls", {{"certificate", "/a"}, {"key", "/b"}, {"client_ca", "/c"}}, "mllp.tls"},
        {"/ghl/fields/last", "other", "ghl"},
        {"/ghl/late_ms", 1, "ghl"}};
    for (const auto& [path, value, name] : changes) {
        ASSERT_EQ(said_of(path, value), "") << path;
        EXPECT_THAT(wait_for_restart(running, *options), testing::ElementsAre(name)) << path;
    }
    ASSERT_EQ(said_of("/mllp/allow", {"198.51.100.0/24"}), "");
    EXPECT_THAT(wait_for_restart(running, *options), testing::IsEmpty());
}

} // namespace
} // namespace clinic::daemon
