// One frame of the WAL in its slot: SQLite's header of it with a sync mark, and its page, sealed apart.
// The sync mark is the number of frames that were on the disk for certain when this one was written. It tells a tail
// that a power cut tore from a log that was damaged afterwards.
//   Format:  docs/store-format.md, "WAL".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "crypto/page_cipher.h"
#include "crypto/store_layout.h"

namespace clinic::crypto {

using SealedFrameHead = std::array<std::byte, sealed_frame_head_bytes>;
using SealedFramePage = std::array<std::byte, sealed_frame_page_bytes>;

struct MarkedHead {
    FrameHead head{};
    std::uint64_t synced = 0;

    std::uint64_t salts() const;
    std::uint32_t page() const;
    bool commits() const; // the last frame of a transaction: it says how long the database is then
};

SealedFrameHead seal_frame_head(const PageCipher& cipher, std::uint64_t frame, const MarkedHead& head);
std::optional<MarkedHead> open_frame_head(const PageCipher& cipher, std::uint64_t frame,
                                          std::span<const std::byte> sealed);

// `generation` is the WAL's salts: a page of an earlier generation does not open in the same slot.
void seal_frame_page(const PageCipher& cipher, std::uint64_t frame, std::uint64_t generation,
                     std::span<const std::byte> page, std::span<std::byte> sealed);
[[nodiscard]] bool open_frame_page(const PageCipher& cipher, std::uint64_t frame, std::uint64_t generation,
                                   std::span<const std::byte> sealed, std::span<std::byte> page);

std::uint64_t salts_of_wal_head(std::span<const std::byte> head);

} // namespace clinic::crypto
