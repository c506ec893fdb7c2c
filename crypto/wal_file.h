// The WAL: SQLite's header in the preamble, each frame in a slot of its own, header and page sealed apart.
// Nothing that was synced is read, changed and written again, so a torn write harms only what was being written.
#pragma once

#include "crypto/store_context.h"
#include "crypto/store_layout.h"
#include "crypto/stored_file.h"
#include "crypto/wal_preamble.h"

namespace clinic::crypto {

class WalFile final : public StoredFile {
public:
    WalFile(StoreContext& context, const sqlite3_vfs& base) : context_{context}, raw_{base} {}

    int read(std::span<std::byte> out, std::uint64_t at) override;
    int write(std::span<const std::byte> bytes, std::uint64_t at) override;
    int truncate(std::uint64_t size) override;
    int size(std::uint64_t& out) override;
    RawFile& raw() override { return raw_; }

private:
    int read_head(std::span<std::byte> out, std::uint64_t at);
    int read_frame(std::uint64_t frame, std::span<std::byte> out);
    int read_frame_head(std::uint64_t frame, std::span<std::byte> out, std::size_t within);
    int read_frame_page(std::uint64_t frame, std::span<std::byte> out, std::size_t within);
    int write_head(std::span<const std::byte> head);
    int write_frame_head(std::uint64_t frame, std::span<const std::byte> head);
    int write_frame_page(std::uint64_t frame, std::span<const std::byte> page);
    int page_number(std::uint64_t frame, std::uint32_t& out);
    std::uint64_t generation_of(std::span<const std::byte> head) const;
    int write_without_hole(std::span<const std::byte> sealed, std::uint64_t at);

    struct Head {
        std::uint64_t frame = 0;
        std::uint32_t page = 0;
    };

    StoreContext& context_;
    RawFile raw_;
    Head last_head_;                // the last frame header this connection wrote
    std::uint64_t written_max_ = 0; // the last frame this connection wrote in this generation
};

} // namespace clinic::crypto
