#include "systemd/manager.h"

#include <gmock/gmock.h>

#include <array>

#include "tests/fakes/temp_folder.h"
#include "tests/support/scripted_manager.h"

namespace clinic::systemd {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class Restarts : public ::testing::Test {
protected:
    static constexpr std::array both{"clinicd.service", "clinic-syncd.service"};

    Result<void> restart(std::span<const char* const> units, const Restart& how) {
        return restart_units({manager_.address()}, units, how);
    }

    fakes::TempFolder folder_;
    Services services_{.units = {{"clinicd.service", {{"JobResult", "done"}}},
                                 {"clinic-syncd.service", {{"JobResult", "done"}}},
                                 {"broken.service", {{"JobResult", "failed"}}},
                                 {"slow.service", {}}}};
    test_support::ScriptedManager manager_{folder_.path() / "bus", services_};
};

TEST_F(Restarts, AreBegunForEachAndWaitedFor) {
    EXPECT_TRUE(restart(both, {.wait = 10s}));
    EXPECT_THAT(manager_.restarted(), ElementsAre("RestartUnit clinicd.service", "RestartUnit clinic-syncd.service"));
}

TEST_F(Restarts, MayLeaveAloneWhatDoesNotRunAndWaitForNothing) {
    EXPECT_TRUE(restart(std::array{"slow.service"}, {.only_running = true}));
    EXPECT_THAT(manager_.restarted(), ElementsAre("TryRestartUnit slow.service"));
}

TEST_F(Restarts, SayThatAUnitDidNotStartOrTakesTooLong) {
    EXPECT_EQ(restart(std::array{"clinicd.service", "broken.service"}, {.wait = 10s}).error().code, Errc::refused);
    EXPECT_EQ(restart(std::array{"slow.service"}, {.wait = 1s}).error().code, Errc::timeout);
}

TEST_F(Restarts, GoOnWithTheOthersWhereThereIsNoUnitOfAName) {
    const auto said = restart(std::array{"none.service", "clinicd.service"}, {.wait = 10s});
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().code, Errc::refused);
    EXPECT_THAT(manager_.restarted(), ElementsAre("RestartUnit clinicd.service"));
}

TEST_F(Restarts, NeedAManager) {
    const auto said = restart_units({"unix:path=" + (folder_.path() / "none").string()}, both, {});
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().code, Errc::offline);
}

} // namespace
} // namespace clinic::systemd
