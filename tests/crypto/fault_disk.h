// A disk under the sealed VFS: it stands in for SQLite's `unix-excl` while it lives, passes everything on, remembers
// what was written and synced, and fails when it is told to. From what it remembers it makes the files that a power
// cut could have left.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace clinic::crypto::tests {

class FaultDisk {
public:
    FaultDisk();
    ~FaultDisk();
    FaultDisk(const FaultDisk&) = delete;
    FaultDisk& operator=(const FaultDisk&) = delete;

    std::size_t events() const { return events_.size(); }

    // The `nth` call from now on fails with `code`: once, or it and all after it. 0: none fails.
    void fail(int nth, int code, bool once);
    bool failed() const { return failed_; }

    bool wrote(std::string_view text) const; // in any write so far, also one that was written over since

    // Writes to `folder` what the disk may hold when the power goes after the first `events`: all that was synced,
    // and of the rest any sectors of 512 bytes. `start` is the folder as it was when the disk was put in.
    void power_cut(std::size_t events, std::mt19937& random, const std::filesystem::path& start,
                   const std::filesystem::path& folder) const;

    // For the table of C functions.
    enum class Kind { write, truncate, sync };
    int next(Kind kind, const std::string& name, std::int64_t at, std::vector<std::byte> bytes);
    int next_read();
    sqlite3_vfs* base() const { return base_; }

private:
    struct Event {
        Kind kind;
        std::string name;
        std::int64_t at;
        std::vector<std::byte> bytes;
    };
    int count();

    sqlite3_vfs* base_;
    std::unique_ptr<sqlite3_vfs> vfs_;
    std::vector<Event> events_;
    int fail_in_ = 0;
    int fail_code_ = SQLITE_OK;
    bool fail_once_ = true;
    bool failed_ = false;
};

} // namespace clinic::crypto::tests
