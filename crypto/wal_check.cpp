#include "crypto/wal_check.h"

#include <algorithm>
#include <memory>

#include "crypto/block_file.h"
#include "crypto/wal_checksum.h"
#include "crypto/wal_frame.h"
#include "crypto/wal_preamble.h"

namespace clinic::crypto {
namespace {

struct Frame {
    MarkedHead marked;
    Page page{};

    WalChecksum checksum() const { return WalChecksum::of_frame_head(marked.head); }
    bool follows(const WalChecksum& before, bool big_endian) const {
        return before.of_next(marked.head, page, big_endian) == checksum();
    }
};

class Walk {
public:
    Walk(const BlockFile& file, const PageCipher& cipher, const WalHead& head)
        : file_{file}, cipher_{cipher}, salts_{salts_of_wal_head(head)}, start_{WalChecksum::of_wal_head(head)},
          big_endian_{has_big_endian_checksums(head)} {}

    // Every authentic frame says how many frames were on the disk when it was written. A log that fits together for
    // fewer than that was damaged afterwards; one that breaks behind it has a torn tail.
    Result<bool> breaks_where_it_was_synced(std::uint64_t frames) {
        WalChecksum before = start_;
        std::uint64_t linked = 0;
        std::uint64_t synced = 0;
        auto frame = std::make_unique<Frame>();
        for (std::uint64_t number = 1; number <= frames; ++number) {
            const auto opened = open(number, *frame);
            if (!opened) return opened.error();
            if (!*opened) continue;
            synced = std::max(synced, frame->marked.synced);
            if (linked + 1 == number && frame->follows(before, big_endian_)) {
                linked = number;
                before = frame->checksum();
            }
        }
        return linked < synced;
    }

private:
    // False: it does not open, or is of an earlier generation.
    Result<bool> open(std::uint64_t number, Frame& frame) {
        std::array<std::byte, slot_bytes> slot{};
        const auto whole = file_.read(slot_offset(number), slot);
        if (!whole) return whole.error();
        if (!*whole) return false;
        const std::span<const std::byte> sealed{slot};
        const auto head = open_frame_head(cipher_, number, sealed.first(sealed_frame_head_bytes));
        if (!head || head->salts() != salts_) return false;
        frame.marked = *head;
        return open_frame_page(cipher_, number, salts_, sealed.subspan(sealed_frame_head_bytes), frame.page);
    }

    const BlockFile& file_;
    const PageCipher& cipher_;
    const std::uint64_t salts_;
    const WalChecksum start_;
    const bool big_endian_;
};

// Whether there is a frame of this store that says that so many were synced: the WAL's header was on the disk before.
Result<bool> has_frame(const BlockFile& file, const PageCipher& cipher, std::uint64_t frames,
                       std::uint64_t synced_min) {
    SealedFrameHead sealed{};
    for (std::uint64_t number = 1; number <= frames; ++number) {
        const auto whole = file.read(slot_offset(number), sealed);
        if (!whole) return whole.error();
        const auto head = open_frame_head(cipher, number, sealed);
        if (head && head->synced >= synced_min) return true;
    }
    return false;
}

// A torn header is blank or the old one, as it lies within one sector of the disk. Of a WAL that says that it is of
// another store or a newer format a frame may be asked: it says that the header is damaged.
Result<void> check_preamble(PreambleLook look, const BlockFile& file, const PageCipher& cipher, std::uint64_t frames) {
    if (look == PreambleLook::blank || look == PreambleLook::whole) return {};
    const auto is_ours = look == PreambleLook::damaged ? Result<bool>{true} : has_frame(file, cipher, frames, 0);
    CLINIC_TRY(is_ours);
    if (*is_ours)
        return Error{Errc::tampered, "the WAL header does not open",
                     "restore the store from a backup, or save what is left: clinicctl store salvage"};
    if (look == PreambleLook::newer)
        return Error{Errc::newer, "the WAL has a newer format than this program knows", "update the program"};
    return Error{Errc::conflict, "the WAL belongs to another store", "put the store's own WAL back, or restore both"};
}

} // namespace

Result<bool> check_wal(const std::filesystem::path& wal, const PageCipher& cipher) {
    const auto file = BlockFile::open(wal);
    if (!file && file.error().code == Errc::not_found) return true;
    if (!file) return file.error();
    const auto size = file->size();
    if (!size) return size.error();
    if (*size < preamble_bytes) return true;

    auto preamble = std::make_unique<Preamble>();
    if (const auto read = file->read(0, *preamble); !read) return read.error();
    WalHead head;
    const auto look = open_preamble(cipher, *preamble, head);
    const std::uint64_t frames = frames_in(*size);
    CLINIC_TRY(check_preamble(look, *file, cipher, frames));
    if (frames == 0) return true;

    const bool blank = look == PreambleLook::blank;
    const auto damaged =
        blank ? has_frame(*file, cipher, frames, 1) : Walk{*file, cipher, head}.breaks_where_it_was_synced(frames);
    if (!damaged) return damaged.error();
    if (*damaged)
        return Error{Errc::tampered, "the WAL is damaged before its end",
                     "restore the store from a backup, or save what is left: clinicctl store salvage"};
    return blank;
}

} // namespace clinic::crypto
