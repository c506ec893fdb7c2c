#include "crypto/base/process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "crypto/base/owned.h"

namespace clinic::base {
namespace {

Error failed(Literal what) {
    return Error{Errc::system, what, "", {}, errno};
}

} // namespace

void close_inherited(unsigned first) {
    close_range(first, ~0U, 0);
    if (const UniqueFd nothing{open("/dev/null", O_RDONLY | O_CLOEXEC)}) dup2(nothing.get(), STDIN_FILENO);
}

sigset_t block_signals(std::initializer_list<int> signals) {
    sigset_t all;
    sigemptyset(&all);
    for (const int one : signals) sigaddset(&all, one);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    signal(SIGPIPE, SIG_IGN);
    return all;
}

Result<void> close_dumps() {
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) return failed("core dumps cannot be switched off");
    // A handler behind a pipe is given the memory whatever the limit says; not of a process that is not dumpable.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("memory dumps cannot be switched off");
    return {};
}

void bound_capabilities() {
    for (int one = 0; prctl(PR_CAPBSET_READ, one, 0, 0, 0) >= 0; ++one) prctl(PR_CAPBSET_DROP, one, 0, 0, 0);
}

Result<void> drop_capabilities() {
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("new privileges cannot be renounced");
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    // Where there is none the question is enough: a service manager's filter may refuse the deed.
    __user_cap_data_struct none[2]{}, held[2]{};
    const auto is_empty = [](const __user_cap_data_struct& set) {
        return set.effective == 0 && set.permitted == 0 && set.inheritable == 0;
    };
    if (syscall(SYS_capget, &header, held) == 0 && is_empty(held[0]) && is_empty(held[1])) return {};
    if (syscall(SYS_capset, &header, none) != 0) return failed("the capabilities cannot be dropped");
    return {};
}

void name_this_thread(Literal name) {
    prctl(PR_SET_NAME, name.c_str(), 0, 0, 0);
}

long status_value(const std::string& status, std::string_view key, int number_base) {
    const auto at = status.find("\n" + std::string{key} + ":");
    if (at == std::string::npos) return -1;
    const auto from = status.find_first_not_of(" \t", at + key.size() + 2);
    long value = -1;
    if (from != std::string::npos)
        std::from_chars(status.data() + from, status.data() + status.size(), value, number_base);
    return value;
}

} // namespace clinic::base
