#include "daemon/records/salvage/reading_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>

namespace clinic::salvage {
namespace {

constexpr std::size_t format_at = 18; // on page 1: written and read through a WAL (2), or not (1)

// What SQLite holds in memory of its own.
struct OpenFile {
    sqlite3_file head; // first: it is all that SQLite knows of this
    const crypto::StoreImage* image;
};

const crypto::StoreImage& image_of(sqlite3_file* file) {
    return *reinterpret_cast<OpenFile*>(file)->image;
}

int file_close(sqlite3_file*) {
    return SQLITE_OK;
}

// Its WAL is in the pages already: SQLite is not to look for one.
void hide_wal(crypto::Page& first) {
    first[format_at] = first[format_at + 1] = std::byte{1};
}

int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
    const std::span<std::byte> bytes{static_cast<std::byte*>(out), static_cast<std::size_t>(size)};
    std::ranges::fill(bytes, std::byte{0});
    const auto within = static_cast<std::size_t>(at) % crypto::page_bytes;
    const auto page = static_cast<std::uint64_t>(at) / crypto::page_bytes + 1;
    if (at < 0 || within + bytes.size() > crypto::page_bytes) return SQLITE_IOERR_READ;
    if (page > image_of(file).pages()) return SQLITE_IOERR_SHORT_READ;
    crypto::Page whole;
    if (!image_of(file).read(static_cast<std::uint32_t>(page), whole)) return SQLITE_IOERR_DATA;
    if (page == 1) hide_wal(whole);
    std::ranges::copy(std::span{whole}.subspan(within, bytes.size()), bytes.begin());
    return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* out) {
    *out = static_cast<sqlite3_int64>(image_of(file).pages()) * static_cast<sqlite3_int64>(crypto::page_bytes);
    return SQLITE_OK;
}

int no_write(sqlite3_file*, const void*, int, sqlite3_int64) {
    return SQLITE_READONLY;
}
int no_truncate(sqlite3_file*, sqlite3_int64) {
    return SQLITE_READONLY;
}
int nothing(sqlite3_file*, int) {
    return SQLITE_OK;
}
int nobody_else(sqlite3_file*, int* out) {
    *out = 0;
    return SQLITE_OK;
}
int no_control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int sector(sqlite3_file*) {
    return static_cast<int>(crypto::page_bytes);
}
int device(sqlite3_file*) {
    return SQLITE_IOCAP_IMMUTABLE;
}

constexpr sqlite3_io_methods methods{1,       file_close, file_read,   no_write,   no_truncate, nothing, file_size,
                                     nothing, nothing,    nobody_else, no_control, sector,      device};

int vfs_open(sqlite3_vfs* vfs, const char*, sqlite3_file* file, int flags, int* flags_out) {
    file->pMethods = nullptr;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return SQLITE_CANTOPEN;
    *reinterpret_cast<OpenFile*>(file) = {sqlite3_file{&methods},
                                          static_cast<const crypto::StoreImage*>(vfs->pAppData)};
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
}
int vfs_delete(sqlite3_vfs*, const char*, int) {
    return SQLITE_IOERR_DELETE;
}
int vfs_access(sqlite3_vfs*, const char*, int, int* out) {
    *out = 0; // neither a journal nor a WAL
    return SQLITE_OK;
}
int vfs_full_path(sqlite3_vfs*, const char* path, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", path);
    return SQLITE_OK;
}

} // namespace

ReadingVfs::ReadingVfs(const crypto::StoreImage& image, std::string name, sqlite3_vfs& base)
    : name_{std::move(name)}, vfs_{std::make_unique<sqlite3_vfs>(base)} {
    vfs_->iVersion = 1;
    vfs_->szOsFile = static_cast<int>(sizeof(OpenFile));
    vfs_->zName = name_.c_str();
    vfs_->pAppData = const_cast<crypto::StoreImage*>(&image); // SQLite's type; it is read alone
    vfs_->xOpen = vfs_open;
    vfs_->xDelete = vfs_delete;
    vfs_->xAccess = vfs_access;
    vfs_->xFullPathname = vfs_full_path;
}

ReadingVfs::~ReadingVfs() {
    sqlite3_vfs_unregister(vfs_.get());
}

Result<std::unique_ptr<ReadingVfs>> ReadingVfs::install(const crypto::StoreImage& image) {
    static std::atomic<unsigned> made{0};
    sqlite3_vfs* base = sqlite3_vfs_find("unix-none");
    if (base == nullptr) return Error{Errc::system, "SQLite lacks the unix-none file system"};
    std::unique_ptr<ReadingVfs> vfs{
        new ReadingVfs{image, "clinic-reading-" + std::to_string(made.fetch_add(1)), *base}};
    vfs->vfs_->pNext = nullptr;
    const int rc = sqlite3_vfs_register(vfs->vfs_.get(), 0);
    if (rc != SQLITE_OK) return Error{Errc::system, "the reading file system cannot be registered", "", {}, rc};
    return vfs;
}

} // namespace clinic::salvage
