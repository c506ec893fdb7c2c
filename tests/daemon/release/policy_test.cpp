#include "daemon/release/policy.h"

#include <gtest/gtest.h>

#include <string>

namespace clinic::release {
namespace {

TEST(Policy, IsClosedFromTheFactory) {
    const Policy policy;
    EXPECT_EQ(policy.basis, Basis::off);
    EXPECT_EQ(policy.unlinked, Unlinked::park);
}

TEST(Policy, AnExpiredBasisIsOff) {
    Policy policy;
    policy.basis = Basis::baa;
    EXPECT_EQ(policy.effective({1'000}), Basis::baa);
    policy.basis_expires = Timestamp{1'000};
    EXPECT_EQ(policy.effective({999}), Basis::baa);
    EXPECT_EQ(policy.effective({1'000}), Basis::off);
}

TEST(Policy, EveryBasisIsWrittenAndReadAgain) {
    for (const char* each : {"off", "deid", "authorized", "baa", "consumer_consent"}) {
        Policy policy;
        policy.basis = basis(each).value();
        policy.basis_expires = Timestamp{1'795'255'200'000'000};
        policy.unlinked = Unlinked::shell;
        policy.evidence_digest = "00ff";
        policy.site = "s_0123456789";
        policy.new_for_days = 30;
        const auto read = decode_policy(encode(policy));
        ASSERT_TRUE(read);
        EXPECT_STREQ(name(read->basis), each);
        EXPECT_EQ(encode(*read), encode(policy));
    }
    EXPECT_FALSE(basis("on"));
    EXPECT_FALSE(basis(""));
}

TEST(Policy, ABrokenOneIsCorruptAndNeverAFactoryDefault) {
    const std::string good = encode(Policy{});
    ASSERT_TRUE(decode_policy(good));
    const auto replaced = [&](std::string_view what, std::string_view with) {
        std::string text = good;
        return text.replace(text.find(what), what.size(), with);
    };
    EXPECT_EQ(decode_policy(replaced("\"off\"", "\"open\"")).error().code, Errc::corrupt);
    EXPECT_EQ(decode_policy(replaced("\"basis_expires\":null", "\"basis_expires\":\"soon\"")).error().code,
              Errc::corrupt);
    EXPECT_EQ(decode_policy(replaced("\"v\":1", "\"v\":1,\"more\":1")).error().code, Errc::corrupt);
    EXPECT_EQ(decode_policy(replaced("\"v\":1", "\"v\":2")).error().code, Errc::newer);
    EXPECT_TRUE(decode_policy(replaced("\"v\":1", "\"v\":1,\"utc_offset_minutes\":0"))) << "as it was written before";
    EXPECT_FALSE(decode_policy("{}"));
    EXPECT_FALSE(decode_policy(""));
}

} // namespace
} // namespace clinic::release
