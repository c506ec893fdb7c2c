// Sealing of small values, sub-keys, digests and blind index tokens.
//   Format:  sealed = nonce 24 | ciphertext | tag 16, XChaCha20-Poly1305-IETF, random nonce (docs/store-format.md).
//   Threads: any; stateless.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

inline constexpr std::size_t key_bytes = 32;
inline constexpr std::size_t nonce_bytes = 24;
inline constexpr std::size_t tag_bytes = 16;
inline constexpr std::size_t seal_overhead_bytes = nonce_bytes + tag_bytes;

using Bytes = std::vector<std::byte>;
using Digest = std::array<std::byte, 32>; // BLAKE2b-256
using Token = std::array<std::byte, 16>;  // keyed BLAKE2b-128

Bytes seal(const SecureBytes& key, std::span<const std::byte> plain, std::span<const std::byte> associated);
Result<Bytes> open(const SecureBytes& key, std::span<const std::byte> sealed,
                   std::span<const std::byte> associated); // tampered
Result<SecureBytes> open_key(const SecureBytes& key, std::span<const std::byte> sealed,
                             std::span<const std::byte> associated);

bool is_authentic(const SecureBytes& key, std::span<const std::byte> sealed, std::span<const std::byte> associated);

// crypto_kdf_derive_from_key: `context` is exactly 8 characters.
SecureBytes derive(const SecureBytes& key, std::uint64_t id, Literal context);

Digest digest(std::span<const std::byte> bytes);
Digest digest(std::span<const std::byte> first, std::span<const std::byte> second); // of both, one after the other
Token token(const SecureBytes& key, std::string_view normalised);
std::string hex(std::span<const std::byte> bytes); // lower case

} // namespace clinic::crypto
