// Whatever the bytes, nothing crashes, and what is accepted has one written form.
#include <gtest/gtest.h>

#include <random>

#include "tests/sync/envelope/samples.h"

namespace clinic::envelope {
namespace {

class Mutator {
public:
    explicit Mutator(unsigned seed) : random_{seed} {}

    std::string operator()(std::string bytes, const std::vector<std::string>& others) {
        const int changes = 1 + below(3);
        for (int i = 0; i < changes; ++i) change(bytes, others);
        return bytes;
    }
    int below(int bound) { return std::uniform_int_distribution<int>{0, bound - 1}(random_); }
    std::size_t place(const std::string& bytes) {
        return bytes.empty() ? 0 : static_cast<std::size_t>(below(static_cast<int>(bytes.size())));
    }

private:
    void change(std::string& bytes, const std::vector<std::string>& others) {
        static constexpr std::string_view telling = "\"{}[],:\\0179-eE.+ntf_ \n\xC3\xA9";
        const std::size_t at = place(bytes);
        switch (below(7)) {
        case 0: bytes.insert(at, 1, static_cast<char>(below(256))); break;
        case 1: bytes.insert(at, 1, telling[place(std::string{telling})]); break;
        case 2: bytes.erase(at, 1 + place(bytes) % 8); break;
        case 3:
            if (!bytes.empty()) bytes[at] = static_cast<char>(below(256));
            break;
        case 4:
            if (!bytes.empty()) bytes[at] = telling[place(std::string{telling})];
            break;
        case 5: bytes.insert(at, bytes.substr(place(bytes), 1 + place(bytes) % 24)); break;
        case 6: {
            const std::string& other = others[place(std::string(others.size(), ' '))];
            bytes.replace(at, 1 + place(bytes) % 24, other.substr(place(other), 1 + place(other) % 24));
            break;
        }
        }
    }
    std::mt19937 random_;
};

constexpr int rounds = 30'000;

TEST(Mutation, EnvelopesThatAreAcceptedAreCanonical) {
    Mutator mutate{1};
    std::vector<std::string> good;
    for (const auto& envelope : samples::all()) good.push_back(envelope.encode());
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
        const std::string bytes = mutate(good[static_cast<std::size_t>(i) % good.size()], good);
        const auto read = MetadataEnvelope::decode(bytes);
        if (!read) continue;
        ++accepted;
        ASSERT_EQ(read->encode(), bytes);
    }
    EXPECT_GT(accepted, 0);
    EXPECT_LT(accepted, rounds / 4);
}

TEST(Mutation, RequestsThatAreAcceptedSettleOnOneForm) {
    Mutator mutate{2};
    std::vector<std::string> good;
    for (const auto& request : samples::requests()) good.push_back(encode(request));
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
        const auto read = decode_request(mutate(good[static_cast<std::size_t>(i) % good.size()], good));
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
    Mutator mutate{3};
    std::vector<std::string> good;
    for (const auto& reply : samples::replies()) good.push_back(encode(reply));
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
        const std::string bytes = mutate(good[static_cast<std::size_t>(i) % good.size()], good);
        const auto read = decode_reply(bytes);
        if (!read) continue;
        ++accepted;
        ASSERT_EQ(encode(*read), bytes);
    }
    EXPECT_GT(accepted, 0);
}

} // namespace
} // namespace clinic::envelope
