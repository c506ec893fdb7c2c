// The one door to an authenticated cipher for pages and frames. The cipher is chosen by the id in the superblock.
//   Format:  a sealed piece is ciphertext | trailer; the trailer's 40 bytes are nonce 24 | tag 16.
//   Threads: any; const after it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

enum class CipherId : std::uint32_t { xchacha20_poly1305 = 1, aes256_gcm = 2 };

inline constexpr std::size_t trailer_bytes = 40;

class Aead {
public:
    virtual ~Aead() = default;
    // `sealed` is `plain.size()` + trailer_bytes long.
    virtual void seal(std::span<const std::byte> plain, std::span<const std::byte> associated,
                      std::span<std::byte> sealed) const = 0;
    // False: not authentic; then `plain` holds zeros.
    [[nodiscard]] virtual bool open(std::span<const std::byte> sealed, std::span<const std::byte> associated,
                                    std::span<std::byte> plain) const = 0;
};

bool is_known(CipherId id);
Literal name_of(CipherId id); // of a known one
// The one that seals and opens a page faster here and now: measured, in some milliseconds. AES only where the processor
// has instructions for it: without them it is slow, and no longer certain to take the same time for every key.
CipherId fastest_cipher();
// The key epoch stands in the first four bytes of each nonce, so a piece says which key it was sealed with.
std::unique_ptr<Aead> make_aead(CipherId id, SecureBytes key, std::uint32_t epoch);

} // namespace clinic::crypto
