// Each case runs in a child: what `enter` does cannot be undone.
#include "daemon/containment/containment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string_view>

namespace clinic::containment {
namespace {

constexpr User nobody{65'534, 65'534};

// The child's answer: 0 when all held, else the number of the check that did not.
int in_child(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
}

int contained(const std::function<int(const Options&, const Probe&)>& body) {
    return in_child([&] {
        const auto probe = Probe::make();
        if (!probe) return 101;
        Options options;
        if (geteuid() == 0) options.become = nobody;
        options.peer = 1;
        if (!enter(options)) return 102;
        return body(options, *probe);
    });
}

bool refused(long outcome) {
    return outcome == -1 && errno == EPERM;
}

TEST(Containment, WithoutItEveryWayIsOpen) {
    EXPECT_EQ(in_child([] {
                  const auto probe = Probe::make();
                  if (!probe) return 101;
                  int open_ways = 0;
                  for (const auto& way : probe->try_every_way()) open_ways += way.holds ? 0 : 1;
                  return open_ways;
              }),
              5);
}

TEST(Containment, EveryWayOutIsRefused) {
    EXPECT_EQ(contained([](const Options&, const Probe& probe) {
                  int number = 0;
                  for (const auto& way : probe.try_every_way()) {
                      ++number;
                      if (!way.holds) return number;
                  }
                  return 0;
              }),
              0);
}

TEST(Containment, InspectionSaysThatEveryPartHolds) {
    EXPECT_EQ(contained([](const Options& options, const Probe& probe) {
                  int number = 0;
                  for (const auto& one : inspect(options, probe)) {
                      ++number;
                      if (!one.holds) return number;
                  }
                  return number >= 11 ? 0 : 103;
              }),
              0);
}

TEST(Containment, InspectionSaysWhenTheUserIsTheSenders) {
    EXPECT_EQ(contained([](const Options&, const Probe& probe) {
                  Options same;
                  same.peer = geteuid();
                  for (const auto& one : inspect(same, probe))
                      if (std::string_view{one.name.c_str()} == "own user") return one.holds ? 1 : 0;
                  return 104;
              }),
              0);
}

TEST(Containment, TheCallsThatWouldUndoItAreRefused) {
    EXPECT_EQ(contained([](const Options&, const Probe&) {
                  io_uring_params ring{};
                  if (!refused(syscall(SYS_io_uring_setup, 1, &ring))) return 1;
                  if (!refused(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr))) return 2;
                  if (!refused(unshare(CLONE_NEWNS))) return 3;
                  if (!refused(setns(0, 0))) return 4;
                  char* const nothing[] = {nullptr};
                  if (!refused(execve("/bin/true", nothing, nothing))) return 5;
                  if (!refused(syscall(SYS_pidfd_getfd, 0, 0, 0))) return 6;
                  if (!refused(syscall(SYS_process_vm_readv, getpid(), nullptr, 0, nullptr, 0, 0))) return 7;
                  if (!refused(socket(AF_INET6, SOCK_STREAM, 0))) return 8;
                  if (!refused(socket(AF_NETLINK, SOCK_RAW, 0))) return 9;
                  sockaddr_un bus{};
                  bus.sun_family = AF_UNIX;
                  const int local = socket(AF_UNIX, SOCK_STREAM, 0);
                  if (local < 0) return 10;
                  if (!refused(connect(local, reinterpret_cast<sockaddr*>(&bus), sizeof bus))) return 11;
                  return 0;
              }),
              0);
}

TEST(Containment, RootIsNotAUserToBecome) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can drop to another user";
    EXPECT_EQ(in_child([] {
                  Options options;
                  options.become = User{0, 0};
                  const auto entered = enter(options);
                  return !entered && entered.error().code == Errc::refused ? 0 : 1;
              }),
              0);
}

} // namespace
} // namespace clinic::containment
