#include "crypto/wal_frame.h"

#include <algorithm>

#include "crypto/octets.h"

namespace clinic::crypto {

std::uint64_t MarkedHead::salts() const {
    return get_number<std::uint64_t>(std::span{head}.subspan(frame_head_salts_at));
}

std::uint32_t MarkedHead::page() const {
    return get_number<std::uint32_t>(head);
}

bool MarkedHead::commits() const {
    return get_number<std::uint32_t>(std::span{head}.subspan(frame_head_commit_at)) != 0;
}

SealedFrameHead seal_frame_head(const PageCipher& cipher, std::uint64_t frame, const MarkedHead& head) {
    std::array<std::byte, frame_head_bytes + sync_mark_bytes> plain{};
    std::ranges::copy(head.head, plain.begin());
    put_number(std::span{plain}.subspan(frame_head_bytes), head.synced);
    SealedFrameHead sealed{};
    cipher.seal({Piece::frame_header, frame}, plain, sealed);
    return sealed;
}

std::optional<MarkedHead> open_frame_head(const PageCipher& cipher, std::uint64_t frame,
                                          std::span<const std::byte> sealed) {
    std::array<std::byte, frame_head_bytes + sync_mark_bytes> plain{};
    if (!cipher.open({Piece::frame_header, frame}, sealed, plain)) return std::nullopt;
    MarkedHead opened;
    std::ranges::copy(std::span{plain}.first(frame_head_bytes), opened.head.begin());
    opened.synced = get_number<std::uint64_t>(std::span{plain}.subspan(frame_head_bytes));
    return opened;
}

void seal_frame_page(const PageCipher& cipher, std::uint64_t frame, std::uint64_t generation,
                     std::span<const std::byte> page, std::span<std::byte> sealed) {
    cipher.seal({Piece::frame_page, frame, generation}, page, sealed);
}

bool open_frame_page(const PageCipher& cipher, std::uint64_t frame, std::uint64_t generation,
                     std::span<const std::byte> sealed, std::span<std::byte> page) {
    return cipher.open({Piece::frame_page, frame, generation}, sealed, page);
}

std::uint64_t salts_of_wal_head(std::span<const std::byte> head) {
    return get_number<std::uint64_t>(head.subspan(wal_head_salts_at));
}

} // namespace clinic::crypto
