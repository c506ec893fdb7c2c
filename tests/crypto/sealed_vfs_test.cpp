// What SQLite does through the sealed VFS comes out as it went in, and nothing of it stands in the files.
#include "crypto/sealed_vfs.h"

#include <atomic>
#include <thread>

#include "tests/crypto/fault_disk.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

class SealedVfsTest : public StoreTest {};

TEST_F(SealedVfsTest, KeepsRowsOverAReopen) {
    make_store(2'000);
    auto vfs = open(key_slot(), IfAbsent::fail);
    ASSERT_TRUE(vfs);
    EXPECT_FALSE((*vfs)->made());
    Connection db{**vfs, database_};
    EXPECT_EQ(db.text("SELECT count(*)||' '||sum(length(body)) FROM t"), "2000 1000000");
    EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ((*vfs)->authentication_failures(), 0U);
}

TEST_F(SealedVfsTest, IsInWalModeWithRoomForTheSealFromTheStart) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    EXPECT_TRUE((*vfs)->made());
    Connection db{**vfs, database_};
    EXPECT_EQ(db.text("PRAGMA journal_mode"), "wal");
    EXPECT_EQ(db.text("PRAGMA page_size"), "4096");
    EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
}

TEST_F(SealedVfsTest, StaysFreshUntilSomethingIsStored) {
    { ASSERT_TRUE(open()); }
    {
        auto again = open();
        ASSERT_TRUE(again);
        EXPECT_TRUE((*again)->made());
    }
    make_store(1);
    auto later = open();
    ASSERT_TRUE(later);
    EXPECT_FALSE((*later)->made());
}

TEST_F(SealedVfsTest, TakesTheDetourOverAMemoryJournalWhenFresh) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    EXPECT_EQ(db.text("PRAGMA journal_mode=MEMORY"), "memory");
    EXPECT_EQ(db.run("CREATE TABLE t(a)"), SQLITE_OK);
    EXPECT_EQ(db.text("PRAGMA journal_mode=WAL"), "wal");
    EXPECT_EQ(db.run("INSERT INTO t VALUES(1)"), SQLITE_OK);
    EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
}

TEST_F(SealedVfsTest, RefusesPragmasThatLeaveTheFormat) {
    make_store();
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    for (const char* pragma :
         {"journal_mode=DELETE", "journal_mode=MEMORY", "journal_mode=OFF", "page_size=8192", "auto_vacuum=FULL"})
        EXPECT_EQ(db.run(std::string{"PRAGMA "} + pragma), SQLITE_ERROR) << pragma;
    EXPECT_EQ(db.run("PRAGMA journal_mode=WAL"), SQLITE_OK);
    EXPECT_EQ(db.text("PRAGMA mmap_size=1000000"), "0");
    EXPECT_EQ(db.text("PRAGMA journal_mode"), "wal");
}

// A cache of five pages: pages go to the WAL and come back in the middle of a transaction, frames are written
// twice, and a rollback to a savepoint makes SQLite write the frames' checksums anew.
TEST_F(SealedVfsTest, SurvivesSpillsAndRollbacksToSavepoints) {
    make_store(500);
    auto vfs = open();
    ASSERT_TRUE(vfs);
    {
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("PRAGMA cache_size=5"), SQLITE_OK);
        for (int round = 0; round < 5; ++round) {
            ASSERT_EQ(db.run("BEGIN"), SQLITE_OK);
            ASSERT_EQ(db.run(insert(500)), SQLITE_OK);
            ASSERT_EQ(db.run("SAVEPOINT one; UPDATE t SET body=randomblob(900); DELETE FROM t WHERE id%3=0"),
                      SQLITE_OK);
            ASSERT_EQ(db.run("SAVEPOINT two; DELETE FROM t; ROLLBACK TO two; ROLLBACK TO one"), SQLITE_OK);
            ASSERT_EQ(db.run("UPDATE t SET word='again-'||id WHERE id%2=0"), SQLITE_OK);
            ASSERT_EQ(db.run(round == 3 ? "ROLLBACK" : "COMMIT"), SQLITE_OK);
        }
        EXPECT_EQ(db.text("SELECT count(*)||' '||sum(length(body)) FROM t"), "2500 1250000");
        EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
        copy_folder(folder_.path(), folder_ / "crashed");
    }
    vfs->reset();
    // The WAL as a crash leaves it is recovered frame by frame, by its checksums.
    auto crashed = SealedVfs::open(folder_ / "crashed" / "records.db", key_slot(), IfAbsent::fail);
    ASSERT_TRUE(crashed);
    Connection db{**crashed, folder_ / "crashed" / "records.db"};
    EXPECT_EQ(db.text("SELECT count(*)||' '||sum(length(body)) FROM t"), "2500 1250000");
    EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ((*crashed)->authentication_failures(), 0U);
}

// Pages that were spilled twice have their frames' checksums written anew at the commit, and without a sync nothing
// comes after that: the last of them must be in the file all the same.
TEST_F(SealedVfsTest, HoldsNothingBackAfterACommitWithoutASync) {
    make_store(100);
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("PRAGMA cache_size=3; PRAGMA synchronous=NORMAL"), SQLITE_OK);
    for (int round = 1; round <= 12; ++round) {
        const std::string word = "'round-" + std::to_string(round) + '\'';
        ASSERT_EQ(
            db.run("BEGIN; UPDATE t SET body=zeroblob(700); UPDATE t SET body=randomblob(700); UPDATE t SET word=" +
                   word + "; UPDATE t SET body=zeroblob(700) WHERE id<" + std::to_string(8 * round) + "; COMMIT"),
            SQLITE_OK);
        const auto crashed = folder_ / "crashed";
        copy_folder(folder_.path(), crashed);
        auto copy = SealedVfs::open(crashed / "records.db", key_slot(), IfAbsent::fail);
        ASSERT_TRUE(copy);
        Connection other{**copy, crashed / "records.db"};
        EXPECT_EQ(other.text("SELECT count(*) FROM t WHERE word=" + word), "100") << round;
    }
}

TEST_F(SealedVfsTest, VacuumsAndShrinks) {
    make_store(3'000);
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    const auto before = std::filesystem::file_size(database_);
    ASSERT_EQ(db.run("DELETE FROM t WHERE id>100; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    EXPECT_LT(std::filesystem::file_size(database_), before / 4);
    EXPECT_EQ(std::filesystem::file_size(wal_), 0U);
    EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(db.text("SELECT count(*) FROM t"), "100");
}

TEST_F(SealedVfsTest, StartsTheWalAnewAfterACheckpoint) {
    make_store();
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    for (int round = 0; round < 6; ++round) {
        ASSERT_EQ(db.run(insert(100)), SQLITE_OK);
        ASSERT_EQ(db.run(round % 2 == 0 ? "PRAGMA wal_checkpoint(RESTART)" : "PRAGMA wal_checkpoint(PASSIVE)"),
                  SQLITE_OK);
        EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
    }
    copy_folder(folder_.path(), folder_ / "crashed");
    auto crashed = SealedVfs::open(folder_ / "crashed" / "records.db", key_slot(), IfAbsent::fail);
    ASSERT_TRUE(crashed);
    Connection again{**crashed, folder_ / "crashed" / "records.db"};
    EXPECT_EQ(again.text("SELECT count(*) FROM t"), "650");
    EXPECT_EQ((*crashed)->authentication_failures(), 0U); // frames of an earlier generation are no damage
}

TEST_F(SealedVfsTest, KeepsLongValuesAcrossManyPages) {
    make_store();
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("INSERT INTO t(body,word) VALUES(randomblob(3000000),'long')"), SQLITE_OK);
    const auto digest = db.text("SELECT hex(substr(body,1000000,16)) FROM t WHERE word='long'");
    ASSERT_EQ(db.run("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    Connection other{**vfs, database_};
    EXPECT_EQ(other.text("SELECT hex(substr(body,1000000,16)) FROM t WHERE word='long'"), digest);
}

TEST_F(SealedVfsTest, LeavesNoPlaintextInAnyFile) {
    make_store();
    const FaultDisk disk{folder_.path()};
    auto vfs = open();
    ASSERT_TRUE(vfs);
    const std::string marker = "Canary-Zebedee-Quillfeather";
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("PRAGMA cache_size=5"), SQLITE_OK);
    ASSERT_EQ(db.run("BEGIN; CREATE TABLE \"" + marker + "\"(a)"), SQLITE_OK);
    ASSERT_EQ(db.run(insert(400)), SQLITE_OK);
    ASSERT_EQ(db.run("UPDATE t SET word='" + marker + "'||id; COMMIT"), SQLITE_OK);
    ASSERT_EQ(db.run("PRAGMA wal_checkpoint(PASSIVE)"), SQLITE_OK);
    ASSERT_EQ(db.run("UPDATE t SET word='" + marker + "'||id||'x' WHERE id<100"), SQLITE_OK);

    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator{folder_.path()}) {
        const auto bytes = contents(entry.path());
        for (const std::string_view text : {std::string_view{marker}, std::string_view{"SQLite format 3"},
                                            std::string_view{"CREATE TABLE"}, std::string_view{"word-"}})
            EXPECT_FALSE(holds(bytes, text)) << entry.path().filename() << " holds " << text;
        ++files;
    }
    EXPECT_GT(disk.events(), 100U);
    for (const char* text : {"Canary-Zebedee", "SQLite format 3", "CREATE TABLE", "word-"})
        EXPECT_FALSE(disk.wrote(text));
    EXPECT_EQ(files, 3); // the database, its WAL and its lock: no journal, no -shm
}

TEST_F(SealedVfsTest, OpensNoOtherFile) {
    make_store();
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    EXPECT_EQ(db.run("ATTACH '" + (folder_ / "other.db").string() + "' AS other"), SQLITE_CANTOPEN);
    EXPECT_NE(db.run("VACUUM INTO '" + (folder_ / "copy.db").string() + "'"), SQLITE_OK);
    ASSERT_EQ(db.run("PRAGMA temp_store=FILE; CREATE TEMP TABLE x(a); PRAGMA temp.cache_size=5"), SQLITE_OK);
    EXPECT_EQ(db.run("INSERT INTO x SELECT randomblob(3000) FROM t,t"), SQLITE_CANTOPEN);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "other.db"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "copy.db"));
}

// SQLite plays a journal back when it finds one: one that was planted must not be found.
TEST_F(SealedVfsTest, DoesNotPlayBackAPlantedJournal) {
    make_store();
    const std::vector<std::byte> journal(8'192, std::byte{0xD9});
    put_contents(folder_ / "records.db-journal", journal);
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    EXPECT_EQ(db.text("SELECT count(*) FROM t"), "50");
    EXPECT_EQ(contents(folder_ / "records.db-journal"), journal);
}

TEST_F(SealedVfsTest, CopiesIntoASealedStoreAndNeverAPlainOne) {
    make_store();
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};

    auto copy = SealedVfs::open(folder_ / "copy.db", key_slot(0x11), IfAbsent::create);
    ASSERT_TRUE(copy);
    Connection target{**copy, folder_ / "copy.db"};
    const auto back_up = [](sqlite3* to, sqlite3* from) {
        sqlite3_backup* backup = sqlite3_backup_init(to, "main", from, "main");
        if (backup == nullptr) return sqlite3_extended_errcode(to);
        sqlite3_backup_step(backup, -1);
        return sqlite3_backup_finish(backup);
    };
    EXPECT_EQ(back_up(target.get(), db.get()), SQLITE_OK);
    EXPECT_EQ(target.text("SELECT count(*) FROM t"), "50");
    EXPECT_EQ(target.text("PRAGMA integrity_check"), "ok");

    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(":memory:", &raw), SQLITE_OK);
    const Db plain{raw};
    ASSERT_EQ(sqlite3_exec(raw, "CREATE TABLE p(a); INSERT INTO p VALUES(1)", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_NE(back_up(target.get(), raw), SQLITE_OK) << "pages without room for the seal must not be taken in";
    EXPECT_EQ(target.run("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    EXPECT_EQ(target.text("SELECT count(*) FROM t"), "50");
    EXPECT_EQ(target.text("PRAGMA integrity_check"), "ok");
}

TEST_F(SealedVfsTest, ServesReadersWhileOneConnectionWrites) {
    make_store(200);
    auto vfs = open();
    ASSERT_TRUE(vfs);
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i)
        readers.emplace_back([&] {
            Connection db{**vfs, database_};
            db.run("PRAGMA query_only=ON; PRAGMA cache_size=10");
            while (!done)
                // Each transaction keeps the sum: whoever sees another saw half of one.
                if (db.text("SELECT sum(length(body))||' '||(count(*)>=200) FROM t WHERE id<=200") != "100000 1")
                    ++wrong;
        });
    {
        Connection writer{**vfs, database_};
        ASSERT_EQ(writer.run("PRAGMA cache_size=10"), SQLITE_OK);
        for (int round = 0; round < 60; ++round) {
            ASSERT_EQ(writer.run("BEGIN IMMEDIATE; UPDATE t SET body=randomblob(250) WHERE id%2=0 AND id<=200;"
                                 "UPDATE t SET body=randomblob(750) WHERE id%2=1 AND id<=200"),
                      SQLITE_OK);
            ASSERT_EQ(writer.run(insert(5)), SQLITE_OK);
            ASSERT_EQ(writer.run("COMMIT"), SQLITE_OK);
            if (round % 7 == 0) {
                ASSERT_EQ(writer.run("PRAGMA wal_checkpoint(PASSIVE)"), SQLITE_OK);
            }
        }
        done = true;
        readers.clear();
        EXPECT_EQ(writer.text("PRAGMA integrity_check"), "ok");
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ((*vfs)->authentication_failures(), 0U);
}

TEST_F(SealedVfsTest, GivesSubKeysThatAreTheStoresOwn) {
    auto vfs = open();
    auto other = SealedVfs::open(folder_ / "other.db", key_slot(), IfAbsent::create);
    ASSERT_TRUE(vfs);
    ASSERT_TRUE(other);
    EXPECT_TRUE((*vfs)->subkey(100).same_as((*vfs)->subkey(100).bytes()));
    EXPECT_FALSE((*vfs)->subkey(100).same_as((*vfs)->subkey(101).bytes()));
    EXPECT_FALSE((*vfs)->subkey(100).same_as((*other)->subkey(100).bytes()));
    EXPECT_NE((*vfs)->store(), (*other)->store());
    EXPECT_STRNE((*vfs)->name(), (*other)->name());
}

} // namespace
} // namespace clinic::crypto::tests
