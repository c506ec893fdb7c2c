#include "tests/crypto/pretended_file_system.h"

#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace {

struct Pretended {
    long kind;
    std::string below;
};
std::mutex mutex;
std::optional<Pretended> pretended; // nullopt: the kernel's own answer

} // namespace

// In the place of the C library's: what the kernel would say of another file system.
extern "C" int statfs(const char* path, struct statfs* out) noexcept {
    const long rc = syscall(SYS_statfs, path, out);
    const std::lock_guard lock{mutex};
    if (rc == 0 && pretended && std::string_view{path}.starts_with(pretended->below)) out->f_type = pretended->kind;
    return static_cast<int>(rc);
}

namespace clinic::tests {

PretendedFileSystem::PretendedFileSystem(long kind, std::string below) {
    const std::lock_guard lock{mutex};
    pretended = Pretended{kind, std::move(below)};
}

PretendedFileSystem::~PretendedFileSystem() {
    const std::lock_guard lock{mutex};
    pretended.reset();
}

} // namespace clinic::tests
