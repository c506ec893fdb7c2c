// A key from a passphrase: Argon2id, slow and large on purpose.
//   Units:   memory in KiB.
//   Bounds:  what a stored cost may be, so that a forged superblock cannot ask for all the memory and time there is.
//   Errors:  full: this machine has not the memory now.
//   Threads: any; takes a second, and the memory that the cost says.
//   Source:  RFC 9106; libsodium's crypto_pwhash.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

using Salt = std::array<std::byte, 16>;

struct StretchCost {
    std::uint32_t passes = 0, memory_kib = 0;
    Salt salt{};

    friend bool operator==(const StretchCost&, const StretchCost&) = default;
};

inline constexpr std::uint32_t passes_max = 16;
inline constexpr std::uint32_t stretch_kib_min = 8'192, stretch_kib_max = 524'288;
inline constexpr std::size_t passphrase_bytes_min = 12, passphrase_bytes_max = 1'024;

bool is_bounded(const StretchCost& cost);
// For this machine, with a salt of its own: 256 MiB and 3 passes; with less than 2 GiB of memory 64 MiB and 8.
StretchCost new_stretch_cost();
Result<SecureBytes> stretch(const SecureBytes& passphrase, const StretchCost& cost);

} // namespace clinic::crypto
