// The report: it says that all holds when it does, and names what does not in every state that a test can make.
#include "daemon/containment/containment.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cassert>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <thread>

#include "crypto/base/owned.h"
#include "crypto/base/process.h"
#include "daemon/containment/filter.h"
#include "daemon/containment/steps.h"
#include "tests/daemon/containment/child.h"
#include "tests/fakes/far_file.h"

namespace clinic::containment::tests {
namespace {

int one_of_a_pair() {
    int ends[2]{-1, -1};
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && close(ends[0]) == 0 ? ends[1] : -1;
}

int one_of_a_pipe() {
    int ends[2]{-1, -1};
    return pipe(ends) == 0 && close(ends[0]) == 0 ? ends[1] : -1;
}

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

template <class Address>
const sockaddr* generic(const Address& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}
template <class Address>
sockaddr* generic(Address& address) {
    return reinterpret_cast<sockaddr*>(&address);
}

class Report : public testing::Test {
protected:
    // What the runner of the tests left open is not what they are about.
    static void SetUpTestSuite() { base::close_inherited(STDERR_FILENO + 1); }
    // Only root can become another user and keep what is to be dropped. As root nothing is skipped.
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "weakened states need root to be made";
    }

    // `enter` step by step, with the one that is named done badly or not at all.
    static Words without(std::string_view out, const Options& options, const std::function<void()>& before = {}) {
        return in_child([&]() -> Words {
            if (before) before();
            constexpr rlimit endless{RLIM_INFINITY, RLIM_INFINITY};
            if (out == "core limit") setrlimit(RLIMIT_CORE, &endless);
            if (out != "network") leave_network();
            const bool privileges = out == "privileges"; // what follows renounces them by the way
            if (out != "writes" && !privileges) keep_writes_in(options.records);
            if (out == "capabilities") prctl(PR_SET_KEEPCAPS, 1);
            base::bound_capabilities();
            if (!become(*options.become)) return {"not started"};
            if (out != "capabilities" && !privileges && !base::drop_capabilities()) return {"not started"};
            if (out != "core limit" && !base::close_dumps()) return {"not started"};
            if (out == "dumps") prctl(PR_SET_DUMPABLE, 1);
            if (out == "a loose filter" && !allow_everything()) return {"not started"};
            if (out != "filter" && out != "a loose filter" && !privileges && !load_filter()) return {"not started"};
            return open_parts(options);
        });
    }
    static bool allow_everything() {
        const auto context = seccomp_init(SCMP_ACT_ALLOW);
        const bool loaded =
            seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(reboot), 0) == 0 && seccomp_load(context) == 0;
        seccomp_release(context);
        return loaded;
    }
    // Entered wholly, with something that was there before.
    static Words with(const Options& options, const std::function<void()>& before) {
        return in_child([&]() -> Words {
            before();
            return enter(options) ? open_parts(options) : Words{"not started"};
        });
    }

    Place place_;
};

TEST_F(Report, SaysThatEveryPartHolds) {
    EXPECT_EQ(with(place_.options(), [] {}), Words{});
    EXPECT_EQ(without("nothing", place_.options()), Words{});
}

// Also one that has nothing but a loopback, where somebody listens.
TEST_F(Report, NamesTheNetworkOfTheMachine) {
    const base::UniqueFd somebody{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(listen(somebody.get(), 1), 0);
    EXPECT_EQ(without("network", place_.options(), [&] { close(somebody.get()); }), Words{"network namespace"});
}

// As systemd does: PrivateNetwork=yes, and RestrictNamespaces=yes lets nobody have another.
TEST_F(Report, AnEmptyNetworkThatWasGivenIsTakenAsItIs) {
    const auto no_more_namespaces = [] {
        const auto context = seccomp_init(SCMP_ACT_ALLOW);
        const bool loaded =
            seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 0) == 0 && seccomp_load(context) == 0;
        seccomp_release(context);
        return loaded;
    };
    EXPECT_EQ(with(place_.options(), [&] { assert(unshare(CLONE_NEWNET) == 0 && no_more_namespaces()); }), Words{});
    EXPECT_EQ(with(place_.options(), [&] { assert(no_more_namespaces()); }), Words{"network namespace"});
}

TEST_F(Report, NamesWritesThatAreNotBound) {
    EXPECT_EQ(without("writes", place_.options()), Words{"writing elsewhere"});
}

// What cannot be opened for another reason says nothing about the bound, whether or not it is there.
TEST_F(Report, DoesNotTakeAnotherFailureForABoundOfWrites) {
    for (const bool bound : {true, false}) {
        const auto full = in_child([&]() -> Words {
            const rlimit few{64, 64};
            setrlimit(RLIMIT_NOFILE, &few);
            if (bound) keep_writes_in(place_.records());
            if (!become(box_user)) return {"not started"};
            while (dup(STDIN_FILENO) >= 0) continue;
            return open_parts(place_.options());
        });
        EXPECT_TRUE(full.contains("writing elsewhere"));
    }
    for (const auto& device : {"", "/dev/null"})
        EXPECT_EQ(with(place_.options(),
                       [&] {
                           assert(unshare(CLONE_NEWNS) == 0);
                           assert(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
                           assert(mount("none", "/dev", "tmpfs", 0, nullptr) == 0);
                           if (*device != '\0') assert(mknod(device, S_IFCHR | 0600, makedev(1, 3)) == 0);
                       }),
                  Words{"writing elsewhere"})
            << device;
}

TEST_F(Report, NamesPrivilegesThatMayBeHadAgain) {
    EXPECT_TRUE(without("privileges", place_.options()).contains("no new privileges"));
    EXPECT_FALSE(without("filter", place_.options()).contains("no new privileges"));
}

TEST_F(Report, NamesCapabilitiesThatWereKept) {
    EXPECT_EQ(without("capabilities", place_.options()), Words{"no capabilities"});
}

TEST_F(Report, NamesMemoryThatMayBeDumped) {
    EXPECT_EQ(without("dumps", place_.options()), Words{"no memory dumps"});
    EXPECT_EQ(without("core limit", place_.options()), Words{"no memory dumps"});
}

// Without it the calls are open too: each is named, and nothing else.
TEST_F(Report, NamesAMissingFilterAndWhatItLeavesOpen) {
    const Words calls{"connecting",         "new sockets",           "sending to a name",
                      "taking descriptors", "other processes",       "running programs",
                      "other namespaces",   "helpers in the kernel", "shared memory and queues"};
    auto open = without("filter", place_.options());
    EXPECT_EQ(open.erase("system call filter"), 1U);
    for (const auto& call : calls) EXPECT_EQ(open.erase(call), 1U) << call;
    for (const auto& left : open) EXPECT_EQ(left, "io_uring"); // which some machines refuse by themselves
}

TEST_F(Report, DoesNotTakeAFilterForOneThatRefuses) {
    const auto open = without("a loose filter", place_.options());
    EXPECT_FALSE(open.contains("system call filter"));
    for (const char* call : {"connecting", "new sockets", "sending to a name", "taking descriptors"})
        EXPECT_TRUE(open.contains(call)) << call;
}

TEST_F(Report, NamesTheSendersUser) {
    auto options = place_.options();
    options.peer = options.become->uid;
    EXPECT_EQ(with(options, [] {}), (Words{"own user", "key file"})); // the sender owns the key then
    options.peer.reset();
    EXPECT_EQ(with(options, [] {}), Words{"own user"});
}

TEST_F(Report, NamesAGroupThatWasKept) {
    auto options = place_.options();
    options.become.reset(); // as when the unit's User= and SupplementaryGroups= have changed it before
    EXPECT_EQ(with(options,
                   [] {
                       const gid_t groups[]{box_user.gid, peer_user};
                       if (setgroups(2, groups) != 0 || setresgid(box_user.gid, box_user.gid, box_user.gid) != 0 ||
                           setresuid(box_user.uid, box_user.uid, box_user.uid) != 0)
                           _exit(1);
                       prctl(PR_SET_DUMPABLE, 1); // as after an exec: who is not may not map its users
                   }),
              Words{"own user"});
}

TEST_F(Report, NamesADescriptorThatNobodyDeclared) {
    const std::vector<std::pair<const char*, std::function<int()>>> kinds{
        {"a datagram socket", [] { return socket(AF_INET, SOCK_DGRAM, 0); }},
        {"a connection", [] { return socket(AF_INET, SOCK_STREAM, 0); }},
        {"IPv6", [] { return socket(AF_INET6, SOCK_STREAM, 0); }},
        {"netlink", [] { return socket(AF_NETLINK, SOCK_RAW, 0); }},
        {"a packet socket", [] { return socket(AF_PACKET, SOCK_RAW, 0); }},
        {"a ring",
         [] {
             io_uring_params ring{};
             return static_cast<int>(syscall(SYS_io_uring_setup, 1, &ring));
         }},
        {"a namespace", [] { return open("/proc/self/ns/net", O_RDONLY); }},
        {"a process", [] { return static_cast<int>(syscall(SYS_pidfd_open, getppid(), 0)); }},
        {"a datagram socket of the machine", [] { return socket(AF_UNIX, SOCK_DGRAM, 0); }},
        {"a socket of the machine", [] { return socket(AF_UNIX, SOCK_STREAM, 0); }},
        {"a pair of sockets", [] { return one_of_a_pair(); }},
        {"a pipe", [] { return one_of_a_pipe(); }},
        {"shared memory", [] { return static_cast<int>(syscall(SYS_memfd_create, "x", 0)); }},
        {"another's memory", [] { return open(("/proc/" + std::to_string(getppid()) + "/mem").c_str(), O_RDONLY); }},
        {"its own memory", [] { return open("/proc/self/mem", O_RDONLY); }},
        {"another's folder in /proc", [] { return open("/proc/1", O_RDONLY); }},
        {"a folder", [] { return open("/tmp", O_RDONLY); }},
        {"a handle on a folder", [] { return open("/tmp", O_PATH); }},
        {"a file that is written", [] { return open("/tmp", O_TMPFILE | O_RDWR, 0600); }},
        {"a terminal", [] { return posix_openpt(O_RDWR | O_NOCTTY); }},
    };
    for (const auto& [name, make] : kinds)
        EXPECT_EQ(with(place_.options(), [&make = make] { assert(make() >= 0); }), Words{"descriptors"}) << name;
}

// What cannot be looked at is no proof of anything.
TEST_F(Report, NamesADescriptorThatTheKernelDoesNotName) {
    const fakes::TempFolder folder;
    std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
    EXPECT_EQ(with(place_.options(), [&] { assert(fakes::open_far_file(folder.path()) >= 0); }), Words{"descriptors"});
}

TEST_F(Report, TakesWhatIsOnlyReadAndTheRecords) {
    EXPECT_EQ(with(place_.options(),
                   [this] {
                       assert(open("/etc/passwd", O_RDONLY) >= 0);
                       assert(open((place_.records() / "records.db").c_str(), O_RDWR) >= 0);
                       assert(open(place_.records().c_str(), O_RDONLY) >= 0);
                       assert(eventfd(0, 0) >= 0);
                   }),
              Words{});
}

TEST_F(Report, JudgesWhereTheOutputGoes) {
    const fakes::TempFolder folder;
    const auto to_file = [&](mode_t mode) {
        const base::UniqueFd log{open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
        assert(fchmod(log.get(), mode) == 0);
        for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) dup2(log.get(), fd);
    };
    EXPECT_EQ(with(place_.options(), [&] { to_file(0640); }), Words{});
    EXPECT_EQ(with(place_.options(), [&] { to_file(0644); }), Words{"descriptors"});
    EXPECT_EQ(with(place_.options(),
                   [] {
                       const int end = one_of_a_pipe();
                       dup2(end, STDOUT_FILENO);
                       close(end);
                   }),
              Words{"descriptors"});
}

// Somebody else listens, who goes with this process.
TEST_F(Report, TakesTheJournalAsOutputAndNoOtherSocket) {
    const auto to_socket = [](const std::string& path) {
        assert(unshare(CLONE_NEWNS) == 0);
        assert(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
        assert(mount("none", "/run", "tmpfs", 0, nullptr) == 0);
        std::filesystem::create_directories("/run/systemd/journal");
        const base::UniqueFd listener{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const auto address = unix_address(path);
        assert(bind(listener.get(), generic(address), sizeof address) == 0 && listen(listener.get(), 1) == 0);
        const base::UniqueFd until{static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0))};
        if (fork() == 0) { // a death signal would not come: its sender is no longer root
            pollfd end{until.get(), POLLIN, 0};
            poll(&end, 1, -1);
            _exit(0);
        }
        const base::UniqueFd own{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        assert(connect(own.get(), generic(address), sizeof address) == 0);
        for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) dup2(own.get(), fd);
    };
    EXPECT_EQ(with(place_.options(), [&] { to_socket("/run/systemd/journal/stdout"); }), Words{});
    EXPECT_EQ(with(place_.options(), [&] { to_socket("/run/systemd/journal/other"); }), Words{"descriptors"});
}

// One connection to where the bus listens, and nothing that listens there itself.
TEST_F(Report, TakesTheConnectionToTheBusThatWasJoined) {
    const fakes::TempFolder folder;
    const std::string path = folder / "bus";
    const base::UniqueFd bus{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = unix_address(path);
    ASSERT_EQ(bind(bus.get(), generic(address), sizeof address), 0);
    ASSERT_EQ(listen(bus.get(), 4), 0);
    const base::UniqueFd joined{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(connect(joined.get(), generic(address), sizeof address), 0);
    auto options = place_.options();
    EXPECT_EQ(with(options, [&] { close(bus.get()); }), Words{"descriptors"}) << "it was not joined";
    options.bus = path;
    EXPECT_EQ(with(options, [&] { close(bus.get()); }), Words{});
    EXPECT_EQ(with(options, [] {}), Words{"descriptors"}) << "the bus itself";
    options.bus = path + "2";
    EXPECT_EQ(with(options, [&] { close(bus.get()); }), Words{"descriptors"}) << "another's";
}

// Who we are on the bus is who connects.
TEST_F(Report, TheLastConnectionsAreMadeAsTheUserThatItBecomes) {
    EXPECT_EQ(in_child([&]() -> Words {
                  Words as;
                  if (!enter(place_.options(), [&] { as.insert(std::to_string(geteuid())); })) return {"not started"};
                  return as;
              }),
              Words{std::to_string(box_user.uid)});
}

// A connection counts when it was accepted at a door that was declared, and not when it was made to somebody's.
TEST_F(Report, TakesOnlyWhatWasAcceptedAtItsOwnDoors) {
    const fakes::TempFolder folder;
    auto options = place_.options();
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
        const std::string path = folder / ("door" + std::to_string(type)).c_str();
        const base::UniqueFd door{socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
        const auto address = unix_address(path);
        ASSERT_EQ(bind(door.get(), generic(address), sizeof address), 0);
        ASSERT_EQ(listen(door.get(), 4), 0);
        options.doors = {};
        EXPECT_EQ(with(options, [] {}), Words{"descriptors"});
        options.doors = {path};
        EXPECT_EQ(with(options, [] {}), Words{});
        base::UniqueFd caller{socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
        ASSERT_EQ(connect(caller.get(), generic(address), sizeof address), 0);
        EXPECT_EQ(with(options, [] {}), Words{"descriptors"});
        const base::UniqueFd accepted{accept(door.get(), nullptr, nullptr)};
        EXPECT_EQ(with(options, [&] { close(caller.get()); }), Words{});
        caller.reset();
        EXPECT_EQ(with(options, [&] { close(door.get()); }), Words{"descriptors"}); // nothing listens there
    }
}

TEST_F(Report, TakesNoDatagramSocketButTheServiceManagers) {
    const fakes::TempFolder folder;
    const base::UniqueFd manager{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto address = unix_address(folder / "notify");
    ASSERT_EQ(bind(manager.get(), generic(address), sizeof address), 0);
    for (const bool named : {true, false})
        EXPECT_EQ(with(place_.options(),
                       [&] {
                           close(manager.get());
                           const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
                           assert(connect(fd, generic(address), sizeof address) == 0);
                           setenv("NOTIFY_SOCKET", named ? address.sun_path : "/run/another", 1);
                       }),
                  named ? Words{} : Words{"descriptors"});
}

TEST_F(Report, NamesAConnectionOfAPortWhereNothingListens) {
    const base::UniqueFd there{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(listen(there.get(), 1), 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ASSERT_EQ(getsockname(there.get(), generic(address), &size), 0);
    const base::UniqueFd outward{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(connect(outward.get(), generic(address), size), 0);
    ASSERT_EQ(getsockname(outward.get(), generic(address), &size), 0);
    auto options = place_.options();
    options.ports = {ntohs(address.sin_port)};
    EXPECT_EQ(with(options, [&] { close(there.get()); }), Words{"descriptors"});
}

TEST_F(Report, TakesADeclaredListenerAndItsConnections) {
    auto options = place_.options();
    const base::UniqueFd listener{socket(AF_INET, SOCK_STREAM, 0)};
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    ASSERT_EQ(bind(listener.get(), address, sizeof here), 0);
    ASSERT_EQ(listen(listener.get(), 4), 0);
    ASSERT_EQ(getsockname(listener.get(), address, &size), 0);
    EXPECT_EQ(with(options, [] {}), Words{"descriptors"});
    options.ports = {ntohs(here.sin_port)};
    EXPECT_EQ(with(options, [] {}), Words{});
    const base::UniqueFd client{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(connect(client.get(), address, sizeof here), 0);
    const base::UniqueFd accepted{accept(listener.get(), nullptr, nullptr)};
    EXPECT_EQ(with(options, [&client] { close(client.get()); }), Words{});
    EXPECT_EQ(with(options, [] {}), Words{"descriptors"}); // the other end was connected outward
}

TEST_F(Report, NamesARecordsFolderThatIsNotOursAlone) {
    const auto records = place_.records();
    const auto file = records / "records.db";
    const auto planted = records / "planted";
    const std::vector<std::pair<const char*, std::function<void()>>> states{
        {"a folder that all may read", [&] { chmod(records.c_str(), 0755); }},
        {"a file that all may read", [&] { chmod(file.c_str(), 0644); }},
        {"a file of the group", [&] { chmod(file.c_str(), 0640); }},
        {"another's file", [&] { std::ofstream{planted} << "x"; }},
        {"a symbolic link", [&] { std::filesystem::create_symlink("/etc/passwd", planted); }},
        {"a second name", [&] { std::filesystem::create_hard_link(file, place_.key().parent_path() / "second"); }},
        {"a pipe", [&] { mkfifo(planted.c_str(), 0600); }},
        {"a folder", [&] { std::filesystem::create_directory(planted); }},
    };
    for (const auto& [name, make] : states) {
        make();
        EXPECT_EQ(with(place_.options(), [] {}), Words{"records folder"}) << name;
        std::filesystem::remove_all(planted);
        std::filesystem::remove(place_.key().parent_path() / "second");
        chmod(records.c_str(), 0700);
        chmod(file.c_str(), 0600);
    }
    EXPECT_EQ(with(place_.options(), [] {}), Words{});
}

TEST_F(Report, NamesAKeyFileThatOthersMayRead) {
    chmod(place_.key().c_str(), 0644);
    EXPECT_EQ(with(place_.options(), [] {}), Words{"key file"});
    chmod(place_.key().c_str(), 0600);
    ASSERT_EQ(chown(place_.key().c_str(), peer_user, box_user.gid), 0);
    EXPECT_EQ(with(place_.options(), [] {}), Words{"key file"});
    // Anybody may be in a group, also in ours or in root's.
    for (const gid_t group : {gid_t{peer_user}, box_user.gid, gid_t{0}}) {
        ASSERT_EQ(chown(place_.key().c_str(), box_user.uid, group), 0);
        chmod(place_.key().c_str(), 0640);
        EXPECT_EQ(with(place_.options(), [] {}), Words{"key file"}) << group;
    }
}

TEST_F(Report, NothingIsContainedWhileAnotherThreadRuns) {
    std::latch end{1}; // never counted down: the child's _exit takes the thread along
    EXPECT_EQ(with(place_.options(), [&] { std::thread{[&] { end.wait(); }}.detach(); }), Words{"not started"});
}

TEST_F(Report, RootIsNotAUserToBecome) {
    auto options = place_.options();
    options.become = User{0, 0};
    EXPECT_EQ(with(options, [] {}), Words{"not started"});
    options.become.reset();
    EXPECT_EQ(with(options, [] {}), Words{"not started"});
}

} // namespace
} // namespace clinic::containment::tests
