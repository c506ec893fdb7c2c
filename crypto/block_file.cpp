#include "crypto/block_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace clinic::crypto {

Result<BlockFile> BlockFile::open(const std::filesystem::path& path) {
    base::UniqueFd file{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY)};
    if (!file) {
        const int why = errno;
        return Error{
            why == ENOENT ? Errc::not_found : Errc::system, "a file of the store cannot be opened", "", {}, why};
    }
    return BlockFile{std::move(file)};
}

Result<std::uint64_t> BlockFile::size() const {
    struct stat found {};
    if (fstat(file_.get(), &found) != 0) return Error{Errc::system, "a file of the store has no size", "", {}, errno};
    return static_cast<std::uint64_t>(found.st_size);
}

Result<bool> BlockFile::read(std::uint64_t at, std::span<std::byte> out) const {
    while (!out.empty()) {
        const ssize_t got = pread(file_.get(), out.data(), out.size(), static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error{Errc::system, "a file of the store cannot be read", "", {}, errno};
        if (got == 0) return false;
        out = out.subspan(static_cast<std::size_t>(got));
        at += static_cast<std::uint64_t>(got);
    }
    return true;
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
