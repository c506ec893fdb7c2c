#include "crypto/signature.h"

#include <gtest/gtest.h>

#include <array>

namespace clinic::crypto {
namespace {

// RFC 8032, 7.1, test 1.
TEST(Signature, IsThatOfTheStandard) {
    constexpr std::array<unsigned char, 32> seed{0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
                                                 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
                                                 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    const auto key = SigningKey::from_seed(std::as_bytes(std::span{seed}));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->public_key(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    EXPECT_EQ(key->sign(""),
              "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25"
              "bf5f0595bbe24655141438e7a100b");
    EXPECT_TRUE(is_signed_by(key->public_key(), key->sign("text"), "text"));
    EXPECT_FALSE(is_signed_by(key->public_key(), key->sign("text"), "Text"));
    EXPECT_FALSE(is_signed_by(key->public_key().substr(2), key->sign("text"), "text"));
    EXPECT_FALSE(is_signed_by(key->public_key(), "zz" + key->sign("text").substr(2), "text"));
    EXPECT_EQ(SigningKey::from_seed(std::as_bytes(std::span{seed}).first(31)).error().code, Errc::malformed);
}

} // namespace
} // namespace clinic::crypto
