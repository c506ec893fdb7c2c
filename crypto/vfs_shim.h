// The VFS registered with SQLite for one store: which files may be opened, and how each is read and written.
//   Base:    `unix-excl`. Locks and the WAL index go to it untouched.
//   Threads: any.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "crypto/raw_file.h"
#include "crypto/store_context.h"
#include "crypto/stored_file.h"

namespace clinic::crypto {

class VfsShim {
public:
    // SQLite's own full name of a path, symbolic links resolved. Errors: system.
    static Result<std::string> full_path(const std::string& path);

    // `main_path` is that full name. A fresh store may still be told its journal mode.
    static Result<std::unique_ptr<VfsShim>> install(StoreContext& context, std::string main_path, bool fresh);
    ~VfsShim();
    VfsShim(const VfsShim&) = delete;
    VfsShim& operator=(const VfsShim&) = delete;

    const char* name() const { return name_.c_str(); }

    // For the table of C functions behind the VFS.
    int open(const char* path, int flags, std::unique_ptr<StoredFile>& out, int* flags_out);
    void closed() { open_files_.fetch_sub(1); }
    void note_unread() { context_.unread.fetch_add(1); }
    int remove(const char* path, bool sync_folder);
    int access(const char* path, int flags, int& out);
    int pragma(char** arguments) const;
    sqlite3_vfs& base() const { return base_; }

private:
    VfsShim(StoreContext& context, sqlite3_vfs& base, std::string main_path, bool fresh);
    bool is_main(const char* path) const { return path != nullptr && main_path_ == path; }
    bool is_wal(const char* path) const { return path != nullptr && wal_path_ == path; }

    StoreContext& context_;
    sqlite3_vfs& base_;
    const std::string main_path_;
    const std::string wal_path_;
    const std::string name_;
    const bool fresh_;
    std::atomic<int> open_files_{0};
    std::unique_ptr<sqlite3_vfs> vfs_;
};

} // namespace clinic::crypto
