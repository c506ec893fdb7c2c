// A process that is weakened in one way, looked at from outside: that way is named, and no other.
#include "provisioning/outside.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
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
#include <nlohmann/json.hpp>
#include <string_view>

#include "crypto/base/owned.h"
#include "crypto/base/process.h"
#include "daemon/containment/filter.h"
#include "daemon/containment/steps.h"
#include "provisioning/containment_view.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::provisioning {
namespace {

using Words = std::set<std::string>;

constexpr uid_t box_user = 61'721, peer_user = 61'722;

// Stands in for clinicd: contained but for what the case leaves out, and waiting.
class Outside : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "weakened states need root to be made";
        chmod(folder_.path().c_str(), 0711);
        std::filesystem::create_directory(about_.records = folder_ / "records");
        about_.credential = folder_ / "store.key";
        about_.control = folder_ / "control.sock";
        for (const auto& file : {about_.records / "records.db", about_.credential}) {
            std::ofstream{file} << "sealed";
            give(file, 0600);
        }
        give(about_.records, 0700);
        listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, about_.control.c_str());
        ASSERT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ASSERT_EQ(listen(listener_.get(), 1), 0);
        give(about_.control, 0600);
        about_.peer = peer_user;
    }
    static void give(const std::filesystem::path& path, mode_t mode) {
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
        ASSERT_EQ(chown(path.c_str(), box_user, box_user), 0);
    }

    // What does not hold while the process waits.
    Words open(std::string_view out, const std::function<void()>& before = {}) {
        int ready[2];
        if (pipe2(ready, O_CLOEXEC) != 0) return {"no pipe"};
        const pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (before) before();
            const char said = contain(out) ? 'y' : 'n';
            [[maybe_unused]] const auto put = write(ready[1], &said, 1);
            for (;;) poll(nullptr, 0, -1);
        }
        close(ready[1]);
        char said = 'n';
        const bool contained = read(ready[0], &said, 1) == 1 && said == 'y';
        close(ready[0]);
        about_.pid = child;
        Words words;
        if (contained)
            for (const auto& part : look_from_outside(about_))
                if (part.holds == false) words.insert(part.part);
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        return contained ? words : Words{"not contained"};
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
    base::UniqueFd listener_;
    About about_;
};

TEST_F(Outside, SeesThatAllHolds) {
    EXPECT_EQ(open("nothing"), Words{});
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
    listener_.reset(); // the socket is there, and nobody holds it
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
