#include "provisioning/peer_eyes.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "crypto/base/owned.h"

namespace clinic::provisioning {
namespace {

struct Found {
    Outcome outcome;
    int why;
};
struct Attempt {
    std::string what;
    std::function<Found()> look;
};

// Of a call that has just been made.
Found outcome_of(bool succeeded) {
    if (succeeded) return {Outcome::open, 0};
    return {errno == EACCES || errno == EPERM ? Outcome::refused : Outcome::not_looked_at, errno};
}

Found try_open(const std::filesystem::path& path) {
    return outcome_of(base::UniqueFd{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}.get() >= 0);
}

Found try_reach(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    if (text.size() >= sizeof address.sun_path) return {Outcome::not_looked_at, ENAMETOOLONG};
    std::memcpy(address.sun_path, text.data(), text.size());
    const base::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket) return {Outcome::not_looked_at, errno};
    return outcome_of(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

// The right is looked at before the address, which need not be theirs.
Found try_read_memory(pid_t process) {
    char here = 0;
    iovec mine{&here, 1};
    iovec theirs{&here, 1};
    return outcome_of(process_vm_readv(process, &mine, 1, &theirs, 1, 0) >= 0 || errno == EFAULT);
}

Found try_attach(pid_t process) {
    const auto found = outcome_of(ptrace(PTRACE_SEIZE, process, nullptr, nullptr) == 0);
    if (found.outcome == Outcome::open) ptrace(PTRACE_DETACH, process, nullptr, nullptr);
    return found;
}

// The right is looked at before the number, under which nothing need be open.
Found try_take_descriptor(pid_t process) {
    const base::UniqueFd handle{static_cast<int>(syscall(SYS_pidfd_open, process, 0))};
    if (!handle) return {Outcome::not_looked_at, errno};
    return outcome_of(base::UniqueFd{static_cast<int>(syscall(SYS_pidfd_getfd, handle.get(), 0, 0))}.get() >= 0 ||
                      errno == EBADF);
}

bool is_there(const std::filesystem::path& path) {
    struct stat about {};
    return stat(path.c_str(), &about) == 0;
}

// Root sees what is there: a path that is not would be "refused" for everybody.
void add_path(std::vector<Attempt>& all, const std::string& name, const std::filesystem::path& path,
              Found (*look)(const std::filesystem::path&) = try_open) {
    if (is_there(path))
        all.push_back({name, [path, look] { return look(path); }});
    else
        all.push_back({name, [why = errno] { return Found{Outcome::not_looked_at, why}; }});
}

void add_proc(std::vector<Attempt>& all, pid_t process) {
    const auto folder = std::filesystem::path{"/proc"} / std::to_string(process);
    for (const char* name : {"mem", "maps", "environ", "auxv", "fd", "fdinfo", "ns", "cwd/.", "root/."})
        add_path(all, std::string{"open "} + name, folder / name);
    for (const char* name : {"smaps", "map_files", "pagemap", "io", "stack", "syscall", "personality"})
        if (is_there(folder / name)) add_path(all, std::string{"open "} + name, folder / name); // not in every kernel
}

void add_store(std::vector<Attempt>& all, const About& about) {
    add_path(all, "open the records folder", about.records);
    const std::set<std::string> always{"records.db", "keys.db"};
    auto names = always;
    std::error_code failed;
    for (std::filesystem::directory_iterator one{about.records, failed}, end; !failed && one != end;
         one.increment(failed))
        names.insert(one->path().filename().string());
    for (const auto& name : names)
        add_path(all, "open " + (always.contains(name) ? name : "a file of the records"), about.records / name);
    add_path(all, "open the key file", about.credential);
    std::set<std::string> outputs;
    for (const char* descriptor : {"1", "2"}) {
        const auto link = proc_link(about.pid, std::string{"fd/"} + descriptor);
        if (link.starts_with('/') && std::filesystem::is_regular_file(link, failed)) outputs.insert(link);
    }
    for (const auto& one : outputs) add_path(all, "open the log", one);
}

std::vector<Attempt> attempts(const About& about) {
    std::vector<Attempt> all;
    const pid_t pid = about.pid;
    add_proc(all, pid);
    all.push_back({"attach", [pid] { return try_attach(pid); }});
    all.push_back({"read memory", [pid] { return try_read_memory(pid); }});
    all.push_back({"take a descriptor", [pid] { return try_take_descriptor(pid); }});
    all.push_back({"send a signal", [pid] { return outcome_of(kill(pid, 0) == 0); }});
    add_store(all, about);
    add_path(all, "reach control.sock", about.control, try_reach);
    return all;
}

bool become(const Identity& who) {
    return setgroups(who.others.size(), who.others.data()) == 0 &&
           setresgid(who.groups[0], who.groups[1], who.groups[2]) == 0 &&
           setresuid(who.users[0], who.users[1], who.users[2]) == 0;
}

void child(const Identity& who, const std::vector<Attempt>& all, int answer) {
    if (!become(who)) return;
    for (const auto& one : all) {
        const Found found = one.look();
        if (write(answer, &found, sizeof found) != static_cast<ssize_t>(sizeof found)) return;
    }
}

} // namespace

std::optional<std::vector<Tried>> try_as(const Identity& sender, const About& about) {
    const auto all = attempts(about);
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
    const base::UniqueFd answers{ends[0]};
    const pid_t eyes = fork();
    if (eyes == 0) {
        child(sender, all, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    std::vector<Tried> tried;
    Found found{};
    while (tried.size() < all.size() && read(answers.get(), &found, sizeof found) == ssize_t{sizeof found})
        tried.push_back({all[tried.size()].what, found.outcome, found.why});
    waitpid(eyes, nullptr, 0);
    return tried.size() == all.size() ? std::optional{std::move(tried)} : std::nullopt;
}

} // namespace clinic::provisioning
