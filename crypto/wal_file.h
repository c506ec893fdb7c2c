// The WAL: SQLite's header in the preamble, each frame in a slot of its own, header and page sealed apart.
// Nothing that was synced is read, changed and written again, so a torn write harms only what was being written.
// SQLite writes a frame in two calls, the header and then its page: they reach the file as one write.
#pragma once

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
    int write_held_head();
    int write_without_hole(std::span<const std::byte> sealed, std::uint64_t at);
    std::uint64_t generation_of(const MarkedHead& head) const;
    void follow_generation();

    // Of this connection's writes, in the WAL's present generation.
    struct Written {
        std::uint64_t generation = 0;
        std::uint64_t head_frame = 0; // the last frame header, and its page
        std::uint32_t head_page = 0;
        std::uint64_t highest = 0; // frame
        std::uint64_t synced = 0;  // frames that are on the disk for certain: the sync mark
        std::uint64_t end = 0;     // the file is at least so long
    };

    // A sealed frame header that waits for its page, until anything else is asked for.
    struct Held {
        std::uint64_t frame = 0; // 0: none
        std::array<std::byte, slot_bytes> slot{};
    };

    StoreContext& context_;
    RawFile raw_;
    Written written_;
    Held held_;
};

} // namespace clinic::crypto
