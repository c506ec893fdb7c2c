// Every way out, tried for real from inside: by code that could do anything that the process can.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "tests/daemon/containment/child.h"
#include "tests/support/core_pattern.h"

namespace clinic::containment::tests {
namespace {

using base::UniqueFd;
using support::core_pattern_file;

constexpr std::array<char, 29> dns_question{"\0\1\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0"};

sockaddr_un named(const std::string& path, socklen_t& size) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path.front() == '\0' ? 0 : 1));
    return address;
}

// A resolver, a log daemon or a bus on this machine, as far as it can be seen: it counts what reaches it.
class Listener {
public:
    Listener(int type, std::string path) : path_{std::move(path)}, type_{type} {
        fd_.reset(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        socklen_t size = 0;
        const auto address = named(path_, size);
        EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        if (path_.front() != '\0') chmod(path_.c_str(), 0777);
        if (type != SOCK_DGRAM) {
            EXPECT_EQ(listen(fd_.get(), 4), 0);
        }
    }
    bool was_reached() const {
        char byte = 0;
        if (type_ == SOCK_DGRAM) return recv(fd_.get(), &byte, 1, 0) >= 0;
        return UniqueFd{accept(fd_.get(), nullptr, nullptr)}.get() >= 0;
    }
    const std::string& path() const { return path_; }
    int type() const { return type_; }

private:
    std::string path_;
    int type_;
    UniqueFd fd_;
};

// Tries every way to reach it with a socket that was made beforehand and with a new one.
void knock(const Listener& door, int held) {
    const UniqueFd fresh{socket(AF_UNIX, door.type() | SOCK_CLOEXEC, 0)};
    socklen_t size = 0;
    auto address = named(door.path(), size);
    for (const int fd : {held, fresh.get()}) {
        iovec part{const_cast<char*>(dns_question.data()), dns_question.size()};
        msghdr message{};
        message.msg_name = &address;
        message.msg_namelen = size;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        mmsghdr many{message, 0};
        sendto(fd, dns_question.data(), dns_question.size(), 0, reinterpret_cast<const sockaddr*>(&address), size);
        sendmsg(fd, &message, 0);
        sendmmsg(fd, &many, 1, 0);
        connect(fd, reinterpret_cast<const sockaddr*>(&address), size);
        send(fd, dns_question.data(), dns_question.size(), MSG_NOSIGNAL);
    }
}

class Escape : public testing::Test {
protected:
    // The words that the body said after the doors were shut.
    Words inside(const std::function<Words()>& body, const std::function<void()>& before = {}) const {
        return in_child([&]() -> Words {
            if (before) before();
            if (!enter(place_.options())) return {"not entered"};
            return body();
        });
    }
    Place place_;
};

Words unless(bool held, const char* word) {
    return held ? Words{} : Words{word};
}

bool refused(long outcome) {
    return outcome == -1 && errno == EPERM;
}

TEST_F(Escape, WithoutContainmentTheProbeGetsOut) {
    EXPECT_EQ(in_child([]() -> Words {
                  const auto probe = Probe::make();
                  if (!probe) return {"no probe"};
                  Words open;
                  for (const auto& way : try_ways(*probe))
                      if (!way.holds) open.insert(way.name.c_str());
                  return open;
              }),
              (Words{"accepted socket turned outward", "sending that connects", "listening socket turned outward"}));
}

TEST_F(Escape, SocketsOfTheOldNetworkAreNotTurnedOutward) {
    std::optional<Result<Probe>> probe;
    EXPECT_EQ(inside(
                  [&]() -> Words {
                      Words open;
                      for (const auto& way : try_ways(**probe))
                          if (!way.holds) open.insert(way.name.c_str());
                      return open;
                  },
                  [&] { probe.emplace(Probe::make()); }),
              Words{});
}

// A service manager may let nobody make a socket of the network (RestrictAddressFamilies=): then the calls are tried.
bool without_network_sockets() {
    const auto context = seccomp_init(SCMP_ACT_ALLOW);
    const scmp_arg_cmp internet{0, SCMP_CMP_EQ, AF_INET, 0};
    const bool loaded =
        seccomp_rule_add_array(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &internet) == 0 &&
        seccomp_load(context) == 0;
    seccomp_release(context);
    return loaded;
}

TEST_F(Escape, WhereNoSocketCanBeHadTheCallsAreTried) {
    const Words all{"accepted socket turned outward", "sending that connects", "listening socket turned outward"};
    const auto open_ways = [](const Probe& probe) {
        Words open;
        for (const auto& way : try_ways(probe))
            if (!way.holds) open.insert(way.name.c_str());
        return open;
    };
    EXPECT_EQ(in_child([&]() -> Words {
                  if (!without_network_sockets()) return {"no filter"};
                  const auto probe = Probe::make();
                  return !probe || probe->has_sockets() ? Words{"sockets"} : open_ways(*probe);
              }),
              all);
    std::optional<Result<Probe>> probe;
    EXPECT_EQ(inside([&] { return (*probe)->has_sockets() ? Words{"sockets"} : open_ways(**probe); },
                     [&] {
                         without_network_sockets();
                         probe.emplace(Probe::make());
                     }),
              Words{});
}

TEST_F(Escape, NoNameIsLookedUpOverASocketOfTheMachine) {
    fakes::TempFolder folder;
    chmod(folder.path().c_str(), 0777);
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM})
        for (const std::string& path :
             {(folder / "resolver").string(), std::string{"\0clinic-resolver-", 17} + std::to_string(getpid())}) {
            std::filesystem::remove(folder / "resolver");
            const Listener door{type, path};
            const UniqueFd held{socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
            EXPECT_EQ(inside([&]() -> Words {
                          knock(door, held.get());
                          return {};
                      }),
                      Words{});
            EXPECT_FALSE(door.was_reached()) << type << path;
            knock(door, held.get()); // and it can be reached at all
            EXPECT_TRUE(door.was_reached()) << type << path;
        }
}

// Each name in the table of this network's UNIX sockets, abstract ones too.
std::set<std::pair<int, std::string>> sockets_of_the_machine() {
    std::ifstream table{"/proc/net/unix"};
    std::set<std::pair<int, std::string>> all;
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
        std::istringstream in{line};
        std::string skip, type, inode, path;
        in >> skip >> skip >> skip >> skip >> type >> skip >> inode >> std::ws;
        if (!std::getline(in, path)) continue;
        if (path.front() == '@') path.front() = '\0';
        all.emplace(std::stoi(type, nullptr, 16), path);
    }
    return all;
}

TEST_F(Escape, NoNameIsLookedUpOverAnySocketThatIsVisible) {
    fakes::TempFolder folder;
    chmod(folder.path().c_str(), 0777);
    const Listener path{SOCK_STREAM, (folder / "resolver").string()};
    const Listener abstract{SOCK_DGRAM, std::string{"\0clinic-visible-", 16} + std::to_string(getpid())};
    const auto visible = sockets_of_the_machine();
    for (const auto* one : {&path, &abstract}) ASSERT_TRUE(visible.contains({one->type(), one->path()}));
    std::vector<UniqueFd> held; // made while there was a network, one each and unconnected
    for (const auto& [type, name] : visible) held.emplace_back(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    EXPECT_EQ(inside([&]() -> Words {
                  Words open;
                  auto own = held.begin();
                  for (const auto& [type, name] : visible) {
                      socklen_t size = 0;
                      const auto address = named(name, size);
                      const auto* where = reinterpret_cast<const sockaddr*>(&address);
                      const int fd = (own++)->get();
                      if (!refused(connect(fd, where, size))) open.insert("connected to " + name);
                      if (!refused(sendto(fd, dns_question.data(), dns_question.size(), MSG_NOSIGNAL, where, size)))
                          open.insert("sent to " + name);
                      if (send(fd, dns_question.data(), dns_question.size(), MSG_NOSIGNAL) >= 0)
                          open.insert("asked " + name);
                  }
                  return open;
              }),
              Words{});
    for (const auto* one : {&path, &abstract}) EXPECT_FALSE(one->was_reached());
    // Out here the same doors open; only our own are asked something.
    int reached = 0;
    for (const auto& [type, name] : visible) {
        const UniqueFd fd{socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        socklen_t size = 0;
        const auto address = named(name, size);
        if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) continue;
        if (name != path.path() && name != abstract.path()) continue;
        if (send(fd.get(), dns_question.data(), dns_question.size(), MSG_NOSIGNAL) > 0) ++reached;
    }
    EXPECT_EQ(reached, 2);
    for (const auto* one : {&path, &abstract}) EXPECT_TRUE(one->was_reached());
}

TEST_F(Escape, AConnectedDatagramSocketReachesNobodyElse) {
    fakes::TempFolder folder;
    chmod(folder.path().c_str(), 0777);
    const Listener manager{SOCK_DGRAM, (folder / "notify").string()};
    const Listener resolver{SOCK_DGRAM, (folder / "resolver").string()};
    const UniqueFd held{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    socklen_t size = 0;
    const auto address = named(manager.path(), size);
    ASSERT_EQ(connect(held.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(inside([&]() -> Words {
                  knock(resolver, held.get());
                  return {};
              }),
              Words{});
    EXPECT_TRUE(manager.was_reached()); // send(2) without a name: how readiness is told
    EXPECT_FALSE(resolver.was_reached());
}

// The peer on egress.sock or control.sock hands over a connected socket: the bytes arrive, the descriptor does not.
TEST_F(Escape, ADescriptorThatIsSentDoesNotArrive) {
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
        const UniqueFd mine{ends[0]}, theirs{ends[1]};
        const UniqueFd network{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const auto pass = [&] {
            char byte = 'x';
            iovec part{&byte, 1};
            alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
            msghdr message{};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* head = CMSG_FIRSTHDR(&message);
            *head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
            const int fd = network.get();
            std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
            return sendmsg(mine.get(), &message, 0) == 1;
        };
        ASSERT_TRUE(pass());
        ASSERT_TRUE(pass());
        EXPECT_EQ(inside([&]() -> Words {
                      const int lowest = dup(0);
                      close(lowest);
                      alignas(cmsghdr) std::array<char, 64> control{};
                      char byte = 0;
                      iovec part{&byte, 1};
                      msghdr message{};
                      message.msg_iov = &part;
                      message.msg_iovlen = 1;
                      message.msg_control = control.data();
                      message.msg_controllen = control.size();
                      if (recvmsg(theirs.get(), &message, 0) != -1 || errno != ENOTSOCK) return {"recvmsg"};
                      if (recv(theirs.get(), &byte, 1, 0) != 1 || byte != 'x') return {"no byte by recv"};
                      if (read(theirs.get(), &byte, 1) != 1 || byte != 'x') return {"no byte by read"};
                      const int next = dup(0);
                      return unless(next == lowest, "a descriptor arrived");
                  }),
                  Words{});
    }
}

TEST_F(Escape, NoSocketOfAnyKindIsMade) {
    EXPECT_EQ(inside([]() -> Words {
                  Words open;
                  for (int family = 0; family < AF_MAX + 2; ++family)
                      for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET})
                          if (!refused(socket(family, type, 0))) open.insert("family " + std::to_string(family));
                  int ends[2];
                  if (!refused(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends))) open.insert("socketpair");
                  return open;
              }),
              Words{});
}

TEST_F(Escape, NoProgramAndNoProcessIsStarted) {
    EXPECT_EQ(inside([]() -> Words {
                  Words open;
                  char* const nothing[] = {nullptr};
                  if (!refused(execve("/bin/true", nothing, nothing))) open.insert("execve");
                  const int image = static_cast<int>(syscall(SYS_memfd_create, "x", 0));
                  if (!refused(image)) open.insert("memfd_create");
                  if (!refused(syscall(SYS_execveat, 0, "", nothing, nothing, AT_EMPTY_PATH))) open.insert("execveat");
                  if (!refused(fork())) open.insert("fork");
                  if (!refused(syscall(SYS_vfork))) open.insert("vfork");
                  for (const int flags : {CLONE_NEWNET, CLONE_NEWUSER, CLONE_NEWNS, CLONE_VM, CLONE_FILES})
                      if (!refused(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0))) open.insert("clone");
                  if (syscall(SYS_clone3, nullptr, 0) != -1 || errno != ENOSYS) open.insert("clone3");
                  return open;
              }),
              Words{});
}

TEST_F(Escape, NoCallThatWouldUndoItIsLeft) {
    const pid_t runner = getpid();
    EXPECT_EQ(inside([runner]() -> Words {
                  Words open;
                  io_uring_params ring{};
                  char byte = 0;
                  iovec here{&byte, 1};
                  iovec there{&byte, 1};
                  const auto must_refuse = [&open](const char* what, long outcome) {
                      if (!refused(outcome)) open.insert(what);
                  };
                  must_refuse("io_uring", syscall(SYS_io_uring_setup, 1, &ring));
                  must_refuse("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
                  must_refuse("ptrace", ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
                  must_refuse("process_vm_readv", process_vm_readv(runner, &here, 1, &there, 1, 0));
                  must_refuse("pidfd_open", syscall(SYS_pidfd_open, runner, 0));
                  must_refuse("pidfd_getfd", syscall(SYS_pidfd_getfd, 0, 0, 0));
                  must_refuse("kill", kill(runner, 0));
                  must_refuse("unshare", unshare(CLONE_NEWNS));
                  must_refuse("unshare user", unshare(CLONE_NEWUSER));
                  must_refuse("setns", setns(0, CLONE_NEWNET));
                  must_refuse("bpf", syscall(SYS_bpf, 0, nullptr, 0));
                  must_refuse("shmget", syscall(SYS_shmget, 0, 4'096, 01600));
                  must_refuse("msgget", syscall(SYS_msgget, 0, 01600));
                  must_refuse("mq_open", syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, nullptr));
                  must_refuse("dumpable again", prctl(PR_SET_DUMPABLE, 1));
                  const rlimit endless{RLIM_INFINITY, RLIM_INFINITY};
                  must_refuse("core limit", setrlimit(RLIMIT_CORE, &endless));
                  must_refuse("write and run", syscall(SYS_mmap, nullptr, 4'096, PROT_WRITE | PROT_EXEC,
                                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
                  return open;
              }),
              Words{});
}

TEST_F(Escape, OnlyTheRecordsFolderIsWritten) {
    fakes::TempFolder elsewhere;
    chmod(elsewhere.path().c_str(), 0777);
    const auto pipe = elsewhere / "pipe";
    mkfifo(pipe.c_str(), 0666);
    chmod(pipe.c_str(), 0666);
    const UniqueFd reader{open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    EXPECT_EQ(inside([&]() -> Words {
                  Words open_ways;
                  const auto writes = [](const std::filesystem::path& path) {
                      return UniqueFd{open(path.c_str(), O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666)}.get() >= 0;
                  };
                  if (writes(elsewhere / "file")) open_ways.insert("a file");
                  if (writes(pipe)) open_ways.insert("a named pipe");
                  if (writes("/dev/shm/clinic-escape")) open_ways.insert("shared memory");
                  if (writes("/dev/null")) open_ways.insert("a device");
                  if (mkdir((elsewhere / "folder").c_str(), 0777) == 0) open_ways.insert("a folder");
                  if (symlink("x", (elsewhere / "link").c_str()) == 0) open_ways.insert("a symbolic link");
                  if (link((place_.records() / "records.db").c_str(), (elsewhere / "second").c_str()) == 0)
                      open_ways.insert("a second name");
                  if (rename((place_.records() / "records.db").c_str(), (elsewhere / "moved").c_str()) == 0)
                      open_ways.insert("a move");
                  if (!writes(place_.records() / "new")) open_ways.insert("the records are closed");
                  return open_ways;
              }),
              Words{});
}

TEST_F(Escape, ANewThreadIsBoundAsWell) {
    EXPECT_EQ(inside([]() -> Words {
                  Words open;
                  std::thread{[&open] {
                      if (!refused(socket(AF_INET, SOCK_STREAM, 0))) open.insert("socket");
                      if (!refused(connect(0, nullptr, 0))) open.insert("connect");
                      if (UniqueFd{::open("/dev/null", O_WRONLY)}.get() >= 0) open.insert("writing");
                  }}.join();
                  return open;
              }),
              Words{});
}

#ifdef __x86_64__
// As a 32-bit program would enter the kernel. Where the machine has no such entry, trying kills: that is as good.
TEST_F(Escape, TheTablesOfOtherArchitecturesAreClosed) {
    const auto old_call = [](int number, int first, int second, int third) {
        int answer = number;
        asm volatile("int $0x80"
                     : "+a"(answer)
                     : "b"(first), "c"(second), "d"(third)
                     : "memory", "r8", "r9", "r10", "r11");
        return answer;
    };
    constexpr int getpid_call = 20, socket_call = 359, socketcall = 102;
    const bool entry = in_child([&]() -> Words { return unless(old_call(getpid_call, 0, 0, 0) > 0, "none"); }).empty();
    EXPECT_EQ(inside([&]() -> Words {
                  Words open;
                  constexpr long x32_bit = 0x4000'0000;
                  if (syscall(x32_bit | SYS_socket, AF_INET, SOCK_STREAM, 0) != -1 ||
                      (errno != EPERM && errno != ENOSYS))
                      open.insert("x32");
                  if (!entry) return open;
                  for (const int answer : {old_call(socket_call, AF_INET, SOCK_STREAM, 0),
                                           old_call(socketcall, 1, 0, 0), old_call(getpid_call, 0, 0, 0)})
                      if (answer != -EPERM) open.insert("32 bits");
                  return open;
              }),
              Words{});
}
#endif

// A crash of the contained process leaves no byte, as a file or at a handler behind a pipe.
class Crash : public Escape {
protected:
    void SetUp() override {
        // Only root chooses where dumps go; root on a machine where it cannot has not seen this hold.
        if (geteuid() != 0) GTEST_SKIP() << "where dumps go is root's to choose";
        ASSERT_EQ(access(core_pattern_file, W_OK), 0);
        turn_ = support::core_pattern_turn();
        std::getline(std::ifstream{core_pattern_file}, kept_);
        chmod(folder_.path().c_str(), 0777);
    }
    void TearDown() override {
        if (!kept_.empty()) std::ofstream{core_pattern_file} << kept_ << std::flush;
    }
    // Other processes' dumps go there as well meanwhile: each is known by its number.
    void choose(const std::string& pattern) { std::ofstream{core_pattern_file} << pattern << std::flush; }
    // Its process number.
    std::string crash(bool contained, int signal) const {
        const pid_t child = fork();
        if (child == 0) {
            if (contained && !enter(place_.options())) _exit(1);
            const rlimit endless{RLIM_INFINITY, RLIM_INFINITY};
            if (!contained) setrlimit(RLIMIT_CORE, &endless);
            raise(signal);
            _exit(2);
        }
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
        return std::to_string(child);
    }
    bool dumped(const std::string& process) const { return std::filesystem::exists(folder_ / process.c_str()); }

    fakes::TempFolder folder_;
    UniqueFd turn_;
    std::string kept_;
};

// One case, because there is one place for dumps on a machine.
TEST_F(Crash, LeavesNoCoreFileAndGivesAHandlerNothing) {
    fakes::TempFolder programs;
    chmod(programs.path().c_str(), 0755);
    const auto handler = programs / "handler";
    std::ofstream{handler} << "#!/bin/sh\nexec cat >" << folder_.path().string() << "/$1\n";
    chmod(handler.c_str(), 0755);
    for (const auto& pattern : {(folder_ / "%p").string(), "|" + handler.string() + " %p"}) {
        choose(pattern);
        EXPECT_TRUE(dumped(crash(false, SIGSEGV))) << pattern; // so the place is where dumps go
        for (const int signal : {SIGSEGV, SIGABRT, SIGQUIT, SIGBUS})
            EXPECT_FALSE(dumped(crash(true, signal))) << pattern << signal;
    }
}

} // namespace
} // namespace clinic::containment::tests
