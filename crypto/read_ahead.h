// Sealed pages of the database on their way in. Where pages are asked for in order, as in a scan, several are read with
// one call of the kernel; they are opened one by one, when SQLite asks for each.
//   Bounds:  16 pages, taken when it is made. Nothing that was read ahead is used after a write to the database, by
//            whichever connection.
//   Errors:  SQLite's result codes. A page behind the end reads as zeros.
//   Threads: one connection's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "crypto/raw_file.h"
#include "crypto/store_context.h"

namespace clinic::crypto {

class ReadAhead {
public:
    explicit ReadAhead(const StoreContext& context);

    // The sealed page, in memory of ours until the next call.
    int read(const RawFile& file, std::uint64_t page, std::span<const std::byte>& out);
    void forget() { first_ = 0; } // a page did not open: whoever asks again looks at the disk again

private:
    bool holds(std::uint64_t page) const;
    bool was_written() const;
    int fetch(const RawFile& file, std::uint64_t page, std::size_t pages);

    const StoreContext& context_;
    std::vector<std::byte> pages_;
    std::uint64_t first_ = 0; // 0: nothing is held
    std::uint64_t written_ = 0;
    std::uint64_t last_ = 0; // asked for
    std::size_t window_ = 1; // pages
};

} // namespace clinic::crypto
