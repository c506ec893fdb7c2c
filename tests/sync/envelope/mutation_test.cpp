// Whatever the bytes, nothing crashes, and what is accepted has one written form.
#include <gtest/gtest.h>

#include "tests/support/mutation.h"
#include "tests/sync/envelope/samples.h"

namespace clinic::envelope {
namespace {

using support::Mutator;

const std::string telling = "\"{}[],:\\0179-eE.+ntf_ \n\xC3\xA9";
constexpr int rounds = 30'000;

TEST(Mutation, EnvelopesThatAreAcceptedAreCanonical) {
    Mutator mutate{1, telling};
    std::vector<std::string> good;
    for (const auto& envelope : samples::all()) good.push_back(envelope.encode());
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
        const std::string bytes = mutate.from(good);
        const auto read = MetadataEnvelope::decode(bytes);
        if (!read) continue;
        ++accepted;
        ASSERT_EQ(read->encode(), bytes);
    }
    EXPECT_GT(accepted, 0);
    EXPECT_LT(accepted, rounds / 4);
}

TEST(Mutation, RequestsThatAreAcceptedSettleOnOneForm) {
    Mutator mutate{2, telling};
    std::vector<std::string> good;
    for (const auto& request : samples::requests()) good.push_back(encode(request));
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
        const auto read = decode_request(mutate.from(good));
        if (!read) continue;
        ++accepted;
        const std::string written = encode(*read);
        const auto again = decode_request(written);
        ASSERT_TRUE(again) << written;
        ASSERT_EQ(encode(*again), written);
    }
    EXPECT_GT(accepted, 0);
}

TEST(Mutation, RepliesThatAreAcceptedAreCanonical) {
    Mutator mutate{3, telling};
    std::vector<std::string> good;
    for (const auto& reply : samples::replies()) good.push_back(encode(reply));
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
        const std::string bytes = mutate.from(good);
        const auto read = decode_reply(bytes);
        if (!read) continue;
        ++accepted;
        ASSERT_EQ(encode(*read), bytes);
    }
    EXPECT_GT(accepted, 0);
}

} // namespace
} // namespace clinic::envelope
