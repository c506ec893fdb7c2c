// The n-th call of the disk fails, and the n-th allocation of SQLite, for every n: a clean error, nothing that was
// acknowledged is lost, and all is well afterwards. Plain SQLite goes the same way as control.
#include <algorithm>
#include <functional>

#include "tests/crypto/failing_memory.h"
#include "tests/crypto/fault_disk.h"
#include "tests/crypto/sql_store.h"
#include "tests/crypto/store_fixture.h"
#include "tests/support/campaign.h"

namespace clinic::crypto::tests {
namespace {

constexpr int first_commits = 4;

// How much is done: a short life is tried with every fault in each run of the tests.
struct Life {
    int days;
    int commits; // a day, besides two with checkpoints behind them
    int cache_pages;
};
constexpr Life short_life{1, 0, 100};
constexpr Life long_life{2, 3, 4};

using IsClean = std::function<bool(int code)>; // an error that says what happened, and no damage

// Each day: open, commit with spills, savepoints and checkpoints, close. What fails is tried again on the same
// connection, three times in all.
class Days {
public:
    Days(Life life, Under under, std::filesystem::path folder, IsClean is_clean, bool may_be_damage = false)
        : life_{life}, under_{under}, folder_{std::move(folder)}, is_clean_{std::move(is_clean)}, may_be_damage_{
                                                                                                      may_be_damage} {}

    void live() {
        for (int day = 0; day < life_.days; ++day) {
            std::unique_ptr<SqlStore> store;
            const bool opened = attempt([&] {
                store.reset();
                store = std::make_unique<SqlStore>(under_, folder_ / "records.db");
                if (store->why()) note_unclean(*store->why());
                return store->code();
            });
            if (!opened) continue;
            // One that failed at its sync may be there all the same.
            attempt([&] { return take_up(*store); });
            attempt([&] { return store->run("PRAGMA cache_size=" + std::to_string(life_.cache_pages)); });
            commit(*store, life_.commits);
            attempt([&] { return store->run("PRAGMA wal_checkpoint(PASSIVE)"); });
            commit(*store, 1);
            if (day == 0) attempt([&] { return store->run("PRAGMA wal_checkpoint(TRUNCATE)"); });
            commit(*store, 1);
        }
    }

    Bounds bounds() const { return {acknowledged_, std::max(tried_, acknowledged_)}; }
    bool all_went_well() const { return acknowledged_ == first_commits + (life_.commits + 2) * life_.days; }
    const std::string& unclean() const { return unclean_; }

private:
    bool attempt(const std::function<int()>& step) {
        for (int i = 0; i < 3; ++i) {
            const int code = step();
            if (code == SQLITE_OK) return true;
            if (!is_clean_(code) && unclean_.empty()) unclean_ = "code " + std::to_string(code);
        }
        return false;
    }
    void note_unclean(const Error& error) {
        if (error.code != Errc::system && error.code != Errc::full && !may_be_damage_) unclean_ = error.what.c_str();
    }
    int take_up(const SqlStore& store) {
        const int found = store.commits();
        if (found < 0) return sqlite3_extended_errcode(store.get());
        if (found <= tried_) acknowledged_ = std::max(acknowledged_, found);
        return SQLITE_OK;
    }
    void commit(const SqlStore& store, int times) {
        for (int i = 0; i < times; ++i) {
            tried_ = std::max(tried_, acknowledged_ + 1);
            if (attempt([&] { return store.commit(acknowledged_ + 1); })) ++acknowledged_;
        }
    }

    const Life life_;
    const Under under_;
    const std::filesystem::path folder_;
    const IsClean is_clean_;
    const bool may_be_damage_; // a file that ends too early is told as damage
    int acknowledged_ = first_commits;
    int tried_ = first_commits;
    std::string unclean_;
};

// SQLITE_ERROR: the store's own error at open, which is looked at by itself.
bool is_io_error(int code) {
    return ((code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_DATA) || (code & 0xff) == SQLITE_CANTOPEN ||
           code == SQLITE_ERROR;
}

struct Trouble {
    std::string name;
    Under under = Under::plain;
    bool once = true;
    Fault fault = Fault::io;

    friend void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }
};

class Faults : public testing::Test {
protected:
    void prepare(Under under) {
        std::filesystem::create_directory(start_);
        const FaultDisk quick{start_};
        const SqlStore store{under, start_ / "records.db", IfAbsent::create};
        ASSERT_EQ(store.code(), SQLITE_OK);
        ASSERT_EQ(store.make_tables(), SQLITE_OK);
        for (int n = 1; n <= first_commits; ++n) ASSERT_EQ(store.commit(n), SQLITE_OK);
        sqlite3_db_config(store.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    }

    // Each call in its turn, far from each other at first: 7,919 is prime.
    static int nth(std::uint64_t seed, int calls) {
        EXPECT_NE(calls % 7'919, 0);
        return 1 + static_cast<int>(seed * 7'919 % static_cast<std::uint64_t>(calls));
    }

    fakes::TempFolder place_;
    const std::filesystem::path start_ = place_ / "start";
};

class DiskFaults : public Faults, public testing::WithParamInterface<Trouble> {
protected:
    // Plain SQLite takes a disk that cannot be read for a damaged database; the sealed VFS tells them apart.
    static bool is_clean(int code) {
        const Trouble& trouble = GetParam();
        if (trouble.fault == Fault::cut_short) return true;
        if (trouble.under == Under::plain && trouble.fault == Fault::io && (code & 0xff) == SQLITE_CORRUPT) return true;
        return is_io_error(code) || (trouble.fault == Fault::full && code == SQLITE_FULL);
    }

    // Calls the fault could meet in a life of which the `nth` fails.
    int live_with(int nth, Life life) {
        const Trouble& trouble = GetParam();
        const auto folder = place_ / "box";
        std::filesystem::remove_all(folder);
        copy_folder(start_, folder);
        FaultDisk disk{folder};
        disk.fail(nth, trouble.fault, trouble.once);
        Days lived{life, trouble.under, folder, is_clean, trouble.fault == Fault::cut_short};
        lived.live();
        const int calls = disk.calls();
        EXPECT_EQ(disk.failed(), nth != 0) << "call " << nth;
        disk.fail(0, trouble.fault, true);
        // SQLite alone goes on without writing when its file cannot be opened for writing at that moment; ours does
        // not.
        if (trouble.under == Under::plain && lived.unclean() == "code " + std::to_string(SQLITE_READONLY)) return calls;
        EXPECT_EQ(lived.unclean(), "") << "call " << nth;
        if (trouble.once) {
            EXPECT_TRUE(lived.all_went_well()) << "call " << nth;
        }
        EXPECT_EQ(judge_sql(trouble.under, folder, lived.bounds()).wrong, "") << "call " << nth;
        return calls;
    }
};

TEST_P(DiskFaults, OfEachCallOfAShortLifeEndInAnErrorAndLoseNothing) {
    prepare(GetParam().under);
    const int calls = live_with(0, short_life);
    for (int nth = 1; nth <= calls && !HasFailure(); ++nth) live_with(nth, short_life);
}

TEST_P(DiskFaults, EndInAnErrorAndLoseNothing) {
    prepare(GetParam().under);
    const int calls = live_with(0, long_life);
    support::Campaign campaign{{.name = "disk_faults_" + GetParam().name,
                                .what = "calls",
                                .plain = 15,
                                .most = static_cast<std::uint64_t>(calls)}};
    while (const auto seed = campaign.next()) live_with(nth(*seed, calls), long_life);
}

// With each cipher, and those of `control` on plain SQLite.
std::vector<Trouble> with_each_cipher(const std::vector<Trouble>& troubles, std::vector<Trouble> control) {
    for (auto trouble : troubles) {
        trouble.under = Under::aes256;
        control.push_back(trouble);
        trouble.under = Under::xchacha20;
        trouble.name += "_xchacha";
        control.push_back(trouble);
    }
    return control;
}

std::string name_of(const testing::TestParamInfo<Trouble>& trouble) {
    return trouble.param.name;
}

INSTANTIATE_TEST_SUITE_P(Each, DiskFaults,
                         testing::ValuesIn(with_each_cipher(
                             {
                                 {.name = "io_once", .once = true, .fault = Fault::io},
                                 {.name = "io_for_good", .once = false, .fault = Fault::io},
                                 {.name = "full_once", .once = true, .fault = Fault::full},
                                 {.name = "full_for_good", .once = false, .fault = Fault::full},
                                 {.name = "cut_short_once", .once = true, .fault = Fault::cut_short},
                                 {.name = "cut_short_for_good", .once = false, .fault = Fault::cut_short},
                             },
                             {
                                 {"io_once_plain", Under::plain, true, Fault::io},
                                 {"io_for_good_plain", Under::plain, false, Fault::io},
                                 {"full_for_good_plain", Under::plain, false, Fault::full},
                             })),
                         name_of);

class MemoryFaults : public Faults, public testing::WithParamInterface<Trouble> {
protected:
    static bool is_clean(int code) { return code == SQLITE_NOMEM || is_io_error(code); }

    int live_with(int nth, Life life, FailingMemory& memory) {
        const Trouble& trouble = GetParam();
        const auto folder = place_ / "box";
        std::filesystem::remove_all(folder);
        copy_folder(start_, folder);
        const FaultDisk quick{folder};
        memory.fail(nth, trouble.once);
        Days lived{life, trouble.under, folder, is_clean};
        lived.live();
        const int calls = memory.calls();
        EXPECT_EQ(memory.failed(), nth != 0) << "allocation " << nth;
        memory.fail(0, true);
        EXPECT_EQ(lived.unclean(), "") << "allocation " << nth;
        if (trouble.once) {
            EXPECT_TRUE(lived.all_went_well()) << "allocation " << nth;
        }
        EXPECT_EQ(judge_sql(trouble.under, folder, lived.bounds()).wrong, "") << "allocation " << nth;
        return calls;
    }
};

TEST_P(MemoryFaults, EndInAnErrorAndLoseNothing) {
    FailingMemory memory;
    prepare(GetParam().under);
    const int calls = live_with(0, long_life, memory);
    support::Campaign campaign{{.name = "memory_faults_" + GetParam().name,
                                .what = "allocations",
                                .plain = 30,
                                .most = static_cast<std::uint64_t>(calls)}};
    while (const auto seed = campaign.next()) live_with(nth(*seed, calls), long_life, memory);
}

INSTANTIATE_TEST_SUITE_P(Each, MemoryFaults,
                         testing::ValuesIn(with_each_cipher({{.name = "once", .once = true},
                                                             {.name = "for_good", .once = false}},
                                                            {{"once_plain", Under::plain, true}})),
                         name_of);

} // namespace
} // namespace clinic::crypto::tests
