// Where things stand in the store's files.   Format: docs/store-format.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "crypto/aead.h"
#include "crypto/page_cipher.h"

namespace clinic::crypto {

inline constexpr std::size_t page_bytes = 4'096;
inline constexpr std::size_t page_plain_bytes = page_bytes - trailer_bytes; // SQLite keeps the rest free for us
static_assert(page_plain_bytes == 4'056);

// Main file: superblock A, superblock B, pages from 1.
inline constexpr std::size_t superblock_bytes = 4'096;
inline constexpr std::size_t superblocks = 2;
inline constexpr std::size_t main_head_bytes = superblocks * superblock_bytes;

// In a superblock. Magic, version and checksum stand at the same place in every version.
inline constexpr std::string_view superblock_magic{"ClinicEdgeStore\0", 16};
namespace superblock_at {
inline constexpr std::size_t version = 16, cipher = 20, page_size = 24, reserve = 28, uuid = 32, sequence = 48,
                             epoch = 56,
                             keys = 60, // how many wrapped keys follow
    key_table = 64, checksum = superblock_bytes - 64, mac = superblock_bytes - 32;
}
// An entry of the key table: kind of the key slot, key epoch, wrapped key; from version 2 on also whose it is.
inline constexpr std::uint32_t superblock_version_plain = 1; // one machine slot
inline constexpr std::uint32_t superblock_version_slots = 2; // any slots, with what may be told of them
inline constexpr std::size_t wrapped_key_bytes = 72;
inline constexpr std::size_t key_entry_epoch_at = 4, key_entry_wrapped_at = 8;
inline constexpr std::size_t key_entry_bytes = key_entry_wrapped_at + wrapped_key_bytes;
inline constexpr std::size_t label_bytes_max = 32;
namespace slot_entry_at { // of version 2
inline constexpr std::size_t number = key_entry_bytes, made = 84, passes = 92, memory_kib = 96, salt = 100,
                             label_bytes = 116, label = 120;
}
inline constexpr std::size_t slot_entry_bytes = 160;
static_assert(slot_entry_at::label + label_bytes_max <= slot_entry_bytes);
inline constexpr std::size_t superblock_keys_max = 16;
static_assert(superblock_at::key_table + superblock_keys_max * slot_entry_bytes <= superblock_at::checksum);

constexpr std::uint64_t page_offset(std::uint64_t page) {
    return main_head_bytes + (page - 1) * page_bytes;
}

// The page that holds the bytes SQLite locks, at 1 GiB of its own offsets: it neither reads nor writes it.
inline constexpr std::uint64_t lock_page = 0x40000000 / page_bytes + 1;
static_assert(lock_page == 262'145);

// WAL: a preamble with SQLite's WAL header sealed in it, then frame slots from 1.
inline constexpr std::size_t wal_head_bytes = 32; // SQLite's own
inline constexpr std::size_t frame_head_bytes = 24;
inline constexpr std::size_t frame_bytes = frame_head_bytes + page_bytes;
inline constexpr std::size_t preamble_bytes = 4'096;
inline constexpr std::size_t sealed_wal_head_bytes = wal_head_bytes + trailer_bytes;
inline constexpr std::size_t sync_mark_bytes = 8; // beside SQLite's frame header: see wal_frame.h
inline constexpr std::size_t sealed_frame_head_bytes = frame_head_bytes + sync_mark_bytes + trailer_bytes;
inline constexpr std::size_t sealed_frame_page_bytes = page_bytes + trailer_bytes;
inline constexpr std::size_t slot_bytes = sealed_frame_head_bytes + sealed_frame_page_bytes;
static_assert(sealed_frame_head_bytes == 72 && sealed_frame_page_bytes == 4'136 && slot_bytes == 4'208);

// In the preamble.
inline constexpr std::string_view preamble_magic{"ClinicEdgeWal\0\0\0", 16};
namespace preamble_at {
inline constexpr std::size_t version = 16, epoch = 20, uuid = 32, head = 48;
}
static_assert(preamble_at::head + sealed_wal_head_bytes <= 512);

constexpr std::uint64_t slot_offset(std::uint64_t frame) {
    return preamble_bytes + (frame - 1) * slot_bytes;
}

// Whole slots in a WAL of `bytes`: a part of one does not count.
constexpr std::uint64_t frames_in(std::uint64_t bytes) {
    return bytes < preamble_bytes ? 0 : (bytes - preamble_bytes) / slot_bytes;
}

// Keystore: a header, then slots from 1, a wrapped key each.
inline constexpr std::string_view keystore_magic{"ClinicEdgeKeys\0\0", 16};
inline constexpr std::size_t keystore_head_bytes = 4'096;
namespace keystore_at {
inline constexpr std::size_t version = 16, slot_size = 20, uuid = 32, mac = keystore_head_bytes - 32;
}
constexpr std::uint64_t key_slot_offset(std::int64_t slot) { // from 1
    return keystore_head_bytes + static_cast<std::uint64_t>(slot - 1) * wrapped_key_bytes;
}

// Offsets in SQLite's own structures.
inline constexpr std::size_t wal_head_page_size_at = 8; // 4 bytes
inline constexpr std::size_t wal_head_salts_at = 16;    // 8 bytes
inline constexpr std::size_t frame_head_commit_at = 4;  // 4 bytes; 0: more frames of the transaction follow
inline constexpr std::size_t frame_head_salts_at = 8;   // 8 bytes
inline constexpr std::size_t page1_page_size_at = 16;   // 2 bytes
inline constexpr std::size_t page1_reserve_at = 20;     // 1 byte

using Page = std::array<std::byte, page_bytes>;
using WalHead = std::array<std::byte, wal_head_bytes>;
using FrameHead = std::array<std::byte, frame_head_bytes>;

} // namespace clinic::crypto
