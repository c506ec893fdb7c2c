#include "crypto/signature.h"

#include <sodium.h>

#include "crypto/seal.h"

namespace clinic::crypto {
namespace {

static_assert(signing_seed_bytes == crypto_sign_SEEDBYTES);

template <std::size_t size>
bool read_hex(std::string_view text, std::array<unsigned char, size>& into) {
    std::size_t length = 0;
    return text.size() == 2 * size &&
           sodium_hex2bin(into.data(), size, text.data(), text.size(), nullptr, &length, nullptr) == 0 &&
           length == size;
}

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

} // namespace

Result<SigningKey> SigningKey::from_seed(std::span<const std::byte> seed) {
    if (seed.size() != signing_seed_bytes) return Error{Errc::malformed, "a signing key's seed has another length"};
    auto secret = SecureBytes::zeroed(crypto_sign_SECRETKEYBYTES);
    std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> known{};
    if (crypto_sign_seed_keypair(known.data(), reinterpret_cast<unsigned char*>(secret.bytes().data()),
                                 reinterpret_cast<const unsigned char*>(seed.data())) != 0)
        return Error{Errc::system, "a signing key cannot be made"};
    return SigningKey{std::move(secret), hex(std::as_bytes(std::span{known}))};
}

std::string SigningKey::sign(std::string_view message) const {
    std::array<unsigned char, crypto_sign_BYTES> signature{};
    crypto_sign_detached(signature.data(), nullptr, octets(message), message.size(),
                         reinterpret_cast<const unsigned char*>(secret_.bytes().data()));
    return hex(std::as_bytes(std::span{signature}));
}

bool is_signed_by(std::string_view public_key, std::string_view signature, std::string_view message) {
    std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> key{};
    std::array<unsigned char, crypto_sign_BYTES> given{};
    return read_hex(public_key, key) && read_hex(signature, given) &&
           crypto_sign_verify_detached(given.data(), octets(message), message.size(), key.data()) == 0;
}

} // namespace clinic::crypto
