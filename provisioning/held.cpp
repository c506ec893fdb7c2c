#include "provisioning/held.h"

#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <string>

#include "provisioning/proc.h"

namespace clinic::provisioning {
namespace {

bool same_file(const std::string& one, const std::filesystem::path& other) {
    struct stat left {};
    struct stat right {};
    return stat(one.c_str(), &left) == 0 && stat(other.c_str(), &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

bool listens(int socket) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1;
}

// "flags:\t0100002" of fdinfo.
int flags_of(pid_t process, const std::string& number) {
    std::istringstream lines{proc_text(process, "fdinfo/" + number)};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("flags:")) return static_cast<int>(std::strtol(line.c_str() + 6, nullptr, 8));
    return -1;
}

} // namespace

std::optional<Descriptors> Descriptors::of(pid_t process) {
    const base::UniqueFd handle{static_cast<int>(syscall(SYS_pidfd_open, process, 0))};
    if (!handle) return std::nullopt;
    Descriptors seen;
    for (const auto& name : proc_names(process, "fd")) {
        const auto path = "/proc/" + std::to_string(process) + "/fd/" + name;
        containment::Held one{.number = std::atoi(name.c_str()),
                              .link = proc_link(process, "fd/" + name),
                              .about = {},
                              .flags = flags_of(process, name),
                              .kind = 0,
                              .socket = -1};
        struct statfs system {};
        if (one.link.empty() || one.flags < 0 || stat(path.c_str(), &one.about) != 0 ||
            statfs(path.c_str(), &system) != 0) {
            struct stat entry {};
            if (lstat(path.c_str(), &entry) != 0) continue; // closed meanwhile
            one.link.clear();                               // not seen, and said so
        }
        one.kind = system.f_type;
        if (S_ISSOCK(one.about.st_mode)) {
            base::UniqueFd taken{static_cast<int>(syscall(SYS_pidfd_getfd, handle.get(), one.number, 0))};
            if (!taken && errno == EBADF) continue;
            if (!taken) return std::nullopt;
            one.socket = taken.get();
            seen.taken_.push_back(std::move(taken));
        }
        seen.all_.push_back(std::move(one));
    }
    return seen.all_.empty() ? std::nullopt : std::optional{std::move(seen)};
}

bool Descriptors::listens_at(const std::filesystem::path& door) const {
    return std::any_of(taken_.begin(), taken_.end(), [&](const base::UniqueFd& one) {
        return listens(one.get()) && same_file(containment::name_of(one.get()), door);
    });
}

std::set<pid_t> Descriptors::callers(const std::set<std::string>& doors, const std::filesystem::path& control) const {
    std::set<pid_t> found;
    for (const auto& one : taken_) {
        const auto name = containment::name_of(one.get());
        if (listens(one.get()) || !doors.contains(name) || same_file(name, control)) continue;
        ucred caller{};
        socklen_t size = sizeof caller;
        if (getsockopt(one.get(), SOL_SOCKET, SO_PEERCRED, &caller, &size) == 0 && caller.pid > 0 &&
            !proc_text(caller.pid, "status").empty())
            found.insert(caller.pid);
    }
    return found;
}

} // namespace clinic::provisioning
