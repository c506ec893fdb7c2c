// Past 1 GiB, where SQLite has its lock bytes, and past 4 GiB, where an offset needs more than 32 bits. The files have
// holes that SQLite has no reason to ask for, so that they are quick to make and small on the disk.
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "crypto/block_file.h"
#include "crypto/octets.h"
#include "crypto/store_context.h"
#include "crypto/wal_file.h"
#include "tests/crypto/store_fixture.h"
#include "tests/crypto/watched_disk.h"
#include "tests/support/campaign.h"

namespace clinic::crypto::tests {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t border_1_gib = lock_page;                              // at this page of SQLite's
constexpr std::uint64_t border_4_gib = (std::uint64_t{1} << 32U) / page_bytes; // pages below it on SQLite's side

class BigFile : public StoreTest, public testing::WithParamInterface<CipherId> {
protected:
    void SetUp() override {
        parts_.cipher = GetParam();
        lay_out_store(database_, parts_, store_key_);
    }
    PageCipher cipher() const { return PageCipher{parts_.cipher, store_key_, parts_.epoch, parts_.store}; }

    Page page(std::uint64_t number) const {
        Page sealed{}, plain{};
        std::ranges::copy(piece(page_offset(number), page_bytes), sealed.begin());
        EXPECT_TRUE(cipher().open({Piece::page, number}, sealed, std::span{plain}.first(page_plain_bytes))) << number;
        return plain;
    }
    Bytes piece(std::uint64_t at, std::size_t size) const {
        const auto file = BlockFile::open(database_);
        Bytes bytes(size);
        EXPECT_TRUE(file && *file->read(at, bytes));
        return bytes;
    }

    // As if the database had so many pages, of which all new ones are in use by nobody. They are not there either.
    void grow_to(std::uint64_t pages) {
        Page first = page(1);
        const std::span<std::byte> bytes{first};
        put_number(bytes.subspan(28), static_cast<std::uint32_t>(pages));
        std::ranges::copy(bytes.subspan(24, 4), bytes.subspan(92).begin()); // the count is valid for this change
        Page sealed{};
        cipher().seal({Piece::page, 1}, bytes.first(page_plain_bytes), sealed);
        const auto file = BlockFile::open(database_);
        ASSERT_TRUE(file && file->write(page_offset(1), sealed));
        fs::resize_file(database_, page_offset(pages + 1));
    }

    // Rows enough for `pages` pages, each with its number in it, in one transaction that spills.
    static std::string rows_for(std::uint64_t pages, int first) {
        return "WITH RECURSIVE n(x) AS (SELECT " + std::to_string(first) + " UNION ALL SELECT x+1 FROM n WHERE x<" +
               std::to_string(first + static_cast<int>(pages) - 1) +
               ") INSERT INTO big(id, body) SELECT x, CAST(printf('%08d', x) AS BLOB)||randomblob(3000) FROM n";
    }

    // Crosses the border in the middle of one transaction; reads all of it by itself, after a crash and after closing.
    void cross(std::uint64_t border, int first);

    Superblock parts_{.store = {std::byte{0x62}}};
    const SecureBytes store_key_ = key_of(0xB1);
};
INSTANTIATE_TEST_SUITE_P(Each, BigFile, every_cipher, cipher_name);

constexpr std::uint64_t new_rows = 40; // one a page

void BigFile::cross(std::uint64_t border, int first) {
    grow_to(border - new_rows / 2);
    std::set<std::uint64_t> written, read;
    const auto page_at = [](std::int64_t at) {
        return (static_cast<std::uint64_t>(at) - main_head_bytes) / page_bytes + 1;
    };
    const WatchedDisk disk{{.wrote =
                                [&](const std::string& file, std::int64_t at, std::span<const std::byte> bytes) {
                                    if (file != "records.db") return;
                                    EXPECT_EQ(static_cast<std::uint64_t>(at), page_offset(page_at(at)));
                                    EXPECT_EQ(bytes.size(), page_bytes);
                                    written.insert(page_at(at));
                                },
                            .read =
                                [&](const std::string& file, std::int64_t at, std::size_t size) {
                                    if (file != "records.db" || size < page_bytes) return;
                                    for (std::uint64_t page = page_at(at); page < page_at(at) + size / page_bytes;
                                         ++page)
                                        read.insert(page);
                                }}};
    auto vfs = open(key_slot(), IfAbsent::fail);
    ASSERT_TRUE(vfs);
    const std::string rows = "SELECT count(*)||' '||sum(CAST(CAST(substr(body,1,8) AS TEXT) AS INTEGER)=id) FROM big";
    std::string now;
    {
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("PRAGMA cache_size=5; PRAGMA synchronous=OFF"), SQLITE_OK);
        const std::uint64_t before = std::stoull(db.text("SELECT count(*) FROM big"));
        ASSERT_EQ(db.run(rows_for(new_rows, first)), SQLITE_OK);
        now = std::to_string(before + new_rows) + ' ' + std::to_string(before + new_rows);
        EXPECT_EQ(db.text(rows), now);
        ASSERT_GT(std::stoull(db.text("PRAGMA page_count")), border + 10);
        ASSERT_EQ(db.run("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
        EXPECT_EQ(db.text(rows), now);
        EXPECT_EQ(fs::file_size(database_), page_offset(std::stoull(db.text("PRAGMA page_count")) + 1));
        ASSERT_EQ(
            db.run("UPDATE big SET body=CAST(printf('%08d', id) AS BLOB)||randomblob(3100) WHERE id%3=0 AND id>=" +
                   std::to_string(first)),
            SQLITE_OK);
    }
    vfs->reset();
    vfs = open(key_slot(), IfAbsent::fail);
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    EXPECT_EQ(db.text(rows), now);
    EXPECT_EQ((*vfs)->authentication_failures(), 0U);
    for (const auto* seen : {&written, &read}) {
        EXPECT_TRUE(std::ranges::any_of(*seen, [&](auto page) { return page >= border; }));
        EXPECT_TRUE(std::ranges::any_of(*seen, [&](auto page) { return page < border && page + new_rows > border; }));
    }
    // None came to lie where its offset, cut to 32 bits, would lead.
    for (const auto page : written) EXPECT_TRUE(page < new_rows * 4 || page + new_rows * 2 > border) << page;
}

TEST_P(BigFile, CrossesOneAndFourGibibytes) {
    {
        auto vfs = open(key_slot(), IfAbsent::fail);
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB)"), SQLITE_OK);
        ASSERT_EQ(db.run(rows_for(new_rows, 1)), SQLITE_OK);
    }
    cross(border_1_gib, 1'001);
    // Sealed zeros, so that whoever reads the whole file finds every page to open. SQLite never asks: damage is not
    // seen.
    EXPECT_EQ(page(lock_page), Page{});
    const Bytes damaged(page_bytes, std::byte{0xEE});
    const auto file = BlockFile::open(database_);
    ASSERT_TRUE(file && file->write(page_offset(lock_page), damaged));
    cross(border_4_gib, 2'001);
    EXPECT_EQ(piece(page_offset(lock_page), page_bytes), damaged);

    struct stat about {};
    ASSERT_EQ(stat(database_.c_str(), &about), 0);
    EXPECT_GT(about.st_size, std::int64_t{4} << 30);
    EXPECT_LT(about.st_blocks * 512, 8 << 20) << "the holes are none on this file system: it holds 4 GiB";
}

// What the WAL reads and writes at its own 4 GiB.
TEST_P(BigFile, TheWalCrossesFourGibibytes) {
    const auto file = wal_;
    sqlite3_vfs* base = sqlite3_vfs_find("unix-excl");
    StoreContext context{cipher()};
    WalFile wal{context, *base};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
    ASSERT_EQ(wal.raw().open(*base, file.c_str(), flags, &flags), SQLITE_OK);
    WalHead head{};
    put_number(std::span{head}.subspan(wal_head_page_size_at), static_cast<std::uint32_t>(page_bytes));
    put_number(std::span{head}.subspan(wal_head_salts_at), std::uint64_t{0x1122334455667788});
    ASSERT_EQ(wal.write(head, 0), SQLITE_OK);

    constexpr std::uint64_t far = (std::uint64_t{1} << 32U) / slot_bytes - 3; // frames in front, a hole
    fs::resize_file(file, slot_offset(far));
    const auto page_of = [](std::uint64_t frame) {
        Page page{};
        put_number(std::span{page}, frame);
        return page;
    };
    for (std::uint64_t frame = far; frame < far + 8; ++frame) {
        FrameHead frame_head{};
        put_number(std::span{frame_head}, static_cast<std::uint32_t>(frame));
        if (frame == far + 7) put_number(std::span{frame_head}.subspan(frame_head_commit_at), std::uint32_t{1});
        std::ranges::copy(std::span{head}.subspan(wal_head_salts_at, 8),
                          std::span{frame_head}.subspan(frame_head_salts_at).begin());
        const std::uint64_t at = wal_head_bytes + (frame - 1) * frame_bytes;
        ASSERT_EQ(wal.write(frame_head, at), SQLITE_OK) << frame;
        ASSERT_EQ(wal.write(page_of(frame), at + frame_head_bytes), SQLITE_OK) << frame;
    }
    EXPECT_GT(fs::file_size(file), std::uint64_t{1} << 32U);
    std::uint64_t size = 0;
    ASSERT_EQ(wal.size(size), SQLITE_OK);
    EXPECT_EQ(size, wal_head_bytes + (far + 7) * frame_bytes);
    for (std::uint64_t frame = far; frame < far + 8; ++frame) {
        Page page{};
        ASSERT_EQ(wal.read(page, wal_head_bytes + (frame - 1) * frame_bytes + frame_head_bytes), SQLITE_OK);
        EXPECT_EQ(page, page_of(frame));
    }
    Page hole{};
    EXPECT_EQ(wal.read(hole, wal_head_bytes + frame_head_bytes), SQLITE_IOERR_DATA);
    ASSERT_EQ(wal.truncate(wal_head_bytes + (far + 1) * frame_bytes), SQLITE_OK);
    EXPECT_EQ(fs::file_size(file), slot_offset(far + 2));
}

// Long: the same without holes, 1.1 GiB of rows, every page read and checked by SQLite.
TEST_P(BigFile, AWholeGibibyteIsReadAndChecked) {
    const std::uint64_t pages = support::long_run() ? border_1_gib + 25'000 : 5'000;
    auto vfs = open(key_slot(), IfAbsent::fail);
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("PRAGMA synchronous=OFF; CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB)"), SQLITE_OK);
    for (std::uint64_t done = 0; done < pages; done += 2'500) {
        ASSERT_EQ(db.run(rows_for(2'500, static_cast<int>(done) + 1)), SQLITE_OK);
        ASSERT_EQ(db.run("PRAGMA wal_checkpoint(RESTART)"), SQLITE_OK);
    }
    EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(db.text("SELECT count(*)=max(id) AND min(CAST(CAST(substr(body,1,8) AS TEXT) AS INTEGER)=id) FROM big"),
              "1");
    const std::uint64_t all = std::stoull(db.text("PRAGMA page_count"));
    EXPECT_GE(all, pages);
    EXPECT_EQ((*vfs)->authentication_failures(), 0U);
    for (std::uint64_t number = 1; number <= all; ++number) page(number); // each opens, the lock bytes' too
}

} // namespace
} // namespace clinic::crypto::tests
