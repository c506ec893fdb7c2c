// A full disk: records are refused, the reserve is given back and comes again, and nothing needs a restart.
#include "daemon/records/reserve.h"

#include "tests/daemon/records/records_fixture.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/full_disk.h"

namespace clinic::records {
namespace {

namespace fs = std::filesystem;

using fakes::FullDisk;

class Full : public Records {
protected:
    fs::path reserve() const { return options_.folder / "reserve"; }
    Result<void> write(char fill) {
        return store_->write(
            [fill](Transaction& txn) { return set_setting(txn, "filler", std::string(100'000, fill)); });
    }
};

TEST_F(Full, TheReserveHasBlocksOfItsOwnFromTheFirstOpenOn) {
    ASSERT_TRUE(fs::exists(reserve()));
    EXPECT_EQ(fs::file_size(reserve()), reserve_bytes);
    EXPECT_EQ(store_->numbers().reserve_bytes, static_cast<std::int64_t>(reserve_bytes));
    EXPECT_TRUE(store_->takes_records());
}

TEST_F(Full, RecordsAreRefusedTheReserveIsGivenBackAndBothComeBackByThemselves) {
    ASSERT_TRUE(write('a'));
    {
        const FullDisk full;
        const auto refused = write('b');
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::full);
        EXPECT_STREQ(refused.error().what.c_str(), "there is no room left on the records' disk");
        EXPECT_STRNE(refused.error().remedy.c_str(), "");
        EXPECT_FALSE(store_->takes_records());
        EXPECT_FALSE(fs::exists(reserve()));
        EXPECT_EQ(store_->numbers().reserve_bytes, 0);
        ASSERT_TRUE(store_->numbers().write_failure);
        EXPECT_EQ(store_->numbers().write_failure->code, Errc::full);
    }
    EXPECT_TRUE(fakes::eventually([&] { return store_->takes_records(); }));
    EXPECT_TRUE(fakes::eventually([&] { return fs::exists(reserve()); }));
    EXPECT_EQ(fs::file_size(reserve()), reserve_bytes);
    EXPECT_FALSE(store_->numbers().write_failure);
    EXPECT_TRUE(write('c'));
}

TEST(Reserve, IsTakenOnceAndGoesAtOnce) {
    const fakes::TempFolder folder;
    Reserve reserve{folder.path()};
    EXPECT_EQ(reserve.held(), 0);
    reserve.give_back(); // nothing is there
    reserve.take();
    EXPECT_EQ(reserve.held(), static_cast<std::int64_t>(reserve_bytes));
    Reserve next_start{folder.path()};
    next_start.take(); // what lies there is taken over
    EXPECT_EQ(next_start.held(), static_cast<std::int64_t>(reserve_bytes));
    next_start.give_back();
    EXPECT_FALSE(fs::exists(folder / "reserve"));
    EXPECT_TRUE(next_start.recovered()) << "this disk has room, so it is taken again";
    EXPECT_TRUE(fs::exists(folder / "reserve"));
}

TEST(Reserve, IsNotAFileOfHoles) {
    const fakes::TempFolder folder;
    const FullDisk full{1'000'000};
    Reserve reserve{folder.path()};
    reserve.take();
    EXPECT_EQ(reserve.held(), 0);
    EXPECT_TRUE(!fs::exists(folder / "reserve") || fs::file_size(folder / "reserve") == 0);
}

} // namespace
} // namespace clinic::records
