// weaken WHAT PROGRAM NAME ARGUMENT…: starts the program as a machine would that allows less, or as a starter that left
// something open. WHAT: no-namespace, no-landlock, no-filter, network-input.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <string_view>

namespace {

bool without(std::initializer_list<int> calls) {
    const auto context = seccomp_init(SCMP_ACT_ALLOW);
    bool made = context != nullptr;
    // The new program must still be able to change its user: no_new_privs has no hold on that.
    for (const int call : calls) made = made && seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
    made = made && seccomp_load(context) == 0;
    seccomp_release(context);
    return made;
}

// A socket to the network as standard input and as a descriptor that nobody declared.
bool leave_network_open() {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO && dup2(fd, 200) == 200 && dup2(fd, STDOUT_FILENO) >= 0;
}

} // namespace

int main(int count, char** arguments) {
    if (count < 4) return 2;
    const std::string_view what{arguments[1]};
    bool weakened = false;
    if (what == "no-namespace") weakened = without({SCMP_SYS(unshare)});
    if (what == "no-landlock") weakened = without({SCMP_SYS(landlock_create_ruleset)});
    if (what == "no-filter") weakened = without({SCMP_SYS(seccomp)});
    if (what == "network-input") weakened = leave_network_open();
    if (!weakened) return 3;
    execv(arguments[2], arguments + 3);
    return 4;
}
