// The WAL's file as SQLite uses it, call by call: what of a transaction is on the disk, and when.
#include "crypto/wal_file.h"

#include <sqlite3.h>

#include "crypto/octets.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

class WalFileTest : public StoreTest {
protected:
    void SetUp() override {
        make_store(1); // its WAL is gone; the new one is made beside it
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
        ASSERT_EQ(writer_.raw().open(*base_, wal_.c_str(), flags, &flags), SQLITE_OK);
        put_number(std::span{head_}.subspan(wal_head_page_size_at), static_cast<std::uint32_t>(page_bytes));
        begin_log(1);
        ASSERT_EQ(reader_.raw().open(*base_, wal_.c_str(), flags, &flags), SQLITE_OK);
    }
    void begin_log(std::uint64_t salts) {
        put_number(std::span{head_}.subspan(wal_head_salts_at), salts);
        ASSERT_EQ(writer_.write(head_, 0), SQLITE_OK);
    }
    static std::uint64_t place_of(std::uint64_t frame) { return wal_head_bytes + (frame - 1) * frame_bytes; }
    static Page page_of(std::uint64_t frame, std::uint64_t version) {
        Page page{};
        put_number(std::span{page}, frame);
        put_number(std::span{page}.subspan(8), version);
        return page;
    }
    int write(std::uint64_t frame, std::uint64_t version, bool commits) {
        FrameHead head{};
        put_number(std::span{head}, static_cast<std::uint32_t>(frame + 1));
        put_number(std::span{head}.subspan(frame_head_commit_at), std::uint32_t{commits ? 9U : 0U});
        std::ranges::copy(std::span{head_}.subspan(wal_head_salts_at, 8),
                          std::span{head}.subspan(frame_head_salts_at).begin());
        if (const int rc = writer_.write(head, place_of(frame)); rc != SQLITE_OK) return rc;
        return writer_.write(page_of(frame, version), place_of(frame) + frame_head_bytes);
    }
    static bool reads(WalFile& file, std::uint64_t frame, std::uint64_t version) {
        Page page{};
        return file.read(page, place_of(frame) + frame_head_bytes) == SQLITE_OK && page == page_of(frame, version);
    }
    std::uint64_t frames_on_disk() const { return frames_in(std::filesystem::file_size(wal_)); }
    std::uint64_t frames_seen() {
        std::uint64_t bytes = 0;
        EXPECT_EQ(writer_.size(bytes), SQLITE_OK);
        return (bytes - wal_head_bytes) / frame_bytes;
    }

    sqlite3_vfs* const base_ = sqlite3_vfs_find("unix-excl");
    StoreContext context_{PageCipher{CipherId::xchacha20_poly1305, SecureBytes::zeroed(key_bytes), 1, StoreUuid{}}};
    WalFile writer_{context_, *base_}, reader_{context_, *base_};
    WalHead head_{};
};

TEST_F(WalFileTest, ATransactionIsOnTheDiskWithItsLastFrame) {
    for (std::uint64_t frame = 1; frame <= 3; ++frame) ASSERT_EQ(write(frame, 1, false), SQLITE_OK);
    EXPECT_EQ(frames_on_disk(), 0U);
    EXPECT_EQ(frames_seen(), 3U);
    EXPECT_TRUE(reads(writer_, 2, 1)); // its own
    ASSERT_EQ(write(4, 1, true), SQLITE_OK);
    EXPECT_EQ(frames_on_disk(), 4U);
    for (std::uint64_t frame = 1; frame <= 4; ++frame) EXPECT_TRUE(reads(reader_, frame, 1)) << frame;
}

TEST_F(WalFileTest, ALongTransactionGoesInParts) {
    for (std::uint64_t frame = 1; frame <= 40; ++frame) ASSERT_EQ(write(frame, 1, frame == 40), SQLITE_OK);
    for (std::uint64_t frame = 1; frame <= 40; ++frame) EXPECT_TRUE(reads(reader_, frame, 1)) << frame;
}

// A savepoint or the whole is taken back: SQLite goes on at an earlier frame.
TEST_F(WalFileTest, WhatWasTakenBackIsNotWritten) {
    ASSERT_EQ(write(1, 1, true), SQLITE_OK);
    for (std::uint64_t frame = 2; frame <= 5; ++frame) ASSERT_EQ(write(frame, 1, false), SQLITE_OK);
    ASSERT_EQ(write(4, 2, false), SQLITE_OK);
    EXPECT_EQ(frames_seen(), 4U);
    EXPECT_TRUE(reads(writer_, 3, 1) && reads(writer_, 4, 2));
    ASSERT_EQ(write(2, 3, true), SQLITE_OK);
    EXPECT_EQ(frames_on_disk(), 2U);
    EXPECT_TRUE(reads(reader_, 2, 3));
    ASSERT_EQ(write(3, 4, false), SQLITE_OK);
    EXPECT_EQ(writer_.sync(SQLITE_SYNC_NORMAL), SQLITE_OK);
    EXPECT_EQ(frames_on_disk(), 2U) << "a sync is of what is committed";
}

TEST_F(WalFileTest, APageThatIsSpilledTwiceReplacesItsFirstTime) {
    ASSERT_EQ(write(1, 1, false), SQLITE_OK);
    ASSERT_EQ(write(2, 1, false), SQLITE_OK);
    ASSERT_EQ(writer_.write(page_of(1, 2), place_of(1) + frame_head_bytes), SQLITE_OK);
    EXPECT_TRUE(reads(writer_, 1, 2));
    ASSERT_EQ(write(3, 1, true), SQLITE_OK);
    EXPECT_TRUE(reads(reader_, 1, 2) && reads(reader_, 2, 1) && reads(reader_, 3, 1));
}

TEST_F(WalFileTest, ANewLogHoldsNothingOfTheOneBefore) {
    ASSERT_EQ(write(1, 1, false), SQLITE_OK);
    ASSERT_EQ(write(2, 1, false), SQLITE_OK);
    begin_log(2);
    ASSERT_EQ(write(1, 2, true), SQLITE_OK);
    EXPECT_EQ(frames_on_disk(), 1U);
    EXPECT_TRUE(reads(reader_, 1, 2));
    ASSERT_EQ(write(2, 3, false), SQLITE_OK);
    ASSERT_EQ(writer_.truncate(wal_head_bytes + frame_bytes), SQLITE_OK);
    EXPECT_EQ(frames_seen(), 1U);
}

} // namespace
} // namespace clinic::crypto::tests
