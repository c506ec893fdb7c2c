// The n-th call of the disk under a check of the store fails: an error that says so, and never damage.
#include "daemon/records/store_check.h"
#include "tests/crypto/fault_disk.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

using crypto::tests::Fault;
using crypto::tests::FaultDisk;
using Step = StoreCheck::Step;

class CheckedOnAFaultyDisk : public Records {
protected:
    void SetUp() override {
        disk_.emplace(folder_.path());
        Records::SetUp();
        for (int i = 0; i < 40; ++i) upsert(person(std::to_string(i).c_str()));
        reopen(); // with an empty WAL
    }
    void TearDown() override {
        disk_->fail(0, Fault::io, true);
        Records::TearDown();
        store_.reset();
        disk_.reset();
    }
    CheckPlace place() {
        return *read([](Snapshot& session) { return check_place(session); });
    }

    std::optional<FaultDisk> disk_;
};

TEST_F(CheckedOnAFaultyDisk, ADiskThatRefusesAReadIsNoDamage) {
    const CheckOptions often{.pages_a_slice = 10'000, .every = std::chrono::hours{0}};
    int refused = 0;
    for (int nth = 1;; ++nth) {
        StoreCheck check{*store_, often};
        while (place().next_page != 0 || place().started.micros == 0) ASSERT_TRUE(check.step(clock_.now()));
        disk_->fail(nth, Fault::io, true);
        Result<Step> step = Step::more;
        while (step && *step == Step::more) step = check.step(clock_.now());
        const bool failed = disk_->failed();
        disk_->fail(0, Fault::io, true);
        ASSERT_TRUE(!step || *step == Step::sound) << nth;
        refused += step ? 0 : 1;
        while (!step || *step == Step::more) step = check.step(clock_.now());
        ASSERT_EQ(*step, Step::sound) << nth << ": it goes on";
        if (!failed) break;
    }
    EXPECT_GT(refused, 10);
}

TEST_F(CheckedOnAFaultyDisk, ItHasEndedWhenThatIsWrittenDown) {
    StoreCheck check{*store_, {}};
    while (place().next_slot == 0) ASSERT_TRUE(check.step(clock_.now()));
    disk_->fail(1, Fault::full, false);
    EXPECT_FALSE(check.step(clock_.now()));
    disk_->fail(0, Fault::full, true);
    const auto again = check.step(clock_.now());
    ASSERT_TRUE(again) << again.error().what.c_str();
    EXPECT_EQ(*again, Step::sound);
    EXPECT_EQ(place().last, clock_.now());
    EXPECT_EQ(place().started, Timestamp{});
}

} // namespace
} // namespace clinic::records
