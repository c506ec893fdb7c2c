// Damage to the stored bytes, one kind after another: SQLite must report it, and never hand out other data.
#include <algorithm>

#include "crypto/store_layout.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

constexpr const char* everything =
    "SELECT count(*)||' '||coalesce(sum(length(body)),0)||' '||coalesce(sum(length(word)),0) FROM t";

class Tamper : public StoreTest {
protected:
    void SetUp() override {
        make_store(300);
        whole_ = contents(database_);
        truth_ = read_all();
        ASSERT_TRUE(truth_.starts_with("300 "));
    }
    void restore() {
        put_contents(database_, whole_);
        std::filesystem::remove(wal_);
    }
    std::uint64_t pages() const { return (whole_.size() - main_head_bytes) / page_bytes; }

    // All rows as one text, or the error that kept them back.
    std::string read_all() {
        auto vfs = open(key_slot(), IfAbsent::fail);
        if (!vfs) return std::string{"error "} + base::name(vfs.error().code);
        Connection db{**vfs, database_};
        if (!db.is_open()) return "error " + std::to_string(db.open_code());
        const std::string rows = db.text(everything);
        if (rows.starts_with("error")) return rows;
        const std::string check = db.text("PRAGMA integrity_check");
        if (check != "ok") return "error check: " + check;
        failures_ = (*vfs)->authentication_failures();
        return rows;
    }
    void expect_error(const std::string& what) {
        const std::string seen = read_all();
        EXPECT_TRUE(seen.starts_with("error")) << what << ": " << seen;
    }

    std::vector<std::byte> whole_;
    std::string truth_;
    std::uint64_t failures_ = 0;
};

TEST_F(Tamper, FlippedByteInAnyPageIsReported) {
    for (std::uint64_t page = 1; page <= pages(); ++page) {
        for (const std::uint64_t within :
             {std::uint64_t{0}, 30 + page % 4'000, std::uint64_t{4'056}, std::uint64_t{4'060}, std::uint64_t{4'095}}) {
            flip(database_, page_offset(page) + within);
            expect_error("page " + std::to_string(page));
            restore();
        }
    }
    EXPECT_EQ(read_all(), truth_);
}

TEST_F(Tamper, FirstPageIsNotADatabaseAnyOtherIsAnInputOutputError) {
    flip(database_, page_offset(1) + 200);
    EXPECT_EQ(read_all(), "error " + std::to_string(SQLITE_NOTADB));
    restore();
    for (std::uint64_t page = 2; page <= pages(); ++page) flip(database_, page_offset(page) + 200);
    EXPECT_EQ(read_all(), "error " + std::to_string(SQLITE_IOERR_DATA));
}

TEST_F(Tamper, SwappedPagesAreReported) {
    for (std::uint64_t page = 2; page < pages(); page += 3) {
        const auto copy = folder_ / "copy";
        put_contents(copy, whole_);
        copy_piece(copy, page_offset(page), database_, page_offset(page + 1), page_bytes);
        copy_piece(copy, page_offset(page + 1), database_, page_offset(page), page_bytes);
        expect_error("pages " + std::to_string(page));
        restore();
    }
}

TEST_F(Tamper, PageOfAnotherStoreIsReportedUnderTheSameKeySlot) {
    const auto other = folder_ / "other";
    std::filesystem::create_directory(other);
    {
        auto vfs = SealedVfs::open(other / "records.db", key_slot(), IfAbsent::create);
        ASSERT_TRUE(vfs);
        Connection db{**vfs, other / "records.db"};
        ASSERT_EQ(db.run("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB, word TEXT); CREATE INDEX i ON t(word)"),
                  SQLITE_OK);
        ASSERT_EQ(db.run(insert(300)), SQLITE_OK);
    }
    for (const std::uint64_t page : {1UL, 2UL, 3UL, 10UL}) {
        copy_piece(other / "records.db", page_offset(page), database_, page_offset(page), page_bytes);
        expect_error("page " + std::to_string(page));
        restore();
    }
    // With its superblocks too it is the other store, and then its own pages do not fit.
    copy_piece(other / "records.db", 0, database_, 0, main_head_bytes);
    expect_error("superblocks");
}

TEST_F(Tamper, ZeroedPageIsReported) {
    for (std::uint64_t page = 1; page <= pages(); ++page) {
        auto bytes = whole_;
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page_offset(page)), page_bytes, std::byte{0});
        put_contents(database_, bytes);
        expect_error("page " + std::to_string(page));
        restore();
    }
}

TEST_F(Tamper, CutOffPagesAreReported) {
    for (std::uint64_t kept = 1; kept < pages(); ++kept) {
        for (const std::uint64_t more : {0UL, 100UL}) {
            put_contents(database_, std::span{whole_}.first(page_offset(kept + 1) + more));
            expect_error("kept " + std::to_string(kept));
            restore();
        }
    }
}

TEST_F(Tamper, CutOffPagesAreReportedWhenTheWalKnowsHowManyThereAre) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    {
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("UPDATE t SET word='changed' WHERE id=1"), SQLITE_OK);
        copy_folder(folder_.path(), folder_ / "crashed");
    }
    vfs->reset();
    const auto crashed = folder_ / "crashed" / "records.db";
    std::filesystem::resize_file(crashed, page_offset(pages() - 10));
    auto damaged = SealedVfs::open(crashed, key_slot(), IfAbsent::fail);
    ASSERT_TRUE(damaged);
    Connection db{**damaged, crashed};
    EXPECT_EQ(db.text("SELECT sum(length(body)) FROM t"), "error " + std::to_string(SQLITE_IOERR_DATA));
}

// A database with a WAL as a crash leaves it: ten commits of some frames each.
class WalTamper : public Tamper {
protected:
    void SetUp() override {
        Tamper::SetUp();
        auto vfs = open();
        ASSERT_TRUE(vfs);
        {
            Connection db{**vfs, database_};
            ASSERT_EQ(db.run("PRAGMA wal_checkpoint(RESTART)"), SQLITE_OK);
            for (int i = 0; i < 10; ++i) {
                ASSERT_EQ(db.run("UPDATE t SET body=randomblob(600) WHERE id BETWEEN " + std::to_string(i * 10) +
                                 " AND " + std::to_string(i * 10 + 9)),
                          SQLITE_OK);
                commits_.push_back(db.text(everything));
            }
            copy_folder(folder_.path(), folder_ / "crashed");
        }
        vfs->reset();
        crashed_whole_ = contents(folder_ / "crashed" / "records.db");
        wal_whole_ = contents(folder_ / "crashed" / "records.db-wal");
        restore_crash();
        ASSERT_GT(frames(), 20U);
    }
    void restore_crash() {
        put_contents(database_, crashed_whole_);
        put_contents(wal_, wal_whole_);
    }
    std::uint64_t frames() const { return frames_in(wal_whole_.size()); }

    // The last commit may be lost, as by a power cut; no other may, and nothing else may be read.
    void expect_error_or_last_commit_lost(const std::string& what) {
        const std::string seen = read_all();
        if (seen == commits_[commits_.size() - 2]) {
            EXPECT_GT(failures_, 0U) << what << ": lost without a word";
            return;
        }
        EXPECT_TRUE(seen.starts_with("error")) << what << ": " << seen;
    }

    std::vector<std::string> commits_;
    std::vector<std::byte> crashed_whole_;
    std::vector<std::byte> wal_whole_;
};

TEST_F(WalTamper, WholeWalIsRecovered) {
    EXPECT_EQ(read_all(), commits_.back());
    EXPECT_EQ(failures_, 0U);
}

TEST_F(WalTamper, FlippedByteInThePreambleIsReported) {
    for (const std::uint64_t at :
         {0UL, 15UL, 16UL, 19UL, 21UL, 24UL, 32UL, 47UL, 48UL, 79UL, 85UL, 119UL, 200UL, 4'095UL}) {
        flip(wal_, at);
        expect_error("preamble " + std::to_string(at));
        restore_crash();
    }
}

TEST_F(WalTamper, FlippedByteInAnyFrameIsReportedOrEndsTheLastCommit) {
    for (std::uint64_t frame = 1; frame <= frames(); ++frame) {
        for (const std::uint64_t within :
             {0UL, 23UL, 24UL, 31UL, 40UL, 71UL, 72UL, 2'000UL, 4'167UL, 4'168UL, 4'207UL}) {
            flip(wal_, slot_offset(frame) + within);
            expect_error_or_last_commit_lost("frame " + std::to_string(frame));
            restore_crash();
        }
    }
}

TEST_F(WalTamper, FrameInAnotherSlotIsReportedOrEndsTheLastCommit) {
    for (std::uint64_t frame = 1; frame < frames(); ++frame) {
        const auto copy = folder_ / "copy";
        put_contents(copy, wal_whole_);
        copy_piece(copy, slot_offset(frame), wal_, slot_offset(frame + 1), slot_bytes);
        expect_error_or_last_commit_lost("frame " + std::to_string(frame));
        restore_crash();
        // Only the header, or only the page.
        copy_piece(copy, slot_offset(frame), wal_, slot_offset(frame + 1), sealed_frame_head_bytes);
        expect_error_or_last_commit_lost("header " + std::to_string(frame));
        restore_crash();
    }
}

TEST_F(WalTamper, ZeroedFrameIsReportedOrEndsTheLastCommit) {
    for (std::uint64_t frame = 1; frame <= frames(); ++frame) {
        auto bytes = wal_whole_;
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(slot_offset(frame)), slot_bytes, std::byte{0});
        put_contents(wal_, bytes);
        expect_error_or_last_commit_lost("frame " + std::to_string(frame));
        restore_crash();
    }
}

// The tail may go: that a commit was there is known only outside. What is left is a state that was committed.
TEST_F(WalTamper, CutOffWalIsAnEarlierCommit) {
    for (std::uint64_t kept = 0; kept < frames(); kept += 3) {
        put_contents(wal_, std::span{wal_whole_}.first(slot_offset(kept + 1) + kept % slot_bytes));
        const std::string seen = read_all();
        EXPECT_TRUE(seen == truth_ || std::ranges::count(commits_, seen) == 1) << seen;
        restore_crash();
    }
}

TEST_F(WalTamper, WalOfAnotherStoreIsAConflict) {
    const auto other = folder_ / "other.db";
    {
        auto vfs = SealedVfs::open(other, key_slot(), IfAbsent::create);
        ASSERT_TRUE(vfs);
        Connection db{**vfs, other};
        ASSERT_EQ(db.run("CREATE TABLE t(a)"), SQLITE_OK);
        put_contents(wal_, contents(folder_ / "other.db-wal"));
    }
    EXPECT_EQ(open_error(), Errc::conflict);
}

TEST_F(WalTamper, NewerWalIsNewer) {
    auto bytes = wal_whole_;
    bytes[19] = std::byte{2};
    put_contents(wal_, bytes);
    EXPECT_EQ(open_error(), Errc::newer);
}

// While the store is open: the frame of an earlier generation, authentic and in its own slot, must not pass.
TEST_F(Tamper, PageOfAnEarlierWalGenerationIsReported) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("UPDATE t SET body=randomblob(500), word='first'"), SQLITE_OK);
    const auto earlier = folder_ / "earlier";
    put_contents(earlier, contents(wal_));
    ASSERT_EQ(db.run("PRAGMA wal_checkpoint(RESTART); UPDATE t SET body=randomblob(500), word='other'"), SQLITE_OK);
    ASSERT_GE(std::filesystem::file_size(wal_), std::filesystem::file_size(earlier));

    const auto frames = frames_in(std::filesystem::file_size(earlier));
    for (std::uint64_t frame = 1; frame <= frames; ++frame)
        copy_piece(earlier, slot_offset(frame), wal_, slot_offset(frame), slot_bytes);
    Connection fresh{**vfs, database_};
    EXPECT_EQ(fresh.text("SELECT count(*) FROM t WHERE word='first'"), "error " + std::to_string(SQLITE_IOERR_DATA));
    EXPECT_GT((*vfs)->authentication_failures(), 0U);
}

} // namespace
} // namespace clinic::crypto::tests
