#include "tests/crypto/format_reader.h"

#include <sodium.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string_view>

namespace clinic::format {
namespace {

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

} // namespace

Octets file(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

Octets slice(const Octets& from, std::size_t at, std::size_t size) {
    return {from.begin() + static_cast<std::ptrdiff_t>(at), from.begin() + static_cast<std::ptrdiff_t>(at + size)};
}

std::uint64_t number(const Octets& from, std::size_t at, int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | from[at + static_cast<std::size_t>(i)];
    return value;
}

std::string text(const Octets& from) {
    return {from.begin(), from.end()};
}

void append(Octets& to, const Octets& from) {
    for (const auto octet : from) to.push_back(octet);
}

void append_number(Octets& to, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<unsigned char>(value >> (8 * i)));
}

Octets sub_key(const Octets& key, std::uint64_t id, const char* context) {
    Octets made(32);
    crypto_kdf_derive_from_key(made.data(), made.size(), id, context, key.data());
    return made;
}

Octets checksum(const Octets& bytes) {
    return mac({}, bytes);
}

Octets mac(const Octets& key, const Octets& bytes) {
    Octets made(32);
    crypto_generichash(made.data(), made.size(), bytes.data(), bytes.size(), key.data(), key.size());
    return made;
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

Octets opened_piece(Cipher cipher, const Octets& key, const Octets& piece, const Octets& ad) {
    Octets body = slice(piece, 0, piece.size() - 40);
    append(body, slice(piece, piece.size() - 16, 16));
    const auto open = cipher == Cipher::aes256_gcm ? opened_by_aes : opened;
    return open(key, slice(piece, piece.size() - 40, 24), body, ad);
}

Octets opened_value(const Octets& key, const Octets& sealed, const Octets& ad) {
    return opened(key, slice(sealed, 0, 24), slice(sealed, 24, sealed.size() - 24), ad);
}

Octets store_uuid(const Octets& database) {
    return slice(database, 32, 16);
}

Octets store_key(const Octets& database, const Octets& slot_key) {
    const std::uint64_t epoch = number(database, 64 + 4, 4);
    return opened_value(slot_key, slice(database, 64 + 8, 72), associated(store_uuid(database), 15, epoch, 0));
}

std::uint64_t slots_in(const Octets& keystore) {
    return (keystore.size() - 4'096) / 72;
}

Octets opened_slot(const Octets& keystore, const Octets& wrapping_key, std::uint64_t slot, unsigned content) {
    Octets ad;
    append_number(ad, 1, 4);
    append(ad, slice(keystore, 32, 16));
    append_number(ad, content, 4);
    append_number(ad, slot, 8);
    return opened_value(sub_key(wrapping_key, 2, "keystore"), slice(keystore, 4'096 + (slot - 1) * 72, 72), ad);
}

Octets opened_aside(const Octets& sealed, const Octets& database, const Octets& slot_key) {
    Octets ad = slice(sealed, 0, 16);
    append(ad, store_uuid(database));
    const Octets key = sub_key(store_key(database, slot_key), 104, "clinicst");
    return opened_value(key, slice(sealed, 16, sealed.size() - 16), ad);
}

} // namespace clinic::format
