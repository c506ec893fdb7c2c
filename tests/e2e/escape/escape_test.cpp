// Containment on the whole box: what the report says of the running product, whole and weakened, and what the sender's
// user and planted links come to. The ways out from inside are in tests/daemon/containment.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <set>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;
using Words = std::set<std::string>;

constexpr uid_t daemon_user = 61'701, sync_user = 61'702;

class Escape : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (geteuid() != 0) return;
        ASSERT_EQ(unshare(CLONE_NEWNET), 0);
        ASSERT_EQ(std::system("ip link set lo up"), 0);
        box_ = std::make_unique<Box>(21'000);
    }
    static void TearDownTestSuite() { box_.reset(); }
    void SetUp() override {
        // Only root has two users and a network to give; as root nothing is skipped.
        if (geteuid() != 0) GTEST_SKIP() << "two users and a network of one's own need root";
        ASSERT_TRUE(box_);
    }

    static Box& box() { return *box_; }
    static std::filesystem::path records() { return box().folder() / "records"; }
    static std::filesystem::path program() { return box().folder() / "bin" / "clinicd"; }

    // The parts that do not hold, with where they were seen.
    static Words open_parts() {
        const auto said = box().ctl("containment --json");
        const auto report = json::parse(said.out, nullptr, false);
        if (!report.is_object()) return {"no report"};
        Words open;
        for (const char* where : {"inside", "outside"})
            for (const auto& part : report.at(where))
                if (part.at("holds") != true)
                    open.insert(std::string{where} + ": " + part.at("part").get<std::string>());
        EXPECT_EQ(said.exit, open.empty() ? 0 : 1) << said.out;
        EXPECT_EQ(report.at("holds"), open.empty());
        return open;
    }
    static std::string process_of(const std::string& name) {
        for (const auto& one : box().processes())
            if (one.find("/" + name + " ") != std::string::npos && one.find("--config") != std::string::npos)
                return one.substr(0, one.find(' '));
        return "";
    }
    static void restart() {
        const auto before = process_of("clinicd");
        ASSERT_EQ(kill(static_cast<pid_t>(std::stol(before)), SIGKILL), 0);
        ASSERT_TRUE(eventually([&] {
            const auto now = process_of("clinicd");
            return !now.empty() && now != before && box().status().contains("mode");
        }));
        ASSERT_TRUE(eventually([] { return !process_of("clinic-syncd").empty(); }));
    }
    // From its next start on, clinicd is started by `weaken WHAT`.
    static void weaken(const std::string& what) {
        const auto folder = box().folder() / "bin";
        std::filesystem::rename(program(), folder / "kept");
        std::filesystem::copy_file(CLINIC_WEAKEN, folder / "weaken");
        std::ofstream{program()} << "#!/bin/sh\nexec " << (folder / "weaken").string() << " " << what << " "
                                 << (folder / "kept").string() << " " << program().string() << " \"$@\"\n";
        chmod(program().c_str(), 0755);
    }
    static void strengthen() {
        std::filesystem::rename(box().folder() / "bin" / "kept", program());
        std::filesystem::remove(box().folder() / "bin" / "weaken");
        restart();
        EXPECT_EQ(open_parts(), Words{});
    }

    static inline std::unique_ptr<Box> box_;
};

TEST_F(Escape, TheReportSaysThatAllHolds) {
    EXPECT_EQ(open_parts(), Words{});
    const auto text = box().ctl("containment");
    EXPECT_EQ(text.exit, 0);
    EXPECT_NE(text.out.find("Every part of the containment holds"), std::string::npos);
}

TEST_F(Escape, TheSendersUserSeesNothingOfClinicd) {
    const auto as_sender = [](const std::string& command) {
        return run("setpriv --reuid=" + std::to_string(sync_user) + " --regid=" + std::to_string(sync_user) +
                   " --clear-groups " + command);
    };
    const auto pid = process_of("clinicd");
    for (const char* name :
         {"mem", "environ", "maps", "fd/", "fdinfo/", "cwd/", "root/", "ns/", "stack", "map_files/", "io"}) {
        const std::string how = std::string{name}.ends_with('/') ? "ls /proc/" : "cat /proc/";
        const auto tried = as_sender(how + pid + "/" + name);
        EXPECT_NE(tried.exit, 0) << name;
        EXPECT_TRUE(tried.out.find("Permission denied") != std::string::npos ||
                    tried.out.find("Operation not permitted") != std::string::npos)
            << name << tried.out;
    }
    EXPECT_NE(as_sender("kill -0 " + pid).exit, 0);
    for (const char* file :
         {"/records", "/records/records.db", "/records/keys.db", "/keys/store.key", "/keys/console.key"})
        EXPECT_NE(as_sender("cat " + box().folder().string() + file).out.find("Permission denied"), std::string::npos)
            << file;
    EXPECT_NE(as_sender(box().folder().string() + "/bin/clinicctl --control " + box().folder().string() +
                        "/run/control.sock status")
                  .exit,
              0);
}

TEST_F(Escape, NamesWhatTheMachineDoesNotAllow) {
    weaken("no-namespace");
    restart();
    EXPECT_EQ(open_parts(), (Words{"inside: network namespace", "outside: network namespace"}));
    strengthen();
    weaken("no-landlock");
    restart();
    EXPECT_EQ(open_parts(), Words{"inside: writing elsewhere"});
    strengthen();
}

TEST_F(Escape, WhatAStarterLeftOpenIsClosed) {
    weaken("network-input");
    restart();
    // Standard output is where a starter wants it, so it is not closed: it is named.
    EXPECT_EQ(open_parts(), (Words{"inside: descriptors", "outside: descriptors"}));
    const auto pid = process_of("clinicd");
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + pid + "/fd/0"), "/dev/null");
    EXPECT_EQ(std::filesystem::symlink_status("/proc/" + pid + "/fd/200").type(),
              std::filesystem::file_type::not_found);
    strengthen();
}

TEST_F(Escape, NamesTheSameUserAsTheSender) {
    const auto file = box().folder() / "etc" / "clinicd.json";
    std::ifstream in{file};
    const json kept = json::parse(in);
    auto same = kept;
    same["peer"] = daemon_user;
    std::ofstream{file} << same;
    restart();
    const auto open = open_parts();
    EXPECT_TRUE(open.contains("inside: own user"));
    EXPECT_TRUE(open.contains("outside: own user"));
    EXPECT_TRUE(open.contains("outside: the sender's user"));
    std::ofstream{file} << kept;
    restart();
    EXPECT_EQ(open_parts(), Words{});
}

TEST_F(Escape, NamesRecordsAndKeysThatOthersMayOpen) {
    chmod(records().c_str(), 0755);
    EXPECT_EQ(open_parts(), (Words{"inside: records folder", "outside: the sender's user"}));
    chmod(records().c_str(), 0700);
    const auto key = box().folder() / "keys" / "store.key";
    chmod(key.c_str(), 0444);
    EXPECT_EQ(open_parts(), (Words{"inside: key file", "outside: the sender's user"}));
    chmod(key.c_str(), 0400);
    EXPECT_EQ(open_parts(), Words{});
}

TEST_F(Escape, NamesALogThatOthersMayRead) {
    const auto log = box().folder() / "logs" / "clinicd.log";
    chmod(log.c_str(), 0644);
    EXPECT_EQ(open_parts(), (Words{"inside: descriptors", "outside: descriptors", "outside: the sender's user"}));
    chmod(log.c_str(), 0640);
    EXPECT_EQ(open_parts(), Words{});
}

// As when a clinicd that was taken over says something else of itself than what it was started with.
TEST_F(Escape, NamesAnAnswerThatIsNotWhatTheSettingsSay) {
    const auto file = box().folder() / "etc" / "clinicd.json";
    const json kept = json::parse(std::ifstream{file});
    for (const char* key : {"records", "credential"}) {
        auto other = kept;
        other[key] = "/nowhere";
        std::ofstream{file} << other;
        EXPECT_EQ(open_parts(), Words{"outside: what it says of itself"}) << key;
    }
    std::ofstream{file} << kept;
    EXPECT_EQ(open_parts(), Words{});
}

TEST_F(Escape, NamesALinkThatIsPlantedWhileItRuns) {
    std::filesystem::create_symlink("/etc/passwd", records() / "planted");
    EXPECT_EQ(open_parts(), Words{"inside: records folder"});
    std::filesystem::remove(records() / "planted");
    std::filesystem::create_hard_link(records() / "records.db", box().folder() / "second");
    EXPECT_EQ(open_parts(), Words{"inside: records folder"});
    std::filesystem::remove(box().folder() / "second");
    EXPECT_EQ(open_parts(), Words{});
}

// Before a start: a named mode, a clear error, and nothing is written through the link.
TEST_F(Escape, ALinkInTheStoreKeepsItClosed) {
    const auto elsewhere = box().folder() / "elsewhere";
    for (const char* name : {"records.db", "keys.db", "records.db.lock"})
        for (const bool symbolic : {true, false}) {
            const auto file = records() / name;
            std::filesystem::rename(file, box().folder() / "kept");
            std::ofstream{elsewhere} << "another's";
            chmod(elsewhere.c_str(), 0666);
            if (symbolic)
                std::filesystem::create_symlink(elsewhere, file);
            else
                std::filesystem::create_hard_link(elsewhere, file);
            restart();
            EXPECT_EQ(box().status().value("mode", ""), "damaged") << name << symbolic;
            EXPECT_NE(box().send(adt("A28", "C1", "N1", "Waitwell", "Una")).find("MSA|AE|"), std::string::npos);
            EXPECT_NE(run("tail -n 3 " + (box().folder() / "logs" / "clinicd.log").string()).out.find("ls -li"),
                      std::string::npos);
            EXPECT_EQ(std::filesystem::file_size(elsewhere), 9U);
            std::filesystem::remove(file);
            std::filesystem::rename(box().folder() / "kept", file);
            std::filesystem::remove(elsewhere);
        }
    restart();
    EXPECT_TRUE(eventually([] { return box().status().value("mode", "") == "running"; }));
    EXPECT_EQ(open_parts(), Words{});
}

// A filter that cannot be loaded is no reason to go on without one.
TEST_F(Escape, WithoutAFilterItDoesNotServe) {
    weaken("no-filter");
    const auto before = process_of("clinicd");
    ASSERT_EQ(kill(static_cast<pid_t>(std::stol(before)), SIGKILL), 0);
    EXPECT_TRUE(eventually([] {
        return run("tail -n 2 " + (box().folder() / "logs" / "clinicd.log").string())
                   .out.find("the system call filter cannot be made") != std::string::npos;
    }));
    EXPECT_EQ(box().ctl("status").exit, 2);
    std::filesystem::rename(box().folder() / "bin" / "kept", program());
    std::filesystem::remove(box().folder() / "bin" / "weaken");
    EXPECT_TRUE(eventually([] { return box().status().value("mode", "") == "running"; }));
    EXPECT_EQ(open_parts(), Words{});
}

} // namespace
} // namespace clinic::e2e
