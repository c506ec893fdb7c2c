// A blob for one reader: whole, or a clear error; nobody else opens it.
#include "crypto/sealed_blob.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <cstring>

#include "crypto/base/files.h"

namespace clinic::crypto {
namespace {

struct SealedBlob : testing::Test {
    void SetUp() override { ASSERT_TRUE(start()); }
    static Bytes text_of(std::size_t bytes) {
        Bytes all(bytes);
        for (std::size_t i = 0; i < bytes; ++i) all[i] = static_cast<std::byte>(i * 7 % 251);
        return all;
    }
    Bytes sealed(std::size_t bytes) const { return *seal_blob(text_of(bytes), keys.to); }
    Errc wrong(const Bytes& file) const {
        const auto opened = open_blob(file, keys.secret);
        return opened ? Errc::unknown : opened.error().code;
    }
    BlobKeys keys = (start(), make_blob_keys());
};

TEST_F(SealedBlob, OpensAsItWasOfAnySize) {
    for (const std::size_t bytes : {0U, 1U, 65'535U, 65'536U, 65'537U, 200'000U}) {
        const auto opened = open_blob(sealed(bytes), keys.secret);
        ASSERT_TRUE(opened) << bytes;
        EXPECT_EQ(*opened, text_of(bytes)) << bytes;
    }
    EXPECT_NE(sealed(10), sealed(10)) << "the key is new each time";
    EXPECT_EQ(seal_blob(Bytes(blob_bytes_max + 1), keys.to).error().code, Errc::full);
    EXPECT_TRUE(open_blob(*seal_blob(Bytes(blob_bytes_max), keys.to), keys.secret));
}

TEST_F(SealedBlob, AnyByteThatWasChangedIsSeen) {
    const auto whole = sealed(300);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto changed = whole;
        changed[at] ^= std::byte{1};
        EXPECT_NE(wrong(changed), Errc::unknown) << at;
    }
}

TEST_F(SealedBlob, APieceThatIsMissingOrTooManyIsSeen) {
    const auto whole = sealed(140'000);
    for (std::size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 4'999)
        EXPECT_NE(wrong({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}), Errc::unknown) << size;
    constexpr std::ptrdiff_t head = 131, part = 65'536 + 17;
    EXPECT_EQ(wrong({whole.begin(), whole.begin() + head + part}), Errc::tampered) << "the last part is missing";
    auto swapped = whole;
    std::swap_ranges(swapped.begin() + head, swapped.begin() + head + part, swapped.begin() + head + part);
    EXPECT_EQ(wrong(swapped), Errc::tampered);
    auto longer = whole;
    longer.push_back(std::byte{0});
    EXPECT_EQ(wrong(longer), Errc::tampered);
}

TEST_F(SealedBlob, AnotherKeyIsNamed) {
    const auto other = make_blob_keys();
    const auto opened = open_blob(sealed(10), other.secret);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::locked);
    EXPECT_STREQ(opened.error().what.c_str(), "it was sealed to another key");
}

TEST_F(SealedBlob, WhatIsNoneOfOursIsSaidToBeNone) {
    EXPECT_EQ(wrong({}), Errc::malformed);
    const auto text = base::as_bytes("a letter to somebody, long enough to be looked at");
    EXPECT_EQ(wrong({text.begin(), text.end()}), Errc::malformed);
    auto later = sealed(10);
    later[17] = std::byte{'2'};
    EXPECT_EQ(wrong(later), Errc::newer);
}

TEST_F(SealedBlob, KeysAreWrittenAsDigitsAndComparedByPeople) {
    EXPECT_EQ(*read_blob_key(hex(keys.to) + "\n"), keys.to);
    EXPECT_EQ(*blob_key_of(*read_blob_secret(hex(keys.secret.bytes()))), keys.to);
    for (const std::string& wrong :
         {std::string{}, std::string{"ab"}, std::string{"zz"}, hex(keys.to) + "00", hex(keys.to).substr(1)})
        EXPECT_EQ(read_blob_key(wrong).error().code, Errc::malformed) << wrong;
    EXPECT_EQ(fingerprint(keys.to).size(), 19U);
    EXPECT_EQ(seal_blob({}, BlobKey{}).error().code, Errc::malformed) << "a key that hides nothing";
}

// As docs/bundle.md has it, by libsodium alone: somebody else's program can open it.
TEST_F(SealedBlob, IsInTheFormThatThePageDescribes) {
    const auto whole = sealed(100);
    const auto* at = reinterpret_cast<const unsigned char*>(whole.data());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(at), 19), "clinic-edge blob 1\n");
    const auto* to = reinterpret_cast<const unsigned char*>(keys.to.data());
    unsigned char mark[32], key[32], plain[100];
    crypto_generichash(mark, sizeof mark, to, 32, nullptr, 0);
    EXPECT_EQ(std::memcmp(at + 19, mark, 8), 0);
    const auto* secret = reinterpret_cast<const unsigned char*>(keys.secret.bytes().data());
    ASSERT_EQ(crypto_box_seal_open(key, at + 27, 80, to, secret), 0);
    crypto_secretstream_xchacha20poly1305_state stream;
    ASSERT_EQ(crypto_secretstream_xchacha20poly1305_init_pull(&stream, at + 107, key), 0);
    unsigned char tag = 0;
    ASSERT_EQ(crypto_secretstream_xchacha20poly1305_pull(&stream, plain, nullptr, &tag, at + 131, 117, at, 131), 0);
    EXPECT_EQ(tag, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    EXPECT_EQ(std::memcmp(plain, text_of(100).data(), 100), 0);
}

} // namespace
} // namespace clinic::crypto
