// The two superblocks at the start of a store: what it is, and its key wrapped by the key slot's.
// One is written at a time, the older one, so that a power cut leaves the other.
//   Format:  docs/store-format.md, "Superblock".
//   Errors:  locked (wrong key), tampered (neither is whole), newer (format version or cipher).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"
#include "crypto/store_layout.h"

namespace clinic::crypto {

using SuperblockImage = std::array<std::byte, superblock_bytes>;

struct Superblock {
    CipherId cipher = CipherId::xchacha20_poly1305;
    StoreUuid store{};
    std::uint64_t sequence = 1;
    std::uint32_t epoch = 1;
};

struct OpenedSuperblock {
    Superblock superblock;
    SecureBytes store_key;
    std::size_t used = 0; // 0: A, 1: B
    bool other_damaged = false;
};

SuperblockImage make_superblock(const Superblock& superblock, const SecureBytes& store_key,
                                const SecureBytes& slot_key);

// `head` is the first main_head_bytes of the main file.
Result<OpenedSuperblock> open_superblocks(std::span<const std::byte> head, const SecureBytes& slot_key);

} // namespace clinic::crypto
