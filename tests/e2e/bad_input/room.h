// One box for all cases of this program: each leaves it as it found it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "tests/e2e/wire.h"

namespace clinic::e2e {

class BadInput : public testing::Test {
protected:
    static void SetUpTestSuite() {
        std::signal(SIGPIPE, SIG_IGN); // who is hung up on while it writes
        if (!box_) {
            box_ = std::make_unique<Box>();
            std::atexit([] { box_.reset(); });
        }
        well();
        before_ = footprint(process_of(*box_, "clinicd"));
    }

    static int console() { return box_->console_port(); }
    static int mllp() { return box_->mllp_port(); }
    static Box& box() { return *box_; }
    static std::string fresh(const char* letter) {
        return letter + std::to_string(getpid()) + "x" + std::to_string(++counter_);
    }

    // A good message is stored and the page stands.
    static bool well() {
        return acknowledgement(box().send(adt("A28", fresh("C"), fresh("N"), "Quillfeather", "Ottoline"))) == "AA" &&
               box().page("/").find("HTTP/1.1 200") != std::string::npos;
    }

    // The same process, with what it held before: its descriptors, and its memory within the allocator's play.
    static void TearDownAsBefore() {
        EXPECT_TRUE(eventually(well, 60));
        const int process = process_of(box(), "clinicd");
        EXPECT_TRUE(eventually([&] { return footprint(process).descriptors <= before_.descriptors + 8; }, 90))
            << footprint(process).descriptors << " descriptors, before " << before_.descriptors;
        EXPECT_LE(footprint(process).resident_kib, before_.resident_kib + play_kib);
        const auto feed = box().status()["intake"]["mllp"];
        EXPECT_EQ(feed["received"], feed["stored"].get<int>() + feed["quarantined"].get<int>() +
                                        feed["refused"].get<int>() + feed["duplicate"].get<int>());
    }
    void SetUp() override { process_ = process_of(box(), "clinicd"); }
    void TearDown() override {
        TearDownAsBefore();
        EXPECT_EQ(process_of(box(), "clinicd"), process_) << "clinicd was started anew";
    }

    static constexpr long play_kib = 65'536;
    static inline std::unique_ptr<Box> box_;
    static inline Footprint before_;
    static inline int counter_ = 0;
    int process_ = 0;
};

} // namespace clinic::e2e
