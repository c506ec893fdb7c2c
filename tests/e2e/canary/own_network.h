// What the tests of this program have in common: a network of their own, entered once, before the first thread.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/e2e/canary/wire_tap.h"

namespace clinic::e2e {

struct Canary : testing::Test {
    static void SetUpTestSuite() { has_network_ = geteuid() == 0 && (has_network_ || enter_own_network()); }
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "a network of one's own and two users need root";
        ASSERT_TRUE(has_network_) << "root, and this machine makes no network for us";
    }

private:
    static inline bool has_network_ = false;
};

} // namespace clinic::e2e
