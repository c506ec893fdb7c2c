#include "provisioning/outside.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "provisioning/peer_eyes.h"
#include "provisioning/proc.h"

namespace clinic::provisioning {
namespace {

constexpr pid_t ourselves = 0;

struct Socket {
    bool is_unix = false;
    unsigned short port = 0;
};
// By inode: the sockets of the network that it came from and of its own.
using Sockets = std::map<std::string, Socket>;

std::string text_of(pid_t process, const std::string& name) {
    return proc_text(process == ourselves ? getpid() : process, name);
}

// Column `inode_at` of each line, and the port behind the colon of column 1.
void read_table(Sockets& into, const std::string& table, std::size_t inode_at, bool has_port) {
    std::istringstream lines{table};
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::istringstream in{line};
        std::vector<std::string> columns;
        for (std::string one; in >> one;) columns.push_back(one);
        if (columns.size() <= inode_at) continue;
        Socket socket{.is_unix = !has_port};
        const auto colon = has_port ? columns[1].find(':') : std::string::npos;
        if (colon != std::string::npos)
            socket.port = static_cast<unsigned short>(std::strtoul(columns[1].c_str() + colon + 1, nullptr, 16));
        into[columns[inode_at]] = socket;
    }
}

Sockets sockets_seen(pid_t process) {
    constexpr std::size_t tcp_inode = 9, unix_inode = 6;
    Sockets all;
    for (const pid_t from : {process, ourselves}) {
        for (const char* table : {"net/tcp", "net/tcp6"}) read_table(all, text_of(from, table), tcp_inode, true);
        read_table(all, text_of(from, "net/unix"), unix_inode, false);
    }
    return all;
}

// "socket:[123]" to 123.
std::string inode_of(const std::string& link) {
    return link.starts_with("socket:[") ? link.substr(8, link.size() - 9) : std::string{};
}

bool is_declared(pid_t process, const std::string& descriptor, const Sockets& sockets,
                 const std::set<unsigned short>& ports) {
    const std::string link = proc_link(process, "fd/" + descriptor);
    if (link.empty()) return true; // closed meanwhile
    if (const std::string inode = inode_of(link); !inode.empty()) {
        const auto found = sockets.find(inode);
        return found != sockets.end() && (found->second.is_unix || ports.contains(found->second.port));
    }
    constexpr std::array plain{"anon_inode:[eventfd]",  "anon_inode:[eventpoll]", "anon_inode:[timerfd]",
                               "anon_inode:[signalfd]", "anon_inode:inotify",     "anon_inode:[inotify]"};
    if (link.starts_with("pipe:[")) return true;
    if (!link.starts_with('/')) return std::find(plain.begin(), plain.end(), link) != plain.end();
    struct stat about {};
    const std::string path = "/proc/" + std::to_string(process) + "/fd/" + descriptor;
    if (stat(path.c_str(), &about) != 0) return true;
    if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) || S_ISFIFO(about.st_mode)) return true;
    const unsigned kind = major(about.st_rdev);
    const unsigned number = minor(about.st_rdev);
    return S_ISCHR(about.st_mode) && ((kind == 1 && (number == 3 || number == 5 || (number >= 7 && number <= 9))) ||
                                      kind == 4 || kind == 5 || (kind >= 136 && kind <= 143));
}

// A connection that was accepted after the tables were read is looked up again.
bool only_declared(pid_t process, const std::set<unsigned short>& ports) {
    constexpr int looks_max = 3;
    for (int look = 0; look < looks_max; ++look) {
        const auto sockets = sockets_seen(process);
        const auto open = proc_names(process, "fd");
        if (!open.empty() && std::all_of(open.begin(), open.end(), [&](const std::string& one) {
                return is_declared(process, one, sockets, ports);
            }))
            return true;
    }
    return false;
}

bool same_file(const std::string& one, const std::filesystem::path& other) {
    struct stat left {};
    struct stat right {};
    return stat(one.c_str(), &left) == 0 && stat(other.c_str(), &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

bool holds_socket(pid_t process, const std::filesystem::path& path) {
    std::istringstream lines{text_of(ourselves, "net/unix")};
    std::set<std::string> inodes;
    for (std::string line; std::getline(lines, line);) {
        const auto name = line.find(" /");
        if (name == std::string::npos || !same_file(line.substr(name + 1), path)) continue;
        std::istringstream in{line};
        std::string column;
        for (int i = 0; i < 7; ++i) in >> column;
        inodes.insert(column);
    }
    const auto open = proc_names(process, "fd");
    return std::any_of(open.begin(), open.end(), [&](const std::string& one) {
        return inodes.contains(inode_of(proc_link(process, "fd/" + one)));
    });
}

bool apart(pid_t process, const std::vector<pid_t>& senders) {
    std::set<std::string> others{proc_link(getpid(), "ns/net"), proc_link(1, "ns/net")};
    for (const pid_t sender : senders) others.insert(proc_link(sender, "ns/net"));
    return every_thread(process, [&](const std::string& thread) {
        const auto own = proc_link(process, thread + "/ns/net");
        return !own.empty() && !others.contains(own);
    });
}

bool no_capabilities(pid_t process) {
    const std::array sets{"CapInh", "CapPrm", "CapEff", "CapAmb"};
    return std::all_of(sets.begin(), sets.end(),
                       [&](const char* set) { return every_thread_has(process, set, 0, 16); });
}

bool own_user(pid_t process, const std::optional<uid_t>& peer) {
    const long user = one_id(process, "Uid");
    const long group = one_id(process, "Gid");
    return user > 0 && group > 0 && peer && user != static_cast<long>(*peer);
}

// clinic-syncd of the same installation: another box on this machine has its own.
std::vector<pid_t> senders_of(pid_t process, const std::optional<uid_t>& peer) {
    if (!peer) return {};
    auto all = processes_of(*peer);
    const auto program = (std::filesystem::path{proc_link(process, "exe")}.parent_path() / "clinic-syncd").string();
    std::erase_if(all, [&](pid_t one) { return !proc_link(one, "exe").starts_with(program); });
    return all;
}

Seen seen(const char* part, bool holds, const char* yes, const char* no) {
    return {part, holds, holds ? yes : no};
}

Seen by_the_sender(const About& about) {
    constexpr const char* part = "the sender's user";
    if (!about.peer) return {part, false, "clinicd was not told who the sender is"};
    const auto tried = try_as(*about.peer, about);
    if (!tried) return {part, std::nullopt, "cannot become the sender's user to try"};
    std::string open;
    for (const auto& one : *tried)
        if (!one.refused) open += (open.empty() ? "can " : ", ") + one.what;
    if (!open.empty()) return {part, false, open};
    return {part, true, std::to_string(tried->size()) + " ways tried, all refused"};
}

std::vector<Seen> of_the_sender(const std::vector<pid_t>& senders) {
    const auto all = [&](const auto& holds) { return std::all_of(senders.begin(), senders.end(), holds); };
    if (senders.empty()) return {{"sender", std::nullopt, "clinic-syncd does not run"}};
    return {seen("sender: no new privileges", all([](pid_t one) { return every_thread_has(one, "NoNewPrivs", 1, 10); }),
                 "set", "not set"),
            seen("sender: no capabilities", all(no_capabilities), "none", "some are left"),
            seen("sender: no memory dumps", all([](pid_t one) { return !is_dumpable(one); }), "off", "on")};
}

} // namespace

std::vector<Seen> look_from_outside(const About& about) {
    if (geteuid() != 0) return {{"from outside", std::nullopt, "only root sees all of it: run it as root"}};
    const pid_t pid = about.pid;
    const auto senders = senders_of(pid, about.peer);
    std::vector<Seen> parts{
        seen("the process that answered", holds_socket(pid, about.control), "holds control.sock",
             "does not hold control.sock"),
        seen("network namespace", apart(pid, senders), "nobody else's", "shared with the machine or the sender"),
        seen("system call filter", every_thread_has(pid, "Seccomp", 2, 10), "on every thread", "not on every thread"),
        seen("no new privileges", every_thread_has(pid, "NoNewPrivs", 1, 10), "set", "not set"),
        seen("no capabilities", no_capabilities(pid), "none", "some are left"),
        seen("own user", own_user(pid, about.peer), "unprivileged, and not the sender's",
             "the same user as the sender, or root"),
        seen("no memory dumps", !is_dumpable(pid), "off", "on"),
        seen("descriptors", only_declared(pid, about.ports), "only those handed over",
             "one that nobody declared is open"),
        by_the_sender(about),
    };
    for (auto& one : of_the_sender(senders)) parts.push_back(std::move(one));
    return parts;
}

} // namespace clinic::provisioning
