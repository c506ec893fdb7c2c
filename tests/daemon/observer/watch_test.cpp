#include "daemon/observer/watch.h"

#include <gtest/gtest.h>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/support/scripted_manager.h"

namespace clinic::observer {
namespace {

using namespace std::chrono_literals;

struct Case {
    systemd::Unit unit;
    Trouble trouble;
};

// As systemd 252 says it: seen on units that were made to end so.
TEST(Judged, EachEndOfTheUnitIsATroubleOfItsOwn) {
    const auto ended = [](const char* result, const char* status) {
        return systemd::Unit{{"ActiveState", "activating"}, {"Result", result}, {"ExecMainStatus", status}};
    };
    const std::vector<Case> cases{
        {{{"ActiveState", "activating"}, {"Result", "success"}}, Trouble::starting},
        {ended("exit-code", "2"), Trouble::settings},
        {ended("exit-code", "1"), Trouble::fails},
        {ended("exit-code", "243"), Trouble::sealed_off}, // CREDENTIALS
        {ended("exit-code", "226"), Trouble::sealed_off}, // NAMESPACE
        {ended("oom-kill", "9"), Trouble::memory},
        {ended("watchdog", "6"), Trouble::hung},
        {ended("signal", "11"), Trouble::crashed},
        {ended("core-dump", "11"), Trouble::crashed},
        {ended("timeout", "0"), Trouble::fails},
        {{{"ActiveState", "inactive"}, {"Result", "success"}}, Trouble::stopped},
    };
    for (const auto& one : cases) {
        const auto seen = judge(&one.unit);
        EXPECT_FALSE(seen.runs);
        EXPECT_EQ(name(seen.trouble), name(one.trouble)) << one.unit.at("Result");
    }
    const systemd::Unit runs{{"ActiveState", "active"}, {"Result", "success"}};
    EXPECT_TRUE(judge(&runs).runs);
    EXPECT_EQ(judge(nullptr).trouble, Trouble::unknown);
}

TEST(TheWatch, AsksTheManagerOnceASecond) {
    const fakes::TempFolder folder;
    systemd::Services services;
    services.units["clinicd.service"] = {{"ActiveState", "activating"},  {"SubState", "auto-restart"},
                                         {"LoadState", "loaded"},        {"UnitFileState", ""},
                                         {"Result", "exit-code"},        {"ExecMainStatus", "2"},
                                         {"StartLimitIntervalUSec", "0"}};
    const test_support::ScriptedManager manager{folder.path() / "bus", services};
    fakes::ManualClock clock;
    Watch watch{{manager.address()}, clock};
    EXPECT_EQ(watch.look().trouble, Trouble::settings);
    services.units["clinicd.service"]["ActiveState"] = "active";
    EXPECT_FALSE(watch.look().runs);
    clock.advance(1s);
    EXPECT_TRUE(watch.look().runs);
}

TEST(TheWatch, SaysThatNobodyAnswersOnTheBus) {
    const fakes::TempFolder folder;
    const fakes::ManualClock clock;
    Watch watch{{"unix:path=" + (folder.path() / "none").string()}, clock};
    EXPECT_FALSE(watch.look().runs);
    EXPECT_EQ(watch.look().trouble, Trouble::unknown);
}

} // namespace
} // namespace clinic::observer
