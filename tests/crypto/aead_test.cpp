#include "crypto/aead.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "crypto/aes256_gcm.h"
#include "crypto/octets.h"
#include "crypto/seal.h"
#include "crypto/sealing_session.h"

namespace clinic::crypto::tests {
namespace {

constexpr std::uint32_t epoch = 7;

SecureBytes key(unsigned char fill = 0x11) {
    SecureBytes made = SecureBytes::zeroed(key_bytes);
    std::ranges::fill(made.bytes(), std::byte{fill});
    return made;
}

Bytes text(std::size_t bytes) {
    Bytes made(bytes);
    for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<std::byte>(i * 31 + 7);
    return made;
}

Bytes sealed(const Aead& aead, const Bytes& plain, const Bytes& associated = {}) {
    Bytes made(plain.size() + trailer_bytes);
    aead.seal(plain, associated, made);
    return made;
}

bool opens(const Aead& aead, const Bytes& sealed, const Bytes& plain, const Bytes& associated = {}) {
    Bytes out(plain.size(), std::byte{0xEE});
    const bool opened = aead.open(sealed, associated, out);
    // What does not open leaves nothing behind.
    EXPECT_EQ(out, opened ? plain : Bytes(plain.size()));
    return opened;
}

Bytes nonce_of(const Bytes& piece) {
    const auto trailer = std::span{piece}.last(trailer_bytes).first(nonce_bytes);
    return {trailer.begin(), trailer.end()};
}

class AeadOf : public testing::TestWithParam<CipherId> {};
INSTANTIATE_TEST_SUITE_P(Each, AeadOf, testing::Values(CipherId::xchacha20_poly1305, CipherId::aes256_gcm),
                         [](const auto& about) {
                             return about.param == CipherId::aes256_gcm ? "Aes256Gcm" : "XChaCha20Poly1305";
                         });

TEST_P(AeadOf, AnotherOneWithTheSameKeyOpensWhatOneSealed) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{32}, std::size_t{4'056}, std::size_t{4'096}}) {
        const Bytes plain = text(bytes), associated = text(40);
        const auto piece = sealed(*make_aead(GetParam(), key(), epoch), plain, associated);
        EXPECT_TRUE(opens(*make_aead(GetParam(), key(), epoch), piece, plain, associated)) << bytes;
    }
}

TEST_P(AeadOf, EveryFlippedByteIsFoundAndSoIsAnotherKeyEpochOrPlace) {
    const auto aead = make_aead(GetParam(), key(), epoch);
    const Bytes plain = text(100), associated = text(40);
    const Bytes piece = sealed(*aead, plain, associated);
    for (std::size_t at = 0; at < piece.size(); ++at) {
        Bytes changed = piece;
        changed[at] ^= std::byte{0x80};
        EXPECT_FALSE(opens(*aead, changed, plain, associated)) << at;
    }
    EXPECT_FALSE(opens(*aead, piece, plain, text(39)));
    EXPECT_FALSE(opens(*make_aead(GetParam(), key(0x12), epoch), piece, plain, associated));
    EXPECT_FALSE(opens(*make_aead(GetParam(), key(), epoch + 1), piece, plain, associated));
    Bytes renamed = piece; // it says that it is of the other epoch
    put_number(std::span{renamed}.subspan(plain.size()), epoch + 1);
    EXPECT_FALSE(opens(*make_aead(GetParam(), key(), epoch + 1), renamed, plain, associated));
    EXPECT_TRUE(opens(*aead, piece, plain, associated));
}

TEST_P(AeadOf, NoNonceComesTwiceFromManyThreads) {
    constexpr int threads = 4, pieces = 2'000;
    const auto aead = make_aead(GetParam(), key(), epoch);
    std::vector<std::vector<Bytes>> nonces(threads);
    {
        std::vector<std::jthread> running;
        for (auto& own : nonces)
            running.emplace_back([&own, &aead] {
                const Bytes plain = text(32);
                for (int i = 0; i < pieces; ++i) {
                    const Bytes piece = sealed(*aead, plain);
                    EXPECT_TRUE(opens(*aead, piece, plain));
                    own.push_back(nonce_of(piece));
                }
            });
    }
    std::set<Bytes> all;
    for (const auto& own : nonces) all.insert(own.begin(), own.end());
    EXPECT_EQ(all.size(), static_cast<std::size_t>(threads * pieces));
}

// By libsodium, an implementation of AES-256-GCM that has nothing of OpenSSL's: the page docs/store-format.md, in code.
TEST(Aes256Gcm, IsWhatTheFormatSays) {
    ASSERT_TRUE(start());
    if (crypto_aead_aes256gcm_is_available() == 0) GTEST_SKIP() << "libsodium has no AES for this processor";
    const Bytes plain = text(4'056), associated = text(40);
    const Bytes piece = sealed(*make_aes256_gcm(key(), epoch), plain, associated);
    const std::span<const std::byte> nonce = std::span{piece}.subspan(plain.size(), nonce_bytes);
    EXPECT_EQ(get_number<std::uint32_t>(nonce), epoch);
    EXPECT_EQ(get_number<std::uint64_t>(nonce.subspan(16)), 1U);

    std::array<unsigned char, 32> own{};
    std::array<unsigned char, 16> purpose{};
    std::ranges::copy(std::string_view{"clinic-aes-gcm"}, purpose.begin());
    crypto_generichash_blake2b_salt_personal(own.data(), own.size(), octets(nonce.subspan(4)), 12,
                                             octets(key().bytes()), key_bytes, nullptr, purpose.data());
    std::array<unsigned char, 12> gcm{};
    std::copy_n(octets(nonce), 4, gcm.begin());
    std::copy_n(octets(nonce.subspan(16)), 8, gcm.begin() + 4);
    Bytes out(plain.size());
    EXPECT_EQ(crypto_aead_aes256gcm_decrypt_detached(octets(out), nullptr, octets(piece), plain.size(),
                                                     octets(piece) + piece.size() - 16, octets(associated),
                                                     associated.size(), gcm.data(), own.data()),
              0);
    EXPECT_EQ(out, plain);
}

TEST(Aes256Gcm, OpensPiecesOfMoreSessionsThanItKeepsKeysFor) {
    const auto reader = make_aes256_gcm(key(), epoch);
    const Bytes plain = text(64);
    std::vector<Bytes> pieces;
    for (int session = 0; session < 1'100; ++session) pieces.push_back(sealed(*make_aes256_gcm(key(), epoch), plain));
    for (int round = 0; round < 2; ++round)
        for (const auto& piece : pieces) EXPECT_TRUE(opens(*reader, piece, plain));
}

TEST(SealingSession, CountsFromOneAndBeginsAnotherWhenItsCountsAreUsedUp) {
    SealingSession session{3};
    const auto first = session.next();
    EXPECT_EQ(first.count, 1U);
    EXPECT_EQ(session.next().count, 2U);
    const auto last = session.next();
    EXPECT_EQ(last.count, 3U);
    EXPECT_EQ(last.session, first.session);
    const auto after = session.next();
    EXPECT_EQ(after.count, 1U);
    EXPECT_NE(after.session, first.session);
}

// Two processes that went on with the same counts would use a nonce twice.
TEST(SealingSession, AForkedChildHasASessionOfItsOwn) {
    SealingSession session;
    const auto parent = session.next();
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        const auto own = session.next();
        _exit(write(ends[1], own.session.data(), own.session.size()) == 12 && own.count == 1 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    SessionId of_child{};
    ASSERT_EQ(read(ends[0], of_child.data(), of_child.size()), 12);
    close(ends[0]);
    close(ends[1]);
    EXPECT_NE(of_child, parent.session);
    EXPECT_EQ(session.next().session, parent.session);
}

TEST(FastestCipher, IsAesOnlyWhereTheProcessorHasIt) {
    const auto chosen = fastest_cipher();
    EXPECT_TRUE(is_known(chosen));
    EXPECT_TRUE(chosen == CipherId::xchacha20_poly1305 || processor_has_aes());
}

// The best of some rounds, by a measurement of the test's own.
std::chrono::steady_clock::duration best_of(CipherId id) {
    const auto aead = make_aead(id, key(), epoch);
    const Bytes plain = text(4'056);
    auto best = std::chrono::steady_clock::duration::max();
    for (int round = 0; round < 20; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int page = 0; page < 20; ++page) EXPECT_TRUE(opens(*aead, sealed(*aead, plain), plain));
        best = std::min(best, std::chrono::steady_clock::now() - start);
    }
    return best;
}

TEST(FastestCipher, IsTheOneThatIsFasterHereByFar) {
    if (!processor_has_aes()) GTEST_SKIP() << "there is no choice on this processor";
    const auto aes = best_of(CipherId::aes256_gcm), xchacha = best_of(CipherId::xchacha20_poly1305);
    if (2 * aes < xchacha) {
        EXPECT_EQ(fastest_cipher(), CipherId::aes256_gcm);
    } else if (2 * xchacha < aes) {
        EXPECT_EQ(fastest_cipher(), CipherId::xchacha20_poly1305);
    }
}

} // namespace
} // namespace clinic::crypto::tests
