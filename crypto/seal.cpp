#include "crypto/seal.h"

#include <sodium.h>

#include <cassert>
#include <cstring>

#include "crypto/octets.h"

namespace clinic::crypto {

static_assert(key_bytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(nonce_bytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(tag_bytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(key_bytes == crypto_kdf_KEYBYTES);

namespace {

bool open_into(const SecureBytes& key, std::span<const std::byte> sealed, std::span<const std::byte> associated,
               std::span<std::byte> plain) {
    const auto nonce = sealed.first(nonce_bytes);
    const auto body = sealed.subspan(nonce_bytes);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(octets(plain), nullptr, nullptr, octets(body), body.size(),
                                                      octets(associated), associated.size(), octets(nonce),
                                                      octets(key.bytes())) == 0;
}

constexpr Error not_authentic{Errc::tampered, "a sealed value does not open", "restore it from a backup"};

} // namespace

Bytes seal(const SecureBytes& key, std::span<const std::byte> plain, std::span<const std::byte> associated) {
    assert(key.size() == key_bytes);
    Bytes sealed(plain.size() + seal_overhead_bytes);
    const auto nonce = std::span{sealed}.first(nonce_bytes);
    const auto body = std::span{sealed}.subspan(nonce_bytes);
    randombytes_buf(nonce.data(), nonce.size());
    crypto_aead_xchacha20poly1305_ietf_encrypt(octets(body), nullptr, octets(plain), plain.size(), octets(associated),
                                               associated.size(), nullptr, octets(nonce), octets(key.bytes()));
    return sealed;
}

Result<Bytes> open(const SecureBytes& key, std::span<const std::byte> sealed, std::span<const std::byte> associated) {
    assert(key.size() == key_bytes);
    if (sealed.size() < seal_overhead_bytes) return not_authentic;
    Bytes plain(sealed.size() - seal_overhead_bytes);
    if (!open_into(key, sealed, associated, plain)) return not_authentic;
    return plain;
}

Result<SecureBytes> open_key(const SecureBytes& key, std::span<const std::byte> sealed,
                             std::span<const std::byte> associated) {
    assert(key.size() == key_bytes);
    if (sealed.size() != key_bytes + seal_overhead_bytes) return not_authentic;
    SecureBytes plain = SecureBytes::zeroed(key_bytes);
    if (!open_into(key, sealed, associated, plain.bytes())) return not_authentic;
    return plain;
}

bool is_authentic(const SecureBytes& key, std::span<const std::byte> sealed, std::span<const std::byte> associated) {
    assert(key.size() == key_bytes);
    return sealed.size() >= seal_overhead_bytes && open_into(key, sealed, associated, {}); // no place: only the tag
}

SecureBytes derive(const SecureBytes& key, std::uint64_t id, Literal context) {
    assert(key.size() == key_bytes);
    assert(std::strlen(context.c_str()) == crypto_kdf_CONTEXTBYTES);
    SecureBytes made = SecureBytes::zeroed(key_bytes);
    crypto_kdf_derive_from_key(octets(made.bytes()), made.size(), id, context.c_str(), octets(key.bytes()));
    return made;
}

Digest digest(std::span<const std::byte> bytes) {
    return digest(bytes, {});
}

Digest digest(std::span<const std::byte> first, std::span<const std::byte> second) {
    Digest made{};
    crypto_generichash_state state;
    crypto_generichash_init(&state, nullptr, 0, made.size());
    crypto_generichash_update(&state, octets(first), first.size());
    crypto_generichash_update(&state, octets(second), second.size());
    crypto_generichash_final(&state, octets(made), made.size());
    return made;
}

Token token(const SecureBytes& key, std::string_view normalised) {
    assert(key.size() == key_bytes);
    Token made{};
    const auto text = std::as_bytes(std::span{normalised.data(), normalised.size()});
    crypto_generichash(octets(made), made.size(), octets(text), text.size(), octets(key.bytes()), key.size());
    return made;
}

std::string hex(std::span<const std::byte> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const auto byte : bytes) {
        text += digits[std::to_integer<unsigned>(byte) >> 4U];
        text += digits[std::to_integer<unsigned>(byte) & 0xFU];
    }
    return text;
}

} // namespace clinic::crypto
