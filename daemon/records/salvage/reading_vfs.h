// A store as a read-only SQLite database, whatever state its files are in: for SQLite's own check of it.
//   Errors:  a page that does not open is SQLITE_IOERR_DATA; anything but reading is refused.
//   Threads: one.
#pragma once

#include <memory>
#include <string>

#include "crypto/base/result.h"
#include "crypto/store_image.h"

struct sqlite3;
struct sqlite3_vfs;

namespace clinic::salvage {

class ReadingVfs {
public:
    static Result<std::unique_ptr<ReadingVfs>> install(const crypto::StoreImage& image); // which must outlive it
    ~ReadingVfs();
    ReadingVfs(const ReadingVfs&) = delete;
    ReadingVfs& operator=(const ReadingVfs&) = delete;
    const char* name() const { return name_.c_str(); }

private:
    ReadingVfs(const crypto::StoreImage& image, std::string name, sqlite3_vfs& base);
    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
};

} // namespace clinic::salvage
