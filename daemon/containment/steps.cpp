#include "daemon/containment/steps.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "crypto/base/log.h"
#include "crypto/base/owned.h"
#include "daemon/containment/network.h"

namespace clinic::containment {
namespace {

// linux/landlock.h of the newest interface that we use (6); Debian 12 ships the one of 2.
struct Ruleset {
    std::uint64_t files = 0, network = 0, scoped = 0;
};
constexpr std::uint64_t changes_files =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
constexpr std::uint64_t truncate = 1ULL << 14, ioctl_device = 1ULL << 15;
constexpr std::uint64_t bind_and_connect = 3, abstract_sockets_and_signals = 3;
constexpr std::uint64_t needed_in_folder = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                           LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                           LANDLOCK_ACCESS_FS_MAKE_REG;

Error failed(Literal what) {
    return Error{Errc::system, what, "", {}, errno};
}

void write_map(const char* path, unsigned inside, unsigned outside) {
    const base::UniqueFd file{open(path, O_WRONLY | O_CLOEXEC)};
    if (!file) return;
    const std::string line = std::to_string(inside) + " " + std::to_string(outside) + " 1\n";
    [[maybe_unused]] const auto put = write(file.get(), line.data(), line.size()); // inspect() looks at the outcome
}

Ruleset ruleset_of(long version) {
    Ruleset set{.files = changes_files};
    if (version >= 2) set.files |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3) set.files |= truncate;
    if (version >= 4) set.network = bind_and_connect;
    if (version >= 5) set.files |= ioctl_device;
    if (version >= 6) set.scoped = abstract_sockets_and_signals;
    return set;
}

bool restrict_writes(const std::filesystem::path& folder) {
    const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return false;
    const Ruleset wanted = ruleset_of(version);
    // A kernel refuses a longer structure than it knows, unless the rest is zero.
    const base::UniqueFd ruleset{static_cast<int>(syscall(SYS_landlock_create_ruleset, &wanted, sizeof wanted, 0))};
    if (!ruleset) return false;
    landlock_path_beneath_attr beneath{};
    const base::UniqueFd place{open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    beneath.allowed_access = needed_in_folder | (version >= 3 ? truncate : 0);
    beneath.parent_fd = place.get();
    if (place && syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
        return false;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

} // namespace

void leave_network() {
    if (unshare(CLONE_NEWNET) == 0) return;
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        const int why = errno;
        if (network_is_empty("/proc/self")) return; // the service manager gave one, and refuses another
        base::log(base::Level::warning, "containment", "this machine allows no network namespace", {{"errno", why}});
        return;
    }
    if (const base::UniqueFd groups{open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC)}) {
        [[maybe_unused]] const auto put = write(groups.get(), "deny", 4);
    }
    write_map("/proc/self/uid_map", uid, uid);
    write_map("/proc/self/gid_map", gid, gid);
}

void keep_writes_in(const std::filesystem::path& folder) {
    if (!restrict_writes(folder))
        base::log(base::Level::warning, "containment", "this machine cannot bind writes to the records folder",
                  {{"errno", errno}});
}

Result<void> become(const User& user) {
    if (user.uid == 0 || user.gid == 0)
        return Error{Errc::refused, "patient data is not handled by root", "name an unprivileged user"};
    int end_with_parent = 0; // a change of user forgets it
    prctl(PR_GET_PDEATHSIG, &end_with_parent, 0, 0, 0);
    if (setgroups(0, nullptr) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
        setresuid(user.uid, user.uid, user.uid) != 0)
        return failed("the user cannot be changed");
    prctl(PR_SET_PDEATHSIG, end_with_parent, 0, 0, 0);
    return {};
}

} // namespace clinic::containment
