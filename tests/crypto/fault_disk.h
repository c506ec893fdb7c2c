// The disk under one folder and those in it. It stands between this program and the C library's file calls, so that
// SQLite's files and those that are written without SQLite (superblocks, keystore) come into one ordered log, with the
// folders' own names and syncs. It remembers what was written and synced, and fails when it is told to.
//   Bounds:  files opened while it lives; a name changes within its folder. One disk at a time.
//   Speed:   no sync is passed on while it lives, in any folder: a test does not wait for the machine's own disk.
//   Threads: any.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace clinic::crypto::tests {

using Image = std::vector<std::byte>;

inline constexpr int root_folder = -1; // the disk's own

// One change on the disk. `file` is a number that stays with a file or a folder when its name changes.
struct DiskEvent {
    enum class Kind { create, make_folder, write, truncate, sync, rename, remove, sync_folder };
    Kind kind;
    int file = root_folder;
    std::string name =
        {}; // create, rename and remove: the name made, given or taken away; a sync: its own at that time, or ""
    std::string from = {};    // rename: the name before
    int folder = root_folder; // create, rename and remove: that the name is in
    std::int64_t at = 0;      // write: the offset; truncate: the size
    Image bytes = {};
};

struct DiskName {
    int folder = root_folder;
    std::string name = {};
    friend auto operator<=>(const DiskName&, const DiskName&) = default;
};

enum class DiskCall { open, read, write, truncate, sync, size, look, lock, rename, remove, make_folder };

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
    const std::vector<DiskEvent>& log() const { return events_; } // of a disk that nobody uses any more
    // What was there when the disk was put in: files by number, the number a name leads to, and which are folders.
    const std::vector<Image>& first_files() const { return first_files_; }
    const std::map<DiskName, int>& first_names() const { return first_names_; }
    const std::set<int>& first_folders() const { return first_folders_; }

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
    void made_folder(const char* path);

private:
    void note(DiskEvent event);
    void take_in(const std::filesystem::path& path, int folder);
    int number_for(const DiskName& name);
    std::optional<DiskName> name_of(const char* path) const; // nullopt: in no folder of this disk
    std::optional<int> folder_at(const char* path) const;

    const std::filesystem::path folder_;
    std::vector<Image> first_files_;
    std::map<DiskName, int> first_names_;
    std::set<int> first_folders_;
    std::map<DiskName, int> names_;      // as they are now
    std::set<int> folders_;              // all that there were
    std::unordered_map<int, int> open_;  // descriptor to file or folder
    std::vector<std::string> last_name_; // by number
    std::vector<DiskEvent> events_;
    int fail_at_ = 0;
    int calls_ = 0;
    Fault fault_ = Fault::io;
    bool once_ = true;
    bool failed_ = false;
};

} // namespace clinic::crypto::tests
