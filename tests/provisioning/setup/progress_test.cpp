// Where the setup stands, over cuts: the file is what it was before a step, or what it is behind it.
#include "provisioning/setup/progress.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "crypto/base/files.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

constexpr Timestamp now{1'790'000'000'000'000};

struct Stands : testing::Test {
    fakes::TempFolder folder;
    std::filesystem::path state = folder / "setup";
    Progress open() {
        auto opened = Progress::open(state, true);
        EXPECT_TRUE(opened) << opened.error().what.c_str();
        return std::move(*opened);
    }
};

TEST_F(Stands, AtTheFirstStepThatIsNotDone) {
    {
        auto progress = open();
        EXPECT_FALSE(progress.is_done(Step::preflight));
        ASSERT_TRUE(progress.finish(Step::preflight, {{"ok", 3}}, now));
        ASSERT_TRUE(progress.note("first_store", "making"));
    }
    auto progress = open();
    EXPECT_TRUE(progress.is_done(Step::preflight));
    EXPECT_EQ(progress.facts(Step::preflight), (json{{"ok", 3}}));
    EXPECT_EQ(progress.done_at(Step::preflight), base::rfc3339(now));
    EXPECT_EQ(progress.noted("first_store"), "making");
    EXPECT_FALSE(progress.is_done(Step::claim));
    EXPECT_FALSE(progress.is_complete());
}

TEST_F(Stands, WhatIsDoneAgainTakesTheProofBack) {
    auto progress = open();
    for (const Step step : steps) ASSERT_TRUE(progress.finish(step, json::object(), now));
    EXPECT_TRUE(progress.is_complete());
    ASSERT_TRUE(progress.finish(Step::feeds, json::object(), now));
    EXPECT_FALSE(progress.is_done(Step::proof));
    EXPECT_TRUE(progress.is_done(Step::keys));
}

// GHL's answer of an earlier proof is none in the next.
TEST_F(Stands, EachProofHasATestPersonOfItsOwn) {
    auto progress = open();
    for (const Step step : {Step::proof, Step::claim}) {
        ASSERT_TRUE(progress.note(test_person, "CE-TEST-1"));
        ASSERT_TRUE(progress.note("first_store", "made"));
        ASSERT_TRUE(progress.finish(step, json::object(), now));
        EXPECT_EQ(progress.noted(test_person), "") << name(step);
        EXPECT_EQ(progress.noted("first_store"), "made");
    }
}

TEST_F(Stands, OnlyOneSetupRunsAtATime) {
    const auto first = open();
    const auto second = Progress::open(state, true);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_TRUE(Progress::open(state, false)) << "who only looks may";
}

TEST_F(Stands, RootsAlone) {
    auto progress = open();
    ASSERT_TRUE(progress.note("a", "b"));
    const auto mode = [](const auto& path) { return std::filesystem::status(path).permissions(); };
    EXPECT_EQ(mode(state), std::filesystem::perms{0700});
    EXPECT_EQ(mode(state / "progress.json"), std::filesystem::perms{0600});
}

// What a cut leaves beside the file, however much of it was written, is not taken for the file.
TEST_F(Stands, WhereItStoodWhateverPartOfTheNextWasWritten) {
    std::string next;
    {
        auto progress = open();
        ASSERT_TRUE(progress.finish(Step::preflight, json::object(), now));
        next = *base::read_text(state / "progress.json", 1'048'576);
    }
    for (std::size_t part = 0; part <= next.size(); ++part) {
        std::ofstream{state / "progress.json.new"} << next.substr(0, part);
        auto progress = open();
        EXPECT_TRUE(progress.is_done(Step::preflight));
        EXPECT_FALSE(progress.is_done(Step::claim));
    }
    auto progress = open();
    EXPECT_TRUE(progress.finish(Step::claim, json::object(), now)) << "and what lies there is no hindrance";
}

// A file that is half of one, or another's, is a stop and not a new beginning.
TEST_F(Stands, NowhereWhereTheFileIsSpoilt) {
    std::string whole;
    {
        auto progress = open();
        ASSERT_TRUE(progress.finish(Step::preflight, json::object(), now));
        whole = *base::read_text(state / "progress.json", 1'048'576);
    }
    for (std::size_t part = 0; part + 2 < whole.size(); ++part) {
        std::ofstream{state / "progress.json"} << whole.substr(0, part);
        const auto opened = Progress::open(state, true);
        ASSERT_FALSE(opened) << part;
        EXPECT_EQ(opened.error().code, Errc::malformed);
    }
    for (const char* other :
         {"{}", "[]", R"({"v":2,"steps":{},"notes":{}})", R"({"v":1,"steps":{"claim":1},"notes":{}})"}) {
        std::ofstream{state / "progress.json"} << other;
        EXPECT_FALSE(Progress::open(state, true)) << other;
    }
}

// Killed while it writes on and on: each time it stands somewhere, and never further back.
TEST_F(Stands, SomewhereAfterEachKill) {
    open();
    int before = 0;
    for (int kills = 0; kills < 25; ++kills) {
        const pid_t child = fork();
        if (child == 0) {
            auto progress = Progress::open(state, true);
            for (int i = before + 1; progress && progress->note("count", std::to_string(i)); ++i) continue;
            _exit(1);
        }
        usleep(3'000 + 1'000 * static_cast<useconds_t>(kills)); // where it is hit is what varies
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        const auto progress = open();
        const std::string said = progress.noted("count");
        const int count = said.empty() ? 0 : std::stoi(said);
        EXPECT_GE(count, before);
        before = count;
    }
    EXPECT_GT(before, 0);
}

} // namespace
} // namespace clinic::setup
