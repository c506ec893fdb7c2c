// A file of the base VFS, owned. Offsets and sizes are those on the disk.
//   Errors:  SQLite's result codes, as the base VFS gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct sqlite3_file;
struct sqlite3_vfs;

namespace clinic::crypto {

class RawFile {
public:
    explicit RawFile(const sqlite3_vfs& base);
    ~RawFile();
    RawFile(const RawFile&) = delete;
    RawFile& operator=(const RawFile&) = delete;

    int open(sqlite3_vfs& base, const char* name, int flags, int* flags_out);
    int close();
    int read(std::span<std::byte> out, std::uint64_t at) const; // short: zeros, and SQLITE_IOERR_SHORT_READ
    int write(std::span<const std::byte> bytes, std::uint64_t at) const;
    int truncate(std::uint64_t size) const;
    int size(std::uint64_t& out) const;
    int sync(int flags) const;
    sqlite3_file* get() const { return file_; }

private:
    std::unique_ptr<std::max_align_t[]> memory_;
    sqlite3_file* file_;
};

} // namespace clinic::crypto
