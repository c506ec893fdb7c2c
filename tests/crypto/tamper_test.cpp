// Damage to pages of the database, one kind after another and each page in turn: SQLite must report it, and never
// hand out other data. The WAL's are in wal_tamper_test.cpp, the superblocks' and the keystore's in
// key_tamper_test.cpp.
#include <algorithm>

#include "crypto/wal_frame.h"
#include "tests/crypto/tamper_fixture.h"
#include "tests/support/campaign.h"

namespace clinic::crypto::tests {
namespace {

INSTANTIATE_TEST_SUITE_P(Each, Tamper, every_cipher, cipher_name);

// Every bit of a piece of each kind, and every other thing it is bound to.
TEST_P(Tamper, NoBitOfAPieceMayDiffer) {
    const PageCipher sealer = cipher();
    for (const auto& [at, size] : {std::pair{PieceAt{Piece::page, 7}, page_plain_bytes},
                                   {PieceAt{Piece::wal_header, 0}, wal_head_bytes},
                                   {PieceAt{Piece::frame_header, 7}, frame_head_bytes + sync_mark_bytes},
                                   {PieceAt{Piece::frame_page, 7, 9}, page_bytes}}) {
        Bytes plain(size, std::byte{0x3C});
        Bytes sealed(size + trailer_bytes);
        sealer.seal(at, plain, sealed);
        Bytes out(size);
        ASSERT_TRUE(sealer.open(at, sealed, out));
        ASSERT_EQ(out, plain);
        for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit, ++cases_) {
            sealed[bit / 8] ^= std::byte{1} << bit % 8;
            ASSERT_FALSE(sealer.open(at, sealed, out)) << "bit " << bit;
            ASSERT_EQ(out, Bytes(size)) << "bit " << bit << " gave something out";
            sealed[bit / 8] ^= std::byte{1} << bit % 8;
        }
    }
}

TEST_P(Tamper, APieceOpensOnlyAsWhatItIsWhereItIs) {
    const PageCipher sealer = cipher();
    Superblock other = parts_;
    other.store[0] ^= std::byte{1};
    const PageCipher foreign{parts_.cipher, store_key_, parts_.epoch, other.store};
    const PageCipher later{parts_.cipher, store_key_, parts_.epoch + 1, parts_.store};
    const PageCipher rekeyed{parts_.cipher, key_of(0x77), parts_.epoch, parts_.store};
    const Bytes plain(wal_head_bytes, std::byte{0x3C});
    Bytes sealed(plain.size() + trailer_bytes);
    Bytes out(plain.size());
    for (const auto piece : {Piece::page, Piece::wal_header, Piece::frame_header, Piece::frame_page}) {
        const PieceAt at{piece, 7, 9};
        sealer.seal(at, plain, sealed);
        ASSERT_TRUE(sealer.open(at, sealed, out));
        Bytes of_later = sealed; // as if it had been written since
        put_number(std::span{of_later}.subspan(plain.size()), parts_.epoch + 1);
        EXPECT_FALSE(later.open(at, of_later, out));
        for (const auto as : {Piece::page, Piece::wal_header, Piece::frame_header, Piece::frame_page}) {
            EXPECT_EQ(sealer.open({as, 7, 9}, sealed, out), as == piece);
            EXPECT_FALSE(sealer.open({as, 8, 9}, sealed, out));
            EXPECT_FALSE(sealer.open({as, 7U | 1ULL << 32U, 9}, sealed, out)) << "an index is 64 bits long";
            EXPECT_FALSE(sealer.open({as, 7, 10}, sealed, out));
            for (const PageCipher* wrong : {&foreign, &later, &rekeyed})
                EXPECT_FALSE(wrong->open({as, 7, 9}, sealed, out));
            cases_ += 7;
        }
    }
}

// Long: every byte of every page.
TEST_P(Tamper, FlippedByteInAnyPageIsReported) {
    for (std::uint64_t page = 1; page <= pages(); ++page) {
        std::vector<std::uint64_t> within = telling_offsets(page_plain_bytes, page);
        if (support::long_run()) {
            within.resize(page_bytes);
            std::ranges::generate(within, [next = std::uint64_t{0}]() mutable { return next++; });
        }
        for (const auto at : within) {
            const std::uint64_t place = page_offset(page) + at;
            const Patch patch{database_, place, flipped(database_, place, page + at)};
            noticed_io_error(page, "byte " + std::to_string(at));
        }
    }
    not_harmed("put back");
}

TEST_P(Tamper, ZeroedPageOrPartOfOneIsReported) {
    for (std::uint64_t page = 1; page <= pages(); ++page)
        for (const auto& [from, size] : {std::pair{std::size_t{0}, page_bytes},
                                         {std::size_t{0}, page_plain_bytes},
                                         {page_plain_bytes, nonce_bytes},
                                         {page_plain_bytes + nonce_bytes, tag_bytes},
                                         {page_plain_bytes, trailer_bytes},
                                         {std::size_t{512}, std::size_t{512}}}) {
            const Patch patch{database_, page_offset(page) + from, Bytes(size)};
            noticed_io_error(page, "zeros from " + std::to_string(from));
        }
}

TEST_P(Tamper, PageInThePlaceOfAnotherIsReported) {
    for (std::uint64_t page = 1; page < pages(); ++page) {
        const Bytes one = piece_of(database_, page_offset(page), page_bytes);
        const Bytes next = piece_of(database_, page_offset(page + 1), page_bytes);
        {
            const Patch copied{database_, page_offset(page), next};
            noticed_io_error(page, "doubled");
        }
        {
            const Patch first{database_, page_offset(page), next};
            const Patch second{database_, page_offset(page + 1), one};
            noticed("swapped " + std::to_string(page), page == 1 ? not_a_database() : io_error());
        }
        const Patch trailer{database_, page_offset(page) + page_plain_bytes, std::span{next}.last(trailer_bytes)};
        noticed_io_error(page, "another's nonce and tag");
    }
}

// The same rows in the same places, under the same store key and key slot: what differs is the store's name or epoch.
TEST_P(Tamper, PageOfAnotherStoreOrKeyEpochIsReported) {
    Superblock renamed = parts_;
    renamed.store[15] ^= std::byte{1};
    Superblock later = parts_;
    ++later.epoch;
    for (const auto& other :
         {other_store("renamed", renamed, store_key_), other_store("later", later, store_key_),
          other_store("rekeyed", later, key_of(0x11)), other_store("another", renamed, key_of(0x12))}) {
        ASSERT_EQ(std::filesystem::file_size(other), whole_.size());
        for (std::uint64_t page = 1; page <= pages(); ++page) {
            auto piece = piece_of(other, page_offset(page), page_bytes);
            const Patch patch{database_, page_offset(page), piece};
            noticed_io_error(page, "of " + other.parent_path().filename().string());
            put_number(std::span{piece}.subspan(page_plain_bytes), parts_.epoch);
            const Patch renamed_patch{database_, page_offset(page), piece};
            noticed_io_error(page, "of " + other.parent_path().filename().string() + ", said to be of this epoch");
        }
        // With its superblocks it is the other store, and then its own pages do not fit.
        const Patch head{database_, 0, piece_of(other, 0, main_head_bytes)};
        noticed("superblocks of " + other.parent_path().filename().string(), not_a_database());
    }
}

TEST_P(Tamper, WalFrameInThePlaceOfAPageIsReported) {
    const PageCipher sealer = cipher();
    for (std::uint64_t page = 1; page <= pages(); ++page) {
        Page plain{};
        ASSERT_TRUE(sealer.open({Piece::page, page}, piece_of(database_, page_offset(page), page_bytes),
                                std::span{plain}.first(page_plain_bytes)));
        SealedFramePage as_frame{};
        seal_frame_page(sealer, page, 0, plain, as_frame);
        const Patch patch{database_, page_offset(page), std::span{as_frame}.last(page_bytes)};
        noticed_io_error(page, "sealed as a frame");
    }
}

TEST_P(Tamper, CutOffPagesAreReported) {
    for (std::uint64_t kept = 1; kept < pages(); ++kept) {
        for (const std::uint64_t more : {0UL, 1UL, 2'000UL, 4'095UL}) {
            std::filesystem::resize_file(database_, page_offset(kept + 1) + more);
            noticed("kept " + std::to_string(kept) + " and " + std::to_string(more), "");
            restore();
        }
    }
    for (const std::uint64_t size : {1UL, 4'095UL, 4'096UL, 8'191UL, 8'192UL, 12'287UL}) {
        std::filesystem::resize_file(database_, size);
        noticed("cut to " + std::to_string(size), opening(Errc::tampered));
        restore();
    }
}

TEST_P(Tamper, WhatIsAppendedIsNotRead) {
    for (const std::uint64_t more : {1UL, 4'095UL, 4'096UL, 10'000UL}) {
        Bytes longer = whole_;
        longer.resize(whole_.size() + more, std::byte{0xAB});
        put_contents(database_, longer);
        not_harmed("appended " + std::to_string(more));
        restore();
    }
}

// A WAL that knows how many pages there are, and whose checkpoint writes behind the cut: what is between must not come
// back as pages of zeros, which would pass for the end of a long value.
TEST_P(Tamper, CutOffPagesAreReportedBeforeAndAfterACheckpoint) {
    Bytes wal;
    std::vector<std::string> now;
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("INSERT INTO t(body,word) VALUES(randomblob(9000),'newest')"), SQLITE_OK);
        now = db.rows("SELECT * FROM t NOT INDEXED ORDER BY id").rows;
        wal = contents(wal_);
        ASSERT_EQ(contents(database_), whole_);
    }
    std::uint64_t checkpointed = 0;
    for (std::uint64_t kept = 4; kept < pages(); ++kept) {
        put_contents(database_, std::span{whole_}.first(page_offset(kept + 1)));
        put_contents(wal_, wal);
        for (const char* when : {"before", "after"}) { // the first look ends with a checkpoint
            const Seen seen = look();
            const bool all_in_the_wal = seen.error.empty() && kept + 1 == pages();
            EXPECT_TRUE(all_in_the_wal || seen.error == io_error()) << kept << ' ' << when << ' ' << seen.error;
            const auto table = std::span{seen.rows}.first(std::min(seen.rows.size(), now.size()));
            EXPECT_TRUE(std::ranges::equal(table, std::span{now}.first(table.size()))) << kept << ' ' << when;
        }
        checkpointed += std::filesystem::exists(wal_) ? 0U : 1U; // SQLite itself refuses where too much is gone
    }
    EXPECT_GT(checkpointed, 10U);
}

// While the store is open: each page changes under it, and a new connection reads.
TEST_P(Tamper, PageThatChangesUnderAnOpenStoreIsReported) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    const Connection keeps_it_open{**vfs, database_};
    for (std::uint64_t page = 1; page <= pages(); ++page, ++cases_) {
        const std::uint64_t place = page_offset(page) + page * 51 % page_bytes;
        const Patch patch{database_, place, flipped(database_, place, page)};
        Connection db{**vfs, database_};
        const Rows table = db.rows("SELECT * FROM t NOT INDEXED ORDER BY id");
        const Rows index = db.rows("SELECT word, id FROM t INDEXED BY i ORDER BY word, id");
        EXPECT_NE(table.code == SQLITE_DONE && index.code == SQLITE_DONE, true) << page;
        for (const Rows& part : {table, index})
            EXPECT_TRUE(part.code == SQLITE_DONE || part.code == (page == 1 ? SQLITE_NOTADB : SQLITE_IOERR_DATA));
        EXPECT_TRUE(std::ranges::equal(table.rows, std::span{truth_}.first(table.rows.size()))) << page;
    }
}

} // namespace
} // namespace clinic::crypto::tests
