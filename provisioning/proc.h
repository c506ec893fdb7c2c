// What /proc shows of a process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
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
std::vector<pid_t> processes_of(uid_t user);

} // namespace clinic::provisioning
