#include "tests/e2e/canary/attempts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>
#include <utility>

namespace clinic::e2e {
namespace {

constexpr std::array calls{std::pair{SYS_socket, "socket"},    std::pair{SYS_socketpair, "socketpair"},
                           std::pair{SYS_connect, "connect"},  std::pair{SYS_bind, "bind"},
                           std::pair{SYS_sendto, "sendto"},    std::pair{SYS_sendmsg, "sendmsg"},
                           std::pair{SYS_sendmmsg, "sendmmsg"}};

// The kernel's traces, mounted nowhere.
base::UniqueFd traces() {
    const base::UniqueFd context{fsopen("tracefs", FSOPEN_CLOEXEC)};
    if (!context || fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
    return base::UniqueFd{fsmount(context.get(), FSMOUNT_CLOEXEC, 0)};
}

std::string threads_of(const std::vector<pid_t>& processes) {
    std::string all;
    for (const pid_t one : processes) {
        std::error_code gone;
        for (std::filesystem::directory_iterator thread{"/proc/" + std::to_string(one) + "/task", gone}, end;
             !gone && thread != end; thread.increment(gone))
            all += thread->path().filename().string() + " ";
    }
    return all;
}

std::string refused_calls() {
    // EPERM, and ENOTSOCK: the filter's answer to sendmsg.
    std::string filter =
        "(ret == -1 || (ret == -" + std::to_string(ENOTSOCK) + " && id == " + std::to_string(SYS_sendmsg) + ")) && (";
    for (std::size_t i = 0; i < calls.size(); ++i)
        filter += (i == 0 ? "id == " : " || id == ") + std::to_string(calls[i].first);
    return filter + ")";
}

} // namespace

Attempts::Attempts(const std::vector<pid_t>& processes)
    : file_system_{traces()}, name_{"instances/clinic-canary-" + std::to_string(getpid())} {
    if (!file_system_ || mkdirat(file_system_.get(), name_.c_str(), 0700) != 0) return;
    folder_.reset(openat(file_system_.get(), name_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    counts_ = put("options/event-fork", "1") && put("set_event_pid", threads_of(processes)) &&
              put("events/raw_syscalls/sys_exit/filter", refused_calls()) &&
              put("events/raw_syscalls/sys_exit/enable", "1");
}

Attempts::~Attempts() {
    if (!folder_) return;
    put("events/raw_syscalls/sys_exit/enable", "0");
    folder_.reset();
    unlinkat(file_system_.get(), name_.c_str(), AT_REMOVEDIR);
}

bool Attempts::put(const char* file, const std::string& text) const {
    const base::UniqueFd out{openat(folder_.get(), file, O_WRONLY | O_TRUNC | O_CLOEXEC)};
    return out && write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

void Attempts::forget() {
    if (counts_) put("trace", "\n");
}

// "  name-123   [000] ..... 12.345678: sys_exit: NR 42 = -1"
std::vector<std::string> Attempts::refused() const {
    std::string text;
    if (const base::UniqueFd in{openat(folder_.get(), "trace", O_RDONLY | O_CLOEXEC)}) {
        std::array<char, 65'536> part{};
        for (ssize_t got; (got = read(in.get(), part.data(), part.size())) > 0;)
            text.append(part.data(), static_cast<std::size_t>(got));
    }
    std::vector<std::string> found;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        const auto at = line.find("sys_exit: NR ");
        if (at == std::string::npos) continue;
        const long number = std::strtol(line.c_str() + at + 13, nullptr, 10);
        const auto name = line.substr(line.find_first_not_of(' '), line.find('[') - line.find_first_not_of(' '));
        for (const auto& [call, word] : calls)
            if (call == number) found.push_back(name.substr(0, name.rfind('-')) + ": " + word);
    }
    return found;
}

} // namespace clinic::e2e
