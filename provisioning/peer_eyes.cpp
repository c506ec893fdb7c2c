#include "provisioning/peer_eyes.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>

#include "crypto/base/owned.h"

namespace clinic::provisioning {
namespace {

struct Attempt {
    std::string what;
    std::function<bool()> refused;
};

bool cannot_open(const std::filesystem::path& path) {
    return !base::UniqueFd{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
}

bool cannot_reach(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    if (text.size() >= sizeof address.sun_path) return true;
    std::memcpy(address.sun_path, text.data(), text.size());
    const base::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    return connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
}

bool cannot_read_memory(pid_t process) {
    char here = 0;
    iovec mine{&here, 1};
    iovec theirs{&here, 1}; // an address that need not be theirs: the right is looked at first
    return process_vm_readv(process, &mine, 1, &theirs, 1, 0) < 0 && errno == EPERM;
}

bool cannot_attach(pid_t process) {
    if (ptrace(PTRACE_SEIZE, process, nullptr, nullptr) != 0) return true;
    ptrace(PTRACE_DETACH, process, nullptr, nullptr);
    return false;
}

bool cannot_take_descriptor(pid_t process) {
    const base::UniqueFd handle{static_cast<int>(syscall(SYS_pidfd_open, process, 0))};
    return !base::UniqueFd{static_cast<int>(syscall(SYS_pidfd_getfd, handle.get(), 0, 0))};
}

std::vector<Attempt> attempts(const About& about) {
    std::vector<Attempt> all;
    const auto process = std::filesystem::path{"/proc"} / std::to_string(about.pid);
    for (const char* name : {"mem", "maps", "smaps", "environ", "auxv", "fd", "fdinfo", "map_files", "pagemap", "io",
                             "stack", "syscall", "personality", "ns", "cwd/.", "root/."})
        all.push_back({std::string{"open "} + name, [path = process / name] { return cannot_open(path); }});
    const pid_t pid = about.pid;
    all.push_back({"attach", [pid] { return cannot_attach(pid); }});
    all.push_back({"read memory", [pid] { return cannot_read_memory(pid); }});
    all.push_back({"take a descriptor", [pid] { return cannot_take_descriptor(pid); }});
    all.push_back({"send a signal", [pid] { return kill(pid, 0) != 0; }});
    all.push_back({"open the records folder", [path = about.records] { return cannot_open(path); }});
    for (const char* name : {"records.db", "records.db-wal", "records.db.lock", "keys.db"})
        all.push_back({std::string{"open "} + name, [path = about.records / name] { return cannot_open(path); }});
    all.push_back({"open the key file", [path = about.credential] { return cannot_open(path); }});
    all.push_back({"reach control.sock", [path = about.control] { return cannot_reach(path); }});
    return all;
}

// One byte an attempt: '1' refused.
void child(uid_t user, const std::vector<Attempt>& all, int answer) {
    const auto group = static_cast<gid_t>(user);
    if (setgroups(0, nullptr) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0) return;
    for (const auto& one : all) {
        const char said = one.refused() ? '1' : '0';
        if (write(answer, &said, 1) != 1) return;
    }
}

} // namespace

std::optional<std::vector<Tried>> try_as(uid_t user, const About& about) {
    const auto all = attempts(about);
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
    const base::UniqueFd answers{ends[0]};
    const pid_t eyes = fork();
    if (eyes == 0) {
        child(user, all, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    std::vector<Tried> tried;
    char said = 0;
    while (tried.size() < all.size() && read(answers.get(), &said, 1) == 1)
        tried.push_back({all[tried.size()].what, said == '1'});
    waitpid(eyes, nullptr, 0);
    return tried.size() == all.size() ? std::optional{std::move(tried)} : std::nullopt;
}

} // namespace clinic::provisioning
