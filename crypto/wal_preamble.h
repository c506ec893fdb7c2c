// The first 4 KiB of the WAL: which store it belongs to, and SQLite's WAL header, sealed.
// All of it that is not zero lies in the first 512 bytes: a disk writes those whole or not at all.
//   Format:  docs/store-format.md, "WAL".
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "crypto/page_cipher.h"
#include "crypto/store_layout.h"

namespace clinic::crypto {

using Preamble = std::array<std::byte, preamble_bytes>;

enum class PreambleLook {
    whole,
    blank,   // zeros: room that was given out and never written
    newer,   // of a later format
    foreign, // of another store
    damaged,
};

Preamble make_preamble(const PageCipher& cipher, const WalHead& head);
PreambleLook open_preamble(const PageCipher& cipher, std::span<const std::byte> preamble, WalHead& head);

} // namespace clinic::crypto
