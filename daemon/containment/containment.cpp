#include "daemon/containment/containment.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"
#include "crypto/base/process.h"
#include "daemon/containment/descriptors/descriptors.h"
#include "daemon/containment/filter.h"
#include "daemon/containment/folder.h"
#include "daemon/containment/network.h"
#include "daemon/containment/steps.h"
#include "daemon/containment/ways.h"

namespace clinic::containment {
namespace {

using Folder = std::unique_ptr<DIR, base::FreedBy<closedir>>;

constexpr std::size_t proc_bytes_max = 65'536;
constexpr std::size_t groups_max = 64;
constexpr unsigned nobody = 65'534; // also how an id shows that the user namespace does not know

std::string proc(const std::string& path) {
    auto text = base::read_text(path, proc_bytes_max);
    return text ? std::move(text).value() : std::string{};
}

// Every thread of this process by its folder below /proc; false where one does not hold, or none can be seen.
bool each_thread(const std::function<bool(const std::string&)>& holds) {
    const Folder threads{opendir("/proc/self/task")};
    if (!threads) return false;
    int seen = 0;
    while (const dirent* one = readdir(threads.get())) {
        if (one->d_name[0] == '.') continue;
        const std::string folder = std::string{"/proc/self/task/"} + one->d_name;
        if (holds(folder))
            ++seen;
        else if (access((folder + "/status").c_str(), F_OK) == 0)
            return false; // and not one that has just ended
    }
    return seen > 0;
}

bool each_thread_has(std::string_view key, long wanted, int base) {
    return each_thread(
        [&](const std::string& folder) { return base::status_value(proc(folder + "/status"), key, base) == wanted; });
}

bool no_capabilities() {
    const std::array sets{"CapInh", "CapPrm", "CapEff", "CapAmb"};
    return std::all_of(sets.begin(), sets.end(), [](const char* set) { return each_thread_has(set, 0, 16); });
}

bool own_user(std::optional<uid_t> peer) {
    uid_t uid[3]{};
    gid_t gid[3]{};
    std::array<gid_t, groups_max> groups{};
    const int count = getgroups(static_cast<int>(groups.size()), groups.data());
    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0 || count < 0)
        return false;
    const auto one_id = [](const auto& ids) {
        return ids[0] != 0 && ids[0] != nobody && ids[0] == ids[1] && ids[0] == ids[2];
    };
    const auto ours = [&](gid_t group) { return group == gid[0]; };
    return one_id(uid) && one_id(gid) && std::all_of(groups.begin(), groups.begin() + count, ours) && peer &&
           *peer != uid[0];
}

bool no_dumps() {
    rlimit core{};
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 &&
           core.rlim_max == 0;
}

// A device that this process may read and, by its mode, write: where opening it for writing is refused all the same,
// the bound is the reason. The mode is asked by access(2), which Landlock leaves alone; that reading works shows that
// the file system is not the reason.
Part writes_are_bound() {
    constexpr Literal name = "writing elsewhere";
    for (const char* device : {"/dev/null", "/dev/zero", "/dev/full"}) {
        if (access(device, W_OK) != 0 || !base::UniqueFd{open(device, O_RDONLY | O_CLOEXEC)}) continue;
        if (base::UniqueFd{open(device, O_WRONLY | O_CLOEXEC)})
            return {name, false, "this kernel has no Landlock, or refused it"};
        if (errno == EACCES) return {name, true, "refused"};
    }
    return {name, false, "not looked at: no device could be opened to try"};
}

// Another thread may close one and open another while they are looked at: what is a fault stays one.
Part descriptors(const Options& options) {
    constexpr Literal name = "descriptors";
    constexpr int looks_max = 3;
    const char* notify = std::getenv("NOTIFY_SOCKET");
    const Declared declared{.ports = options.ports,
                            .doors = options.doors,
                            .records = options.records,
                            .notify = notify == nullptr ? "" : notify,
                            .bus = options.bus,
                            .process = getpid()};
    for (int look = 1;; ++look) {
        const auto all = own_descriptors();
        const auto fault = undeclared(all, declared);
        if (!fault) return {name, true, output_of(all)};
        if (look == looks_max) return {name, false, *fault};
    }
}

Part part(Literal name, bool holds, Literal yes, Literal no) {
    return {name, holds, holds ? yes : no};
}

} // namespace

Result<void> enter(const Options& options, const std::function<void()>& last_connections) {
    // A namespace and a bound of writes are each thread's own.
    int threads = 0;
    each_thread([&threads](const std::string&) { return ++threads > 0; });
    if (threads != 1) return Error{Errc::refused, "a thread was started before the containment"};
    leave_network();
    keep_writes_in(options.records);
    base::bound_capabilities();
    if (options.become && geteuid() == 0) CLINIC_TRY(become(*options.become));
    if (geteuid() == 0) return Error{Errc::refused, "patient data is not handled by root", "start with --user UID"};
    CLINIC_TRY(base::drop_capabilities());
    CLINIC_TRY(base::close_dumps());
    if (last_connections) last_connections();
    return load_filter();
}

std::vector<Part> inspect(const Options& options) {
    std::vector<Part> parts{
        part("network namespace", each_thread(network_is_empty), "empty",
             "this machine allows no namespace of our own"),
        part("system call filter", each_thread_has("Seccomp", 2, 10), "loaded", "not loaded"),
        part("no new privileges", each_thread_has("NoNewPrivs", 1, 10), "set", "not set"),
        part("no capabilities", no_capabilities(), "none", "some are left"),
        part("own user", own_user(options.peer), "unprivileged, and not the sender's",
             "the same user as the sender, or root"),
        part("no memory dumps", no_dumps(), "off", "on"),
        descriptors(options),
        writes_are_bound(),
        part("records folder", is_closed_to_others(options.records), "ours alone",
             "another user may open it, or a link lies in it"),
        part("key file", key_is_closed(options.credential, options.peer), "closed to others", "others may read it"),
    };
    for (const auto& way : ways()) parts.push_back(part(way.name, way.refused(), "refused", "allowed"));
    return parts;
}

std::vector<Part> try_ways(const Probe& probe) {
    const Literal yes =
        probe.has_sockets() ? Literal{"refused"} : Literal{"the call is refused; no socket could be had"};
    const Literal no = probe.has_sockets() ? Literal{"got out"} : Literal{"the call is allowed"};
    return {part("accepted socket turned outward", probe.accepted_stays(), yes, no),
            part("sending that connects", probe.fast_open_stays(), yes, no),
            part("listening socket turned outward", probe.listener_stays(), yes, no)};
}

} // namespace clinic::containment
