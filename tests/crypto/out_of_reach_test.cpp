// What the format cannot notice (docs/store-format.md, "What is not protected"), shown to be so: if one of these fails,
// the page promises too little, and is to be changed.
#include <algorithm>

#include "crypto/keystore.h"
#include "tests/crypto/tamper_fixture.h"

namespace clinic::crypto::tests {
namespace {

class OutOfReach : public WalTamper {};
INSTANTIATE_TEST_SUITE_P(Each, OutOfReach, every_cipher, cipher_name);

TEST_P(OutOfReach, AllFilesFromEarlierAreAnEarlierStore) {
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("DELETE FROM t"), SQLITE_OK);
    }
    restore_crash();
    EXPECT_TRUE(look().is(states_.back()));
}

TEST_P(OutOfReach, SuperblocksFromEarlierOpenTheStoreAsItIs) {
    const Bytes earlier = piece_of(database_, 0, main_head_bytes);
    flip(database_, 100);
    ASSERT_TRUE(look().is(states_.back()));
    ASSERT_NE(piece_of(database_, 0, main_head_bytes), earlier); // written anew, with a higher sequence
    put_piece(database_, 0, earlier);
    EXPECT_TRUE(look().is(states_.back()));
}

// A row of the page is as it was; the structure around it is the same, so nothing shows it.
TEST_P(OutOfReach, APageFromEarlierIsReadAsItWas) {
    std::filesystem::remove(wal_);
    restore();
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("UPDATE t SET body=zeroblob(500) WHERE id<=300"), SQLITE_OK);
    }
    const Seen now = look();
    ASSERT_EQ(now.error, "");
    std::uint64_t unnoticed = 0;
    for (std::uint64_t page = 2; page <= pages(); ++page) {
        const Patch patch{database_, page_offset(page), std::span{whole_}.subspan(page_offset(page), page_bytes)};
        const Seen seen = look();
        if (seen.error.empty() && seen.rows != now.rows) ++unnoticed;
    }
    EXPECT_GT(unnoticed, 20U);
}

// The tail may go: that a commit was there is known only outside. What is left is a state that was committed.
TEST_P(OutOfReach, CutOffWalIsAnEarlierCommit) {
    for (std::uint64_t kept = 0; kept < frames(); ++kept)
        for (const std::uint64_t more : {std::uint64_t{0}, 1 + kept * 131 % (slot_bytes - 1)}) {
            put_wal(std::span{wal_whole_}.first(slot_offset(kept + 1) + more));
            const Seen seen = look();
            const std::uint64_t commits = commit_of(kept + 1);
            EXPECT_TRUE(seen.is(commits == 0 ? truth_ : states_[commits - 1])) << kept << ' ' << seen.error;
            restore_crash();
        }
}

TEST_P(OutOfReach, AWalThatIsGoneOrShorterThanItsPreambleIsNone) {
    std::filesystem::remove(wal_);
    EXPECT_TRUE(look().is(truth_));
    for (const std::size_t size : {0UL, 1UL, 120UL, 4'095UL}) {
        restore_crash();
        put_wal(std::span{wal_whole_}.first(size));
        EXPECT_TRUE(look().is(truth_)) << size;
    }
}

// The frames are then of a generation that the header does not name.
TEST_P(OutOfReach, AWalHeaderFromEarlierHidesTheFrames) {
    const Bytes earlier = piece_of(wal_, 0, preamble_bytes);
    std::vector<std::string> checkpointed;
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("PRAGMA wal_checkpoint(RESTART)"), SQLITE_OK);
        checkpointed = states_.back();
        for (int i = 0; i < 3; ++i) commit(db, "UPDATE t SET body=randomblob(601) WHERE id%9=" + std::to_string(i));
        crash();
    }
    restore_crash();
    ASSERT_TRUE(look().is(states_.back()));
    restore_crash();
    put_piece(wal_, 0, earlier);
    const Seen seen = look();
    EXPECT_EQ(seen.error, "");
    EXPECT_FALSE(seen.is(states_.back()));
}

// A checkpoint has written the newest pages to the database, and the WAL, which was not begun anew yet, is cut to
// earlier ones: they are read over the newer. Each page is one that was committed, and together they are no state.
TEST_P(OutOfReach, AWalCutBelowItsCheckpointIsAMixture) {
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("PRAGMA wal_checkpoint(RESTART)"), SQLITE_OK);
        ends_.clear();
        commit(db, "UPDATE t SET body=randomblob(500) WHERE id=150");
        commit(db, "UPDATE t SET body=randomblob(500) WHERE id=150 OR id=280");
        ASSERT_EQ(db.run("PRAGMA wal_checkpoint(PASSIVE)"), SQLITE_OK);
        crash();
    }
    restore_crash();
    put_wal(std::span{wal_whole_}.first(slot_offset(ends_[0] + 1)));
    const Seen seen = look();
    EXPECT_EQ(seen.error, "");
    EXPECT_EQ(std::ranges::count(states_, seen.rows), 0);
}

// While the store is open: what a transaction wrote into a slot before it was rolled back.
TEST_P(OutOfReach, AFrameOfThisGenerationFromEarlierPassesWhileTheStoreIsOpen) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("PRAGMA cache_size=5"), SQLITE_OK);
    ASSERT_EQ(db.run("BEGIN; UPDATE t SET body=zeroblob(500) WHERE id<=300"), SQLITE_OK); // spills
    const Bytes earlier = contents(wal_);
    ASSERT_GT(frames_in(earlier.size()), frames());
    ASSERT_EQ(db.run("ROLLBACK; UPDATE t SET body=randomblob(500) WHERE id<=300"), SQLITE_OK);
    const std::uint64_t end = frames_in(earlier.size());
    for (std::uint64_t frame = frames() + 1; frame <= end; ++frame)
        put_piece(wal_, slot_offset(frame), std::span{earlier}.subspan(slot_offset(frame), slot_bytes));
    Connection fresh{**vfs, database_};
    EXPECT_NE(fresh.text("SELECT count(*) FROM t WHERE body=zeroblob(500)"), "0");
}

// A free page is not read until it is used again, and then it is written whole.
TEST_P(OutOfReach, DamageToAFreePageIsNotSeenAndHarmsNothing) {
    std::filesystem::remove(wal_);
    restore();
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("DELETE FROM t WHERE id>300"), SQLITE_OK);
        ASSERT_GT(std::stoi(db.text("PRAGMA freelist_count")), 10);
    }
    const Seen before = look();
    ASSERT_EQ(before.error, "");
    std::uint64_t unseen = 0;
    for (std::uint64_t page = 2; page <= pages(); ++page) {
        const Patch patch{database_, page_offset(page), Bytes(page_bytes)};
        const Seen seen = look();
        EXPECT_TRUE(!seen.error.empty() || seen.rows == before.rows);
        if (seen.error.empty()) ++unseen;
    }
    EXPECT_GT(unseen, 10U);
}

class KeystoreOutOfReach : public StoreTest {};

TEST_F(KeystoreOutOfReach, AKeystoreOrASlotFromEarlierBringsAnErasedKeyBack) {
    const auto path = folder_ / "keys.db";
    const SecureBytes wrapping = key_of(0x2D);
    const auto open_keys = [&] { return Keystore::open(path, wrapping, StoreUuid{}, IfAbsent::create); };
    auto keys = open_keys();
    ASSERT_TRUE(keys);
    const auto key = (*keys)->key({7});
    ASSERT_TRUE(key);
    const Bytes earlier = contents(path);
    ASSERT_TRUE((*keys)->erase({7}));
    ASSERT_FALSE((*keys)->key({7}));
    constexpr std::size_t slot_7 = 4'096 + 6 * 72;
    put_piece(path, slot_7, std::span{earlier}.subspan(slot_7, 72));
    keys = open_keys();
    ASSERT_TRUE(keys);
    EXPECT_TRUE((*keys)->key({7})->same_as(key->bytes()));
}

} // namespace
} // namespace clinic::crypto::tests
