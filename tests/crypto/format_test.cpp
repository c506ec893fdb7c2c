// A reader written from docs/store-format.md with libsodium alone: the page says what the files hold.
#include <sodium.h>

#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

using Octets = std::vector<unsigned char>;

Octets slice(const Octets& from, std::size_t at, std::size_t size) {
    return {from.begin() + static_cast<std::ptrdiff_t>(at), from.begin() + static_cast<std::ptrdiff_t>(at + size)};
}

void append(Octets& to, const Octets& from) {
    for (const auto octet : from) to.push_back(octet);
}

void append_number(Octets& to, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<unsigned char>(value >> (8 * i)));
}

Octets file(const std::filesystem::path& path) {
    const auto bytes = contents(path);
    const auto* begin = reinterpret_cast<const unsigned char*>(bytes.data());
    return {begin, begin + bytes.size()};
}

Octets associated(const Octets& uuid, unsigned kind, std::uint64_t index, std::uint64_t generation) {
    Octets made;
    append_number(made, 1, 4);
    append(made, uuid);
    append_number(made, kind, 4);
    append_number(made, index, 8);
    append_number(made, generation, 8);
    return made;
}

// Empty: it does not open.
Octets opened_by_aes(const Octets& key, const Octets& nonce, const Octets& body_and_tag, const Octets& ad) {
    const Octets session = slice(nonce, 4, 12);
    Octets own(32), purpose(16), gcm = slice(nonce, 0, 4);
    std::ranges::copy(std::string_view{"clinic-aes-gcm"}, purpose.begin());
    crypto_generichash_blake2b_salt_personal(own.data(), own.size(), session.data(), session.size(), key.data(),
                                             key.size(), nullptr, purpose.data());
    append(gcm, slice(nonce, 16, 8));
    Octets plain(body_and_tag.size() - 16);
    const int rc = crypto_aead_aes256gcm_decrypt(plain.data(), nullptr, nullptr, body_and_tag.data(),
                                                 body_and_tag.size(), ad.data(), ad.size(), gcm.data(), own.data());
    return rc == 0 ? plain : Octets{};
}

Octets opened(const Octets& key, const Octets& nonce, const Octets& body_and_tag, const Octets& ad) {
    Octets plain(body_and_tag.size() - 16);
    const int rc =
        crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, body_and_tag.data(),
                                                   body_and_tag.size(), ad.data(), ad.size(), nonce.data(), key.data());
    return rc == 0 ? plain : Octets{};
}

// ciphertext | nonce | tag
Octets opened_piece(CipherId cipher, const Octets& key, const Octets& piece, const Octets& ad) {
    Octets body = slice(piece, 0, piece.size() - 40);
    const Octets tag = slice(piece, piece.size() - 16, 16);
    append(body, tag);
    const auto open = cipher == CipherId::aes256_gcm ? opened_by_aes : opened;
    return open(key, slice(piece, piece.size() - 40, 24), body, ad);
}

Octets sub_key(const Octets& key, std::uint64_t id) {
    Octets made(32);
    crypto_kdf_derive_from_key(made.data(), made.size(), id, "clinicdb", key.data());
    return made;
}

std::uint64_t number(const Octets& from, std::size_t at, int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | from[at + static_cast<std::size_t>(i)];
    return value;
}

class Format : public StoreTest, public testing::WithParamInterface<CipherId> {
    void SetUp() override { cipher_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Each, Format, testing::Values(CipherId::xchacha20_poly1305, CipherId::aes256_gcm));

TEST_P(Format, IsWhatItsPageSays) {
    ASSERT_TRUE(start()); // libsodium looks at the processor then
    if (GetParam() == CipherId::aes256_gcm && crypto_aead_aes256gcm_is_available() == 0)
        GTEST_SKIP() << "libsodium, which reads here, has no AES for this processor";
    make_store();
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run(insert(30)), SQLITE_OK);
    const Octets database = file(database_);
    const Octets wal = file(wal_);

    // Superblock A, by the key file.
    ASSERT_EQ(std::string(database.begin(), database.begin() + 15), "ClinicEdgeStore");
    EXPECT_EQ(number(database, 20, 4), GetParam() == CipherId::aes256_gcm ? 2U : 1U);
    const Octets uuid = slice(database, 32, 16);
    const Octets wrapped = slice(database, 64 + 8, 72);
    const Octets slot_key(32, 0x5A);
    const Octets store_key =
        opened(slot_key, slice(wrapped, 0, 24), slice(wrapped, 24, 48), associated(uuid, 15, 1, 0));
    ASSERT_EQ(store_key.size(), 32U);
    Octets mac(32);
    const Octets mac_key = sub_key(store_key, 16);
    crypto_generichash(mac.data(), 32, database.data(), 4'064, mac_key.data(), 32);
    EXPECT_EQ(mac, slice(database, 4'064, 32));
    Octets sum(32);
    crypto_generichash(sum.data(), 32, database.data(), 4'032, nullptr, 0);
    EXPECT_EQ(sum, slice(database, 4'032, 32));

    // Every page.
    for (std::uint64_t page = 1; 8'192 + page * 4'096 <= database.size(); ++page) {
        const Octets plain =
            opened_piece(GetParam(), sub_key(store_key, 1), slice(database, 8'192 + (page - 1) * 4'096, 4'096),
                         associated(uuid, 1, page, 0));
        ASSERT_EQ(plain.size(), 4'056U) << page;
        if (page == 1) {
            EXPECT_EQ(std::string(plain.begin(), plain.begin() + 15), "SQLite format 3");
        }
    }

    // The WAL: header, and every frame.
    ASSERT_EQ(std::string(wal.begin(), wal.begin() + 13), "ClinicEdgeWal");
    const Octets head = opened_piece(GetParam(), sub_key(store_key, 2), slice(wal, 48, 72), associated(uuid, 2, 0, 0));
    ASSERT_EQ(head.size(), 32U);
    EXPECT_EQ(number(head, 8, 4), 4'096U);
    const std::uint64_t salts = number(head, 16, 8);
    std::uint64_t frame = 1;
    for (; 4'096 + frame * 4'208 <= wal.size(); ++frame) {
        const std::size_t at = 4'096 + (frame - 1) * 4'208;
        const Octets frame_head =
            opened_piece(GetParam(), sub_key(store_key, 3), slice(wal, at, 72), associated(uuid, 3, frame, 0));
        ASSERT_EQ(frame_head.size(), 32U) << frame;
        EXPECT_EQ(number(frame_head, 8, 8), salts);
        EXPECT_EQ(number(frame_head, 24, 8), 0U); // one commit: nothing was synced before it
        ASSERT_EQ(opened_piece(GetParam(), sub_key(store_key, 4), slice(wal, at + 72, 4'136),
                               associated(uuid, 4, frame, salts))
                      .size(),
                  4'096U);
    }
    EXPECT_GT(frame, 2U);
}

class FormatOfSlots : public StoreTest {};

// Words and a passphrase open the store by what the page says of them, with libsodium alone.
TEST_F(FormatOfSlots, AreWhatTheirPageSays) {
    make_store();
    const std::string words = "void come effort suffer camp survey warrior heavy shoot primary clutch crush open "
                              "amazing screen patrol group space point ten exist slush involve unfold";
    const std::string passphrase = "correct horse battery";
    {
        const auto vfs = open();
        auto& keys = (*vfs)->keys();
        const auto typed = KeySlot::from_words(SecureBytes::copy_of(base::as_bytes(words)));
        ASSERT_TRUE(typed && keys.add(*typed, "safe", 1'795'000'000'000'000));
        const auto spoken = KeySlot::from_passphrase(SecureBytes::copy_of(base::as_bytes(passphrase)));
        ASSERT_TRUE(spoken && keys.add(*spoken, "", 0));
    }
    const Octets database = file(database_);
    const Octets uuid = slice(database, 32, 16);
    ASSERT_EQ(number(database, 16, 4), 2U);
    ASSERT_EQ(number(database, 60, 4), 3U);
    EXPECT_NE(number(database, 48, 8), number(database, 4'096 + 48, 8));
    for (const std::size_t from : {56UL, 64UL, 500UL})
        EXPECT_EQ(slice(database, from, 40), slice(database, 4'096 + from, 40)) << "both have the same slots";
    const auto unwrapped = [&](std::size_t slot, const Octets& key) {
        const Octets wrapped = slice(database, 64 + 160 * slot + 8, 72);
        return opened(key, slice(wrapped, 0, 24), slice(wrapped, 24, 48), associated(uuid, 15, 1, 0));
    };
    const Octets store_key = unwrapped(0, Octets(32, 0x5A));
    ASSERT_EQ(store_key.size(), 32U);

    EXPECT_EQ(number(database, 64 + 160, 4), 2U);
    EXPECT_EQ(number(database, 64 + 160 + 80, 4), 2U);
    EXPECT_EQ(number(database, 64 + 160 + 84, 8), 1'795'000'000'000'000U);
    EXPECT_EQ(number(database, 64 + 160 + 116, 4), 4U);
    EXPECT_EQ(slice(database, 64 + 160 + 120, 5), (Octets{'s', 'a', 'f', 'e', 0}));
    Octets secret(32), key(32); // of these words: a published vector
    sodium_hex2bin(secret.data(), secret.size(), "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f", 64,
                   nullptr, nullptr, nullptr);
    crypto_kdf_derive_from_key(key.data(), key.size(), 1, "clinicrw", secret.data());
    EXPECT_EQ(unwrapped(1, key), store_key);

    EXPECT_EQ(number(database, 64 + 320, 4), 3U);
    const Octets salt = slice(database, 64 + 320 + 100, 16);
    ASSERT_EQ(crypto_pwhash(key.data(), key.size(), passphrase.data(), passphrase.size(), salt.data(),
                            number(database, 64 + 320 + 92, 4), number(database, 64 + 320 + 96, 4) * 1'024,
                            crypto_pwhash_ALG_ARGON2ID13),
              0);
    EXPECT_EQ(unwrapped(2, key), store_key);
}

} // namespace
} // namespace clinic::crypto::tests
