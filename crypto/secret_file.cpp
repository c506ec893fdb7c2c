#include "crypto/secret_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/base/owned.h"

namespace clinic::crypto {

Result<SecureBytes> read_secret_file(const std::filesystem::path& path, std::size_t bytes_max) {
    const base::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file) return Error{Errc::not_found, "a secret's file cannot be opened", "", {}, errno};
    SecureBytes all = SecureBytes::zeroed(bytes_max + 1);
    std::size_t size = 0;
    while (size < all.size()) {
        const ssize_t got = ::read(file.get(), all.bytes().data() + size, all.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error{Errc::system, "a secret's file cannot be read", "", {}, errno};
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > bytes_max) return Error{Errc::full, "a secret's file is longer than a secret is"};
    return SecureBytes::copy_of(std::as_const(all).bytes().first(size));
}

} // namespace clinic::crypto
