// Troubles of an installed box on a real systemd: each ends in a named mode or in nothing to see, and by itself where
// that can be. What a program alone can show is in tests/e2e/conditions. In the order in which they stand, on one
// machine.
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "tests/e2e/appliance/on_machine.h"
#include "tests/e2e/appliance/stopped_thread.h"

namespace clinic::e2e {
namespace {

// So many bytes of memory for one process, as a control group gives them; beyond them the kernel ends it.
class MemoryBound {
public:
    MemoryBound(pid_t process, long bytes) {
        std::filesystem::create_directory(group_);
        write("memory.limit_in_bytes", bytes);
        write("cgroup.procs", process);
    }
    ~MemoryBound() {
        std::error_code busy;
        std::filesystem::remove(group_, busy); // empty by now, or it stays where it harms nobody
    }
    MemoryBound(const MemoryBound&) = delete;
    MemoryBound& operator=(const MemoryBound&) = delete;
    long kills() const {
        std::ifstream in{group_ / "memory.oom_control"};
        std::string word;
        long count = 0;
        while (in >> word >> count)
            if (word == "oom_kill") return count;
        return -1;
    }

private:
    void write(const char* file, long value) const {
        std::ofstream out{group_ / file};
        if (!(out << value << std::flush)) throw std::runtime_error{std::string{file} + " cannot be written"};
    }
    const std::filesystem::path group_ = "/sys/fs/cgroup/memory/clinic-test-" + std::to_string(getpid());
};

class Trouble : public OnSetUpMachine {};

// It says how it is to the machine's own programs, may call nobody there, and goes on when the bus has died.
TEST_F(Trouble, ADeadBusCostsTheBusAlone) {
    const std::string object = " org.clinicedge.Clinicd1 /org/clinicedge/Clinicd1 org.clinicedge.Clinicd1 ";
    ASSERT_TRUE(eventually([] { return box().status().value("dbus", "") == "up"; }, patience_s)) << box().status();
    ASSERT_TRUE(becomes("running")) << "once the clock is trusted";
    EXPECT_TRUE(
        eventually([&] { return box().ask("busctl get-property" + object + "Mode") == "s \"running\""; }, patience_s));
    EXPECT_EQ(box().ask("busctl get-property" + object + "Contained"), "b true");
    for (const std::string call : {"org.freedesktop.systemd1 /org/freedesktop/systemd1 "
                                   "org.freedesktop.systemd1.Manager StartUnit ss console-getty.service replace",
                                   "org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus "
                                   "StartServiceByName su org.freedesktop.hostname1 0"}) {
        const auto tried = box().in("setpriv --reuid=clinicd --regid=clinicd --clear-groups busctl call " + call);
        EXPECT_NE(tried.exit, 0);
        EXPECT_NE(tried.out.find("Access denied"), std::string::npos) << tried.out;
    }
    const long process = box().main_process("clinicd.service");
    ASSERT_EQ(box().in("kill -KILL $(systemctl show --property=MainPID --value dbus)").exit, 0);
    EXPECT_TRUE(eventually([] { return box().status().value("dbus", "") == "lost"; }, patience_s));
    EXPECT_TRUE(needs("E2016"));
    EXPECT_EQ(mode(), "running");
    EXPECT_EQ(box().send(next_message()), "AA");
    EXPECT_TRUE(page_is_served());
    EXPECT_EQ(box().main_process("clinicd.service"), process) << "and nobody had to start it anew";
    ASSERT_EQ(box().in("systemctl restart clinicd").exit, 0);
    EXPECT_TRUE(eventually([] { return box().status().value("dbus", "") == "up"; }, patience_s));
}

// A program that stands still is ended by the watchdog and there again, whichever it is.
TEST_F(Trouble, AProgramThatHangsIsStartedAnew) {
    for (const std::string program : {"clinicd", "clinic-syncd"}) {
        const std::string unit = program + ".service";
        ASSERT_EQ(box()
                      .in("mkdir -p /run/systemd/system/" + unit +
                          ".d; printf '[Service]\\nWatchdogSec=4\\n' >/run/systemd/system/" + unit +
                          ".d/quick.conf; systemctl daemon-reload; systemctl restart " + unit)
                      .exit,
                  0);
        ASSERT_TRUE(box().serves());
        const long old = box().main_process(unit);
        ASSERT_EQ(box().in("kill -STOP " + std::to_string(old)).exit, 0);
        EXPECT_TRUE(box().has_restarted(unit, old)) << unit;
        EXPECT_NE(box().in("journalctl -b --no-pager -u " + unit).out.find("Watchdog timeout"), std::string::npos);
        ASSERT_EQ(
            box()
                .in("rm -r /run/systemd/system/" + unit + ".d; systemctl daemon-reload; systemctl restart " + unit)
                .exit,
            0);
        ASSERT_TRUE(box().serves());
    }
    EXPECT_TRUE(acknowledges());
}

// A disk that does not answer holds the writer, and a fault the loop, while all others turn: the watchdog is fed by
// them together or not at all. "clinicd" is the first thread, the loop's.
TEST_F(Trouble, AThreadThatHangsAloneIsSeenAndNothingAcknowledgedIsLost) {
    const std::string unit = "clinicd.service";
    ASSERT_EQ(box()
                  .in("mkdir -p /run/systemd/system/" + unit +
                      ".d; printf '[Service]\\nWatchdogSec=6\\n' >/run/systemd/system/" + unit +
                      ".d/quick.conf; systemctl daemon-reload; systemctl restart " + unit)
                  .exit,
              0);
    for (const auto& [thread, said] :
         {std::pair{"store-writer", "the store's writer"}, std::pair{"clinicd", "Watchdog timeout"}}) {
        ASSERT_TRUE(box().serves());
        const auto stored = box().stored();
        int acknowledged = 0;
        for (int i = 0; i < 20; ++i)
            if (box().send(next_message()) == "AA") ++acknowledged;
        EXPECT_GT(acknowledged, 0);
        const long old = box().main_process(unit);
        StoppedThread stopped{box().process_outside(old), thread};
        const auto waiting = tcp(mllp_port); // its message is with who is stuck, or was answered before
        send_all(waiting, mllp_frame(next_message()));
        EXPECT_TRUE(eventually([&] { return stopped.is_gone(); }, patience_s)) << thread;
        EXPECT_TRUE(box().has_restarted(unit, old)) << thread;
        const auto journal = box().in("journalctl -b --no-pager -u " + unit).out;
        EXPECT_NE(journal.find("Watchdog timeout"), std::string::npos) << thread;
        EXPECT_NE(journal.find(said), std::string::npos) << journal;
        ASSERT_TRUE(becomes("running")) << thread;
        EXPECT_TRUE(acknowledges()) << thread;
        EXPECT_TRUE(page_is_served());
        EXPECT_GE(box().stored(), stored + acknowledged) << thread;
    }
    ASSERT_EQ(
        box().in("rm -r /run/systemd/system/" + unit + ".d; systemctl daemon-reload; systemctl restart " + unit).exit,
        0);
    ASSERT_TRUE(box().serves());
}

TEST_F(Trouble, AJournalThatIsStartedAnewGoesOnHearing) {
    const long process = box().main_process("clinicd.service");
    ASSERT_EQ(box().in("kill -KILL $(systemctl show --property=MainPID --value systemd-journald)").exit, 0);
    ASSERT_TRUE(eventually([] { return box().is_active("systemd-journald.service"); }, patience_s));
    EXPECT_EQ(box().send(next_message()), "AA");
    // Nonsense is a line in the log.
    EXPECT_TRUE(eventually(
        [] {
            const auto sender = tcp(mllp_port);
            send_all(sender, "GET / HTTP/1.1\r\n\r\n");
            hear(sender, patience_s);
            return !box().ask("journalctl --sync; journalctl -b -u clinicd -o cat | grep 'on the MLLP port'").empty();
        },
        patience_s));
    EXPECT_EQ(box().main_process("clinicd.service"), process);
}

TEST_F(Trouble, AMissingKeyIsAModeThatEndsWhenItIsBack) {
    const std::string key = "/etc/clinic-edge/keys/clinic-edge.store";
    ASSERT_EQ(box().in("mv " + key + " /root/kept; systemctl restart clinicd").exit, 0);
    EXPECT_EQ(mode(), "locked");
    EXPECT_TRUE(needs("E2001"));
    EXPECT_TRUE(page_is_served());
    EXPECT_EQ(box().send(next_message()), "AE");
    ASSERT_EQ(box().in("mv /root/kept " + key).exit, 0);
    EXPECT_TRUE(becomes("running")) << "by itself";
    EXPECT_TRUE(acknowledges());
}

TEST_F(Trouble, ADamagedStoreIsAModeAndTheRestoredOneServes) {
    ASSERT_EQ(box()
                  .in("systemctl stop clinicd clinic-edge.target; cd /var/lib/clinic-edge; cp -a records /root/kept\n"
                      "printf 'xxxxxxxxxxxxxxxx' | dd of=records/records.db bs=1 seek=20000 conv=notrunc 2>/dev/null\n"
                      "systemctl start clinic-edge.target")
                  .exit,
              0);
    EXPECT_TRUE(becomes("damaged"));
    EXPECT_TRUE(needs("E2002"));
    EXPECT_TRUE(page_is_served());
    EXPECT_NE(box().send(next_message()), "AA");
    EXPECT_EQ(box().ask("systemctl is-system-running"), "running")
        << "no unit has failed: " << box().in("systemctl --failed").out;
    ASSERT_EQ(
        box()
            .in("systemctl stop clinicd clinic-edge.target; cd /var/lib/clinic-edge; rm -r records; cp -a /root/kept "
                "records; rm -r /root/kept; systemctl start clinic-edge.target")
            .exit,
        0);
    EXPECT_TRUE(becomes("running"));
    EXPECT_TRUE(acknowledges());
}

// The records' disk is one of its own, as it should be.
TEST_F(Trouble, AFullDiskIsAModeThatEndsByItself) {
    ASSERT_EQ(box()
                  .in("systemctl stop clinicd clinic-edge.target; cd /var/lib/clinic-edge; cp -a records /root/kept\n"
                      "mount -t tmpfs -o size=24m,mode=0700,uid=$(id -u clinicd),gid=$(id -g clinicd) records records\n"
                      "cp -a /root/kept/. records/; systemctl start clinic-edge.target")
                  .exit,
              0);
    ASSERT_TRUE(becomes("running"));
    const auto stored = box().stored();
    box().in("dd if=/dev/zero of=/var/lib/clinic-edge/records/filler bs=4k 2>/dev/null; true");
    EXPECT_TRUE(eventually([] { return box().send(next_message()) == "AE"; }, patience_s));
    EXPECT_TRUE(becomes("full"));
    EXPECT_TRUE(page_is_served());
    const long process = box().main_process("clinicd.service");
    ASSERT_EQ(box().in("rm /var/lib/clinic-edge/records/filler").exit, 0);
    EXPECT_TRUE(acknowledges());
    EXPECT_TRUE(becomes("running"));
    EXPECT_GT(box().stored(), stored);
    EXPECT_EQ(box().main_process("clinicd.service"), process);
}

// As a file system is that was mounted after an error.
TEST_F(Trouble, ADiskThatIsReadOnlyIsAMode) {
    ASSERT_EQ(box()
                  .in("systemctl stop clinicd clinic-edge.target; mount -o remount,ro /var/lib/clinic-edge/records; "
                      "systemctl start clinic-edge.target")
                  .exit,
              0);
    EXPECT_TRUE(becomes("damaged"));
    EXPECT_TRUE(needs("E2011"));
    EXPECT_TRUE(page_is_served());
    EXPECT_NE(box().send(next_message()), "AA");
    // The unit has its own view of the mounts, made when it started.
    ASSERT_EQ(box().in("mount -o remount,rw /var/lib/clinic-edge/records; systemctl restart clinicd").exit, 0);
    EXPECT_TRUE(becomes("running"));
    EXPECT_TRUE(acknowledges());
}

// Who opens the page when clinicd cannot start is told so, by another program that has no record and no key of one.
TEST_F(Trouble, APageWithoutClinicdSaysWhyAndGoesByItself) {
    const std::string settings = "/etc/clinic-edge/clinicd.json";
    ASSERT_TRUE(becomes("running"));
    ASSERT_EQ(box()
                  .in("cp -a " + settings + " /root/settings.kept; sed -i 1d " + settings +
                      "; systemctl kill -s KILL clinicd")
                  .exit,
              0);
    EXPECT_TRUE(eventually(
        [] {
            const auto page = box().page("/");
            return page.rfind("HTTP/1.1 503", 0) == 0 && page.find("its settings cannot be read") != std::string::npos;
        },
        patience_s));
    EXPECT_NE(box().page("/api/health").find("\"cause\":\"settings\""), std::string::npos);
    EXPECT_NE(box().in("clinicctl check --json").out.find("clinicd.json"), std::string::npos);
    const auto refused =
        box().in("runuser -u clinic-observe -- cat " + settings + " /var/lib/clinic-edge/records/records.db");
    EXPECT_NE(refused.out.find("records.db: Permission denied"), std::string::npos) << refused.out;
    ASSERT_EQ(box().in("mv /root/settings.kept " + settings).exit, 0);
    EXPECT_TRUE(eventually([] { return page_is_served(); }, patience_s));
    EXPECT_TRUE(acknowledges());

    // One that hangs: the watchdog's minute is not waited for in silence.
    const long process = box().main_process("clinicd.service");
    ASSERT_EQ(box().in("kill -STOP " + std::to_string(process)).exit, 0);
    EXPECT_TRUE(eventually([] { return box().page("/").find("it runs and does not answer") != std::string::npos; },
                           patience_s));
    ASSERT_EQ(box().in("kill -CONT " + std::to_string(process)).exit, 0);
    EXPECT_TRUE(eventually([] { return page_is_served(); }, patience_s));
}

// The kernel takes the memory back: started anew, and what was acknowledged is stored.
TEST_F(Trouble, WithoutMemoryItIsStartedAnewAndNothingAcknowledgedIsLost) {
    ASSERT_TRUE(becomes("running"));
    const auto stored = box().stored();
    const long process = box().main_process("clinicd.service");
    const MemoryBound bound{box().process_outside(process), 48'000'000};
    int acknowledged = 0;
    const std::string note = "NTE|1||" + std::string(1'000'000, 'x') + "\r";
    std::vector<base::UniqueFd> many;
    for (int i = 0; i < 60; ++i) {
        if (box().send(next_message()) == "AA") ++acknowledged;
        many.push_back(tcp(mllp_port));
        if (many.back()) send_all(many.back(), "\x0b" + next_message() + note); // held, never ended
    }
    EXPECT_TRUE(box().has_restarted("clinicd.service", process));
    EXPECT_GT(bound.kills(), 0) << "and it was the kernel who ended it";
    many.clear();
    EXPECT_TRUE(acknowledges());
    EXPECT_TRUE(becomes("running"));
    EXPECT_GT(acknowledged, 0);
    EXPECT_GE(box().stored(), stored + acknowledged);
}

// A machine whose battery is empty, and one whose clock was set by a fool. Without the watchdog: the library that fakes
// the time takes a timer of the monotonic clock for one of the other.
TEST_F(Trouble, AClockThatIsWrongIsAModeThatEndsWhenItIsRight) {
    for (const std::string when : {"@1970-01-01 00:10:00", "@2099-06-01 12:00:00"}) {
        set_clock({"clinicd"}, when);
        EXPECT_TRUE(becomes("clock-untrusted")) << when;
        const auto told = box().asked_ghl("");
        EXPECT_TRUE(acknowledges()) << when;
        EXPECT_TRUE(page_is_served());
        EXPECT_EQ(box().asked_ghl(""), told) << "nothing leaves by a clock that is wrong";
        set_clock({"clinicd"}, "");
        EXPECT_TRUE(becomes("running")) << when;
        EXPECT_TRUE(eventually([&] { return box().asked_ghl("") > told; }, patience_s)) << "what waited leaves";
    }
}

} // namespace
} // namespace clinic::e2e
