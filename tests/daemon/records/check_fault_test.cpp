// The n-th allocation of SQLite under a check of the store fails, or the disk: an error that says so, and never damage.
#include "daemon/records/salvage/new_store.h"
#include "daemon/records/salvage/restore.h"
#include "daemon/records/salvage/salvage.h"
#include "daemon/records/store_check.h"
#include "tests/crypto/failing_memory.h"
#include "tests/crypto/fault_disk.h"
#include "tests/crypto/store_files.h"
#include "tests/daemon/records/records_fixture.h"
#include "tests/daemon/records/store_jobs.h"

namespace clinic::records {
namespace {

using crypto::tests::FailingMemory;
using crypto::tests::Fault;
using crypto::tests::FaultDisk;
using Step = StoreCheck::Step;

constexpr int jobs = 60;

void make_store(const std::filesystem::path& folder) {
    const StoreJobs store_jobs{folder};
    const auto store = store_jobs.open();
    ASSERT_TRUE(store);
    StoreJobs::write_group(**store, 1, jobs, [](int) {});
}

// A closed store, and a connection to it that keeps few pages.
class OneConnection {
public:
    explicit OneConnection(const std::filesystem::path& folder) {
        auto vfs = crypto::SealedVfs::open(folder / "records.db", slot_of('k'), crypto::IfAbsent::fail);
        if (!vfs) return;
        vfs_ = std::move(*vfs);
        if (auto opened = Connection::open(folder / "records.db", vfs_->name(), Role::writer, 64))
            connection_ = std::move(*opened);
    }
    // `call` while the nth allocation fails, or it and all after it. False: it has not so many.
    template <class Call>
    bool with(FailingMemory& memory, int nth, bool once, const Call& call) {
        sqlite3_db_release_memory(connection_->handle());
        memory.fail(nth, once);
        const auto answer = call(*connection_);
        const bool failed = memory.failed();
        memory.fail(0, true);
        EXPECT_TRUE(answer || answer.error().code == Errc::system)
            << nth << ": " << base::name(answer.error().code) << ", " << answer.error().what.c_str();
        return failed;
    }
    Connection* operator->() { return connection_.get(); }
    explicit operator bool() const { return connection_ != nullptr; }

private:
    std::unique_ptr<crypto::SealedVfs> vfs_;
    std::unique_ptr<Connection> connection_;
};

class CheckFaults : public testing::TestWithParam<bool> {
protected:
    void make() {
        make_store(folder());
        connection_.emplace(folder());
        ASSERT_TRUE(*connection_);
    }
    std::filesystem::path folder() const { return folder_.path(); }

    FailingMemory memory_; // no connection is open when it goes
    fakes::TempFolder folder_;
    std::optional<OneConnection> connection_;
};

TEST_P(CheckFaults, WithoutMemoryANewStoreIsNotCalledDamaged) {
    make();
    for (int nth = 1; connection_->with(memory_, nth, GetParam(), salvage::check_new); ++nth) continue;
}

TEST_P(CheckFaults, WithoutMemoryNoTriggerStaysBehind) {
    make();
    const auto triggers = [&] {
        const auto there = (*connection_)->number("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'");
        return there ? *there : -1;
    };
    const auto all = triggers();
    ASSERT_GT(all, 0);
    for (int nth = 1;; ++nth) {
        ASSERT_TRUE((*connection_)->run("BEGIN IMMEDIATE"));
        salvage::WithoutTriggers without{*connection_->operator->()};
        Result<void> dropped;
        const bool failed =
            connection_->with(memory_, nth, GetParam(), [&](Connection&) { return dropped = without.drop(); });
        if (dropped) {
            EXPECT_EQ(triggers(), 0) << nth;
            EXPECT_TRUE(without.restore()) << nth;
            EXPECT_EQ(triggers(), all) << nth;
        }
        if ((*connection_)->in_transaction()) {
            ASSERT_TRUE((*connection_)->run("ROLLBACK"));
        }
        if (!failed) break;
    }
}

TEST_P(CheckFaults, WithoutMemoryNoStoreIsCalledDamaged) {
    make_store(folder());
    memory_.fail(1'000'000, true);
    ASSERT_TRUE(salvage::check(folder(), slot_of('k')));
    const int calls = memory_.calls(), step = std::max(1, calls / 400);
    for (int nth = 1; nth < calls; nth += step) {
        memory_.fail(nth, GetParam());
        const auto checked = salvage::check(folder(), slot_of('k'));
        memory_.fail(0, true);
        EXPECT_TRUE(checked ? checked->sound() : checked.error().code == Errc::system)
            << nth << ' ' << (checked ? checked->integrity.front() : checked.error().what.c_str());
    }
}

INSTANTIATE_TEST_SUITE_P(Each, CheckFaults, testing::Bool(),
                         [](const auto& one) { return std::string{one.param ? "once" : "for_good"}; });

// What cleans up behind a failure may fail as well.
TEST(CleaningUp, DoesNotHideWhatFailedFirst) {
    const fakes::TempFolder place;
    const fakes::ManualClock clock;
    const auto records = place / "records", from = place / "from";
    make_store(records);
    crypto::tests::copy_folder(records, from);
    std::filesystem::create_directory(from / "salvage.sealed"); // no file to copy: found when the mark is there
    FaultDisk disk{place.path()};
    for (int nth = 1;; ++nth) {
        disk.fail(nth, Fault::io, false);
        const auto restored = salvage::restore(records, from, slot_of('k'), clock);
        const bool failed = disk.failed();
        disk.fail(0, Fault::io, true);
        std::filesystem::remove(records / "restoring");
        ASSERT_FALSE(restored) << nth;
        EXPECT_STRNE(restored.error().what.c_str(), "a file cannot be removed") << nth;
        if (!failed) break;
    }
}

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
