#include "sync/relay/signature.h"

#include <gtest/gtest.h>

#include "tests/fakes/temp_folder.h"
#include "tests/sync/relay/signed.h"

namespace clinic::relay {
namespace {

using test::Signer;

constexpr const char* header = "X-GHL-Signature";
constexpr const char* legacy_header = "x-wh-signature"; // in whatever case
const std::string body = R"({"type":"ContactUpdate"})";

class WebhookSignature : public testing::Test {
protected:
    Signature made(const std::filesystem::path& legacy = {}) const {
        auto out = Signature::make({now.public_key(), next.public_key(), legacy});
        EXPECT_TRUE(out);
        return std::move(*out);
    }
    const Signer now = Signer::ed25519(), next = Signer::ed25519(), stranger = Signer::ed25519();
    const Signer rsa = Signer::rsa();
    const fakes::TempFolder folder;
};

TEST_F(WebhookSignature, HoldsByTheCurrentAndByTheNextKey) {
    const auto signature = made();
    EXPECT_TRUE(signature.holds(test::head({{header, now.sign(body)}}), body));
    EXPECT_TRUE(signature.holds(test::head({{header, next.sign(body)}}), body));
    EXPECT_FALSE(signature.holds(test::head({{header, stranger.sign(body)}}), body));
}

TEST_F(WebhookSignature, IsOverEveryByteOfTheBody) {
    const auto signature = made();
    for (std::size_t i = 0; i < body.size(); ++i) {
        std::string other = body;
        other[i] = static_cast<char>(other[i] ^ 1);
        EXPECT_FALSE(signature.holds(test::head({{header, now.sign(body)}}), other)) << i;
    }
    EXPECT_FALSE(signature.holds(test::head({{header, now.sign(body)}}), body + " "));
}

TEST_F(WebhookSignature, DoesNotHoldWhereItIsMissingTwiceOrNoSignature) {
    const auto signature = made();
    const auto good = now.sign(body);
    EXPECT_FALSE(signature.holds(test::head({}), body));
    EXPECT_FALSE(signature.holds(test::head({{header, good}, {header, good}}), body));
    for (const std::string& text : {std::string{}, std::string{"N/A"}, std::string{"===="}, std::string{"AAAA"},
                                    good.substr(4), good + "AAAA", std::string(2'000, 'A'), good.substr(0, 87) + "*"})
        EXPECT_FALSE(signature.holds(test::head({{header, text}}), body)) << text;
}

TEST_F(WebhookSignature, OfTheLegacyKindCountsForNothingUnlessItIsAskedFor) {
    rsa.write_pem(folder / "legacy.pem");
    const auto off = made(), on = made(folder / "legacy.pem");
    const auto old = test::head({{legacy_header, rsa.sign(body)}});
    EXPECT_FALSE(off.holds(old, body));
    EXPECT_TRUE(on.holds(old, body));
    EXPECT_FALSE(on.holds(old, body + " "));
    // a newer one that is wrong is not made good by it
    EXPECT_FALSE(on.holds(test::head({{header, stranger.sign(body)}, {legacy_header, rsa.sign(body)}}), body));
    EXPECT_FALSE(on.holds(test::head({{header, "N/A"}, {legacy_header, rsa.sign(body)}}), body));
}

TEST_F(WebhookSignature, RefusesKeysThatAreNone) {
    EXPECT_FALSE(Signature::make({"", "", {}}));
    EXPECT_FALSE(Signature::make({"MCowBQYDK2VwAyEA", "", {}}));
    EXPECT_FALSE(Signature::make({rsa.public_key(), "", {}}));
    EXPECT_FALSE(Signature::make({now.public_key(), "nonsense", {}}));
    EXPECT_FALSE(Signature::make({now.public_key(), "", folder / "missing.pem"}));
    Signer::rsa(1'024).write_pem(folder / "short.pem");
    EXPECT_FALSE(Signature::make({now.public_key(), "", folder / "short.pem"}));
    // the vendor's own, as facts/ghl-api §4.3 has it
    EXPECT_TRUE(Signature::make({"MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=", "", {}}));
}

} // namespace
} // namespace clinic::relay
