// A store's files are what docs/store-format.md says of them: a reader written from that page opens them.
#include <sodium.h>

#include <set>

#include "crypto/keystore.h"
#include "tests/crypto/format_reader.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

using format::associated;
using format::file;
using format::number;
using format::Octets;
using format::opened_value;
using format::slice;

Octets piece_key_of(const Octets& store_key, std::uint64_t kind) {
    return format::sub_key(store_key, kind, "clinicdb");
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
    const Octets uuid = format::store_uuid(database);
    const Octets store_key = format::store_key(database, Octets(32, 0x5A));
    ASSERT_EQ(store_key.size(), 32U);
    EXPECT_EQ(format::mac(piece_key_of(store_key, 16), slice(database, 0, 4'064)), slice(database, 4'064, 32));
    EXPECT_EQ(format::checksum(slice(database, 0, 4'032)), slice(database, 4'032, 32));
    const auto opened_piece = [&](unsigned kind, const Octets& piece, std::uint64_t index, std::uint64_t generation) {
        return format::opened_piece(static_cast<format::Cipher>(GetParam()), piece_key_of(store_key, kind), piece,
                                    associated(uuid, kind, index, generation));
    };

    // Every page.
    for (std::uint64_t page = 1; 8'192 + page * 4'096 <= database.size(); ++page) {
        const Octets plain = opened_piece(1, slice(database, 8'192 + (page - 1) * 4'096, 4'096), page, 0);
        ASSERT_EQ(plain.size(), 4'056U) << page;
        if (page == 1) {
            EXPECT_EQ(std::string(plain.begin(), plain.begin() + 15), "SQLite format 3");
        }
    }

    // The WAL: header, and every frame.
    ASSERT_EQ(std::string(wal.begin(), wal.begin() + 13), "ClinicEdgeWal");
    const Octets head = opened_piece(2, slice(wal, 48, 72), 0, 0);
    ASSERT_EQ(head.size(), 32U);
    EXPECT_EQ(number(head, 8, 4), 4'096U);
    const std::uint64_t salts = number(head, 16, 8);
    std::uint64_t frame = 1;
    for (; 4'096 + frame * 4'208 <= wal.size(); ++frame) {
        const std::size_t at = 4'096 + (frame - 1) * 4'208;
        const Octets frame_head = opened_piece(3, slice(wal, at, 72), frame, 0);
        ASSERT_EQ(frame_head.size(), 32U) << frame;
        EXPECT_EQ(number(frame_head, 8, 8), salts);
        EXPECT_EQ(number(frame_head, 24, 8), 0U); // one commit: nothing was synced before it
        ASSERT_EQ(opened_piece(4, slice(wal, at + 72, 4'136), frame, salts).size(), 4'096U);
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
        return opened_value(key, slice(database, 64 + 160 * slot + 8, 72), associated(uuid, 15, 1, 0));
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

class FormatOfKeystore : public StoreTest {};

TEST_F(FormatOfKeystore, IsWhatItsPageSays) {
    constexpr std::uint64_t erased = 7, damaged = 9;
    const auto path = folder_ / "keys.db";
    std::vector<Octets> given; // by the product, to compare
    make_store();
    {
        const auto vfs = open();
        ASSERT_TRUE(vfs);
        const auto keys = Keystore::open(path, (*vfs)->subkey(100), (*vfs)->store(), IfAbsent::create);
        ASSERT_TRUE(keys && (*keys)->next_free({250})); // grows it
        for (std::int64_t slot = 1; slot <= 2 * Keystore::pool_slots_min; ++slot) {
            const auto key = (*keys)->key({slot});
            ASSERT_TRUE(key) << slot;
            const auto* begin = reinterpret_cast<const unsigned char*>(key->bytes().data());
            given.emplace_back(begin, begin + key->size());
        }
        ASSERT_TRUE((*keys)->erase({static_cast<std::int64_t>(erased)}));
    }
    flip(path, 4'096 + (damaged - 1) * 72 + 30);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) + 71); // a part of a slot is none

    const Octets database = file(database_), keystore = file(path);
    const Octets wrapping = format::sub_key(format::store_key(database, Octets(32, 0x5A)), 100, "clinicst");
    EXPECT_EQ(format::text(slice(keystore, 0, 16)), (std::string{"ClinicEdgeKeys\0\0", 16}));
    EXPECT_EQ(number(keystore, 16, 4), 1U);
    EXPECT_EQ(number(keystore, 20, 4), 72U);
    EXPECT_EQ(number(keystore, 24, 8), 0U);
    EXPECT_EQ(slice(keystore, 32, 16), format::store_uuid(database));
    EXPECT_EQ(slice(keystore, 48, 4'016), Octets(4'016));
    EXPECT_EQ(format::mac(format::sub_key(wrapping, 1, "keystore"), slice(keystore, 0, 4'064)),
              slice(keystore, 4'064, 32));
    ASSERT_EQ(format::slots_in(keystore), given.size());
    std::set<Octets> different;
    for (std::uint64_t slot = 1; slot <= given.size(); ++slot) {
        const Octets key = format::opened_slot(keystore, wrapping, slot, 1);
        const Octets mark = format::opened_slot(keystore, wrapping, slot, 2);
        EXPECT_EQ(key, slot == erased || slot == damaged ? Octets{} : given[slot - 1]) << slot;
        EXPECT_EQ(mark, slot == erased ? Octets(32) : Octets{}) << slot;
        if (!key.empty()) different.insert(key);
    }
    EXPECT_EQ(different.size(), given.size() - 2);
}

} // namespace
} // namespace clinic::crypto::tests
