// The main database file: page n sealed at its place behind the superblocks.
#pragma once

#include "crypto/read_ahead.h"
#include "crypto/store_context.h"
#include "crypto/store_layout.h"
#include "crypto/stored_file.h"

namespace clinic::crypto {

class MainFile final : public StoredFile {
public:
    MainFile(StoreContext& context, const sqlite3_vfs& base) : context_{context}, raw_{base} {}

    int read(std::span<std::byte> out, std::uint64_t at) override;
    int write(std::span<const std::byte> bytes, std::uint64_t at) override;
    int truncate(std::uint64_t size) override;
    int size(std::uint64_t& out) override;
    RawFile& raw() override { return raw_; }

private:
    int open_page(std::uint64_t page, std::span<std::byte> plain);
    int seal_page(std::uint64_t page, std::span<const std::byte> plain);
    int fill_lock_page();

    StoreContext& context_;
    RawFile raw_;
    ReadAhead ahead_{context_};
};

} // namespace clinic::crypto
