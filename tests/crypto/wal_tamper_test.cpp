// Damage to the WAL, each frame in turn: in front of the last commit it is an error, in the last commit at most that
// commit is lost, and nothing else is ever read.
#include <algorithm>

#include "crypto/wal_frame.h"
#include "crypto/wal_preamble.h"
#include "tests/crypto/tamper_fixture.h"
#include "tests/support/campaign.h"

namespace clinic::crypto::tests {
namespace {

INSTANTIATE_TEST_SUITE_P(Each, WalTamper, every_cipher, cipher_name);

// The parts of a slot that are sealed apart: offset and length.
struct Part {
    const char* name;
    std::size_t from, size;
};
constexpr std::array parts{Part{"header", 0, sealed_frame_head_bytes},
                           Part{"page", sealed_frame_head_bytes, sealed_frame_page_bytes}, Part{"slot", 0, slot_bytes}};

TEST_P(WalTamper, WholeWalIsRecovered) {
    const Seen seen = look();
    EXPECT_TRUE(seen.is(states_.back())) << seen.error;
    EXPECT_EQ(seen.failures, 0U);
}

// All of it that says something, and some of the zeros behind: of no other store and no newer format, as frames of this
// one stand behind it.
TEST_P(WalTamper, FlippedByteInThePreambleIsReported) {
    for (std::uint64_t at = 0; at < preamble_bytes; at += at < 512 || support::long_run() ? 1U : 97U) {
        for (const unsigned bit : {0U, 7U}) {
            auto bytes = wal_whole_;
            bytes[at] ^= std::byte{1} << bit;
            put_wal(bytes);
            wal_noticed("preamble " + std::to_string(at), Errc::tampered);
        }
    }
}

TEST_P(WalTamper, FlippedByteInAnyFrameIsReportedOrEndsTheLastCommit) {
    for (std::uint64_t frame = 1; frame <= frames(); ++frame) {
        std::vector<std::uint64_t> within = telling_offsets(frame_head_bytes + sync_mark_bytes, frame);
        for (const auto at : telling_offsets(page_bytes, frame)) within.push_back(sealed_frame_head_bytes + at);
        for (const auto at : within) {
            auto bytes = wal_whole_;
            bytes[slot_offset(frame) + at] ^= std::byte{1} << (frame % 8);
            put_wal(bytes);
            frame_noticed(frame, "byte " + std::to_string(at));
        }
    }
}

TEST_P(WalTamper, ZeroedPartOfAFrameIsReportedOrEndsTheLastCommit) {
    for (std::uint64_t frame = 1; frame <= frames(); ++frame)
        for (const auto& part : parts) {
            auto bytes = wal_whole_;
            std::ranges::fill(std::span{bytes}.subspan(slot_offset(frame) + part.from, part.size), std::byte{0});
            put_wal(bytes);
            frame_noticed(frame, std::string{"zeroed "} + part.name);
        }
}

TEST_P(WalTamper, FrameInAnotherSlotIsReportedOrEndsTheLastCommit) {
    for (std::uint64_t frame = 1; frame < frames(); ++frame)
        for (const auto& part : parts) {
            auto bytes = wal_whole_;
            const auto one = std::span{bytes}.subspan(slot_offset(frame) + part.from, part.size);
            const auto next = std::span{bytes}.subspan(slot_offset(frame + 1) + part.from, part.size);
            std::ranges::copy(one, next.begin());
            put_wal(bytes);
            frame_noticed(frame + 1, std::string{"doubled "} + part.name);

            bytes = wal_whole_;
            std::ranges::swap_ranges(one, next);
            put_wal(bytes);
            frame_noticed(frame, std::string{"swapped "} + part.name);
        }
}

// The same commits in stores of their own: another name, another key epoch, under the same key.
TEST_P(WalTamper, FrameOfAnotherStoreOrKeyEpochIsReportedOrEndsTheLastCommit) {
    Superblock renamed = parts_;
    renamed.store[15] ^= std::byte{1};
    const PageCipher own = cipher();
    const PageCipher foreign{parts_.cipher, store_key_, parts_.epoch, renamed.store};
    const PageCipher later{parts_.cipher, store_key_, parts_.epoch + 1, parts_.store};
    for (const PageCipher* other : {&foreign, &later})
        for (std::uint64_t frame = 1; frame <= frames(); ++frame) {
            const auto slot = std::span{std::as_const(wal_whole_)}.subspan(slot_offset(frame), slot_bytes);
            const auto head = open_frame_head(own, frame, slot.first(sealed_frame_head_bytes));
            Page page{};
            ASSERT_TRUE(head);
            ASSERT_TRUE(open_frame_page(own, frame, head->salts(), slot.subspan(sealed_frame_head_bytes), page));
            auto bytes = wal_whole_;
            const auto place = std::span{bytes}.subspan(slot_offset(frame), slot_bytes);
            std::ranges::copy(seal_frame_head(*other, frame, *head), place.begin());
            put_wal(bytes);
            frame_noticed(frame, "header of another");
            bytes = wal_whole_;
            seal_frame_page(*other, frame, head->salts(), page, place.subspan(sealed_frame_head_bytes));
            put_wal(bytes);
            frame_noticed(frame, "page of another");
        }
}

TEST_P(WalTamper, WalHeaderOfAnotherStoreOrKeyEpochIsReported) {
    Superblock renamed = parts_;
    renamed.store[15] ^= std::byte{1};
    WalHead head;
    Preamble preamble;
    std::ranges::copy(std::span{wal_whole_}.first(preamble_bytes), preamble.begin());
    ASSERT_EQ(open_preamble(cipher(), preamble, head), PreambleLook::whole);
    const PageCipher foreign{parts_.cipher, store_key_, parts_.epoch, renamed.store};
    const PageCipher later{parts_.cipher, store_key_, parts_.epoch + 1, parts_.store};
    const PageCipher rekeyed{parts_.cipher, key_of(0x77), parts_.epoch, parts_.store};
    for (const PageCipher* other : {&foreign, &later, &rekeyed}) {
        auto bytes = wal_whole_;
        std::ranges::copy(make_preamble(*other, head), bytes.begin());
        put_wal(bytes);
        wal_noticed("header of another", Errc::tampered);
    }
    auto bytes = wal_whole_;
    std::ranges::copy(make_preamble(foreign, head), bytes.begin());
    std::ranges::fill(std::span{bytes}.subspan(preamble_bytes), std::byte{0});
    put_wal(bytes);
    wal_noticed("header of another before no frame of this one", Errc::conflict);
}

// A disk that lost its first block, or somebody who wants what was committed to be gone.
TEST_P(WalTamper, ZeroedPreambleInFrontOfFramesIsReported) {
    for (const std::size_t size : {std::size_t{512}, preamble_bytes}) {
        auto bytes = wal_whole_;
        std::ranges::fill(std::span{bytes}.first(size), std::byte{0});
        put_wal(bytes);
        wal_noticed("zeroed " + std::to_string(size), Errc::tampered);
    }
}

TEST_P(WalTamper, FrameOfAnEarlierGenerationIsReportedOrEndsTheLastCommit) {
    const Bytes earlier = wal_whole_;
    const std::uint64_t earlier_frames = frames();
    ends_.clear();
    states_.clear();
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("PRAGMA wal_checkpoint(RESTART)"), SQLITE_OK);
        for (int i = 0; i < 6; ++i)
            commit(db, "UPDATE t SET body=randomblob(601) WHERE id BETWEEN " + std::to_string(i * 8) + " AND " +
                           std::to_string(i * 8 + 7));
        crash();
    }
    restore_crash();
    ASSERT_GT(frames(), 10U);
    ASSERT_LT(frames(), earlier_frames); // behind them lie those of the earlier generation
    ASSERT_TRUE(look().is(states_.back()));
    for (std::uint64_t frame = 1; frame <= frames(); ++frame)
        for (const auto& part : parts) {
            restore_crash();
            put_piece(wal_, slot_offset(frame) + part.from,
                      std::span{earlier}.subspan(slot_offset(frame) + part.from, part.size));
            // A whole slot as it was before its last commit is how a power cut leaves it: nothing to count.
            frame_noticed(frame, std::string{"earlier "} + part.name, part.size != slot_bytes);
        }
}

// While the store is open: each frame changes under it, and a new connection reads.
TEST_P(WalTamper, FrameThatChangesUnderAnOpenStoreIsReported) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection keeps_it_open{**vfs, database_};
    ASSERT_EQ(keeps_it_open.text("SELECT count(*) FROM t"), "310"); // it has the WAL's index
    const auto& truth = states_.back();
    std::uint64_t reported = 0;
    for (std::uint64_t frame = 1; frame <= frames(); ++frame)
        for (const auto at : telling_offsets(page_bytes, frame)) {
            const std::uint64_t place = slot_offset(frame) + sealed_frame_head_bytes + at;
            const Patch patch{wal_, place, flipped(wal_, place, frame)};
            Connection db{**vfs, database_};
            const Rows table = db.rows("SELECT * FROM t NOT INDEXED ORDER BY id");
            EXPECT_TRUE(std::ranges::equal(table.rows, std::span{truth}.first(table.rows.size()))) << frame;
            EXPECT_TRUE(table.code == SQLITE_DONE || table.code == SQLITE_IOERR_DATA) << frame;
            reported += table.code == SQLITE_IOERR_DATA ? 1U : 0U;
            ++cases_;
        }
    EXPECT_GT(reported, frames() * 3); // the others hold pages that a later frame has anew
}

// While the store is open: the frame of an earlier generation, authentic and in its own slot, must not pass.
TEST_P(WalTamper, PageOfAnEarlierWalGenerationIsReportedWhileOpen) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("UPDATE t SET body=randomblob(500), word='first'"), SQLITE_OK);
    const Bytes earlier = contents(wal_);
    ASSERT_EQ(db.run("PRAGMA wal_checkpoint(RESTART); UPDATE t SET body=randomblob(500), word='other'"), SQLITE_OK);
    ASSERT_GE(std::filesystem::file_size(wal_), earlier.size());
    put_piece(wal_, slot_offset(1), std::span{earlier}.subspan(slot_offset(1)));
    Connection fresh{**vfs, database_};
    EXPECT_EQ(fresh.text("SELECT count(*) FROM t WHERE word='first'"), io_error());
    EXPECT_GT((*vfs)->authentication_failures(), 0U);
    cases_ += frames_in(earlier.size());
}

} // namespace
} // namespace clinic::crypto::tests
