#include "provisioning/programs/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

#include "crypto/base/owned.h"

namespace clinic::provisioning {
namespace {

constexpr std::size_t in_bytes_max = 32'768; // what a socket holds unread: to send does not wait

// Sockets: to write into a pipe that nobody reads any more would be this program's end.
struct Pipe {
    base::UniqueFd reading, writing;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return Error{Errc::system, "there is no pipe", "", {}, errno};
    return Pipe{base::UniqueFd{ends[0]}, base::UniqueFd{ends[1]}};
}

Result<pid_t> start(const std::vector<std::string>& words, const Pipe& in, const Pipe& out) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in.reading.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out.writing.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    const int wrong = posix_spawnp(&child, arguments.front(), &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (wrong == ENOENT) return Error{Errc::not_found, "a program of this machine is missing", "", {}, wrong};
    if (wrong != 0) return Error{Errc::system, "a program of this machine cannot be run", "", {}, wrong};
    return child;
}

using Instant = std::chrono::steady_clock::time_point;

// False: not by then.
bool is_ready(int descriptor, Instant until) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd one{descriptor, POLLIN, 0};
        if (const int ready = poll(&one, 1, static_cast<int>(left.count())); ready != 0 && errno != EINTR) return true;
    }
}

std::size_t read_all(int from, std::span<std::byte> into, Instant until) {
    std::size_t size = 0;
    while (size < into.size() && is_ready(from, until)) {
        const ssize_t part = read(from, into.data() + size, into.size() - size);
        if (part < 0 && errno == EINTR) continue;
        if (part <= 0) break;
        size += static_cast<std::size_t>(part);
    }
    return size;
}

struct End {
    int status = 0;
    bool killed = false; // by us
};

End wait_for(pid_t child, Instant until) {
    End end;
    const base::UniqueFd handle{static_cast<int>(syscall(SYS_pidfd_open, child, 0))};
    if (!is_ready(handle.get(), until)) end.killed = kill(child, SIGKILL) == 0;
    while (waitpid(child, &end.status, 0) < 0 && errno == EINTR) continue;
    return end;
}

} // namespace

Result<Ended> run_program(const std::vector<std::string>& words, std::span<const std::byte> in,
                          const ProgramBounds& bounds) {
    assert(!words.empty() && in.size() <= in_bytes_max);
    const auto until = std::chrono::steady_clock::now() + bounds.patience;
    auto to = make_pipe();
    CLINIC_TRY(to);
    auto from = make_pipe();
    CLINIC_TRY(from);
    const auto child = start(words, *to, *from);
    CLINIC_TRY(child);
    to->reading.reset();
    from->writing.reset();
    const ssize_t given = in.empty() ? 0 : send(to->writing.get(), in.data(), in.size(), MSG_NOSIGNAL);
    to->writing.reset();
    auto buffer = crypto::SecureBytes::zeroed(bounds.out_bytes_max);
    const std::size_t size = read_all(from->reading.get(), buffer.bytes(), until);
    from->reading.reset();
    const auto [status, killed] = wait_for(*child, until);
    if (killed) return Error{Errc::timeout, "a program of this machine does not end", "look at it: ps -ef"};
    if (given != static_cast<ssize_t>(in.size()) && status == 0)
        return Error{Errc::system, "a program of this machine did not take its input"};
    if (size == bounds.out_bytes_max) return Error{Errc::full, "a program of this machine says more than fits"};
    return Ended{.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                 .out = crypto::SecureBytes::copy_of(buffer.bytes().first(size))};
}

} // namespace clinic::provisioning
