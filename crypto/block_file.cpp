#include "crypto/block_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace clinic::crypto {

namespace {

Error not_ours() {
    return Error{Errc::refused, "a file of the store is a link, has a second name or belongs to another user",
                 "look at the records folder with ls -li, and take away what was put there"};
}

} // namespace

Result<void> only_ours(const struct stat& about) {
    if (S_ISREG(about.st_mode) && about.st_nlink == 1 && about.st_uid == geteuid()) return {};
    return not_ours();
}

Result<void> only_ours(const std::filesystem::path& path) {
    struct stat about {};
    if (lstat(path.c_str(), &about) == 0) return only_ours(about);
    if (errno == ENOENT) return {};
    return Error{Errc::system, "a file of the store cannot be looked at", "", {}, errno};
}

Result<BlockFile> BlockFile::open(const std::filesystem::path& path) {
    base::UniqueFd file{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW)};
    if (!file) {
        const int why = errno;
        if (why == ELOOP) return not_ours();
        return Error{
            why == ENOENT ? Errc::not_found : Errc::system, "a file of the store cannot be opened", "", {}, why};
    }
    struct stat about {};
    if (fstat(file.get(), &about) != 0) return Error{Errc::system, "a file of the store has no state", "", {}, errno};
    CLINIC_TRY(only_ours(about));
    return BlockFile{std::move(file)};
}

Result<std::uint64_t> BlockFile::size() const {
    struct stat found {};
    if (fstat(file_.get(), &found) != 0) return Error{Errc::system, "a file of the store has no size", "", {}, errno};
    return static_cast<std::uint64_t>(found.st_size);
}

Result<bool> read_whole(int file, std::uint64_t at, std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t got = pread(file, out.data(), out.size(), static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error{Errc::system, "a file of the store cannot be read", "", {}, errno};
        if (got == 0) return false;
        out = out.subspan(static_cast<std::size_t>(got));
        at += static_cast<std::uint64_t>(got);
    }
    return true;
}

Result<bool> BlockFile::read(std::uint64_t at, std::span<std::byte> out) const {
    return read_whole(file_.get(), at, out);
}

Result<void> BlockFile::write(std::uint64_t at, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
        const ssize_t put = pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            const int why = errno;
            const bool no_room = why == ENOSPC || why == EDQUOT;
            return Error{no_room ? Errc::full : Errc::system, "a file of the store cannot be written", "", {}, why};
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        at += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<void> BlockFile::sync() const {
    if (fsync(file_.get()) != 0) return Error{Errc::system, "a file of the store cannot be synced", "", {}, errno};
    return {};
}

} // namespace clinic::crypto
