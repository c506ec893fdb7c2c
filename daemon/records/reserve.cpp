#include "daemon/records/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <limits>

#include "crypto/base/log.h"
#include "crypto/base/owned.h"

namespace clinic::records {

// A disk that cannot be asked is taken for one with room: its own errors will say.
std::uint64_t Reserve::room() const {
    struct statvfs disk {};
    if (statvfs(folder_.c_str(), &disk) != 0) return std::numeric_limits<std::uint64_t>::max();
    return disk.f_bavail * disk.f_frsize;
}

// Blocks of its own, not a promise of some: a file of holes would hold nothing.
void Reserve::take() {
    if (held_ != 0) return;
    const base::UniqueFd file{open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600)};
    struct stat about {};
    if (!file || fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return;
    const auto there = static_cast<std::uint64_t>(about.st_blocks) * 512;
    const auto wanted = there >= reserve_bytes ? 0 : reserve_bytes - there;
    if (room() < room_bytes_min + wanted || posix_fallocate(file.get(), 0, static_cast<off_t>(reserve_bytes)) != 0) {
        unlink(file_.c_str()); // a part of it is room that nobody uses
        return;
    }
    held_ = static_cast<std::int64_t>(reserve_bytes);
}

void Reserve::give_back() {
    if (held_ == 0) return;
    if (unlink(file_.c_str()) != 0) return;
    held_ = 0;
    base::log(base::Level::warning, "records", "the disk is full: the reserve was given back",
              {{"bytes", static_cast<std::int64_t>(reserve_bytes)}});
}

bool Reserve::recovered() {
    take();
    return held_ != 0 ? room() >= room_bytes_min : room() >= reserve_bytes + room_bytes_min;
}

} // namespace clinic::records
