#include "crypto/raw_file.h"

#include <sqlite3.h>

namespace clinic::crypto {

RawFile::RawFile(const sqlite3_vfs& base)
    : memory_{std::make_unique<std::max_align_t[]>(
          (static_cast<std::size_t>(base.szOsFile) + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t))},
      file_{reinterpret_cast<sqlite3_file*>(memory_.get())} {}

RawFile::~RawFile() {
    close();
}

int RawFile::open(sqlite3_vfs& base, const char* name, int flags, int* flags_out) {
    return base.xOpen(&base, name, file_, flags, flags_out);
}

int RawFile::close() {
    if (file_->pMethods == nullptr) return SQLITE_OK;
    const int rc = file_->pMethods->xClose(file_);
    file_->pMethods = nullptr;
    return rc;
}

// SQLite makes a damaged database of a disk that cannot be read. What is damaged is said by the seal.
int RawFile::read(std::span<std::byte> out, std::uint64_t at) const {
    const int rc =
        file_->pMethods->xRead(file_, out.data(), static_cast<int>(out.size()), static_cast<sqlite3_int64>(at));
    return rc == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : rc;
}

int RawFile::write(std::span<const std::byte> bytes, std::uint64_t at) const {
    return file_->pMethods->xWrite(file_, bytes.data(), static_cast<int>(bytes.size()), static_cast<sqlite3_int64>(at));
}

int RawFile::truncate(std::uint64_t size) const {
    return file_->pMethods->xTruncate(file_, static_cast<sqlite3_int64>(size));
}

int RawFile::sync(int flags) const {
    return file_->pMethods->xSync(file_, flags);
}

int RawFile::size(std::uint64_t& out) const {
    sqlite3_int64 found = 0;
    const int rc = file_->pMethods->xFileSize(file_, &found);
    out = rc == SQLITE_OK ? static_cast<std::uint64_t>(found) : 0;
    return rc;
}

} // namespace clinic::crypto
