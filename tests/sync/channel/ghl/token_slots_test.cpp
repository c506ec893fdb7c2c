#include "sync/channel/ghl/token_slots.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::ghl {
namespace {

class Slots : public ::testing::Test {
protected:
    // A file whose time says that it is another one.
    void put(const char* name, const std::string& token) {
        const auto path = folder_ / name;
        std::ofstream{path} << token << "\n";
        std::filesystem::last_write_time(path, std::filesystem::file_time_type{std::chrono::seconds{++second_}});
    }
    std::string shown(For use = For::work) {
        const auto bearer = slots_.bearer(use, {});
        return bearer ? *bearer : "";
    }

    fakes::TempFolder folder_;
    std::int64_t second_ = 0;
    fakes::ManualClock clock_;
    TokenSlots slots_{folder_ / "current", folder_ / "next", clock_};
};

TEST_F(Slots, WithoutAFileThereIsNothingToShow) {
    const auto bearer = slots_.bearer(For::work, {});
    ASSERT_FALSE(bearer);
    EXPECT_EQ(bearer.error().code, Errc::locked);
    put("current", "two words");
    EXPECT_EQ(shown(), "");
    put("current", "pit-1");
    EXPECT_EQ(shown(), "pit-1");
}

TEST_F(Slots, TheNextIsTriedByAProbeAndTakesOverWhenItWorks) {
    put("current", "pit-1");
    put("next", "pit-2");
    EXPECT_EQ(shown(For::work), "pit-1");
    EXPECT_EQ(shown(For::probe), "pit-2");
    slots_.accepted("pit-1"); // a delivery meanwhile
    EXPECT_EQ(shown(For::work), "pit-1");
    slots_.accepted("pit-2");
    EXPECT_EQ(shown(For::work), "pit-2");
    EXPECT_EQ(shown(For::probe), "pit-2") << "the one that it came from is not news";
}

TEST_F(Slots, ANextThatGhlDoesNotKnowLeavesTheCurrentOne) {
    put("current", "pit-1");
    put("next", "pit-typo");
    ASSERT_EQ(shown(For::probe), "pit-typo");
    EXPECT_TRUE(slots_.refused("pit-typo")) << "another is at hand";
    EXPECT_EQ(shown(For::probe), "pit-1") << "until the file is another one";
    put("next", "pit-2");
    EXPECT_EQ(shown(For::probe), "pit-2");
}

TEST_F(Slots, ACurrentThatIsRefusedGivesWayAtOnce) {
    put("current", "pit-1");
    slots_.accepted(shown());
    put("next", "pit-2");
    EXPECT_TRUE(slots_.refused("pit-1"));
    EXPECT_EQ(shown(For::work), "pit-2");
    EXPECT_FALSE(slots_.refused("pit-2")) << "nothing is left";
    EXPECT_EQ(shown(For::work), "pit-1") << "they take turns: a refusal may have been a hiccup";
    EXPECT_FALSE(slots_.refused("pit-1"));
    EXPECT_EQ(shown(For::work), "pit-2");
    slots_.accepted("pit-2");
    EXPECT_EQ(shown(For::work), "pit-2");
}

// After a change GHL answers one 401 to the good one; the old one has expired.
TEST_F(Slots, AHiccupAfterAChangeDoesNotLeaveTheOldOneInUse) {
    put("current", "pit-old");
    slots_.accepted(shown());
    put("next", "pit-new");
    slots_.accepted(shown(For::probe));
    clock_.advance(std::chrono::hours{200});
    slots_.refused("pit-new");
    ASSERT_EQ(shown(For::probe), "pit-old");
    slots_.refused("pit-old");
    EXPECT_EQ(shown(For::probe), "pit-new");
}

TEST_F(Slots, ANextThatIsNotKnownEverywhereYetIsTriedAgain) {
    put("current", "pit-1");
    slots_.accepted(shown());
    put("next", "pit-2");
    slots_.refused(shown(For::probe));
    EXPECT_EQ(shown(For::probe), "pit-1");
    clock_.advance(std::chrono::minutes{11});
    EXPECT_EQ(shown(For::probe), "pit-2");
}

TEST_F(Slots, AReplacedFileIsReadWhenGhlRefusesWhateverItsTimeSays) {
    put("current", "pit-1");
    ASSERT_EQ(shown(), "pit-1");
    const auto time = std::filesystem::last_write_time(folder_ / "current");
    std::ofstream{folder_ / "current"} << "pit-3";
    std::filesystem::last_write_time(folder_ / "current", time);
    EXPECT_EQ(shown(), "pit-1");
    EXPECT_TRUE(slots_.refused("pit-1"));
    EXPECT_EQ(shown(), "pit-3");
}

TEST_F(Slots, AFileThatIsAwayForAMomentChangesNothing) {
    put("current", "pit-1");
    ASSERT_EQ(shown(), "pit-1");
    std::filesystem::remove(folder_ / "current");
    EXPECT_EQ(shown(), "pit-1");
}

} // namespace
} // namespace clinic::ghl
