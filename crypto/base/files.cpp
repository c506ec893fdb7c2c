#include "crypto/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "crypto/base/owned.h"

namespace clinic::base {
namespace {

template <class Buffer>
Result<Buffer> read_whole(const std::filesystem::path& path, std::size_t bytes_max) {
    const UniqueFd file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file) {
        const int why = errno;
        return Error{why == ENOENT ? Errc::not_found : Errc::system, "a file cannot be opened", "", {}, why};
    }
    Buffer out;
    char part[16'384];
    for (;;) {
        const ssize_t got = read(file.get(), part, sizeof part);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error{Errc::system, "a file cannot be read", "", {}, errno};
        if (got == 0) return out;
        if (out.size() + static_cast<std::size_t>(got) > bytes_max)
            return Error{Errc::full, "a file is longer than its bound"};
        const auto* from = reinterpret_cast<const typename Buffer::value_type*>(part);
        out.insert(out.end(), from, from + got);
    }
}

Result<void> write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t put = write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return file_error("a file cannot be written", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
}

Result<void> sync_folder_of(const std::filesystem::path& path) {
    const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
    const UniqueFd folder{open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder || fsync(folder.get()) != 0) return file_error("a folder cannot be synced", errno);
    return {};
}

// Asked for only where it differs: clinicd's filter has no call that changes a file's mode or owner.
Result<void> settle(int file, unsigned mode, const std::optional<Owner>& owner) {
    struct stat about {};
    if (fstat(file, &about) != 0) return file_error("a file cannot be looked at", errno);
    if (owner && (about.st_uid != owner->user || about.st_gid != owner->group) &&
        fchown(file, owner->user, owner->group) != 0)
        return file_error("a file cannot be given to its owner", errno);
    if ((about.st_mode & 07777) != mode && fchmod(file, mode) != 0)
        return file_error("a file's mode cannot be set", errno);
    return {};
}

} // namespace

Error file_error(Literal what, int native) {
    switch (native) {
    case ENOSPC:
    case EDQUOT: return {Errc::full, what, "make room on its disk: clinicctl check, disk.space", {}, native};
    case EROFS: return {Errc::system, what, "its disk can only be read: clinicctl check, disk.writable", {}, native};
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
        return {Errc::system, what, "see that its folder is there, and that it is no folder itself", {}, native};
    case EACCES:
    case EPERM: return {Errc::system, what, "only root and its owner may do that", {}, native};
    default: return {Errc::system, what, "clinicctl check says what ails the disk", {}, native};
    }
}

Result<std::string> read_text(const std::filesystem::path& path, std::size_t bytes_max) {
    return read_whole<std::string>(path, bytes_max);
}

Result<std::vector<std::byte>> read_bytes(const std::filesystem::path& path, std::size_t bytes_max) {
    return read_whole<std::vector<std::byte>>(path, bytes_max);
}

Result<void> write_durable(const std::filesystem::path& path, std::span<const std::byte> bytes, unsigned mode,
                           std::optional<Owner> owner) {
    auto beside = path;
    beside += ".new";
    {
        unlink(beside.c_str()); // what an interrupted write left, or a link that somebody planted
        const UniqueFd file{open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
        if (!file) return file_error("a file cannot be made", errno);
        CLINIC_TRY(settle(file.get(), mode, owner));
        CLINIC_TRY(write_all(file.get(), bytes));
        if (fsync(file.get()) != 0) return file_error("a file cannot be synced", errno);
    }
    if (rename(beside.c_str(), path.c_str()) != 0) return file_error("a file cannot be renamed", errno);
    return sync_folder_of(path);
}

Result<bool> remove_durable(const std::filesystem::path& path) {
    const bool was_there = unlink(path.c_str()) == 0;
    if (!was_there && errno != ENOENT) return file_error("a file cannot be removed", errno);
    CLINIC_TRY(sync_folder_of(path));
    return was_there;
}

std::span<const std::byte> as_bytes(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

} // namespace clinic::base
