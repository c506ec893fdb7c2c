// The WAL: SQLite's header in the preamble, each frame in a slot of its own, header and page sealed apart.
// Nothing that was synced is read, changed and written again, so a torn write harms only what was being written.
// SQLite writes a frame in two calls, the header and then its page. A transaction's frames wait here, sealed, until its
// last one comes or there is no room for more, and reach the file in one write: nobody else looks for a frame before
// the commit, and who wrote it is given it from here.
#pragma once

#include <vector>

#include "crypto/store_context.h"
#include "crypto/store_layout.h"
#include "crypto/stored_file.h"
#include "crypto/wal_frame.h"

namespace clinic::crypto {

class WalFile final : public StoredFile {
public:
    WalFile(StoreContext& context, const sqlite3_vfs& base) : context_{context}, raw_{base} {}

    int read(std::span<std::byte> out, std::uint64_t at) override;
    int write(std::span<const std::byte> bytes, std::uint64_t at) override;
    int truncate(std::uint64_t size) override;
    int size(std::uint64_t& out) override;
    int sync(int flags) override;
    RawFile& raw() override { return raw_; }

private:
    int read_head(std::span<std::byte> out, std::uint64_t at);
    int read_frame(std::uint64_t frame, std::span<std::byte> out);
    int read_part_of_frame_head(std::uint64_t frame, std::span<std::byte> out, std::size_t within);
    int read_frame_page(std::uint64_t frame, std::span<std::byte> out, std::size_t within);
    int read_frame_head(std::uint64_t frame, MarkedHead& out);
    int write_head(std::span<const std::byte> head);
    int write_frame_head(std::uint64_t frame, std::span<const std::byte> head);
    int write_frame_page(std::uint64_t frame, std::span<const std::byte> page);
    int page_of_frame(std::uint64_t frame, std::uint32_t& out);
    int read_slot(std::uint64_t frame, std::size_t from, std::span<std::byte> out) const;
    int flush();
    int write_without_hole(std::span<const std::byte> sealed, std::uint64_t at);
    std::uint64_t generation_of(const MarkedHead& head) const;
    void follow_generation();

    // Of this connection's writes, in the WAL's present generation.
    struct Written {
        std::uint64_t generation = 0;
        std::uint64_t head_frame = 0; // the last frame header, and its page
        std::uint32_t head_page = 0;
        bool head_commits = false;
        std::uint64_t highest = 0; // frame that reached the file
        std::uint64_t synced = 0;  // frames that are on the disk for certain: the sync mark
        std::uint64_t end = 0;     // the file is at least so long
    };

    // Sealed frames of a transaction that is not committed, one behind the other. A write that fails drops them: SQLite
    // then takes the whole transaction back.
    class Held {
    public:
        bool is_empty() const { return first_ == 0; }
        bool has_head() const { return head_; }
        std::uint64_t first() const { return first_; }
        std::uint64_t next() const { return first_ + whole_; } // the frame that may follow, or whose header waits
        bool holds(std::uint64_t frame) const { return first_ != 0 && frame >= first_ && frame < next(); }
        bool is_full() const { return whole_ == frames_max; }
        std::span<const std::byte> slot(std::uint64_t frame) const;
        std::span<const std::byte> bytes() const;

        void put_head(std::uint64_t frame, const SealedFrameHead& head);
        std::span<std::byte> put_page(); // of the frame whose header waits: to be sealed into
        void drop_from(std::uint64_t frame);
        void clear() { drop_from(0); }

    private:
        static constexpr std::size_t frames_max = 16;
        std::uint64_t first_ = 0;      // 0: none
        std::size_t whole_ = 0;        // frames with their page
        bool head_ = false;            // the header of one more
        std::vector<std::byte> slots_; // room for all, from the first write on
    };

    StoreContext& context_;
    RawFile raw_;
    Written written_;
    Held held_;
};

} // namespace clinic::crypto
