#include "packaging/supervise/supervisor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "crypto/base/files.h"
#include "crypto/base/log.h"

namespace clinic::supervise {
namespace {

using base::Level;
using base::log;
using std::chrono::steady_clock;

constexpr int first_handed_fd = 3; // SD_LISTEN_FDS_START
constexpr int backlog = 512;
constexpr auto restart_pause = std::chrono::milliseconds{200};
constexpr auto stop_patience = std::chrono::seconds{20};

Result<base::UniqueFd> open_tcp(const Socket& wanted) {
    base::UniqueFd fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(wanted.port);
    if (inet_pton(AF_INET, wanted.address.c_str(), &address.sin_addr) != 1)
        return Error{Errc::malformed, "a socket's address is not an IPv4 literal"};
    if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd.get(), backlog) != 0)
        return Error{Errc::system, "a port cannot be opened", "choose other ports with --port-base", {}, errno};
    return fd;
}

Result<base::UniqueFd> open_path(const Socket& wanted) {
    const int type = wanted.kind == Socket::Kind::seqpacket ? SOCK_SEQPACKET : SOCK_STREAM;
    base::UniqueFd fd{socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (wanted.address.size() >= sizeof address.sun_path)
        return Error{Errc::full, "a socket's path is longer than a UNIX socket allows", "choose a shorter folder"};
    std::memcpy(address.sun_path, wanted.address.data(), wanted.address.size());
    unlink(wanted.address.c_str());
    if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd.get(), backlog) != 0)
        return Error{Errc::system, "a UNIX socket cannot be opened", "", {}, errno};
    if (chmod(wanted.address.c_str(), wanted.mode) != 0)
        return Error{Errc::system, "a UNIX socket's mode cannot be set", "", {}, errno};
    if (wanted.owner && geteuid() == 0 &&
        chown(wanted.address.c_str(), *wanted.owner, static_cast<gid_t>(*wanted.owner)) != 0)
        return Error{Errc::system, "a UNIX socket's owner cannot be set", "", {}, errno};
    return fd;
}

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int one : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, one);
    return set;
}

} // namespace

Result<void> Supervisor::open_sockets() {
    for (const auto& wanted : plan_.sockets) {
        auto fd = wanted.kind == Socket::Kind::tcp ? open_tcp(wanted) : open_path(wanted);
        if (!fd) {
            log(Level::error, "supervise", fd.error(), {{"port", wanted.port}});
            return fd.error();
        }
        sockets_[wanted.name] = std::move(fd).value();
    }
    return {};
}

// In the child: its sockets from descriptor 3 on, its log, its user, its program.
void Supervisor::become(const Program& program) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const sigset_t signals = our_signals();
    sigprocmask(SIG_UNBLOCK, &signals, nullptr);
    std::vector<int> high;
    std::string names;
    for (const auto& name : program.sockets) {
        high.push_back(fcntl(sockets_.at(name).get(), F_DUPFD, 64)); // out of the way of 3, 4, …
        names += (names.empty() ? "" : ":") + name;
    }
    const int out = open(program.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    for (std::size_t i = 0; i < high.size(); ++i) dup2(high[i], first_handed_fd + static_cast<int>(i));
    close_range(static_cast<unsigned>(first_handed_fd) + static_cast<unsigned>(high.size()), ~0U, 0);
    if (!high.empty()) {
        setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
        setenv("LISTEN_FDS", std::to_string(high.size()).c_str(), 1);
        setenv("LISTEN_FDNAMES", names.c_str(), 1);
    }
    if (program.user && geteuid() == 0) {
        const auto group = static_cast<gid_t>(*program.user);
        if (setgroups(0, nullptr) != 0 || setgid(group) != 0 || setuid(*program.user) != 0) _exit(126);
        prctl(PR_SET_PDEATHSIG, SIGKILL); // a change of user clears it
    }
    std::vector<char*> arguments;
    for (const auto& one : program.command) arguments.push_back(const_cast<char*>(one.c_str()));
    arguments.push_back(nullptr);
    execv(arguments.front(), arguments.data());
    _exit(127);
}

pid_t Supervisor::start(const Program& program) {
    const pid_t child = fork();
    if (child == 0) become(program);
    if (child < 0) log(Level::error, "supervise", "a program cannot be started", {{"errno", errno}});
    return child;
}

void Supervisor::start_due() {
    const auto now = steady_clock::now();
    for (auto& one : running_) {
        if (one.pid > 0 || now < one.restart_at) continue;
        one.pid = start(*one.program);
        one.started = now;
    }
}

void Supervisor::reap() {
    int status = 0;
    for (pid_t gone; (gone = waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto found =
            std::find_if(running_.begin(), running_.end(), [&](const Running& one) { return one.pid == gone; });
        if (found == running_.end()) continue;
        log(Level::notice, "supervise", "a program ended and is started again",
            {{"number", found - running_.begin()}, {"status", status}});
        found->pid = 0;
        found->restart_at = steady_clock::now() + restart_pause;
    }
}

void Supervisor::stop_all() {
    const auto patience_ends = steady_clock::now() + stop_patience;
    for (auto one = running_.rbegin(); one != running_.rend(); ++one) {
        if (one->pid <= 0) continue;
        kill(one->pid, SIGTERM);
        const sigset_t signals = our_signals();
        const timespec part{0, 50'000'000};
        while (waitpid(one->pid, nullptr, WNOHANG) == 0) {
            if (steady_clock::now() > patience_ends) kill(one->pid, SIGKILL);
            sigtimedwait(&signals, nullptr, &part);
        }
    }
}

Result<void> Supervisor::run() {
    const sigset_t signals = our_signals();
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    CLINIC_TRY(base::write_durable(plan_.pid_file, base::as_bytes(std::to_string(getpid()) + "\n"), 0644));
    for (const auto& program : plan_.programs)
        running_.push_back({.program = &program, .started = {}, .restart_at = {}});
    const timespec turn{0, 100'000'000};
    for (;;) {
        start_due();
        const int signal = sigtimedwait(&signals, nullptr, &turn);
        if (signal == SIGTERM || signal == SIGINT) break;
        reap();
    }
    stop_all();
    unlink(plan_.pid_file.c_str());
    return {};
}

} // namespace clinic::supervise
