// Power cuts under SQL: what was acknowledged is there, nothing is half there, and the store goes on. The same on plain
// SQLite as control, and on disks and settings that lose something, which must be seen.
#include "tests/crypto/cut_campaign.h"

#include <algorithm>

#include "tests/crypto/sql_store.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

constexpr int first_commits = 4; // durable before the disk is watched
constexpr std::uint64_t superblock_size = 4'096;

// Commits with a small cache, so that pages spill; between them what a store's life brings.
class SqlCommits final : public CutWorkload {
public:
    SqlCommits(Under under, std::uint64_t seed, const char* synchronous = "FULL")
        : under_{under}, synchronous_{synchronous}, random_{static_cast<std::mt19937::result_type>(seed)} {}

    void prepare(const std::filesystem::path& folder) override {
        const bool leaves_wal = random_() % 2 == 0;
        {
            const SqlStore store{under_, folder / "records.db", IfAbsent::create};
            ASSERT_EQ(store.code(), SQLITE_OK);
            ASSERT_EQ(store.make_tables(), SQLITE_OK);
            for (int n = 1; n <= first_commits; ++n) ASSERT_EQ(store.commit(n), SQLITE_OK);
            if (leaves_wal) keep_wal(store);
        }
        // One of the two superblocks is damaged: it is written anew when the store opens.
        if (under_ != Under::plain && random_() % 2 == 0)
            flip(folder / "records.db", random_() % 2 * superblock_size + random_() % superblock_size);
    }

    void run(const std::filesystem::path& folder, const FaultDisk& disk) override {
        auto store = open(folder);
        for (int n = first_commits + 1; n <= first_commits + 14; ++n) {
            ASSERT_EQ(store->commit(n), SQLITE_OK);
            acknowledged_.push_back(disk.events());
            const auto next = random_() % 9;
            if (next == 7 || next == 8) {
                if (next == 8) keep_wal(*store);
                store.reset(); // the last one to close copies the WAL and takes it away
                store = open(folder);
                continue;
            }
            constexpr const char* between[] = {"",
                                               "",
                                               "",
                                               "PRAGMA wal_checkpoint(PASSIVE)",
                                               "PRAGMA wal_checkpoint(TRUNCATE)",
                                               "PRAGMA wal_checkpoint(RESTART)",
                                               "BEGIN; UPDATE t SET body=noise(id,7,700); ROLLBACK"};
            ASSERT_EQ(store->run(between[next]), SQLITE_OK);
            if (n == first_commits + 9) {
                ASSERT_EQ(store->run("VACUUM"), SQLITE_OK);
            }
        }
    }

    Bounds bounds(std::size_t events) const override {
        const auto sure = std::ranges::upper_bound(acknowledged_, events) - acknowledged_.begin();
        return {first_commits + static_cast<int>(sure), first_commits + static_cast<int>(sure) + 1};
    }

    Found judge(const std::filesystem::path& folder, Bounds bounds) override {
        return judge_sql(under_, folder, bounds);
    }

private:
    std::unique_ptr<SqlStore> open(const std::filesystem::path& folder) {
        auto store = std::make_unique<SqlStore>(under_, folder / "records.db");
        EXPECT_EQ(store->code(), SQLITE_OK);
        EXPECT_EQ(store->run("PRAGMA cache_size=" + std::to_string(4 + random_() % 12)), SQLITE_OK);
        EXPECT_EQ(store->run(std::string{"PRAGMA synchronous="} + synchronous_), SQLITE_OK);
        return store;
    }
    static void keep_wal(const SqlStore& store) {
        sqlite3_db_config(store.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    }

    const Under under_;
    const char* const synchronous_;
    std::mt19937 random_;
    std::vector<std::size_t> acknowledged_; // the disk's events when each commit returned
};

struct Subject {
    Under under;
    const char* name;
    std::uint64_t rounds_plain;
    std::uint64_t rounds_most;

    friend void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }
};

constexpr int cuts_a_round = 50;

class PowerCut : public testing::TestWithParam<Subject> {};

TEST_P(PowerCut, LosesNothingThatWasAcknowledged) {
    const Subject subject = GetParam();
    auto cut = cut_rounds({.name = std::string{"power_cuts_"} + subject.name,
                           .what = "cuts",
                           .plain = subject.rounds_plain,
                           .most = subject.rounds_most,
                           .weight = cuts_a_round},
                          [&](std::uint64_t seed) {
                              return SqlCommits{subject.under, seed};
                          });
    if (!cut.all_plain || subject.under == Under::plain) return;
    for (const char* what : {"wal", "checkpoint", "superblock"}) EXPECT_GT(cut.amid[what], 0) << what;
}

INSTANTIATE_TEST_SUITE_P(Of, PowerCut,
                         testing::Values(Subject{Under::aes256, "sealed", 5, 1'000},
                                         Subject{Under::xchacha20, "sealed_xchacha", 5, 1'000},
                                         Subject{Under::plain, "plain", 6, 1'000}),
                         [](const auto& one) { return std::string{one.param.name}; });

// The harness can see a loss: each of these keeps less than it says, and is found out.
struct Weak {
    const char* name;
    Under under;
    const char* synchronous;
    Pretended pretended;

    friend void PrintTo(const Weak& weak, std::ostream* out) { *out << weak.name; }
};

class WeakDisk : public testing::TestWithParam<Weak> {};

TEST_P(WeakDisk, IsFoundOut) {
    const Weak& weak = GetParam();
    int wrong = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SqlCommits workload{weak.under, seed, weak.synchronous};
        wrong += cut_power(workload, seed, 20, weak.pretended).wrong;
    }
    EXPECT_GT(wrong, 0);
}

bool any_sync(const DiskEvent&) {
    return true;
}
bool wal_sync(const DiskEvent& sync) {
    return sync.name.ends_with("-wal");
}
bool database_sync(const DiskEvent& sync) {
    return sync.name.ends_with(".db");
}
bool folder_sync(const DiskEvent& sync) {
    return sync.kind == DiskEvent::Kind::sync_folder;
}

INSTANTIATE_TEST_SUITE_P(Each, WeakDisk,
                         testing::Values(Weak{"no_sync_sealed", Under::aes256, "FULL", any_sync},
                                         Weak{"no_sync_plain", Under::plain, "FULL", any_sync},
                                         Weak{"no_wal_sync_sealed", Under::aes256, "FULL", wal_sync},
                                         Weak{"no_wal_sync_plain", Under::plain, "FULL", wal_sync},
                                         Weak{"no_database_sync_sealed", Under::aes256, "FULL", database_sync},
                                         Weak{"no_folder_sync_sealed", Under::aes256, "FULL", folder_sync},
                                         Weak{"synchronous_normal_sealed", Under::aes256, "NORMAL", {}},
                                         Weak{"synchronous_off_plain", Under::plain, "OFF", {}}),
                         [](const auto& one) { return std::string{one.param.name}; });

} // namespace
} // namespace clinic::crypto::tests
