// Where things stand in the store's files.   Format: docs/store-format.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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

constexpr std::uint64_t slot_offset(std::uint64_t frame) {
    return preamble_bytes + (frame - 1) * slot_bytes;
}

// Whole slots in a WAL of `bytes`: a part of one does not count.
constexpr std::uint64_t frames_in(std::uint64_t bytes) {
    return bytes < preamble_bytes ? 0 : (bytes - preamble_bytes) / slot_bytes;
}

// Offsets in SQLite's own structures.
inline constexpr std::size_t wal_head_page_size_at = 8; // 4 bytes
inline constexpr std::size_t wal_head_salts_at = 16;    // 8 bytes
inline constexpr std::size_t frame_head_salts_at = 8;   // 8 bytes
inline constexpr std::size_t page1_page_size_at = 16;   // 2 bytes
inline constexpr std::size_t page1_reserve_at = 20;     // 1 byte

using Page = std::array<std::byte, page_bytes>;
using WalHead = std::array<std::byte, wal_head_bytes>;
using FrameHead = std::array<std::byte, frame_head_bytes>;

} // namespace clinic::crypto
