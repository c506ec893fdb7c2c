// A disk that shows what goes over it: it stands in for SQLite's `unix-excl` while it lives, under the sealed VFS or
// alone, and passes everything on.
//   Threads: one.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace clinic::crypto::tests {

// What is not set is not asked. A file without a name of its own is called "temporary".
struct DiskWatch {
    std::function<void(const std::string& file)> opened{};
    std::function<void(const std::string& file, std::int64_t at, std::span<const std::byte> bytes)> wrote{};
    std::function<void(const std::string& file, std::int64_t at, std::size_t size)> read{};
    // A part of the index that connections share: it may be read for as long as the file is open.
    std::function<void(const std::string& file, std::span<const std::byte> part)> shared{};
    bool syncs = false; // whether they are passed on: a test does not wait for the machine's own disk
};

class WatchedDisk {
public:
    explicit WatchedDisk(DiskWatch watch);
    ~WatchedDisk();
    WatchedDisk(const WatchedDisk&) = delete;
    WatchedDisk& operator=(const WatchedDisk&) = delete;

    // For the table of C functions.
    const DiskWatch& watch() const { return watch_; }
    sqlite3_vfs* base() const { return base_; }

private:
    const DiskWatch watch_;
    sqlite3_vfs* base_;
    std::unique_ptr<sqlite3_vfs> vfs_;
};

} // namespace clinic::crypto::tests
