#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "tests/bench/commands.h"
#include "tests/bench/figures.h"
#include "tests/bench/practice.h"

namespace clinic::bench {
namespace {

constexpr int first_handed = 3; // SD_LISTEN_FDS_START

base::UniqueFd at_path(const std::filesystem::path& path, int kind, bool listens) {
    sockaddr_un here{};
    here.sun_family = AF_UNIX;
    std::memcpy(here.sun_path, path.c_str(), path.native().size());
    std::filesystem::remove(path);
    base::UniqueFd socket{::socket(AF_UNIX, kind | SOCK_CLOEXEC, 0)};
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
        (listens && listen(socket.get(), 16) != 0))
        give_up("no socket at " + path.string());
    return socket;
}

base::UniqueFd on_loopback() {
    base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 || listen(socket.get(), 64) != 0)
        give_up("no socket on the loopback");
    return socket;
}

std::string address_of(const base::UniqueFd& socket) {
    sockaddr_in here{};
    socklen_t size = sizeof here;
    getsockname(socket.get(), reinterpret_cast<sockaddr*>(&here), &size);
    return "127.0.0.1:" + std::to_string(ntohs(here.sin_port));
}

// As the service manager starts it: sockets that listen already, and a socket to say READY=1 to.
class Started {
public:
    // `ended_by`: the signal that ends it.
    Started(const Arguments& given, const std::filesystem::path& folder, int ended_by)
        : https_{on_loopback()}, mllp_{on_loopback()}, control_{at_path(folder / "c", SOCK_STREAM, true)},
          egress_{at_path(folder / "e", SOCK_SEQPACKET, true)}, notify_{at_path(folder / "n", SOCK_DGRAM, false)},
          ended_by_{ended_by} {
        std::filesystem::permissions(folder / "n", std::filesystem::perms::all);
        begin_ = now();
        process_ = fork();
        if (process_ == 0) execute(given.text("clinicd"), given.text("config"), folder);
    }
    ~Started() {
        kill(process_, ended_by_);
        waitpid(process_, nullptr, 0);
    }
    Started(const Started&) = delete;
    Started& operator=(const Started&) = delete;

    double ready_after() const {
        std::array<char, 256> text{};
        pollfd on{notify_.get(), POLLIN, 0};
        while (poll(&on, 1, 30'000) > 0) {
            const ssize_t got = recv(notify_.get(), text.data(), text.size(), 0);
            if (got > 0 &&
                std::string_view{text.data(), static_cast<std::size_t>(got)}.find("READY=1") != std::string_view::npos)
                return seconds_between(begin_, now());
        }
        give_up("clinicd is not ready");
    }
    double acknowledged_after() const {
        Sender sender{address_of(mllp_)};
        sender.send(Messages{Mix::newcomers}.next());
        sender.await_positive();
        return seconds_between(begin_, now());
    }
    void work(int messages) const {
        Sender sender{address_of(mllp_)};
        Messages day{Mix::day};
        for (int i = 0; i < messages; ++i) {
            sender.send(day.next());
            sender.await_positive();
        }
    }

private:
    [[noreturn]] void execute(const std::string& program, const std::string& config,
                              const std::filesystem::path& folder) const {
        int at = first_handed;
        // Moved out of the way first: one of them may have a number that another shall get.
        std::array<int, 4> handed{fcntl(https_.get(), F_DUPFD, 100), fcntl(mllp_.get(), F_DUPFD, 100),
                                  fcntl(control_.get(), F_DUPFD, 100), fcntl(egress_.get(), F_DUPFD, 100)};
        for (const int fd : handed) {
            dup2(fd, at++);
            close(fd);
        }
        setenv("LISTEN_FDS", "4", 1);
        setenv("LISTEN_FDNAMES", "https:mllp:control:egress", 1);
        setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
        setenv("NOTIFY_SOCKET", (folder / "n").c_str(), 1);
        const int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(quiet, STDERR_FILENO);
        execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
        _exit(127);
    }

    base::UniqueFd https_, mllp_, control_, egress_, notify_;
    const int ended_by_;
    Instant begin_;
    pid_t process_ = -1;
};

struct Starts {
    void add(const Started& box) {
        ready.add(box.ready_after());
        acknowledged.add(box.acknowledged_after());
    }
    json said() const {
        return {{"starts", ready.count()}, {"ready", ready.said()}, {"first_acknowledgement", acknowledged.said()}};
    }
    Spans ready, acknowledged;
};

constexpr int messages_before_a_kill = 60; // some 1,500 pages in the WAL, short of a checkpoint

} // namespace

json start(const Arguments& given) {
    const std::filesystem::path folder = given.text("folder");
    const std::int64_t times = given.number("times", 5);
    Starts stopped, killed;
    for (std::int64_t i = 0; i < times; ++i) stopped.add(Started{given, folder, SIGTERM});
    for (std::int64_t i = 0; i < times; ++i) {
        {
            const Started box{given, folder, SIGKILL};
            box.work(messages_before_a_kill);
        }
        killed.add(Started{given, folder, SIGTERM});
    }
    json all = stopped.said();
    all["after_a_kill"] = killed.said();
    return all;
}

} // namespace clinic::bench
