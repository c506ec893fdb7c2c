// Damage to what holds the keys: the superblocks and the keystore.
#include <algorithm>
#include <cstdio>

#include "crypto/keystore.h"
#include "crypto/octets.h"
#include "tests/crypto/tamper_fixture.h"
#include "tests/support/campaign.h"

namespace clinic::crypto::tests {
namespace {

class SuperblockTamper : public Tamper {
protected:
    Bytes image(std::size_t which) const {
        const auto at = whole_.begin() + static_cast<std::ptrdiff_t>(which * superblock_bytes);
        return {at, at + superblock_bytes};
    }
    // The checksum that anyone can compute, as it fits to the bytes.
    static void sum_up(std::span<std::byte> image) {
        std::ranges::copy(digest(image.first(superblock_bytes - 64)), image.subspan(superblock_bytes - 64).begin());
    }
    Result<OpenedSuperblock> opened(std::span<const std::byte> head) const {
        return open_superblocks(head, key_slot());
    }
};
INSTANTIATE_TEST_SUITE_P(Each, SuperblockTamper, every_cipher, cipher_name);

// The other one opens the store, whichever byte of the one is damaged, and says that one is.
TEST_P(SuperblockTamper, FlippedByteInOneLeavesTheOther) {
    for (std::size_t which = 0; which < superblocks; ++which)
        for (std::size_t at = 0; at < superblock_bytes; ++at, ++cases_) {
            Bytes head{whole_.begin(), whole_.begin() + main_head_bytes};
            head[which * superblock_bytes + at] ^= std::byte{1} << (at % 8);
            const auto left = opened(head);
            ASSERT_TRUE(left) << which << ' ' << at;
            EXPECT_EQ(left->used, 1 - which);
            EXPECT_TRUE(left->other_damaged);
            EXPECT_TRUE(left->store_key.same_as(store_key_.bytes()));
        }
}

// With the checksum computed anew the byte is a forgery: what its field says decides the error, never the data.
TEST_P(SuperblockTamper, ForgedByteInBothIsReported) {
    for (std::size_t at = 0; at < superblock_bytes - 64; ++at, ++cases_) {
        Bytes head{whole_.begin(), whole_.begin() + main_head_bytes};
        for (std::size_t which = 0; which < superblocks; ++which) {
            const auto one = std::span{head}.subspan(which * superblock_bytes, superblock_bytes);
            one[at] ^= std::byte{1} << (at % 8);
            sum_up(one);
        }
        const auto forged = opened(head);
        ASSERT_FALSE(forged) << at;
        const Errc error = forged.error().code;
        const bool newer = at >= 16 && at < 24;                                  // version, cipher
        const bool of_the_key = (at >= 32 && at < 48) || (at >= 56 && at < 144); // uuid, epoch, wrapped key
        EXPECT_TRUE(error == Errc::tampered || (newer && error == Errc::newer) || (of_the_key && error == Errc::locked))
            << at << ' ' << base::name(error);
    }
    for (std::size_t at = superblock_bytes - 64; at < superblock_bytes; ++at, ++cases_) {
        Bytes head{whole_.begin(), whole_.begin() + main_head_bytes};
        for (std::size_t which = 0; which < superblocks; ++which)
            head[which * superblock_bytes + at] ^= std::byte{0x80};
        const auto damaged = opened(head);
        ASSERT_FALSE(damaged) << at;
        EXPECT_EQ(damaged.error().code, Errc::tampered) << at;
    }
}

TEST_P(SuperblockTamper, ZeroedOrCutOffIsReportedAndOneAloneIsEnough) {
    const Bytes zeros(superblock_bytes);
    for (std::size_t which = 0; which < superblocks; ++which) {
        put_piece(database_, which * superblock_bytes, zeros);
        not_harmed("zeroed " + std::to_string(which));
        EXPECT_NE(piece_of(database_, which * superblock_bytes, superblock_bytes), zeros) << "it is written anew";
        restore();
    }
    put_piece(database_, 0, Bytes(main_head_bytes));
    noticed("both zeroed", opening(Errc::tampered));
    restore();
    for (const std::size_t shift : {1UL, 512UL, 4'096UL}) {
        Bytes moved{whole_.begin() + static_cast<std::ptrdiff_t>(shift), whole_.end()};
        put_contents(database_, moved);
        noticed("begins " + std::to_string(shift) + " later", "");
        restore();
    }
}

// They say nothing about their place, and the newer one counts: the store is the same.
TEST_P(SuperblockTamper, SwappedOrDoubledTheyOpenTheSameStore) {
    const Bytes first = image(0);
    const Bytes second = image(1);
    for (const auto& [a, b] : {std::pair{second, first}, {first, first}, {second, second}}) {
        put_piece(database_, 0, a);
        put_piece(database_, superblock_bytes, b);
        not_harmed("swapped or doubled");
        restore();
    }
}

// One that is authentic and newer, and another's: under this key slot, and under another.
TEST_P(SuperblockTamper, OfAnotherStoreOrKeyEpochIsReportedOrNotUsed) {
    Superblock other = parts_;
    other.sequence = 1'000;
    Superblock renamed = other;
    renamed.store[3] ^= std::byte{1};
    Superblock later = other;
    ++later.epoch;
    const auto put = [&](const SuperblockImage& forged, std::size_t which) {
        put_piece(database_, which * superblock_bytes, forged);
    };
    for (std::size_t which = 0; which < superblocks; ++which) {
        for (const auto& [foreign, key] : {std::pair{renamed, 0x99}, {later, 0x99}, {renamed, 0xC3}, {later, 0xC3}}) {
            put(make_superblock(foreign, key_of(static_cast<unsigned char>(key)), key_slot().key()), which);
            noticed("another's superblock", not_a_database());
            restore();
        }
        put(make_superblock(renamed, key_of(0x99), key_of(0x98)), which); // its key slot is not ours
        not_harmed("one of another key slot");
        restore();
        put(make_superblock(other, key_of(0x99), key_slot().key()), which);
        noticed("another key for this store", not_a_database());
        restore();
    }
}

class KeystoreTamper : public testing::Test {
protected:
    static constexpr std::size_t head_bytes = 4'096;
    static constexpr std::size_t slot_size = 72;
    static std::uint64_t offset_of(std::int64_t slot) {
        return head_bytes + static_cast<std::uint64_t>(slot - 1) * slot_size;
    }
    void SetUp() override {
        auto keys = open();
        ASSERT_TRUE(keys);
        ASSERT_TRUE((*keys)->erase({erased}));
        for (std::int64_t slot = 1; slot <= slots; ++slot)
            keys_.push_back(slot == erased ? SecureBytes{} : (*keys)->key({slot}).value());
        whole_ = contents(path_);
    }
    void TearDown() override {
        std::printf("tamper %s: %llu cases\n", testing::UnitTest::GetInstance()->current_test_info()->name(),
                    static_cast<unsigned long long>(cases_));
    }
    Result<std::unique_ptr<Keystore>> open() { return Keystore::open(path_, wrapping_, store_, IfAbsent::create); }
    // Cases: these slots are damaged, and every other gives its own key still.
    void only_these_are_tampered(std::span<const std::int64_t> damaged, const std::string& what) {
        auto keys = open();
        ASSERT_TRUE(keys) << what;
        for (std::int64_t slot = 1; slot <= slots; ++slot) {
            const auto key = (*keys)->key({slot});
            if (std::ranges::count(damaged, slot) != 0) {
                ++cases_;
                ASSERT_FALSE(key) << what << " slot " << slot;
                EXPECT_EQ(key.error().code, Errc::tampered) << what << " slot " << slot;
            } else if (slot == erased) {
                EXPECT_EQ(key.error().code, Errc::not_found) << what;
            } else {
                ASSERT_TRUE(key) << what << " slot " << slot;
                EXPECT_TRUE(key->same_as(keys_[static_cast<std::size_t>(slot - 1)].bytes())) << what << ' ' << slot;
            }
        }
        put_contents(path_, whole_);
    }
    static std::vector<std::int64_t> every_slot() {
        std::vector<std::int64_t> all(slots);
        std::ranges::generate(all, [next = std::int64_t{1}]() mutable { return next++; });
        return all;
    }

    static constexpr std::int64_t slots = Keystore::pool_slots_min;
    static constexpr std::int64_t erased = 100;
    fakes::TempFolder folder_;
    const std::filesystem::path path_ = folder_ / "keys.db";
    const SecureBytes wrapping_ = key_of(0x2D);
    const StoreUuid store_{std::byte{1}, std::byte{2}};
    std::vector<SecureBytes> keys_;
    Bytes whole_;
    std::uint64_t cases_ = 0;
};

TEST_F(KeystoreTamper, FlippedByteOfTheHeaderIsSeenAndWrittenAnew) {
    for (std::uint64_t at = 0; at < head_bytes; ++at, ++cases_) {
        put_contents(path_, whole_);
        const Patch patch{path_, at, flipped(path_, at, at)};
        const auto seen = Keystore::examine(path_, wrapping_, store_, {0});
        ASSERT_TRUE(seen) << at;
        EXPECT_FALSE(seen->head_whole) << at;
        ASSERT_TRUE(open()) << at;
        ASSERT_EQ(contents(path_), whole_) << at;
    }
    put_contents(path_, whole_);
}

// Every byte of a slot, over all slots at once.
TEST_F(KeystoreTamper, FlippedByteOfAnySlotIsReported) {
    for (std::uint64_t within = 0; within < slot_size; ++within) {
        Bytes bytes = whole_;
        for (std::int64_t slot = 1; slot <= slots; ++slot)
            bytes[offset_of(slot) + within] ^= std::byte{1} << ((within + static_cast<std::uint64_t>(slot)) % 8);
        put_contents(path_, bytes);
        only_these_are_tampered(every_slot(), "byte " + std::to_string(within));
    }
}

TEST_F(KeystoreTamper, ZeroedSwappedOrForeignSlotIsReported) {
    const auto other = folder_ / "other";
    const auto rewrapped = folder_ / "rewrapped";
    ASSERT_TRUE(Keystore::open(other, wrapping_, StoreUuid{std::byte{9}}, IfAbsent::create));
    ASSERT_TRUE(Keystore::open(rewrapped, key_of(0x2E), store_, IfAbsent::create));
    Bytes bytes = whole_;
    std::ranges::fill(std::span{bytes}.subspan(head_bytes), std::byte{0});
    put_contents(path_, bytes);
    only_these_are_tampered(every_slot(), "zeroed");
    for (const auto& foreign : {other, rewrapped}) {
        bytes = contents(foreign);
        std::copy_n(whole_.begin(), head_bytes, bytes.begin());
        put_contents(path_, bytes);
        only_these_are_tampered(every_slot(), "of " + foreign.filename().string());
    }
    for (std::int64_t slot = 1; slot < slots; ++slot) { // an erased patient's mark with them: it erases no other
        const std::array both{slot, slot + 1};
        bytes = whole_;
        std::ranges::swap_ranges(std::span{bytes}.subspan(offset_of(slot), slot_size),
                                 std::span{bytes}.subspan(offset_of(slot + 1), slot_size));
        put_contents(path_, bytes);
        only_these_are_tampered(both, "swapped");
    }
}

TEST_F(KeystoreTamper, CutOffIsNeverAnErasedPatient) {
    for (std::int64_t kept = 0; kept < slots; ++kept)
        for (const std::uint64_t more : {0UL, 1UL, 71UL}) {
            put_contents(path_, std::span{whole_}.first(offset_of(kept + 1) + more));
            auto keys = open();
            ASSERT_TRUE(keys);
            const auto gone = (*keys)->key({kept + 1});
            ASSERT_FALSE(gone);
            EXPECT_EQ(gone.error().code, Errc::corrupt) << kept;
            ++cases_;
        }
    for (std::size_t size = 0; size < head_bytes; size += support::long_run() ? 1U : 61U, ++cases_) {
        put_contents(path_, std::span{whole_}.first(size));
        const auto opened = open();
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, Errc::tampered) << size;
        EXPECT_EQ(std::filesystem::file_size(path_), size) << "nothing is made in its place";
    }
}

} // namespace
} // namespace clinic::crypto::tests
