#include "crypto/read_ahead.h"

#include <sqlite3.h>

#include <algorithm>

#include "crypto/store_layout.h"

namespace clinic::crypto {
namespace {

constexpr std::size_t window_min = 4;
constexpr std::size_t window_max = 16;
constexpr std::uint64_t gap_max = 4; // a table's pages lie between those of its indexes

} // namespace

ReadAhead::ReadAhead(const StoreContext& context) : context_{context} {
    pages_.reserve(window_max * page_bytes); // no read needs memory
}

int ReadAhead::read(const RawFile& file, std::uint64_t page, std::span<const std::byte>& out) {
    const bool forward = page > last_ && page - last_ <= gap_max;
    last_ = page;
    int rc = SQLITE_OK;
    if (!holds(page)) {
        // While another connection writes the database, little of what is read ahead would be used.
        window_ = forward && !was_written() ? std::clamp(window_ * 2, window_min, window_max) : 1;
        rc = fetch(file, page, window_);
        // What cannot be read may be a page that nobody asked for.
        if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ && window_ > 1) rc = fetch(file, page, 1);
    }
    out = std::span{pages_}.subspan((page - first_) * page_bytes, page_bytes);
    return rc;
}

bool ReadAhead::holds(std::uint64_t page) const {
    return first_ != 0 && page >= first_ && page < first_ + pages_.size() / page_bytes && !was_written();
}

bool ReadAhead::was_written() const {
    return written_ != context_.main_writes;
}

int ReadAhead::fetch(const RawFile& file, std::uint64_t page, std::size_t pages) {
    written_ = context_.main_writes; // before: a write that begins during the read counts
    pages_.resize(pages * page_bytes);
    first_ = page;
    return file.read(pages_, page_offset(page));
}

} // namespace clinic::crypto
