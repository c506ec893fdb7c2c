// The disk under one folder. It stands between this program and the C library's file calls, so that SQLite's files and
// those that are written without SQLite (superblocks, keystore) come into one ordered log, with the folder's own names
// and syncs. It remembers what was written and synced, and fails when it is told to.
//   Bounds:  files directly in the folder, opened while it lives. One disk at a time.
//   Speed:   no sync is passed on while it lives, in any folder: a test does not wait for the machine's own disk.
//   Threads: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace clinic::crypto::tests {

using Image = std::vector<std::byte>;

// One change of the folder. `file` is a number that stays with a file when its name changes.
struct DiskEvent {
    enum class Kind { create, write, truncate, sync, rename, remove, sync_folder };
    Kind kind;
    int file = -1;
    std::string name =
        {}; // create, rename and remove: the name made, given or taken away; sync: the file's at that time
    std::string from = {}; // rename: the name before
    std::int64_t at = 0;   // write: the offset; truncate: the size
    Image bytes = {};
};

enum class DiskCall { open, read, write, truncate, sync, size, look, lock, rename, remove };

enum class Fault {
    io,        // EIO, of every call
    full,      // ENOSPC, of what needs room; half of a write is written
    cut_short, // a read finds the end of the file
};

class FaultDisk {
public:
    explicit FaultDisk(const std::filesystem::path& folder);
    ~FaultDisk();
    FaultDisk(const FaultDisk&) = delete;
    FaultDisk& operator=(const FaultDisk&) = delete;

    void stop(); // from here on nothing is recorded and nothing fails; syncs are passed on again

    std::size_t events() const;
    const std::vector<DiskEvent>& log() const { return events_; } // of a disk that stopped
    // The folder when the disk was put in: files by number, and the number a name leads to.
    const std::vector<Image>& first_files() const { return first_files_; }
    const std::map<std::string, int>& first_names() const { return first_names_; }

    // The `nth` call from now on that `fault` can meet fails: once, or it and all after it. 0: none fails.
    void fail(int nth, Fault fault, bool once);
    bool failed() const;
    int calls() const; // that the fault could have met, since `fail`

    bool wrote(std::string_view text) const; // in any write so far, also one that was written over since

    // For the file calls that stand before the C library's, which hold the lock.
    bool holds_name(const char* path) const;
    bool holds(int descriptor) const { return open_.contains(descriptor); }
    int failure(DiskCall call, bool makes = false); // errno, or 0
    bool cuts_short() const { return fault_ == Fault::cut_short; }
    void opened(int descriptor, const char* path, bool made, bool emptied);
    void closed(int descriptor) { open_.erase(descriptor); }
    void wrote(int descriptor, std::int64_t at, const void* from, std::size_t size);
    void truncated(int descriptor, std::int64_t size);
    void synced(int descriptor);
    void renamed(const char* from, const char* to);
    void removed(const char* path);

private:
    void note(DiskEvent event);
    static std::string name_in(const char* path);

    const std::filesystem::path folder_;
    std::vector<Image> first_files_;
    std::map<std::string, int> first_names_;
    std::map<std::string, int> names_;   // as they are now
    int files_ = 0;                      // numbers given out
    std::unordered_map<int, int> open_;  // descriptor to file; -1: the folder itself
    std::vector<std::string> last_name_; // by file
    std::vector<DiskEvent> events_;
    int fail_at_ = 0;
    int calls_ = 0;
    Fault fault_ = Fault::io;
    bool once_ = true;
    bool failed_ = false;
};

} // namespace clinic::crypto::tests
