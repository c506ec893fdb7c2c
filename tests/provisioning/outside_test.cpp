// A process that is weakened in one way, looked at from outside: that way is named, and no other.
#include "provisioning/outside.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/base/process.h"
#include "daemon/containment/filter.h"
#include "daemon/containment/steps.h"
#include "provisioning/containment_view.h"
#include "provisioning/peer_eyes.h"
#include "provisioning/proc.h"
#include "tests/fakes/far_file.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::provisioning {
namespace {

using Words = std::set<std::string>;

constexpr uid_t box_user = 61'721, peer_user = 61'722, another_user = 61'723;

base::UniqueFd listen_at(const std::filesystem::path& path, int type) {
    base::UniqueFd fd{socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd.get(), 4), 0);
    return fd;
}

void outputs_to_nowhere() {
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing, fd);
    close(nothing);
}

// A process that made itself ready and waits, until this goes; nullopt where it could not.
class Waiting {
public:
    static std::unique_ptr<Waiting> start(const std::function<bool()>& ready) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return nullptr;
        auto made = std::make_unique<Waiting>();
        made->pid_ = fork();
        if (made->pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(ends[0]);
            outputs_to_nowhere();
            const char said = ready() ? 'y' : 'n';
            [[maybe_unused]] const auto put = write(ends[1], &said, 1);
            close(ends[1]);
            for (;;) poll(nullptr, 0, -1);
        }
        close(ends[1]);
        char said = 'n', end = 0;
        const bool is_ready = read(ends[0], &said, 1) == 1 && said == 'y' && read(ends[0], &end, 1) == 0;
        close(ends[0]);
        return is_ready ? std::move(made) : nullptr;
    }
    ~Waiting() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = 0;
};

// Stands in for clinicd: contained but for what the case leaves out, and waiting; and for clinic-syncd, connected to
// it.
class Outside : public testing::Test {
protected:
    // What the runner of the tests left open is not what they are about.
    static void SetUpTestSuite() { base::close_inherited(STDERR_FILENO + 1); }
    // Only root can become another user and keep what is to be dropped. As root nothing is skipped.
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "weakened states need root to be made";
        chmod(folder_.path().c_str(), 0711);
        std::filesystem::create_directory(about_.records = folder_ / "records");
        about_.credential = folder_ / "store.key";
        about_.control = folder_ / "control.sock";
        for (const auto& file : {about_.records / "records.db", about_.records / "keys.db", about_.credential}) {
            std::ofstream{file} << "sealed";
            give(file, 0600, box_user);
        }
        give(about_.records, 0700, box_user);
        control_ = listen_at(about_.control, SOCK_STREAM);
        give(about_.control, 0600, box_user);
        egress_ = listen_at(egress_path(), SOCK_SEQPACKET);
        give(egress_path(), 0600, peer_user);
        about_.doors = {about_.control, egress_path()};
        about_.peer = peer_user;
    }
    static void give(const std::filesystem::path& path, mode_t mode, uid_t user) {
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
        ASSERT_EQ(chown(path.c_str(), user, user), 0);
    }
    std::filesystem::path egress_path() const { return folder_ / "egress.sock"; }

    // `out` is what clinic-syncd leaves out.
    std::unique_ptr<Waiting> send(std::string_view out = "", const std::vector<gid_t>& groups = {}) const {
        return Waiting::start([&] {
            const uid_t user = out == "user" ? another_user : peer_user;
            if (out == "capabilities") prctl(PR_SET_KEEPCAPS, 1);
            if (setgroups(groups.size(), groups.data()) != 0 || setresgid(user, user, user) != 0) return false;
            const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            std::strcpy(address.sun_path, egress_path().c_str());
            if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
            if (setresuid(user, user, user) != 0) return false;
            if (out == "capabilities" && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
            if (out != "capabilities" && out != "privileges" && !base::drop_capabilities()) return false;
            return base::close_dumps().has_value() && (out != "dumps" || prctl(PR_SET_DUMPABLE, 1) == 0);
        });
    }

    // What was seen of each part while the process waits.
    std::vector<Seen> look(std::string_view out, const std::function<void()>& before = {}, bool sent = true) {
        const auto clinicd = Waiting::start([&] {
            if (sent && accept(egress_.get(), nullptr, nullptr) < 0) return false;
            if (before) before();
            return contain(out);
        });
        if (!clinicd) return {{"not contained", false, ""}};
        about_.pid = clinicd->pid();
        return look_from_outside(about_);
    }
    // What does not hold, with a clinic-syncd that is as it should be.
    Words open(std::string_view out, const std::function<void()>& before = {}) {
        const auto sender = send();
        return sender ? without_hold(look(out, before)) : Words{"no sender"};
    }
    static Words without_hold(const std::vector<Seen>& parts) {
        Words words;
        for (const auto& part : parts)
            if (part.holds == false) words.insert(part.part);
        return words;
    }
    // What could not be looked at. The stand-in has no settings.
    Words not_looked_at() {
        const auto sender = send();
        Words words;
        for (const auto& part : look("nothing"))
            if (!part.holds) words.insert(part.part);
        words.erase("what it says of itself");
        return words;
    }

    bool contain(std::string_view out) const {
        using namespace containment;
        constexpr rlimit endless{RLIM_INFINITY, RLIM_INFINITY};
        const uid_t user = out == "user" ? peer_user : box_user;
        if (out == "core limit") setrlimit(RLIMIT_CORE, &endless);
        if (out != "network") leave_network();
        if (out == "capabilities") prctl(PR_SET_KEEPCAPS, 1);
        if (!become({user, user})) return false;
        if (out != "privileges" && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
        if (out != "capabilities" && out != "privileges" && !base::drop_capabilities()) return false;
        if (out != "core limit" && !base::close_dumps()) return false;
        if (out == "core limit") prctl(PR_SET_DUMPABLE, 0);
        if (out == "dumps") prctl(PR_SET_DUMPABLE, 1);
        return out == "filter" || out == "privileges" || load_filter().has_value();
    }

    fakes::TempFolder folder_;
    base::UniqueFd control_, egress_;
    About about_;
};

TEST_F(Outside, SeesThatAllHolds) {
    EXPECT_EQ(open("nothing"), Words{});
    EXPECT_EQ(not_looked_at(), Words{});
}

TEST_F(Outside, NamesEachPartThatDoesNot) {
    EXPECT_EQ(open("network"), Words{"network namespace"});
    EXPECT_EQ(open("filter"), Words{"system call filter"});
    EXPECT_EQ(open("privileges"), (Words{"system call filter", "no new privileges"}));
    EXPECT_EQ(open("capabilities"), Words{"no capabilities"});
    EXPECT_EQ(open("core limit"), Words{"no memory dumps"});
    EXPECT_EQ(open("dumps"), Words{"no memory dumps"});
}

TEST_F(Outside, NamesTheSendersUser) {
    const auto seen = open("user");
    EXPECT_TRUE(seen.contains("own user"));
    EXPECT_TRUE(seen.contains("the sender's user")); // who may then send it a signal
}

TEST_F(Outside, NamesADescriptorThatNobodyDeclared) {
    EXPECT_EQ(open("nothing", [] { socket(AF_INET, SOCK_DGRAM, 0); }), Words{"descriptors"});
    EXPECT_EQ(open("nothing", [] { socket(AF_INET, SOCK_STREAM, 0); }), Words{"descriptors"});
    EXPECT_EQ(open("nothing", [] { socket(AF_NETLINK, SOCK_RAW, 0); }), Words{"descriptors"});
    EXPECT_EQ(open("nothing", [] { ::open("/proc/self/ns/net", O_RDONLY); }), Words{"descriptors"});
    EXPECT_EQ(open("nothing", [] { listen(socket(AF_INET, SOCK_STREAM, 0), 1); }), Words{"descriptors"});
}

TEST_F(Outside, NamesADescriptorThatTheKernelDoesNotName) {
    const fakes::TempFolder folder;
    std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
    EXPECT_EQ(open("nothing", [&] { ASSERT_GE(fakes::open_far_file(folder.path()), 0); }), Words{"descriptors"});
}

TEST_F(Outside, NamesASocketOfTheMachineThatWasNotAccepted) {
    const auto pair = [](int type) {
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, type, 0, ends), 0);
        close(ends[0]);
    };
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET})
        EXPECT_EQ(open("nothing", [&] { pair(type); }), Words{"descriptors"}) << type;
    EXPECT_EQ(open("nothing", [] { memfd_create("x", 0); }), Words{"descriptors"});
    EXPECT_EQ(open("nothing", [] { ::open(("/proc/" + std::to_string(getppid()) + "/mem").c_str(), O_RDONLY); }),
              Words{"descriptors"});
    EXPECT_EQ(open("nothing", [] { ::open("/tmp", O_TMPFILE | O_RDWR, 0600); }), Words{"descriptors"});
    EXPECT_EQ(open("nothing", [this] { ::open((about_.records / "keys.db").c_str(), O_RDWR); }), Words{});
    about_.doors.erase(egress_path());
    EXPECT_TRUE(open("nothing").contains("descriptors"));
}

// As clinic-syncd with SupplementaryGroups= of the key's group.
TEST_F(Outside, TriesWithTheGroupsThatTheSenderHas) {
    chmod(about_.credential.c_str(), 0640);
    EXPECT_EQ(open("nothing"), Words{}); // whoever is not in the group cannot
    const auto sender = send("", {box_user});
    EXPECT_EQ(without_hold(look("nothing")), Words{"the sender's user"});
}

TEST_F(Outside, NamesASenderThatIsNotWhoItShouldBe) {
    const std::map<std::string, Words> parts{{"privileges", {"sender: no new privileges"}},
                                             {"capabilities", {"sender: no capabilities"}},
                                             {"dumps", {"sender: no memory dumps"}},
                                             {"user", {"the sender's user"}}};
    for (const auto& [out, named] : parts) {
        const auto sender = send(out);
        ASSERT_TRUE(sender) << out;
        EXPECT_EQ(without_hold(look("nothing")), named) << out;
    }
}

TEST_F(Outside, SaysWhatItCouldNotLookAt) {
    const auto key = std::exchange(about_.credential, folder_ / "nowhere");
    EXPECT_EQ(not_looked_at(), Words{"the sender's user"});
    about_.credential = key;
    const auto records = std::exchange(about_.records, folder_ / "nowhere");
    EXPECT_EQ(not_looked_at(), Words{"the sender's user"});
    about_.records = records;
    std::filesystem::rename(records / "keys.db", folder_ / "kept");
    EXPECT_EQ(not_looked_at(), Words{"the sender's user"});
    std::filesystem::rename(folder_ / "kept", records / "keys.db");
    const auto long_name = folder_ / std::string(120, 'x').c_str();
    std::filesystem::create_symlink(about_.control, long_name);
    about_.control = long_name; // longer than a UNIX socket's name may be
    EXPECT_EQ(not_looked_at(), Words{"the sender's user"});
}

// What fails for another reason than the protection is no refusal: the process is gone, and nobody listens at the door.
TEST_F(Outside, AFailureOfAnotherKindIsNoRefusal) {
    control_.reset();
    const auto sender = send();
    const auto who = identities_of(sender->pid());
    ASSERT_EQ(who.size(), 1U);
    about_.pid = Waiting::start([] { return true; })->pid(); // and has ended already
    ASSERT_EQ(chown(about_.control.c_str(), peer_user, peer_user), 0);
    const auto tried = try_as(*who.begin(), about_);
    ASSERT_TRUE(tried);
    Words unknown;
    for (const auto& one : *tried)
        if (one.outcome == Outcome::not_looked_at) unknown.insert(one.what);
    for (const char* what :
         {"open mem", "attach", "read memory", "take a descriptor", "send a signal", "reach control.sock"})
        EXPECT_TRUE(unknown.contains(what)) << what;
}

TEST_F(Outside, SaysThatNobodyIsThereToLookWith) {
    Words unknown;
    for (const auto& part : look("nothing", {}, false))
        if (!part.holds) unknown.insert(part.part);
    EXPECT_EQ(unknown, (Words{"sender", "the sender's user", "what it says of itself"}));
}

// The tries can succeed: against a process of the same user that protects nothing.
TEST_F(Outside, EveryTryIsOpenWhereNothingIsProtected) {
    const auto unprotected = Waiting::start([] {
        return setgroups(0, nullptr) == 0 && setresgid(peer_user, peer_user, peer_user) == 0 &&
               setresuid(peer_user, peer_user, peer_user) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
    });
    ASSERT_TRUE(unprotected);
    about_.pid = unprotected->pid();
    for (const auto& path :
         {about_.records, about_.records / "records.db", about_.records / "keys.db", about_.credential, about_.control})
        ASSERT_EQ(chown(path.c_str(), peer_user, peer_user), 0);
    const auto who = identities_of(unprotected->pid());
    ASSERT_EQ(who.size(), 1U);
    const auto tried = try_as(*who.begin(), about_);
    ASSERT_TRUE(tried);
    // Of these the kernel lets only a capability see.
    const Words by_capability{"open stack"};
    for (const auto& one : *tried)
        if (!by_capability.contains(one.what)) {
            EXPECT_EQ(one.outcome, Outcome::open) << one.what << " " << one.why;
        }
}

TEST_F(Outside, TriesWhatTheSenderCouldOpen) {
    chmod(about_.credential.c_str(), 0644);
    EXPECT_EQ(open("nothing"), Words{"the sender's user"});
    chmod(about_.credential.c_str(), 0600);
    chmod(about_.records.c_str(), 0755);
    EXPECT_EQ(open("nothing"), Words{"the sender's user"});
    chmod(about_.records.c_str(), 0711);
    EXPECT_EQ(open("nothing"), Words{});
    chmod((about_.records / "records.db").c_str(), 0644);
    EXPECT_EQ(open("nothing"), Words{"the sender's user"});
    chmod((about_.records / "records.db").c_str(), 0600);
    chmod(about_.control.c_str(), 0666);
    EXPECT_EQ(open("nothing"), Words{"the sender's user"});
}

TEST_F(Outside, DoesNotBelieveANumberThatSomebodyElseHas) {
    control_.reset(); // the socket is there, and nobody holds it
    EXPECT_EQ(open("nothing"), Words{"the process that answered"});
}

TEST_F(Outside, WhatWasNotLookedAtDoesNotHold) {
    const nlohmann::json inside{{{"part", "a"}, {"holds", true}, {"detail", "yes"}}};
    EXPECT_TRUE(containment_report(inside, {{"b", true, "yes"}}).at("holds"));
    EXPECT_FALSE(containment_report(inside, {{"b", std::nullopt, "run it as root"}}).at("holds"));
    EXPECT_FALSE(containment_report(inside, {{"b", false, "no"}}).at("holds"));
    EXPECT_FALSE(containment_report(nlohmann::json::array(), {{"b", true, "yes"}}).at("holds"));
    EXPECT_NE(view_containment(containment_report(inside, {{"b", false, "open"}})).find("[NO]  b"), std::string::npos);
}

} // namespace
} // namespace clinic::provisioning
