// SQLite's running checksum over a WAL (its file format, 4.2); the low bit of the magic says big-endian words.
#pragma once

#include <cstdint>
#include <span>

#include "crypto/octets.h"
#include "crypto/store_layout.h"

namespace clinic::crypto {

struct WalChecksum {
    std::uint32_t first = 0;
    std::uint32_t second = 0;

    void add(std::span<const std::byte> bytes, bool big_endian) {
        for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
            first += word(bytes, big_endian) + second;
            second += word(bytes.subspan(4), big_endian) + first;
        }
    }
    // Of the frame with this header and page, behind one whose checksum this is.
    WalChecksum of_next(std::span<const std::byte> frame_head, std::span<const std::byte> page, bool big_endian) const {
        WalChecksum next = *this;
        next.add(frame_head.first(checksummed_of_frame_head), big_endian);
        next.add(page, big_endian);
        return next;
    }
    static WalChecksum of_wal_head(std::span<const std::byte> head) { return stored(head.subspan(head_checksum_at)); }
    static WalChecksum of_frame_head(std::span<const std::byte> head) {
        return stored(head.subspan(frame_checksum_at));
    }
    friend bool operator==(const WalChecksum&, const WalChecksum&) = default;

private:
    static constexpr std::size_t head_checksum_at = 24;
    static constexpr std::size_t frame_checksum_at = 16;
    static constexpr std::size_t checksummed_of_frame_head = 8;

    static std::uint32_t word(std::span<const std::byte> at, bool big_endian) {
        const auto value = get_number<std::uint32_t>(at);
        return big_endian ? value : __builtin_bswap32(value);
    }
    static WalChecksum stored(std::span<const std::byte> at) {
        return {get_number<std::uint32_t>(at), get_number<std::uint32_t>(at.subspan(4))};
    }
};

inline bool has_big_endian_checksums(std::span<const std::byte> wal_head) {
    return (std::to_integer<unsigned>(wal_head[3]) & 1U) != 0;
}

} // namespace clinic::crypto
