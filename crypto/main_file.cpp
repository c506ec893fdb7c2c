#include "crypto/main_file.h"

#include <sqlite3.h>

#include <algorithm>

#include "crypto/first_page.h"

namespace clinic::crypto {
namespace {

constexpr std::size_t sqlite_header_bytes = 100;

// SQLite reads its 100 bytes of header before it has looked at the WAL. A power cut during a checkpoint can leave
// page 1 torn, and the WAL then holds it whole. Zeros say "nothing known yet"; the whole page is read again and judged.
bool is_header_probe(std::size_t size, std::uint64_t at) {
    return at == 0 && size <= sqlite_header_bytes;
}

} // namespace

int MainFile::read(std::span<std::byte> out, std::uint64_t at) {
    const std::size_t within = at % page_bytes;
    if (out.empty() || within + out.size() > page_bytes) return SQLITE_IOERR_READ;
    const std::uint64_t page = at / page_bytes + 1;

    if (out.size() == page_bytes) return open_page(page, out);
    Page whole;
    const int rc = open_page(page, whole);
    if (rc == SQLITE_NOTADB && is_header_probe(out.size(), at)) {
        std::ranges::fill(out, std::byte{0});
        return SQLITE_OK;
    }
    std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(within), out.size(), out.begin());
    return rc;
}

// A page that is not there is an error too: there are no holes, so SQLite asks only for what it wrote, and
// where it would read a missing page as zeros the file was cut off.
int MainFile::open_page(std::uint64_t page, std::span<std::byte> plain) {
    std::span<const std::byte> sealed;
    const int rc = ahead_.read(raw_, page, sealed);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) {
        ahead_.forget();
        std::ranges::fill(plain, std::byte{0});
        return rc;
    }
    std::ranges::fill(plain.subspan(page_plain_bytes), std::byte{0}); // the reserve
    if (context_.cipher.open({Piece::page, page}, sealed, plain.first(page_plain_bytes))) return SQLITE_OK;
    ahead_.forget();
    context_.note_failure("a page does not open", page);
    return page == 1 ? SQLITE_NOTADB : SQLITE_IOERR_DATA;
}

int MainFile::write(std::span<const std::byte> bytes, std::uint64_t at) {
    if (bytes.size() != page_bytes || at % page_bytes != 0) return SQLITE_IOERR_WRITE;
    const std::uint64_t page = at / page_bytes + 1;
    if (page == 1 && !is_our_first_page(bytes)) return SQLITE_IOERR_WRITE;
    if (page == lock_page + 1)
        if (const int rc = fill_lock_page(); rc != SQLITE_OK) return rc;
    return seal_page(page, bytes);
}

int MainFile::seal_page(std::uint64_t page, std::span<const std::byte> plain) {
    Page sealed;
    context_.cipher.seal({Piece::page, page}, plain.first(page_plain_bytes), sealed);
    const StoreContext::MainWrite writing{context_};
    const int rc = raw_.write(sealed, page_offset(page));
    if (const auto there = context_.main_pages.load(); rc == SQLITE_OK && there != 0)
        context_.main_pages = std::max(there, page);
    return rc;
}

// SQLite leaves out the page of its lock bytes; sealed zeros there keep the file without holes. It leaves out no other
// that it will read: any other gap is a part that was cut off, and must never come back as pages of zeros.
int MainFile::fill_lock_page() {
    static constexpr Page zeros{};
    std::uint64_t bytes = 0;
    const int rc = size(bytes);
    return rc == SQLITE_OK && bytes == (lock_page - 1) * page_bytes ? seal_page(lock_page, zeros) : rc;
}

int MainFile::truncate(std::uint64_t size) {
    if (size == 0 || size % page_bytes != 0) return SQLITE_IOERR_TRUNCATE; // never down to an empty store
    const std::uint64_t pages = size / page_bytes;
    const StoreContext::MainWrite writing{context_};
    const int rc = raw_.truncate(page_offset(pages + 1));
    context_.main_pages = 0;
    return rc;
}

// SQLite asks for each snapshot. The kernel is asked once: after that only our own writes change it.
int MainFile::size(std::uint64_t& out) {
    out = context_.main_pages * page_bytes;
    if (out != 0) return SQLITE_OK;
    std::uint64_t on_disk = 0;
    const int rc = raw_.size(on_disk);
    const std::uint64_t pages = on_disk < main_head_bytes ? 0 : (on_disk - main_head_bytes) / page_bytes;
    out = pages * page_bytes;
    if (rc == SQLITE_OK) context_.main_pages = pages;
    return rc;
}

} // namespace clinic::crypto
