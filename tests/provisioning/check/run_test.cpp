// The order, the bounds and the words of a run, with checks of the test's own.
#include "provisioning/check/run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "daemon/health/checks.h"
#include "provisioning/check/scene.h"
#include "provisioning/check/table.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::check {
namespace {

using namespace std::chrono_literals;

std::atomic<bool> let_go{false};

Finding all_right(const Scene&) {
    return ok("fine");
}
Finding broken(const Scene&) {
    return fail("gone", "it broke", "mend it");
}
Finding hangs(const Scene&) {
    while (!let_go) std::this_thread::sleep_for(1ms);
    return ok("at last");
}

struct Run : testing::Test {
    fakes::TempFolder folder;
    std::shared_ptr<const Scene> scene = [&] {
        Site site;
        site.root = folder.path();
        site.control = site.sync = site.clinicd_settings = site.syncd_settings = folder / "nothing";
        site.bus = "unix:path=" + (folder / "nothing").string();
        return std::make_shared<const Scene>(std::move(site));
    }();
    void SetUp() override { let_go = false; }
    void TearDown() override { let_go = true; }
};

TEST_F(Run, WhatHangsIsNotKnownAndHoldsNobodyUp) {
    const std::array checks{Check{"a.hangs", "A", Group::disk, {}, hangs, 30ms},
                            Check{"b.ok", "B", Group::disk, {}, all_right}};
    const auto begun = std::chrono::steady_clock::now();
    const auto lines = run(checks, scene);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    EXPECT_EQ(lines[0].found.outcome, Outcome::unknown);
    EXPECT_EQ(lines[1].found.outcome, Outcome::ok);
}

TEST_F(Run, AllOfThemTogetherHaveABound) {
    std::vector<Check> checks;
    for (int i = 0; i < 200; ++i) checks.push_back({"a.hangs", "A", Group::disk, {}, hangs, 10'000ms});
    const auto begun = std::chrono::steady_clock::now();
    const auto lines = run(checks, scene, 50ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    EXPECT_EQ(lines.size(), 200U);
    EXPECT_EQ(lines.back().found.outcome, Outcome::unknown);
}

TEST_F(Run, ARootIsNamedThroughAnyNumberOfSteps) {
    const std::array checks{Check{"a", "A", Group::disk, {}, broken}, Check{"b", "B", Group::disk, {"a"}, all_right},
                            Check{"c", "C", Group::disk, {"b"}, all_right},
                            Check{"d", "D", Group::disk, {}, all_right}};
    const auto lines = run(checks, scene);
    EXPECT_STREQ(lines[2].root, "a");
    EXPECT_EQ(lines[2].found.outcome, Outcome::suppressed);
    EXPECT_EQ(lines[3].found.outcome, Outcome::ok);
    EXPECT_EQ(verdict(lines), Outcome::fail);
}

TEST_F(Run, SaysItAsJsonToTheLetter) {
    const std::array checks{Check{"a", "A", Group::disk, {}, broken}, Check{"b", "B", Group::clock, {"a"}, all_right}};
    auto said = to_json(run(checks, scene));
    for (auto& one : said["checks"]) one["took_ms"] = 0;
    said["took_ms"] = 0;
    EXPECT_EQ(said, nlohmann::json::parse(R"({"v":1,"result":"fail","exit":2,"took_ms":0,
        "counts":{"ok":0,"warn":0,"fail":1,"not_known":0,"suppressed":1},
        "checks":[{"id":"a","title":"A","group":"disk","result":"fail","said":"gone","cause":"it broke","next":"mend it",
                   "follows":[],"root":null,"doc":"checks.md#a","took_ms":0},
                  {"id":"b","title":"B","group":"clock","result":"suppressed","said":"","cause":"","next":"",
                   "follows":["a"],"root":"a","doc":"checks.md#b","took_ms":0}]})"));
}

TEST(Table, AndItsPageAreOne) {
    std::ifstream in{CLINIC_SOURCE_DIR "/docs/checks.md"};
    const std::string page{std::istreambuf_iterator<char>{in}, {}};
    // | <a id="disk.space"></a>`disk.space` | what is looked at | what is the matter, and what to do |
    const std::regex row{R"re(\| <a id="([a-z_.]+)"></a>`([a-z_.]+)` \| ([^|]+) \| ([^|\n]+) \|)re"};
    std::set<std::string> told, all;
    for (std::sregex_iterator one{page.begin(), page.end(), row}, end; one != end; ++one) {
        EXPECT_EQ((*one)[1], (*one)[2]);
        EXPECT_GT((*one)[4].length(), 20) << (*one)[1] << " says too little";
        EXPECT_TRUE(told.insert((*one)[1]).second) << (*one)[1] << " stands there twice";
    }
    for (const Check& check : table()) all.insert(check.id);
    EXPECT_EQ(told, all);
}

// clinicd takes a set that has each of these once, and no other.
TEST(Table, IsTheOneThatClinicdDeclares) {
    std::vector<std::string> made, declared;
    for (const Check& check : table()) made.emplace_back(check.id);
    for (const auto& check : health::declared_checks()) declared.emplace_back(check.id.c_str());
    EXPECT_EQ(made, declared);
    for (const auto one : {Outcome::ok, Outcome::suppressed, Outcome::unknown, Outcome::warn, Outcome::fail})
        EXPECT_STREQ(name(one), health::name(static_cast<health::CheckResult>(one)));
}

} // namespace
} // namespace clinic::check
