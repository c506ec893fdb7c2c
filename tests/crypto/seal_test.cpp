#include "crypto/seal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "crypto/base/files.h"

namespace clinic::crypto {
namespace {

using base::as_bytes;

SecureBytes key(unsigned char fill) {
    SecureBytes made = SecureBytes::zeroed(key_bytes);
    std::ranges::fill(made.bytes(), std::byte{fill});
    return made;
}

TEST(Seal, OpensWithTheSameKeyAndAssociatedData) {
    const Bytes sealed = seal(key(1), as_bytes("plain"), as_bytes("place"));
    EXPECT_EQ(sealed.size(), 5 + seal_overhead_bytes);
    const auto opened = open(key(1), sealed, as_bytes("place"));
    ASSERT_TRUE(opened);
    EXPECT_TRUE(std::ranges::equal(*opened, as_bytes("plain")));
    EXPECT_TRUE(is_authentic(key(1), sealed, as_bytes("place")));
}

TEST(Seal, HoldsNothingToo) {
    const Bytes sealed = seal(key(1), {}, {});
    const auto opened = open(key(1), sealed, {});
    ASSERT_TRUE(opened);
    EXPECT_TRUE(opened->empty());
}

TEST(Seal, GivesAnotherCiphertextEachTime) {
    EXPECT_NE(seal(key(1), as_bytes("plain"), {}), seal(key(1), as_bytes("plain"), {}));
}

TEST(Seal, RefusesEveryFlippedByte) {
    const Bytes sealed = seal(key(1), as_bytes("plain"), as_bytes("place"));
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes damaged = sealed;
        damaged[i] ^= std::byte{0x80};
        const auto opened = open(key(1), damaged, as_bytes("place"));
        ASSERT_FALSE(opened) << i;
        EXPECT_EQ(opened.error().code, Errc::tampered);
    }
}

TEST(Seal, RefusesAnotherKeyAnotherPlaceAndWhatIsTooShort) {
    const Bytes sealed = seal(key(1), as_bytes("plain"), as_bytes("place"));
    EXPECT_FALSE(open(key(2), sealed, as_bytes("place")));
    EXPECT_FALSE(open(key(1), sealed, as_bytes("elsewhere")));
    EXPECT_FALSE(open(key(1), std::span{sealed}.first(seal_overhead_bytes - 1), as_bytes("place")));
    EXPECT_FALSE(open(key(1), {}, {}));
    EXPECT_FALSE(is_authentic(key(2), sealed, as_bytes("place")));
}

TEST(Seal, OpensAKeyOnlyWhenItHasAKeysLength) {
    const SecureBytes inner = SecureBytes::random(key_bytes);
    const auto opened = open_key(key(1), seal(key(1), inner.bytes(), {}), {});
    ASSERT_TRUE(opened);
    EXPECT_TRUE(opened->same_as(inner.bytes()));
    EXPECT_FALSE(open_key(key(1), seal(key(1), as_bytes("short"), {}), {}));
}

// Fixed by what stores hold: a change here would leave every store unreadable.
TEST(Derive, GivesTheSameSubKeysInEveryVersion) {
    EXPECT_EQ(hex(derive(key(1), 1, "clinicdb").bytes()),
              "ee3f036dd243c662b62d89058aa33cf9ac38693907db791a3bf3a9f3fa47f7bd");
    EXPECT_FALSE(derive(key(1), 1, "clinicdb").same_as(derive(key(1), 2, "clinicdb").bytes()));
    EXPECT_FALSE(derive(key(1), 1, "clinicdb").same_as(derive(key(1), 1, "clinicst").bytes()));
}

TEST(Digest, IsBlake2b256AndOfBothParts) {
    // BLAKE2b-256 of "abc"
    EXPECT_EQ(hex(digest(as_bytes("abc"))), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    EXPECT_EQ(digest(as_bytes("a"), as_bytes("bc")), digest(as_bytes("abc")));
}

TEST(Token, DependsOnKeyAndValue) {
    EXPECT_EQ(token(key(1), "x"), token(key(1), "x"));
    EXPECT_NE(token(key(1), "x"), token(key(2), "x"));
    EXPECT_NE(token(key(1), "x"), token(key(1), "y"));
}

// The memory of a key that is gone is given to the next one: nothing of it may be left there.
TEST(SecureBytes, AreWipedBeforeTheirMemoryIsUsedAgain) {
    std::vector<const std::byte*> places;
    {
        std::vector<SecureBytes> keys;
        for (int i = 0; i < 40; ++i) {
            keys.push_back(key(0xA5));
            places.push_back(keys.back().bytes().data());
        }
    }
    std::vector<SecureBytes> next;
    int used_again = 0;
    for (int i = 0; i < 40; ++i) {
        next.push_back(SecureBytes::zeroed(key_bytes));
        EXPECT_TRUE(next.back().same_as(std::vector<std::byte>(key_bytes)));
        if (std::ranges::find(places, next.back().bytes().data()) != places.end()) ++used_again;
    }
    EXPECT_GT(used_again, 0) << "or this shows nothing";
}

TEST(SecureBytes, StartZeroedCompareWholeAndMove) {
    SecureBytes bytes = SecureBytes::zeroed(3);
    EXPECT_TRUE(std::ranges::all_of(bytes.bytes(), [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_FALSE(bytes.same_as(SecureBytes::zeroed(4).bytes()));
    const SecureBytes moved = std::move(bytes);
    EXPECT_EQ(moved.size(), 3U);
    EXPECT_TRUE(SecureBytes{}.same_as({}));
    EXPECT_FALSE(SecureBytes::random(32).same_as(SecureBytes::random(32).bytes()));
}

} // namespace
} // namespace clinic::crypto
