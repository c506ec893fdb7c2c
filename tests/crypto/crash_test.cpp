// Kills: what was acknowledged is there, and the rest is a state that was committed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

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

class Crash : public StoreTest, public testing::WithParamInterface<CipherId> {
protected:
    void SetUp() override {
        cipher_ = GetParam();
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

INSTANTIATE_TEST_SUITE_P(Each, Crash, every_cipher, cipher_name);

TEST_P(Crash, KeepsEveryAcknowledgedCommitOverKills) {
    std::mt19937 random{7}; // NOLINT: the same kills each run
    int acknowledged = 0;
    for (int round = 0; round < 15; ++round) {
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

} // namespace
} // namespace clinic::crypto::tests
