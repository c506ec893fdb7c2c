#include "daemon/records/salvage/folders.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "crypto/base/owned.h"

namespace clinic::salvage {

namespace fs = std::filesystem;

Error system_error(Literal what) {
    return {errno == ENOSPC || errno == EDQUOT ? Errc::full : Errc::system, what, "", {}, errno};
}

Result<void> sync_folder(const fs::path& folder) {
    const base::UniqueFd opened{open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!opened || fsync(opened.get()) != 0) return system_error("a folder cannot be synced");
    return {};
}

Result<void> give_to_owner_of(const fs::path& of, const fs::path& given) {
    struct stat about {};
    if (geteuid() != 0 || stat(of.c_str(), &about) != 0) return {};
    std::vector<fs::path> all{given};
    if (fs::is_directory(given))
        for (const auto& entry : fs::directory_iterator{given}) all.push_back(entry.path());
    for (const auto& path : all)
        if (lchown(path.c_str(), about.st_uid, about.st_gid) != 0)
            return system_error("the new store cannot be given to who has the old one");
    return {};
}

Result<void> copy_durably(const fs::path& from, const fs::path& to) {
    std::error_code failed;
    fs::copy_file(from, to, failed);
    if (failed) {
        errno = failed.value();
        return system_error("a file of the store cannot be copied");
    }
    const base::UniqueFd made{open(to.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!made || fchmod(made.get(), S_IRUSR | S_IWUSR) != 0 || fsync(made.get()) != 0)
        return system_error("a copied file of the store cannot be synced");
    return {};
}

Result<AsOwner> AsOwner::of(const fs::path& folder) {
    struct stat about {};
    if (stat(folder.c_str(), &about) != 0) return system_error("the records' folder cannot be looked at");
    AsOwner out;
    if (geteuid() != 0 || about.st_uid == 0) return out;
    const gid_t group = about.st_gid;
    if (setgroups(1, &group) != 0 || setegid(group) != 0 || seteuid(about.st_uid) != 0)
        return system_error("the rights of the records' owner cannot be taken on");
    out.given_ = true;
    return out;
}

AsOwner::~AsOwner() {
    if (!given_) return;
    // Root's own again; where that failed, the process ends with fewer rights than it had.
    if (seteuid(0) != 0 || setegid(0) != 0) return;
}

std::string look_of(const fs::path& folder) {
    std::string out;
    for (const char* name : {"records.db", "records.db-wal"}) {
        struct stat about {};
        const bool there = stat((folder / name).c_str(), &about) == 0 && about.st_size > 0;
        if (!there) about = {};
        for (const auto value :
             {static_cast<std::int64_t>(about.st_ino), static_cast<std::int64_t>(about.st_size),
              static_cast<std::int64_t>(about.st_mtim.tv_sec), static_cast<std::int64_t>(about.st_mtim.tv_nsec)})
            out += std::to_string(value) + ' ';
    }
    return out;
}

} // namespace clinic::salvage
