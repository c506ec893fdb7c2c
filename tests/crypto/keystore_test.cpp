#include "crypto/keystore.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <map>
#include <set>

#include "crypto/octets.h"
#include "crypto/seal.h"
#include "tests/crypto/store_fixture.h"
#include "tests/crypto/tamper_fixture.h"

namespace clinic::crypto::tests {
namespace {

constexpr std::uint64_t head = 4'096;
constexpr std::uint64_t slot_size = 72;
constexpr std::uint64_t offset_of(std::int64_t slot) {
    return head + static_cast<std::uint64_t>(slot - 1) * slot_size;
}

constexpr auto any = [](SlotId, const SecureBytes*) { return true; };

class KeystoreTest : public testing::Test {
protected:
    Result<std::unique_ptr<Keystore>> open(IfAbsent if_absent = IfAbsent::create) {
        return Keystore::open(path_, wrapping_, store_, if_absent);
    }
    Errc open_error(IfAbsent if_absent = IfAbsent::create) {
        const auto opened = open(if_absent);
        EXPECT_FALSE(opened.has_value());
        return opened ? Errc::unknown : opened.error().code;
    }
    static Errc key_error(Keystore& keys, std::int64_t slot) {
        const auto key = keys.key({slot});
        EXPECT_FALSE(key.has_value()) << slot;
        return key ? Errc::unknown : key.error().code;
    }

    fakes::TempFolder folder_;
    const std::filesystem::path path_ = folder_ / "keys.db";
    const SecureBytes wrapping_ = SecureBytes::random(key_bytes);
    const StoreUuid store_{std::byte{1}, std::byte{2}};
};

TEST_F(KeystoreTest, GivesEachSlotAKeyOfItsOwnThatLasts) {
    std::vector<Bytes> before;
    {
        auto keys = open();
        ASSERT_TRUE(keys);
        for (std::int64_t slot = 1; slot <= Keystore::pool_slots_min; ++slot) {
            const auto key = (*keys)->key({slot});
            ASSERT_TRUE(key);
            before.emplace_back(key->bytes().begin(), key->bytes().end());
        }
        std::set<std::string> different;
        for (const auto& key : before) different.insert(hex(key));
        EXPECT_EQ(different.size(), before.size());
    }
    auto keys = open(IfAbsent::fail);
    ASSERT_TRUE(keys);
    for (std::size_t i = 0; i < before.size(); ++i)
        EXPECT_TRUE((*keys)->key({static_cast<std::int64_t>(i + 1)})->same_as(before[i]));
}

TEST_F(KeystoreTest, GivesOutTheSlotAboveTheHighestUsedAndTakesItAgainAfterARollback) {
    auto keys = open();
    ASSERT_TRUE(keys);
    EXPECT_EQ((*keys)->next_free({0})->value, 1);
    EXPECT_EQ((*keys)->next_free({0})->value, 1); // the transaction that took it did not commit
    EXPECT_EQ((*keys)->next_free({1})->value, 2);
}

TEST_F(KeystoreTest, RefillsBeforeAPoolRunsDryAndTheNewKeysLast) {
    auto keys = open();
    ASSERT_TRUE(keys);
    for (std::int64_t used = 0; used < 1'000; ++used) {
        const auto slot = (*keys)->next_free({used});
        ASSERT_TRUE(slot);
        ASSERT_EQ(slot->value, used + 1);
        ASSERT_GE((*keys)->free_slots({used}), Keystore::pool_slots_min / 4);
    }
    const auto key = (*keys)->key({1'000});
    ASSERT_TRUE(key);
    keys = open(IfAbsent::fail);
    ASSERT_TRUE(keys);
    EXPECT_TRUE((*keys)->key({1'000})->same_as(key->bytes()));
}

TEST_F(KeystoreTest, ErasedKeyIsGoneForGoodAndItsSlotIsNotGivenOutAgain) {
    auto keys = open();
    ASSERT_TRUE(keys);
    const auto before = contents(path_);
    EXPECT_TRUE((*keys)->erase({5}));
    EXPECT_TRUE((*keys)->erase({5}));
    EXPECT_EQ(key_error(**keys, 5), Errc::not_found);
    EXPECT_EQ((*keys)->next_free({4})->value, 6);
    EXPECT_TRUE((*keys)->key({4}));
    EXPECT_TRUE((*keys)->key({6}));

    const auto after = contents(path_);
    const std::string_view old{reinterpret_cast<const char*>(before.data()) + offset_of(5), slot_size};
    EXPECT_FALSE(holds(after, old));
    keys = open(IfAbsent::fail);
    ASSERT_TRUE(keys);
    EXPECT_EQ(key_error(**keys, 5), Errc::not_found);
    EXPECT_EQ((*keys)->next_free({4})->value, 6);
}

TEST_F(KeystoreTest, FlippedSlotIsTamperedAndAllOthersOpen) {
    ASSERT_TRUE(open());
    for (std::uint64_t within = 0; within < slot_size; within += 7)
        flip(path_, offset_of(10 + static_cast<std::int64_t>(within)) + within);
    auto keys = open(IfAbsent::fail);
    ASSERT_TRUE(keys);
    for (std::int64_t slot = 1; slot <= Keystore::pool_slots_min; ++slot) {
        if (slot >= 10 && slot < 82 && (slot - 10) % 7 == 0)
            EXPECT_EQ(key_error(**keys, slot), Errc::tampered);
        else
            EXPECT_TRUE((*keys)->key({slot})) << slot;
    }
    EXPECT_EQ((*keys)->next_free({9})->value, 11); // a damaged one is not given out
    EXPECT_TRUE((*keys)->erase({10}));             // and can be erased
    EXPECT_EQ(key_error(**keys, 10), Errc::not_found);
}

TEST_F(KeystoreTest, SlotMovedZeroedOrFromAnotherStoreIsTampered) {
    ASSERT_TRUE(open());
    const auto other = folder_ / "other";
    ASSERT_TRUE(Keystore::open(other, wrapping_, StoreUuid{std::byte{9}}, IfAbsent::create));
    copy_piece(path_, offset_of(1), path_, offset_of(2), slot_size);
    copy_piece(other, offset_of(3), path_, offset_of(3), slot_size);
    auto bytes = contents(path_);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset_of(4)), slot_size, std::byte{0});
    put_contents(path_, bytes);
    auto keys = open(IfAbsent::fail);
    ASSERT_TRUE(keys);
    EXPECT_TRUE((*keys)->key({1}));
    for (const std::int64_t slot : {2, 3, 4}) EXPECT_EQ(key_error(**keys, slot), Errc::tampered);
}

TEST_F(KeystoreTest, HeaderIsCheckedForKeyStoreAndVersion) {
    EXPECT_EQ(open_error(IfAbsent::fail), Errc::not_found);
    EXPECT_FALSE(std::filesystem::exists(path_));
    ASSERT_TRUE(open());
    const auto whole = contents(path_);

    EXPECT_EQ(Keystore::open(path_, SecureBytes::random(key_bytes), store_, IfAbsent::create).error().code,
              Errc::tampered);
    EXPECT_EQ(Keystore::open(path_, wrapping_, StoreUuid{}, IfAbsent::create).error().code, Errc::conflict);
    auto newer = whole;
    newer[19] = std::byte{2};
    const auto key = derive(wrapping_, 1, "keystore");
    crypto_generichash(octets(std::span{newer}.subspan(head - 32)), 32, octets(newer), head - 32, octets(key.bytes()),
                       key.size());
    put_contents(path_, newer);
    EXPECT_EQ(open_error(), Errc::newer) << "by that format's own MAC, though the slots of this one open";
    EXPECT_EQ(contents(path_), newer);
    put_contents(path_, {});
    EXPECT_EQ(open_error(), Errc::tampered);
    EXPECT_EQ(std::filesystem::file_size(path_), 0U); // nothing was made in its place
}

// It says nothing that is not known: a store does not close for it.
TEST_F(KeystoreTest, ADamagedHeaderIsWrittenAnewWhereASlotOpens) {
    ASSERT_TRUE(open());
    const auto whole = contents(path_);
    for (const std::uint64_t at : {0UL, 19UL, 21UL, 40UL, 100UL, 4'070UL}) {
        flip(path_, at);
        EXPECT_FALSE(Keystore::examine(path_, wrapping_, store_, {0})->head_whole) << at;
        ASSERT_TRUE(open(IfAbsent::fail)) << at;
        EXPECT_EQ(contents(path_), whole) << at;
    }
    auto zeroed = whole;
    std::fill_n(zeroed.begin(), head, std::byte{0});
    put_contents(path_, zeroed);
    EXPECT_FALSE(Keystore::open(path_, SecureBytes::random(key_bytes), store_, IfAbsent::fail));
    EXPECT_EQ(contents(path_), zeroed) << "by a key that opens nothing it is not";
    std::ranges::fill(std::span{zeroed}.subspan(head, slot_size * 255), std::byte{0});
    put_contents(path_, zeroed);
    ASSERT_TRUE(open(IfAbsent::fail)) << "one of them is enough";
    EXPECT_EQ(piece_of(path_, 0, head), Bytes(whole.begin(), whole.begin() + head));
}

TEST_F(KeystoreTest, TornExtensionLosesNoOlderSlot) {
    {
        auto keys = open();
        ASSERT_TRUE(keys);
        ASSERT_TRUE((*keys)->next_free({200})); // extends
    }
    const auto extended = contents(path_);
    ASSERT_EQ(extended.size(), offset_of(513));
    // What a power cut can leave of the second part: any length of it, or its room without its content.
    for (const std::uint64_t more : {0UL, 1UL, 71UL, 72UL, 1'000UL, 18'000UL}) {
        put_contents(path_, std::span{extended}.first(offset_of(257) + more));
        auto keys = open(IfAbsent::fail);
        ASSERT_TRUE(keys) << more;
        EXPECT_TRUE((*keys)->key({256}));
        const auto next = (*keys)->next_free({256});
        ASSERT_TRUE(next);
        EXPECT_TRUE((*keys)->key(*next));
    }
    auto torn = extended;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(offset_of(300)) + 10, torn.end(), std::byte{0});
    put_contents(path_, torn);
    auto keys = open(IfAbsent::fail);
    ASSERT_TRUE(keys);
    EXPECT_TRUE((*keys)->key({299}));
    const auto next = (*keys)->next_free({299});
    ASSERT_TRUE(next);
    EXPECT_TRUE((*keys)->key(*next));
}

TEST_F(KeystoreTest, ShorterThanItsStoreIsCorruptAndNotAnErasedPatient) {
    auto keys = open();
    ASSERT_TRUE(keys);
    EXPECT_EQ(key_error(**keys, 257), Errc::corrupt);
    EXPECT_EQ((*keys)->next_free({300}).error().code, Errc::corrupt);
    EXPECT_EQ(key_error(**keys, 0), Errc::not_found);
}

TEST_F(KeystoreTest, LooksAtItsSlotsAsTheyLieInTheFile) {
    auto keys = open();
    ASSERT_TRUE((*keys)->erase({9}));
    flip(path_, offset_of(7) + 30), flip(path_, offset_of(200));
    const auto first = (*keys)->look({1}, 100);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->slots, 100);
    EXPECT_EQ(first->erased, 1);
    EXPECT_EQ(first->damaged, std::vector<std::int64_t>{7});
    const auto rest = (*keys)->look({101}, 1'000);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->slots, Keystore::pool_slots_min - 100);
    EXPECT_EQ(rest->damaged, std::vector<std::int64_t>{200});
    const auto whole = piece_of(path_, 0, head);
    flip(path_, 100);
    ASSERT_TRUE((*keys)->look({1}, 0));
    EXPECT_EQ(piece_of(path_, 0, head), whole) << "which is written anew meanwhile";
}

TEST_F(KeystoreTest, SlotsThatAStoreUsesAndThatWereCutOffAreDamaged) {
    ASSERT_TRUE(open());
    std::filesystem::resize_file(path_, offset_of(254) + 10);
    EXPECT_EQ(Keystore::examine(path_, wrapping_, store_, {200})->damaged, std::vector<std::int64_t>{});
    const auto found = Keystore::examine(path_, wrapping_, store_, {256});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->slots, 253);
    EXPECT_EQ(found->damaged, (std::vector<std::int64_t>{254, 255, 256}));
    const auto copy = folder_ / "copy.db";
    ASSERT_TRUE(Keystore::copy(path_, copy, wrapping_, store_, {256}));
    const auto copied = Keystore::examine(copy, wrapping_, store_, {256});
    EXPECT_EQ(copied->slots, 256);
    EXPECT_EQ(copied->damaged, found->damaged);
    auto keys = Keystore::open(copy, wrapping_, store_, IfAbsent::fail);
    ASSERT_TRUE(keys);
    EXPECT_EQ((*keys)->next_free({256})->value, 257) << "and people can come again";
    EXPECT_EQ(key_error(**keys, 255), Errc::tampered);
}

// Whose a key is that a copy holds is known to whoever has the data.
TEST_F(KeystoreTest, IsMendedByWhatFits) {
    const auto copy = folder_ / "copy.db";
    {
        auto keys = open();
        ASSERT_TRUE((*keys)->erase({9}));
    }
    std::filesystem::copy_file(path_, copy);
    for (const auto slot : {7, 8, 9}) flip(path_, offset_of(slot) + 30);
    std::map<std::int64_t, bool> asked; // whether it was a key
    const auto mended = Keystore::mend(path_, copy, wrapping_, store_, [&](SlotId slot, const SecureBytes* key) {
        asked[slot.value] = key != nullptr;
        return slot.value != 8;
    });
    ASSERT_TRUE(mended);
    EXPECT_EQ(*mended, 2);
    EXPECT_EQ(asked, (std::map<std::int64_t, bool>{{7, true}, {8, true}, {9, false}}));
    EXPECT_EQ(Keystore::examine(path_, wrapping_, store_, {0})->damaged, std::vector<std::int64_t>{8});
}

TEST_F(KeystoreTest, IsMendedFromACopyAndTakesNothingElseOfIt) {
    const auto copy = folder_ / "copy.db";
    Bytes seventh;
    {
        auto keys = open();
        const auto key = (*keys)->key({7});
        ASSERT_TRUE(key);
        seventh.assign(key->bytes().begin(), key->bytes().end());
        std::filesystem::copy_file(path_, copy);
        ASSERT_TRUE((*keys)->erase({9})) << "since the copy was made";
    }
    for (const auto slot : {7, 8}) flip(path_, offset_of(slot) + 30);
    flip(copy, offset_of(8) + 30);
    flip(path_, 100);
    std::filesystem::resize_file(path_, offset_of(250) + 10);
    const auto mended = Keystore::mend(path_, copy, wrapping_, store_, any);
    ASSERT_TRUE(mended) << mended.error().what.c_str();
    EXPECT_EQ(*mended, 8) << "the seventh, and 250 to 256";
    const auto found = Keystore::examine(path_, wrapping_, store_, {0});
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->head_whole);
    EXPECT_EQ(found->slots, Keystore::pool_slots_min);
    EXPECT_EQ(found->damaged, std::vector<std::int64_t>{8});
    auto keys = open(IfAbsent::fail);
    ASSERT_TRUE(keys);
    EXPECT_TRUE((*keys)->key({7})->same_as(seventh));
    EXPECT_EQ(key_error(**keys, 9), Errc::not_found) << "erased stays erased";
}

TEST_F(KeystoreTest, IsMendedFromNoOtherStoresKeysNorFromACopyWithoutItsHeader) {
    ASSERT_TRUE(open());
    const auto copy = folder_ / "copy.db";
    ASSERT_TRUE(Keystore::open(copy, wrapping_, {std::byte{9}}, IfAbsent::create));
    flip(path_, offset_of(7) + 30);
    const auto others = Keystore::mend(path_, copy, wrapping_, store_, any);
    ASSERT_FALSE(others);
    EXPECT_EQ(others.error().code, Errc::conflict);
    std::filesystem::copy_file(path_, copy, std::filesystem::copy_options::overwrite_existing);
    flip(copy, 100);
    const auto headless = Keystore::mend(path_, copy, wrapping_, store_, any);
    ASSERT_FALSE(headless);
    EXPECT_EQ(headless.error().code, Errc::tampered);
}

} // namespace
} // namespace clinic::crypto::tests
