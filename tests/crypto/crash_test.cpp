// Kills, power cuts and failing disks: what was acknowledged is there, and the rest is a state that was committed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "tests/crypto/fault_disk.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

constexpr const char* schema =
    "CREATE TABLE c(n INTEGER PRIMARY KEY, body BLOB); CREATE TABLE t(id INTEGER PRIMARY KEY, "
    "n INTEGER, body BLOB); CREATE INDEX i ON t(body)";

// Commit `n`: a row that says so, and changes all over the tree; every third rolls part of itself back.
bool commit(Connection& db, int n) {
    const std::string number = std::to_string(n);
    if (db.run("BEGIN IMMEDIATE; INSERT INTO c VALUES(" + number +
               ",randomblob(300));"
               "INSERT INTO t(n,body) SELECT " +
               number + ",randomblob(900) FROM c LIMIT 12") != SQLITE_OK)
        return false;
    if (n % 3 == 0 &&
        db.run("SAVEPOINT s; UPDATE t SET body=randomblob(950); DELETE FROM t WHERE id%2=0; ROLLBACK TO s") !=
            SQLITE_OK)
        return false;
    if (db.run("UPDATE t SET body=randomblob(800) WHERE id%7=" + std::to_string(n % 7)) != SQLITE_OK) return false;
    if (n % 5 == 0 && db.run("DELETE FROM t WHERE n<" + number + "-6") != SQLITE_OK) return false;
    return db.run("COMMIT") == SQLITE_OK;
}

class Crash : public StoreTest {
protected:
    void SetUp() override {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run(schema), SQLITE_OK);
    }
    // The number of commits in the store; it must be whole, and hold every one up to the last.
    static int commits_in(const std::filesystem::path& database) {
        auto vfs = SealedVfs::open(database, key_slot(), IfAbsent::fail);
        EXPECT_TRUE(vfs) << (vfs ? "" : vfs.error().what.c_str());
        if (!vfs) return -1;
        Connection db{**vfs, database};
        EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
        const std::string last = db.text("SELECT coalesce(max(n),0) FROM c");
        EXPECT_EQ(db.text("SELECT count(*) FROM c"), last);
        return std::stoi(last);
    }
};

TEST_F(Crash, KeepsEveryAcknowledgedCommitOverKills) {
    std::mt19937 random{7}; // NOLINT: the same kills each run
    int acknowledged = 0;
    for (int round = 0; round < 30; ++round) {
        int acks[2];
        ASSERT_EQ(pipe(acks), 0);
        const int first = acknowledged + 1;
        const pid_t child = fork();
        if (child == 0) {
            auto vfs = open();
            if (!vfs) _exit(1);
            Connection db{**vfs, database_};
            db.run("PRAGMA cache_size=8");
            for (int n = first;; ++n) {
                if (!commit(db, n)) _exit(2);
                if (write(acks[1], &n, sizeof n) != static_cast<ssize_t>(sizeof n)) _exit(3);
                if (n % 4 == 0) db.run("PRAGMA wal_checkpoint(PASSIVE)");
            }
        }
        close(acks[1]);
        const auto wanted = 1 + random() % 4;
        for (unsigned i = 0; i < wanted; ++i)
            ASSERT_EQ(read(acks[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
        usleep(static_cast<useconds_t>(random() % 20'000)); // so that the kill falls anywhere in a commit
        kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
        for (int n = 0; read(acks[0], &n, sizeof n) == static_cast<ssize_t>(sizeof n);) acknowledged = n;
        close(acks[0]);
        const int found = commits_in(database_);
        ASSERT_GE(found, acknowledged);
        ASSERT_LE(found, acknowledged + 1);
        acknowledged = found;
    }
}

TEST_F(Crash, KeepsEverySyncedCommitOverPowerCuts) {
    const auto start = folder_ / "start";
    copy_folder(folder_.path(), start);
    std::vector<std::size_t> acknowledged; // at index n-1: how many events the disk had seen when commit n returned
    FaultDisk disk;
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("PRAGMA cache_size=8"), SQLITE_OK);
        for (int n = 1; n <= 24; ++n) {
            ASSERT_TRUE(commit(db, n));
            acknowledged.push_back(disk.events());
            const char* then = n % 8 == 0 ? "PRAGMA wal_checkpoint(RESTART)"
                               : n == 5   ? "BEGIN; UPDATE t SET body=randomblob(700); ROLLBACK"
                               : n == 19  ? "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"
                                          : "";
            ASSERT_EQ(db.run(then), SQLITE_OK);
        }
    }
    std::mt19937 random{11}; // NOLINT
    const auto cut = folder_ / "cut";
    for (int round = 0; round < 150; ++round) {
        const std::size_t at = random() % (acknowledged.back() + 1);
        std::filesystem::remove_all(cut);
        disk.power_cut(at, random, start, cut);
        const auto durable = std::ranges::upper_bound(acknowledged, at) - acknowledged.begin();
        const int found = commits_in(cut / "records.db");
        ASSERT_GE(found, durable) << "cut after event " << at;
        ASSERT_LE(found, durable + 1) << "cut after event " << at;
    }
}

class FailingDisk : public Crash, public testing::WithParamInterface<std::tuple<int, bool>> {};

TEST_P(FailingDisk, GivesAnErrorAndLosesNothingThatWasAcknowledged) {
    const auto [code, once] = GetParam();
    int acknowledged = 0;
    int tried = 0;
    int failures = 0;
    FaultDisk disk;
    for (int nth = 1; nth < 2'000; nth += 1 + nth / 8) {
        {
            auto vfs = open();
            ASSERT_TRUE(vfs);
            Connection db{**vfs, database_};
            ASSERT_EQ(db.run("PRAGMA cache_size=8"), SQLITE_OK);
            disk.fail(nth, code, once);
            for (int i = 0; i < 3; ++i) {
                tried = std::max(tried, acknowledged + 1);
                if (commit(db, acknowledged + 1))
                    ++acknowledged;
                else
                    db.run("ROLLBACK");
            }
            db.run("PRAGMA wal_checkpoint(TRUNCATE)");
            if (disk.failed()) ++failures;
            disk.fail(0, SQLITE_OK, true);
        }
        const int found = commits_in(database_);
        ASSERT_GE(found, acknowledged) << "call " << nth;
        ASSERT_LE(found, tried) << "call " << nth;
        acknowledged = found;
    }
    EXPECT_GT(failures, 20);
}

INSTANTIATE_TEST_SUITE_P(Each, FailingDisk,
                         testing::Combine(testing::Values(SQLITE_IOERR, SQLITE_FULL), testing::Bool()));

} // namespace
} // namespace clinic::crypto::tests
