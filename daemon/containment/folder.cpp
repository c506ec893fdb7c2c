#include "daemon/containment/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "crypto/base/owned.h"

namespace clinic::containment {
namespace {

using Folder = std::unique_ptr<DIR, base::FreedBy<closedir>>;

constexpr mode_t others = S_IRWXG | S_IRWXO;

bool is_ours(const struct stat& about) {
    return about.st_uid == geteuid() && (about.st_mode & others) == 0;
}

} // namespace

bool is_closed_to_others(const std::filesystem::path& folder) {
    struct stat about {};
    if (lstat(folder.c_str(), &about) != 0 || !S_ISDIR(about.st_mode) || !is_ours(about)) return false;
    const Folder open{opendir(folder.c_str())};
    if (!open) return false;
    while (const dirent* one = readdir(open.get())) {
        const std::string_view name{one->d_name};
        if (name == "." || name == "..") continue;
        if (fstatat(dirfd(open.get()), one->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) continue; // gone meanwhile
        if (!S_ISREG(about.st_mode) || about.st_nlink != 1 || !is_ours(about)) return false;
    }
    return true;
}

bool key_is_closed(const std::filesystem::path& file, std::optional<uid_t> peer) {
    struct stat about {};
    if (stat(file.c_str(), &about) != 0) return errno == ENOENT; // what is not there is read by nobody
    if (!S_ISREG(about.st_mode) || (about.st_mode & S_IRWXO) != 0) return false;
    if (about.st_uid != geteuid() && about.st_uid != 0) return false;
    if (peer && about.st_uid == *peer) return false;
    if ((about.st_mode & S_IRWXG) == 0) return true;
    // systemd hands credentials over by an access list, whose mask shows as the mode of root's group: then we can read
    // it though neither owner nor group. Another group's members may be anybody, the sender too.
    return about.st_uid == 0 && about.st_gid == 0 && access(file.c_str(), R_OK) == 0;
}

} // namespace clinic::containment
