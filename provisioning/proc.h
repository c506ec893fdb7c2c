// What /proc shows of a process.
#pragma once

#include <sys/types.h>

#include <array>
#include <compare>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace clinic::provisioning {

std::string proc_text(pid_t process, const std::string& name); // empty where it cannot be read
std::string proc_link(pid_t process, const std::string& name);
std::vector<std::string> proc_names(pid_t process, const std::string& folder);

// Every thread by its path below /proc/PID; false where one does not hold, or none can be seen.
bool every_thread(pid_t process, const std::function<bool(const std::string&)>& holds);
bool every_thread_has(pid_t process, const char* key, long wanted, int number_base);

// Real, effective, saved and file-system user or group: one number, or -1.
long one_id(pid_t process, const char* key);
bool is_dumpable(pid_t process); // or may leave a core file

// Who a process is to the kernel: real, effective and saved user and group, and the supplementary groups.
struct Identity {
    std::array<uid_t, 3> users{};
    std::array<gid_t, 3> groups{};
    std::vector<gid_t> others;
    auto operator<=>(const Identity&) const = default;
};
// Of every thread; empty where one cannot be told: it has ended, or its file-system user is another than its effective
// one.
std::set<Identity> identities_of(pid_t process);

std::vector<pid_t> processes_running(const std::string& program); // a path, replaced since or not

} // namespace clinic::provisioning
