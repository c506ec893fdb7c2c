// Every state of key and file that SealedVfs::open can meet: a clear error, and nothing made or overwritten.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "crypto/octets.h"
#include "crypto/superblock.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

class StoreStates : public StoreTest {};

TEST_F(StoreStates, AbsentIsNotFoundUnlessItMayBeMade) {
    EXPECT_EQ(open_error(key_slot(), IfAbsent::fail), Errc::not_found);
    EXPECT_FALSE(std::filesystem::exists(database_));
    EXPECT_TRUE(open());
}

TEST_F(StoreStates, MissingFolderIsNotFound) {
    const auto opened = SealedVfs::open(folder_ / "absent" / "records.db", key_slot(), IfAbsent::create);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::not_found);
}

TEST_F(StoreStates, WrongKeyIsLockedAndLeavesTheFileAlone) {
    make_store();
    const auto before = contents(database_);
    EXPECT_EQ(open_error(key_slot(0x77)), Errc::locked);
    EXPECT_EQ(contents(database_), before);
}

TEST_F(StoreStates, WalOrKeystoreWithoutItsDatabaseIsAConflict) {
    for (const char* left : {"records.db-wal", "keys.db"}) {
        put_contents(folder_ / left, {});
        EXPECT_EQ(open_error(), Errc::conflict) << left;
        EXPECT_FALSE(std::filesystem::exists(database_));
        std::filesystem::remove(folder_ / left);
    }
}

TEST_F(StoreStates, EmptyFileIsAConflict) {
    put_contents(database_, {});
    EXPECT_EQ(open_error(), Errc::conflict);
    put_contents(folder_ / "keys.db", {});
    EXPECT_EQ(open_error(), Errc::conflict);
    EXPECT_EQ(std::filesystem::file_size(database_), 0U);
}

TEST_F(StoreStates, CutOffFileIsTampered) {
    make_store();
    const auto whole = contents(database_);
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{4'096}, std::size_t{8'191}, std::size_t{8'192}, std::size_t{12'287}}) {
        put_contents(database_, std::span{whole}.first(size));
        EXPECT_EQ(open_error(), Errc::tampered) << size;
        EXPECT_EQ(std::filesystem::file_size(database_), size);
    }
}

TEST_F(StoreStates, PlainSqliteFileIsTamperedAndNotOverwritten) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(database_.c_str(), &raw), SQLITE_OK);
    {
        const Db db{raw};
        ASSERT_EQ(sqlite3_exec(raw, "CREATE TABLE t(a); CREATE TABLE u(a)", nullptr, nullptr, nullptr), SQLITE_OK);
    }
    EXPECT_EQ(open_error(), Errc::tampered);
    EXPECT_TRUE(holds(contents(database_), "SQLite format 3"));
}

TEST_F(StoreStates, EitherSuperblockAloneOpensTheStoreAndHealsTheOther) {
    make_store();
    for (std::size_t damaged = 0; damaged < superblocks; ++damaged) {
        for (const std::size_t at : {0UL, 17UL, 40UL, 55UL, 80UL, 2'000UL, 4'040UL, 4'090UL}) {
            flip(database_, damaged * superblock_bytes + at);
            ASSERT_TRUE(open()) << damaged << ' ' << at;
        }
    }
    // Healed each time: the other one is damaged now, and the store still opens.
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
}

TEST_F(StoreStates, BothSuperblocksDamagedIsTampered) {
    make_store();
    flip(database_, 100);
    flip(database_, superblock_bytes + 100);
    EXPECT_EQ(open_error(), Errc::tampered);
}

class Forged : public StoreTest {
protected:
    // Writes a field of both superblocks and the checksum that anyone can compute; the MAC stays.
    void forge(std::size_t at, std::uint32_t value) {
        auto bytes = contents(database_);
        for (std::size_t i = 0; i < superblocks; ++i) {
            const auto image = std::span{bytes}.subspan(i * superblock_bytes, superblock_bytes);
            put_number(image.subspan(at), value);
            const Digest sum = digest(image.first(superblock_bytes - 64));
            std::ranges::copy(sum, image.subspan(superblock_bytes - 64).begin());
        }
        put_contents(database_, bytes);
    }
};

TEST_F(Forged, NewerFormatIsNewer) {
    make_store();
    forge(16, 3);
    EXPECT_EQ(open_error(), Errc::newer);
}

TEST_F(Forged, UnknownCipherIsNewer) {
    make_store();
    forge(20, 3);
    EXPECT_EQ(open_error(), Errc::newer);
}

TEST_F(Forged, OtherShapeOrSequenceIsTampered) {
    make_store();
    const auto whole = contents(database_);
    for (const std::size_t field : {24UL, 28UL, 48UL, 60UL, 200UL, 2'000UL}) {
        forge(field, 512);
        EXPECT_EQ(open_error(), Errc::tampered) << field;
        put_contents(database_, whole);
    }
    forge(32, 7); // the store's uuid is bound to its wrapped key: with another, no key opens it
    EXPECT_EQ(open_error(), Errc::locked);
}

TEST_F(StoreStates, SecondOpenerIsRefused) {
    auto first = open();
    ASSERT_TRUE(first);
    EXPECT_EQ(open_error(), Errc::refused);
    first->reset();
    EXPECT_TRUE(open());
}

TEST_F(StoreStates, OtherProcessIsRefusedAndALockDiesWithItsProcess) {
    make_store();
    int ready[2];
    int release[2];
    ASSERT_EQ(pipe(ready), 0);
    ASSERT_EQ(pipe(release), 0);
    const pid_t child = fork();
    if (child == 0) {
        const auto held = open();
        const char answer = held ? 'y' : 'n';
        char wait = 0;
        (void)!write(ready[1], &answer, 1);
        (void)!read(release[0], &wait, 1);
        _exit(0); // without closing anything
    }
    char answer = 0;
    ASSERT_EQ(read(ready[0], &answer, 1), 1);
    ASSERT_EQ(answer, 'y');
    EXPECT_EQ(open_error(), Errc::refused);
    ASSERT_EQ(write(release[1], "x", 1), 1);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(open());
    for (const int fd : {ready[0], ready[1], release[0], release[1]}) close(fd);
}

TEST_F(StoreStates, ASymbolicLinkToTheStoreIsNotOpened) {
    make_store();
    std::filesystem::create_symlink(database_, folder_ / "linked.db");
    const auto second = SealedVfs::open(folder_ / "linked.db", key_slot(), IfAbsent::fail);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::refused);
    EXPECT_TRUE(open());
}

// Somebody who can write to the folder leads the store elsewhere, or keeps a second way to it.
TEST_F(StoreStates, APlantedLinkIsAClearErrorAndNothingIsWrittenThroughIt) {
    make_store();
    const auto elsewhere = folder_ / "elsewhere";
    for (const char* suffix : {"", "-wal", ".lock"}) {
        auto file = database_;
        file += suffix;
        const auto kept = folder_ / "kept";
        const bool was_there = std::filesystem::exists(file);
        if (was_there) std::filesystem::rename(file, kept);
        std::ofstream{elsewhere} << "another's";
        std::filesystem::create_symlink(elsewhere, file);
        EXPECT_EQ(open_error(), Errc::refused) << "symbolic " << suffix;
        std::filesystem::remove(file);
        std::filesystem::create_hard_link(elsewhere, file);
        EXPECT_EQ(open_error(), Errc::refused) << "hard " << suffix;
        EXPECT_EQ(std::filesystem::file_size(elsewhere), 9U);
        std::filesystem::remove(file);
        std::filesystem::remove(elsewhere);
        if (was_there) std::filesystem::rename(kept, file);
    }
    std::filesystem::create_hard_link(database_, elsewhere);
    EXPECT_EQ(open_error(), Errc::refused);
    std::filesystem::remove(elsewhere);
    EXPECT_TRUE(open());
}

TEST_F(StoreStates, DatabaseThatVanishesUnderTheVfsIsNotMadeAnew) {
    make_store();
    auto vfs = open();
    ASSERT_TRUE(vfs);
    std::filesystem::remove(database_);
    const Connection db{**vfs, database_};
    EXPECT_EQ(db.open_code(), SQLITE_CANTOPEN);
    EXPECT_FALSE(std::filesystem::exists(database_));
}

} // namespace
} // namespace clinic::crypto::tests
