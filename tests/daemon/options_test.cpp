#include "daemon/options.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/fakes/temp_folder.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;

json shipped() {
    return json::parse(std::ifstream{CLINIC_SOURCE_DIR "/packaging/etc/clinicd.json"});
}

// What it said of a file that it did not take; empty: it took it.
std::string objection(const json& settings) {
    const fakes::TempFolder folder;
    std::ofstream{folder / "c.json"} << settings;
    testing::internal::CaptureStderr();
    const bool taken = read_options(folder / "c.json").has_value();
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(taken, said.empty());
    return said;
}

TEST(DaemonOptions, WhatThePackageShipsLacksNothingButItsUser) {
    auto settings = shipped();
    settings["peer"] = "daemon"; // clinic-sync comes with the package
    const fakes::TempFolder folder;
    std::ofstream{folder / "c.json"} << settings;
    const auto options = read_options(folder / "c.json");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->peer, 1U);
    EXPECT_EQ(options->operators, std::vector<uid_t>{0});
    EXPECT_TRUE(options->ghl.location.empty());
    EXPECT_TRUE(options->mllp_allow.empty());
}

TEST(DaemonOptions, AUserIsANumberOrANameOfThisMachine) {
    auto settings = shipped();
    settings["peer"] = 61'702;
    settings["operators"] = {"root", 1'000};
    EXPECT_EQ(objection(settings), "");
    settings["peer"] = "nobody-of-this-name";
    EXPECT_NE(objection(settings).find("peer is not a user of this machine"), std::string::npos);
    settings["peer"] = -1;
    EXPECT_NE(objection(settings).find("peer is not a user"), std::string::npos);
    settings["peer"] = 61'702;
    settings["operators"] = {"nobody-of-this-name"};
    EXPECT_NE(objection(settings).find("operators names one"), std::string::npos);
}

TEST(DaemonOptions, AnUnknownOrMissingKeyIsNamed) {
    auto settings = shipped();
    settings["peer"] = 61'702;
    settings["console"]["colour"] = "green";
    EXPECT_NE(objection(settings).find("console.colour is unknown"), std::string::npos);
    settings["console"].erase("colour");
    settings.erase("zone");
    EXPECT_NE(objection(settings).find("zone is missing"), std::string::npos);
    settings["zone"] = "UTC";
    settings["ghl"] = {{"location", "loc1"}};
    EXPECT_NE(objection(settings).find("ghl.tag_prefix is missing"), std::string::npos);
}

} // namespace
} // namespace clinic::daemon
