#include "crypto/wal_file.h"

#include <sqlite3.h>

#include <algorithm>

#include "crypto/first_page.h"
#include "crypto/octets.h"

namespace clinic::crypto {
namespace {

std::uint64_t salts_of_head(std::span<const std::byte> head) {
    return get_number<std::uint64_t>(head.subspan(wal_head_salts_at));
}
std::uint64_t salts_of_frame(std::span<const std::byte> frame_head) {
    return get_number<std::uint64_t>(frame_head.subspan(frame_head_salts_at));
}

void zero(std::span<std::byte> out) {
    std::ranges::fill(out, std::byte{0});
}

void copy_slice(std::span<const std::byte> whole, std::size_t within, std::span<std::byte> out) {
    std::ranges::copy(whole.subspan(within, out.size()), out.begin());
}

} // namespace

int WalFile::read(std::span<std::byte> out, std::uint64_t at) {
    if (at < wal_head_bytes) return read_head(out, at);
    const std::uint64_t frame = (at - wal_head_bytes) / frame_bytes + 1;
    const std::size_t within = (at - wal_head_bytes) % frame_bytes;
    if (within == 0 && out.size() == frame_bytes) return read_frame(frame, out);
    if (within + out.size() <= frame_head_bytes) return read_frame_head(frame, out, within);
    if (within >= frame_head_bytes && within + out.size() <= frame_bytes)
        return read_frame_page(frame, out, within - frame_head_bytes);
    zero(out);
    return SQLITE_IOERR_READ;
}

// The whole header is read when SQLite looks for a WAL to recover: one that does not open reads as none.
// SealedVfs::open has refused a header that was tampered with, so here it is one that a power cut left.
int WalFile::read_head(std::span<std::byte> out, std::uint64_t at) {
    zero(out);
    if (at + out.size() > wal_head_bytes) return SQLITE_IOERR_READ;
    Preamble preamble;
    if (const int rc = raw_.read(preamble, 0); rc != SQLITE_OK) return rc;
    WalHead head;
    const auto look = open_preamble(context_.cipher, preamble, head);
    if (look == PreambleLook::whole) {
        context_.wal_generation = salts_of_head(head);
        copy_slice(head, at, out);
        return SQLITE_OK;
    }
    if (look != PreambleLook::blank) context_.note_failure("the WAL header does not open", 0);
    return out.size() == wal_head_bytes ? SQLITE_OK : SQLITE_IOERR_DATA;
}

// Whole frames are read in recovery, where one that does not open ends the log (a power cut's torn tail), and
// when checksums are written anew: there it is a frame of our own and an error.
int WalFile::read_frame(std::uint64_t frame, std::span<std::byte> out) {
    std::array<std::byte, slot_bytes> slot;
    const int rc = raw_.read(slot, slot_offset(frame));
    if (rc != SQLITE_OK) {
        zero(out);
        return rc;
    }
    const std::span<const std::byte> sealed{slot};
    const auto head = out.first(frame_head_bytes);
    if (context_.cipher.open({Piece::frame_header, frame}, sealed.first(sealed_frame_head_bytes), head) &&
        context_.cipher.open({Piece::frame_page, frame, generation_of(head)}, sealed.subspan(sealed_frame_head_bytes),
                             out.subspan(frame_head_bytes)))
        return SQLITE_OK;

    zero(out);
    context_.note_failure("a WAL frame does not open", frame);
    if (frame <= written_max_) return SQLITE_IOERR_DATA;
    context_.recovery_failures.fetch_add(1);
    return SQLITE_OK;
}

// The generation a frame's own header names; SQLite compares it with the WAL's. A frame whose checksum is still to
// be written has zeros there, and is of this generation.
std::uint64_t WalFile::generation_of(std::span<const std::byte> head) const {
    const std::uint64_t salts = salts_of_frame(head);
    return salts == 0 ? context_.wal_generation.load() : salts;
}

int WalFile::read_frame_head(std::uint64_t frame, std::span<std::byte> out, std::size_t within) {
    zero(out);
    std::array<std::byte, sealed_frame_head_bytes> sealed;
    if (const int rc = raw_.read(sealed, slot_offset(frame)); rc != SQLITE_OK) return rc;
    FrameHead head;
    if (!context_.cipher.open({Piece::frame_header, frame}, sealed, head) ||
        generation_of(head) != context_.wal_generation) {
        context_.note_failure("a WAL frame header does not open", frame);
        return SQLITE_IOERR_DATA;
    }
    copy_slice(head, within, out);
    return SQLITE_OK;
}

int WalFile::read_frame_page(std::uint64_t frame, std::span<std::byte> out, std::size_t within) {
    std::array<std::byte, sealed_frame_page_bytes> sealed;
    if (const int rc = raw_.read(sealed, slot_offset(frame) + sealed_frame_head_bytes); rc != SQLITE_OK) {
        zero(out);
        return rc;
    }
    const PieceAt place{Piece::frame_page, frame, context_.wal_generation};
    Page part;
    const bool whole = out.size() == page_bytes;
    if (!context_.cipher.open(place, sealed, whole ? out : std::span<std::byte>{part})) {
        zero(out);
        context_.note_failure("a page in the WAL does not open", frame);
        return SQLITE_IOERR_DATA;
    }
    if (!whole) copy_slice(part, within, out);
    return SQLITE_OK;
}

int WalFile::write(std::span<const std::byte> bytes, std::uint64_t at) {
    if (at == 0 && bytes.size() == wal_head_bytes) return write_head(bytes);
    if (at < wal_head_bytes) return SQLITE_IOERR_WRITE;
    const std::uint64_t frame = (at - wal_head_bytes) / frame_bytes + 1;
    const std::size_t within = (at - wal_head_bytes) % frame_bytes;
    if (within == 0 && bytes.size() == frame_head_bytes) return write_frame_head(frame, bytes);
    if (within == frame_head_bytes && bytes.size() == page_bytes) return write_frame_page(frame, bytes);
    return SQLITE_IOERR_WRITE;
}

int WalFile::write_head(std::span<const std::byte> head) {
    if (get_number<std::uint32_t>(head.subspan(wal_head_page_size_at)) != page_bytes) return SQLITE_IOERR_WRITE;
    WalHead plain;
    std::ranges::copy(head, plain.begin());
    const int rc = raw_.write(make_preamble(context_.cipher, plain), 0);
    if (rc != SQLITE_OK) return rc;
    context_.wal_generation = salts_of_head(head);
    written_max_ = 0;
    return SQLITE_OK;
}

int WalFile::write_frame_head(std::uint64_t frame, std::span<const std::byte> head) {
    if (generation_of(head) != context_.wal_generation) return SQLITE_IOERR_WRITE;
    std::array<std::byte, sealed_frame_head_bytes> sealed;
    context_.cipher.seal({Piece::frame_header, frame}, head, sealed);
    const int rc = write_without_hole(sealed, slot_offset(frame));
    if (rc == SQLITE_OK) last_head_ = {frame, get_number<std::uint32_t>(head)};
    return rc;
}

// Which page a frame holds. Its header was written just before, unless the page is spilled a second time.
int WalFile::page_number(std::uint64_t frame, std::uint32_t& out) {
    if (last_head_.frame == frame) {
        out = last_head_.page;
        return SQLITE_OK;
    }
    std::array<std::byte, sizeof out> number{};
    const int rc = read_frame_head(frame, number, 0);
    out = get_number<std::uint32_t>(number);
    return rc;
}

int WalFile::write_frame_page(std::uint64_t frame, std::span<const std::byte> page) {
    std::uint32_t number = 0;
    int rc = page_number(frame, number);
    if (rc != SQLITE_OK) return rc;
    if (number == 1 && !is_our_first_page(page)) return SQLITE_IOERR_WRITE;
    std::array<std::byte, sealed_frame_page_bytes> sealed;
    context_.cipher.seal({Piece::frame_page, frame, context_.wal_generation}, page, sealed);
    rc = write_without_hole(sealed, slot_offset(frame) + sealed_frame_head_bytes);
    if (rc == SQLITE_OK) written_max_ = std::max(written_max_, frame);
    return rc;
}

int WalFile::write_without_hole(std::span<const std::byte> sealed, std::uint64_t at) {
    std::uint64_t end = 0;
    if (const int rc = raw_.size(end); rc != SQLITE_OK) return rc;
    return at <= end ? raw_.write(sealed, at) : SQLITE_IOERR_WRITE;
}

int WalFile::truncate(std::uint64_t size) {
    if (size < wal_head_bytes) return raw_.truncate(0);
    return raw_.truncate(slot_offset((size - wal_head_bytes) / frame_bytes + 1));
}

int WalFile::size(std::uint64_t& out) {
    std::uint64_t on_disk = 0;
    const int rc = raw_.size(on_disk);
    out = on_disk < preamble_bytes ? 0 : wal_head_bytes + frames_in(on_disk) * frame_bytes;
    return rc;
}

} // namespace clinic::crypto
