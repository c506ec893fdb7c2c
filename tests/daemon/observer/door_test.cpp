#include "daemon/observer/door.h"

#include <gtest/gtest.h>

#include "tests/fakes/manual_clock.h"

namespace clinic::observer {
namespace {

using namespace std::chrono_literals;

class TheDoor : public ::testing::Test {
protected:
    // Somebody waits for so long, and the listener asks four times a second.
    bool opens_within(base::Micros span) {
        for (base::Micros waited{}; waited < span; waited += 250ms) {
            if (door_.may_accept()) return true;
            clock_.advance(250ms);
        }
        return false;
    }

    fakes::ManualClock clock_;
    Seen seen_{};
    int looks_ = 0;
    Door door_{[this] { return ++looks_, seen_; }, clock_};
};

TEST_F(TheDoor, IsLeftToClinicdForTwoSeconds) {
    EXPECT_FALSE(opens_within(2s));
    EXPECT_EQ(looks_, 0) << "the manager is not asked for each guest";
    EXPECT_TRUE(door_.may_accept());
}

TEST_F(TheDoor, OpensAtOnceForWhoComesLaterWhileClinicdIsAway) {
    ASSERT_TRUE(opens_within(3s));
    clock_.advance(60s);
    EXPECT_TRUE(door_.may_accept());
}

TEST_F(TheDoor, IsClinicdsAgainWhenItRuns) {
    ASSERT_TRUE(opens_within(3s));
    clock_.advance(60s);
    seen_.runs = true;
    EXPECT_FALSE(opens_within(9s));
    clock_.advance(60s);
    seen_.runs = false;
    EXPECT_FALSE(door_.may_accept()) << "two seconds again";
}

TEST_F(TheDoor, OpensLaterWhereClinicdRunsAndDoesNotAnswer) {
    seen_.runs = true;
    EXPECT_FALSE(opens_within(10s));
    EXPECT_TRUE(door_.may_accept());
}

TEST_F(TheDoor, SeesNoSilenceInGuestsWhoComeOneByOne) {
    seen_.runs = true;
    for (int guest = 0; guest < 100; ++guest) {
        EXPECT_FALSE(door_.may_accept());
        clock_.advance(1600ms);
    }
}

} // namespace
} // namespace clinic::observer
