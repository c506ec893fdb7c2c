#include "crypto/wal_file.h"

#include <sqlite3.h>

#include <algorithm>

#include "crypto/first_page.h"
#include "crypto/octets.h"
#include "crypto/wal_preamble.h"

namespace clinic::crypto {
namespace {

void zero(std::span<std::byte> out) {
    std::ranges::fill(out, std::byte{0});
}

void copy_slice(std::span<const std::byte> whole, std::size_t within, std::span<std::byte> out) {
    std::ranges::copy(whole.subspan(within, out.size()), out.begin());
}

} // namespace

std::span<const std::byte> WalFile::Held::slot(std::uint64_t frame) const {
    return std::span{slots_}.subspan((frame - first_) * slot_bytes, slot_bytes);
}

std::span<const std::byte> WalFile::Held::bytes() const {
    return std::span{slots_}.first(whole_ * slot_bytes + (head_ ? sealed_frame_head_bytes : 0));
}

void WalFile::Held::put_head(std::uint64_t frame, const SealedFrameHead& head) {
    slots_.resize(frames_max * slot_bytes);
    if (first_ == 0) first_ = frame;
    std::ranges::copy(head, std::span{slots_}.subspan(whole_ * slot_bytes).begin());
    head_ = true;
}

std::span<std::byte> WalFile::Held::put_page() {
    head_ = false;
    return std::span{slots_}.subspan(whole_++ * slot_bytes + sealed_frame_head_bytes, sealed_frame_page_bytes);
}

void WalFile::Held::drop_from(std::uint64_t frame) {
    if (frame > next()) return;
    head_ = false;
    whole_ = frame > first_ ? frame - first_ : 0;
    if (whole_ == 0) first_ = 0;
}

int WalFile::read(std::span<std::byte> out, std::uint64_t at) {
    if (held_.has_head())
        if (const int rc = flush(); rc != SQLITE_OK) return rc;
    if (at < wal_head_bytes) return read_head(out, at);
    const std::uint64_t frame = (at - wal_head_bytes) / frame_bytes + 1;
    const std::size_t within = (at - wal_head_bytes) % frame_bytes;
    if (within == 0 && out.size() == frame_bytes) return read_frame(frame, out);
    if (within + out.size() <= frame_head_bytes) return read_part_of_frame_head(frame, out, within);
    if (within >= frame_head_bytes && within + out.size() <= frame_bytes)
        return read_frame_page(frame, out, within - frame_head_bytes);
    zero(out);
    return SQLITE_IOERR_READ;
}

int WalFile::read_slot(std::uint64_t frame, std::size_t from, std::span<std::byte> out) const {
    if (!held_.holds(frame)) return raw_.read(out, slot_offset(frame) + from);
    copy_slice(held_.slot(frame), from, out);
    return SQLITE_OK;
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
        context_.wal_generation = salts_of_wal_head(head);
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
    if (const int rc = read_slot(frame, 0, slot); rc != SQLITE_OK) {
        zero(out);
        return rc;
    }
    const std::span<const std::byte> sealed{slot};
    const auto head = open_frame_head(context_.cipher, frame, sealed.first(sealed_frame_head_bytes));
    if (head && open_frame_page(context_.cipher, frame, generation_of(*head), sealed.subspan(sealed_frame_head_bytes),
                                out.subspan(frame_head_bytes))) {
        std::ranges::copy(head->head, out.begin());
        return SQLITE_OK;
    }
    zero(out);
    context_.note_failure("a WAL frame does not open", frame);
    follow_generation();
    if (frame <= written_.highest || held_.holds(frame)) return SQLITE_IOERR_DATA;
    context_.recovery_failures.fetch_add(1);
    return SQLITE_OK;
}

int WalFile::read_part_of_frame_head(std::uint64_t frame, std::span<std::byte> out, std::size_t within) {
    MarkedHead head;
    const int rc = read_frame_head(frame, head);
    copy_slice(head.head, within, out);
    return rc;
}

int WalFile::read_frame_head(std::uint64_t frame, MarkedHead& out) {
    SealedFrameHead sealed;
    if (const int rc = read_slot(frame, 0, sealed); rc != SQLITE_OK) return rc;
    const auto opened = open_frame_head(context_.cipher, frame, sealed);
    if (!opened || generation_of(*opened) != context_.wal_generation) {
        context_.note_failure("a WAL frame header does not open", frame);
        return SQLITE_IOERR_DATA;
    }
    out = *opened;
    return SQLITE_OK;
}

int WalFile::read_frame_page(std::uint64_t frame, std::span<std::byte> out, std::size_t within) {
    SealedFramePage sealed;
    if (const int rc = read_slot(frame, sealed_frame_head_bytes, sealed); rc != SQLITE_OK) {
        zero(out);
        return rc;
    }
    Page part;
    const bool whole = out.size() == page_bytes;
    const std::span<std::byte> page = whole ? out : std::span<std::byte>{part};
    if (!open_frame_page(context_.cipher, frame, context_.wal_generation, sealed, page)) {
        zero(out);
        context_.note_failure("a page in the WAL does not open", frame);
        return SQLITE_IOERR_DATA;
    }
    if (!whole) copy_slice(part, within, out);
    return SQLITE_OK;
}

// The generation a frame's own header names; SQLite compares it with the WAL's. A frame whose checksum is still to
// be written has zeros there, and is of this generation.
std::uint64_t WalFile::generation_of(const MarkedHead& head) const {
    return head.salts() == 0 ? context_.wal_generation.load() : head.salts();
}

int WalFile::write(std::span<const std::byte> bytes, std::uint64_t at) {
    if (at == 0 && bytes.size() == wal_head_bytes) return write_head(bytes);
    if (at < wal_head_bytes) return SQLITE_IOERR_WRITE;
    const std::uint64_t frame = (at - wal_head_bytes) / frame_bytes + 1;
    const std::size_t within = (at - wal_head_bytes) % frame_bytes;
    follow_generation();
    if (within == 0 && bytes.size() == frame_head_bytes) return write_frame_head(frame, bytes);
    if (within == frame_head_bytes && bytes.size() == page_bytes) return write_frame_page(frame, bytes);
    return SQLITE_IOERR_WRITE;
}

int WalFile::write_head(std::span<const std::byte> head) {
    if (get_number<std::uint32_t>(head.subspan(wal_head_page_size_at)) != page_bytes) return SQLITE_IOERR_WRITE;
    held_.clear(); // of the log before, and never committed
    WalHead plain;
    std::ranges::copy(head, plain.begin());
    const int rc = raw_.write(make_preamble(context_.cipher, plain), 0);
    if (rc == SQLITE_OK) context_.wal_generation = salts_of_wal_head(head);
    return rc;
}

// A header comes once for a frame, or again where what followed was taken back; after the last one of a commit also for
// a frame whose checksum changes, and then no page follows.
int WalFile::write_frame_head(std::uint64_t frame, std::span<const std::byte> head) {
    written_.synced = std::min(written_.synced, frame - 1); // what is written over is no longer certain
    MarkedHead marked{.synced = written_.synced};
    std::ranges::copy(head, marked.head.begin());
    if (generation_of(marked) != context_.wal_generation) return SQLITE_IOERR_WRITE;
    held_.drop_from(frame);
    if (held_.has_head() || held_.is_full() || (!held_.is_empty() && frame != held_.next()))
        if (const int rc = flush(); rc != SQLITE_OK) return rc;
    held_.put_head(frame, seal_frame_head(context_.cipher, frame, marked));
    written_.head_frame = frame;
    written_.head_page = marked.page();
    written_.head_commits = marked.commits();
    return frame <= written_.highest ? flush() : SQLITE_OK;
}

int WalFile::write_frame_page(std::uint64_t frame, std::span<const std::byte> page) {
    written_.synced = std::min(written_.synced, frame - 1);
    std::uint32_t number = 0;
    if (const int rc = page_of_frame(frame, number); rc != SQLITE_OK) return rc;
    if (number == 1 && !is_our_first_page(page)) return SQLITE_IOERR_WRITE;
    if (held_.has_head() && frame == held_.next()) {
        seal_frame_page(context_.cipher, frame, context_.wal_generation, page, held_.put_page());
        return written_.head_commits ? flush() : SQLITE_OK;
    }
    if (const int rc = flush(); rc != SQLITE_OK) return rc;
    SealedFramePage sealed;
    seal_frame_page(context_.cipher, frame, context_.wal_generation, page, sealed);
    const int rc = write_without_hole(sealed, slot_offset(frame) + sealed_frame_head_bytes);
    if (rc == SQLITE_OK) written_.highest = std::max(written_.highest, frame);
    return rc;
}

int WalFile::flush() {
    if (held_.is_empty()) return SQLITE_OK;
    const int rc = write_without_hole(held_.bytes(), slot_offset(held_.first()));
    if (rc == SQLITE_OK) written_.highest = std::max(written_.highest, held_.next() - 1);
    held_.clear();
    return rc;
}

// A frame's header is written just before its page, unless the page is spilled a second time.
int WalFile::page_of_frame(std::uint64_t frame, std::uint32_t& out) {
    if (written_.head_frame == frame) {
        out = written_.head_page;
        return SQLITE_OK;
    }
    MarkedHead head;
    const int rc = read_frame_head(frame, head);
    out = head.page();
    return rc;
}

int WalFile::write_without_hole(std::span<const std::byte> sealed, std::uint64_t at) {
    if (at > written_.end)
        if (const int rc = raw_.size(written_.end); rc != SQLITE_OK) return rc;
    if (at > written_.end) return SQLITE_IOERR_WRITE;
    const int rc = raw_.write(sealed, at);
    if (rc == SQLITE_OK) written_.end = std::max(written_.end, at + sealed.size());
    return rc;
}

// What is held is of no commit yet.
int WalFile::sync(int flags) {
    const int rc = raw_.sync(flags);
    follow_generation();
    if (rc == SQLITE_OK) written_.synced = written_.highest;
    return rc;
}

// A new WAL header begins a new generation, whichever connection writes it.
void WalFile::follow_generation() {
    const std::uint64_t now = context_.wal_generation;
    if (written_.generation == now) return;
    written_ = {.generation = now};
    held_.clear();
}

int WalFile::truncate(std::uint64_t size) {
    const std::uint64_t frames = size < wal_head_bytes ? 0 : (size - wal_head_bytes) / frame_bytes;
    held_.drop_from(frames + 1);
    if (const int rc = flush(); rc != SQLITE_OK) return rc;
    written_.end = 0;
    return raw_.truncate(size < wal_head_bytes ? 0 : slot_offset(frames + 1));
}

int WalFile::size(std::uint64_t& out) {
    std::uint64_t on_disk = 0;
    const int rc = raw_.size(on_disk);
    std::uint64_t frames = on_disk < preamble_bytes ? 0 : frames_in(on_disk);
    if (!held_.is_empty()) frames = std::max(frames, held_.next() - 1);
    out = on_disk < preamble_bytes ? 0 : wal_head_bytes + frames * frame_bytes;
    return rc;
}

} // namespace clinic::crypto
