// The package's own life: upgrade under load, removal, purge, and dpkg killed at each of its steps and at each command
// of its scripts. From every one of them dpkg and the box go on.
#include <atomic>
#include <fstream>
#include <thread>
#include <tuple>

#include "tests/e2e/appliance/on_machine.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

// Stopped before: a unit that was started again and again for want of its settings would find half of its keys.
constexpr const char* settings_again = "systemctl stop clinicd clinic-syncd; cp -a /root/settings/. /etc/clinic-edge/; "
                                       "systemctl start clinicd clinic-syncd";

// The shell's words that make /root/clinic-edge.deb anew as `file`, with `change`: its scripts are run by bash, which
// tells each command before it is run. Those that match `counted` are counted; one that /root/kill names ("postrm purge
// 3") is the end of dpkg and of the script instead. How many there were is left in /root/steps.SCRIPT.WORD.
std::string counting_package(const std::string& file, const std::string& counted, const std::string& change) {
    return "rm -rf /root/again; dpkg-deb -R /root/clinic-edge.deb /root/again; cd /root/again; " + change +
           "; cd DEBIAN\n"
           "for script in postinst postrm; do\n"
           "{ cat <<'end'; tail -n +2 $script; } >new\n"
           "#!/bin/bash\n"
           "set -e\n"
           "counted_script=${0##*.} counted_word=$1 counted=0\n"
           "count() {\n"
           "    [[ $1 =~ ^(" +
           counted +
           ") ]] || return 0\n"
           "    counted=$((counted + 1))\n"
           "    ! grep -qsx \"$counted_script $counted_word $counted\" /root/kill || { rm /root/kill; kill -KILL $PPID "
           "$$; }\n"
           "}\n"
           "trap 'echo $counted >/root/steps.$counted_script.$counted_word' EXIT\n"
           "trap 'count \"$BASH_COMMAND\"' DEBUG\n"
           "end\n"
           "mv new $script; chmod 0755 $script\n"
           "done\n"
           "dpkg-deb --root-owner-group -Znone -b /root/again " +
           file;
}

constexpr const char* of_a_running_machine = "systemctl |busctl |systemd-|deb-systemd-invoke ";
constexpr const char* that_change =
    "busctl |command |deb-systemd-|find |install |mv |rm |rmdir |sync |systemctl |systemd-";

// The package's state in dpkg's books, as one is left whose configuration was cut off before it did anything.
constexpr const char* cut_off =
    "sed -i '/^Package: clinic-edge$/,/^$/{s/^Status:.*/Status: install ok half-configured/;"
    "s/^Version: \\(.*\\)/&\\nConfig-Version: \\1/}' /var/lib/dpkg/status\n";

int steps_of(const Machine& machine, const std::string& script) {
    std::ifstream in{machine.path("/root/steps." + script)};
    int steps = 0;
    in >> steps;
    return steps;
}

class Package : public OnMachine {
protected:
    static void SetUpTestSuite() {
        if (geteuid() != 0) return;
        boot();
        if (machine_->install().exit == 0) machine_->set_up();
    }
    // The same package as another version, whose scripts kill dpkg where /root/kill names them: "postinst configure
    // end". `change`: what is else in it, in the words of the shell.
    static std::string as_version(const std::string& version, const std::string& change = ":") {
        const std::string file = "/root/clinic-edge_" + version + ".deb";
        const auto made =
            box().in("rm -rf /root/again; dpkg-deb -R /root/clinic-edge.deb /root/again; cd /root/again; " + change +
                     "; cd /root/again/DEBIAN\n"
                     "sed -i 's/^Version: .*/Version: " +
                     version +
                     "/' control\n"
                     "for script in preinst postinst prerm postrm; do\n"
                     "  [ -e $script ] || printf '#!/bin/sh\\nset -e\\n' >$script\n"
                     "  { printf '#!/bin/sh\\nset -e\\n'\n"
                     "    printf 'killed() { grep -qsx \"%s $1 $2\" /root/kill && rm /root/kill && kill -KILL $PPID && "
                     "exit 0 || true; }\\n' $script\n"
                     "    printf 'killed \"$1\" begin\\n'; tail -n +2 $script; printf 'killed \"$1\" end\\n'; } >new\n"
                     "  mv new $script; chmod 0755 $script\n"
                     "done\n"
                     "dpkg-deb --root-owner-group -Znone -b /root/again " +
                     file);
        EXPECT_EQ(made.exit, 0) << made.out;
        return file;
    }
    static void kill_dpkg_at(const std::string& step, const std::string& command) {
        ASSERT_EQ(box().in("printf '%s\\n' '" + step + "' >/root/kill").exit, 0);
        EXPECT_NE(box().in(command).exit, 0) << "dpkg was killed";
        EXPECT_NE(box().in("[ -e /root/kill ]").exit, 0) << "the step was reached";
    }
    static std::string state() { return box().ask("dpkg-query -W -f='${db:Status-Status} ${Version}' clinic-edge"); }
};

TEST_F(Package, AnUpgradeKeepsSendersWaitingAndLosesNothing) {
    ASSERT_TRUE(box().serves());
    const auto next = as_version("0.1.1");
    const auto before = box().stored();
    const long old = box().main_process("clinicd.service");
    std::atomic<int> acknowledged{0}, turned_away{0};
    std::atomic<bool> over{false};
    std::jthread sender{[&] {
        while (!over) {
            const auto socket = tcp(mllp_port);
            if (!socket) ++turned_away;
            if (!socket || !send_all(socket, mllp_frame(next_message()))) continue;
            if (acknowledgement(hear(socket, patience_s, "\x1c").bytes) == "AA") ++acknowledged;
        }
    }};
    EXPECT_TRUE(eventually([&] { return acknowledged > 10; }, patience_s));
    const auto upgraded = box().in("dpkg -i " + next);
    EXPECT_EQ(upgraded.exit, 0) << upgraded.out;
    const int at_upgrade = acknowledged;
    EXPECT_TRUE(box().has_restarted("clinicd.service", old));
    EXPECT_TRUE(eventually([&] { return acknowledged > at_upgrade + 10; }, patience_s));
    over = true;
    sender.join();
    EXPECT_EQ(turned_away, 0) << "the sockets stayed open";
    EXPECT_GE(box().stored() - before, acknowledged);
    EXPECT_EQ(state(), "installed 0.1.1");
}

TEST_F(Package, ABoxThatWasStoppedStaysSoOverAnUpgrade) {
    const auto next = as_version("0.1.2");
    ASSERT_EQ(box().in("systemctl disable --now clinic-edge.target").exit, 0);
    EXPECT_EQ(box().in("dpkg -i " + next).exit, 0);
    EXPECT_EQ(box().ask("systemctl is-active clinicd.service clinic-syncd.service clinic-edge-mllp.socket | sort -u"),
              "inactive");
    ASSERT_EQ(box().in("systemctl enable --now clinic-edge.target").exit, 0);
    EXPECT_TRUE(box().serves());
}

// The setup has changed them since, and nobody is there to answer dpkg.
TEST_F(Package, ASettingsFileOfTheClinicIsKeptWhereItsDefaultChanges) {
    const auto next = as_version("0.1.3", "for one in clinicd clinic-syncd; do jq '.box = \"changed\"' "
                                          "usr/share/clinic-edge/settings/$one.json >new && "
                                          "mv new usr/share/clinic-edge/settings/$one.json; done");
    const auto upgraded = box().in("dpkg -i " + next + " </dev/null");
    EXPECT_EQ(upgraded.exit, 0) << upgraded.out;
    EXPECT_EQ(state(), "installed 0.1.3");
    EXPECT_EQ(box().ask("jq -r .box /usr/share/clinic-edge/settings/clinicd.json"), "changed");
    EXPECT_EQ(box().ask("jq -r .box /etc/clinic-edge/clinicd.json"), "clinic-7");
    EXPECT_EQ(box().ask("jq -r .box /etc/clinic-edge/clinic-syncd.json"), "clinic-7");
}

// At what its script asks of a running machine; at all else it does: PackageOnADisk.
TEST_F(Package, AnUpgradeThatIsKilledWithinItsScriptGoesOn) {
    const std::string files = "find /etc/clinic-edge /var/lib/clinic-edge /run/clinic-edge /etc/systemd/system "
                              "/var/lib/systemd/deb-systemd-helper-* -maxdepth 2 -printf '%M %u %g %p %l\\n' | sort; "
                              "systemctl is-enabled clinic-edge.target; dpkg --audit";
    ASSERT_EQ(
        box()
            .in(counting_package("/root/counting.deb", of_a_running_machine, ":") + "; dpkg -i /root/counting.deb")
            .exit,
        0);
    ASSERT_TRUE(box().serves());
    const int steps = steps_of(box(), "postinst.configure");
    const auto left = box().ask(files), kept = state();
    EXPECT_GE(steps, 6);
    for (int step = 1; step <= steps; ++step) {
        SCOPED_TRACE(step);
        const long old = box().main_process("clinicd.service");
        const auto killed = box().in(cut_off + ("echo 'postinst configure " + std::to_string(step)) +
                                     "' >/root/kill; ! dpkg --configure -a; [ ! -e /root/kill ]; "
                                     "dpkg-query -W -f='${db:Status-Status}' clinic-edge");
        ASSERT_EQ(killed.exit, 0) << killed.out;
        EXPECT_TRUE(killed.out.ends_with("half-configured")) << killed.out;
        const auto mended = box().in("dpkg --configure -a");
        EXPECT_EQ(mended.exit, 0) << mended.out;
        EXPECT_EQ(state(), kept);
        EXPECT_TRUE(box().has_restarted("clinicd.service", old)) << "it is the new one";
        EXPECT_TRUE(box().serves());
        EXPECT_EQ(box().ask(files), left);
    }
    EXPECT_EQ(box().send(next_message()), "AA");
}

// Of an upgrade: the old prerm, the new preinst, the old postrm, the new postinst; of a removal: prerm, postrm; of the
// installation after it: preinst, postinst.
TEST_F(Package, WhereverDpkgIsKilledItAndTheBoxGoOn) {
    const std::string remove = "dpkg --remove clinic-edge", install = "dpkg -i ";
    int version = 10;
    ASSERT_EQ(box().in(install + as_version("0.1.10")).exit, 0); // the first that dies is the installed one's
    for (const auto& [script, step, command] : {std::tuple{"prerm", "upgrade", install},
                                                {"preinst", "upgrade", install},
                                                {"postrm", "upgrade", install},
                                                {"postinst", "configure", install},
                                                {"prerm", "remove", remove},
                                                {"postrm", "remove", remove},
                                                {"preinst", "install", install},
                                                {"postinst", "configure", install}})
        for (const std::string where : {"begin", "end"}) {
            SCOPED_TRACE(std::string{script} + " " + step + " " + where);
            const auto next = as_version("0.1." + std::to_string(++version));
            const bool stays_up = command == install && std::string{step} != "install";
            const auto before = box().stored();
            if (std::string{step} == "install") {
                ASSERT_EQ(box().in(remove).exit, 0);
            }
            kill_dpkg_at(std::string{script} + " " + step + " " + where, command == install ? install + next : remove);
            if (stays_up) {
                EXPECT_EQ(box().send(next_message()), "AA") << "what runs goes on meanwhile";
            }
            box().in("dpkg --configure -a || true"); // in some states dpkg wants the package itself again
            const auto mended = box().in("apt-get -y -q --allow-downgrades --reinstall install " + next);
            EXPECT_EQ(mended.exit, 0) << mended.out;
            EXPECT_EQ(state(), "installed 0.1." + std::to_string(version));
            EXPECT_EQ(box().ask("dpkg --audit"), "");
            ASSERT_TRUE(box().serves());
            EXPECT_EQ(box().stored() - before, stays_up ? 1 : 0);
            EXPECT_EQ(box().send(next_message()), "AA");
        }
}

TEST_F(Package, APurgeThatIsKilledGoesOnAndKeepsTheRecords) {
    int version = 50;
    const auto before = box().stored();
    ASSERT_EQ(box().in("rm -rf /root/settings; cp -a /etc/clinic-edge /root/settings").exit, 0);
    for (const std::string step : {"prerm remove", "postrm remove", "postrm purge"})
        for (const std::string where : {" begin", " end"}) {
            SCOPED_TRACE(step + where);
            const auto next = as_version("0.1." + std::to_string(++version));
            ASSERT_EQ(box().in("dpkg -i " + next).exit, 0);
            kill_dpkg_at(step + where, "dpkg --purge clinic-edge");
            const auto again = box().in("dpkg --purge clinic-edge");
            EXPECT_EQ(again.exit, 0) << again.out;
            EXPECT_NE(state().rfind("installed", 0), 0U) << state();
            for (const char* kept :
                 {"/etc/clinic-edge/keys/clinic-edge.store", "/var/lib/clinic-edge/records/records.db"})
                EXPECT_EQ(box().in(std::string{"[ -e "} + kept + " ]").exit, 0) << kept;
            ASSERT_EQ(box().in("dpkg -i " + next).exit, 0);
            // A start that meets the new package's own, in the middle of it, may fail; the unit tries again too.
            EXPECT_TRUE(eventually([] { return box().in(settings_again).exit == 0; }, patience_s))
                << box().in("journalctl -b -u clinic-syncd -u clinic-edge-credentials -n 40 --no-pager").out;
            ASSERT_TRUE(box().serves());
            EXPECT_EQ(box().stored(), before);
        }
}

// Also where units that end by themselves are stopped in the middle.
TEST_F(Package, RemovedItLeavesSettingsAndRecords) {
    ASSERT_EQ(box()
                  .in("systemctl start --no-block clinic-edge-unlock clinic-edge-check clinic-edge-lan-rules "
                      "clinic-edge-tls; systemctl is-active clinic-edge-unlock | grep activating")
                  .exit,
              0);
    const auto removed = box().in("apt-get -y -q remove clinic-edge");
    ASSERT_EQ(removed.exit, 0) << removed.out;
    EXPECT_EQ(box().ask("systemctl list-units --no-legend 'clinic*'"), "");
    EXPECT_EQ(box().in("pgrep -u clinicd || pgrep -u clinic-sync").exit, 1);
    for (const char* kept : {"/etc/clinic-edge/clinicd.json", "/etc/clinic-edge/keys/clinic-edge.store",
                             "/var/lib/clinic-edge/records/records.db", "/var/lib/clinic-edge/sync"})
        EXPECT_EQ(box().in(std::string{"[ -e "} + kept + " ]").exit, 0) << kept;
    ASSERT_EQ(box().install().exit, 0);
    EXPECT_TRUE(box().serves());
}

TEST_F(Package, PurgedItKeepsTheRecordsAndTheirKeyWithoutTheWord) {
    const auto before = box().stored();
    const auto purged =
        box().in("cp -a /etc/clinic-edge /root/settings; "
                 "touch /etc/clinic-edge/keys/clinic-edge.ghl-next /etc/clinic-edge/keys/clinic-edge.ghl-app; "
                 "apt-get -y -q purge clinic-edge");
    ASSERT_EQ(purged.exit, 0) << purged.out;
    EXPECT_EQ(box()
                  .ask("find /etc/clinic-edge /var/lib/clinic-edge -type f | sort | tr '\\n' ' '")
                  .find("/etc/clinic-edge/keys/clinic-edge.store /var/lib/clinic-edge/records/closed-in-order "
                        "/var/lib/clinic-edge/records/keys.db"),
              0U);
    EXPECT_EQ(box().in("[ -e /var/lib/clinic-edge/sync ]").exit, 1);
    // Installed again, with the settings, it goes on with the same records.
    ASSERT_EQ(box().install().exit, 0);
    ASSERT_EQ(box().in(settings_again).exit, 0);
    ASSERT_TRUE(box().serves());
    EXPECT_EQ(box().stored(), before);
}

TEST_F(Package, PurgedWithTheWordNothingIsLeft) {
    ASSERT_EQ(
        box()
            .in("touch /etc/clinic-edge/keys/before.1.clinic-edge.store /etc/clinic-edge/keys/plain.store; "
                "echo 'delete all patient records' >/etc/clinic-edge/purge-records; apt-get -y -q purge clinic-edge")
            .exit,
        0);
    EXPECT_EQ(box().ask("find /etc/clinic-edge /var/lib/clinic-edge /run/clinic-edge /run/credstore.encrypted "
                        "-mindepth 1 2>/dev/null"),
              "");
    ASSERT_EQ(box().install().exit, 0);
    EXPECT_EQ(box().status().value("mode", ""), "locked") << "as new";
}

// A machine that was never booted, as while an image is made: all that the scripts do is done to its disk.
class PackageOnADisk : public OnMachine {
protected:
    static void SetUpTestSuite() {
        if (geteuid() != 0) return;
        machine_ = std::make_unique<ClinicMachine>();
        const auto made =
            box().aside("[ ! -d /run/systemd/system ]; mount -t proc proc /proc\n"
                        // written through to the disk at each step, which is no part of this
                        "cp -a /var/lib/dpkg /root/dpkg; mount -t tmpfs tmpfs /var/lib/dpkg\n"
                        "cp -a /root/dpkg/. /var/lib/dpkg/\n" +
                        counting_package("/root/counting.deb", that_change,
                                         "rm -r usr/share/man; for program in usr/bin/clinicctl "
                                         "usr/libexec/clinic-edge/clinic*; do echo stands for it >$program; done") +
                        "\ndpkg --unpack /root/counting.deb");
        if (made.exit != 0) throw std::runtime_error{made.out};
    }
    // What the scripts may change, and dpkg's books of it: put aside, and put back.
    static void keep() {
        const auto kept = box().aside(parts + "tar --numeric-owner -cf /root/kept.tar $(ls -d $parts 2>/dev/null)");
        ASSERT_EQ(kept.exit, 0) << kept.out;
    }
    static inline const std::string
        parts = "cd /; parts='etc/clinic-edge etc/systemd/system etc/passwd etc/group etc/shadow etc/gshadow "
                "run/clinic-edge run/credstore.encrypted var/lib/clinic-edge var/lib/systemd var/lib/dpkg/status "
                "var/lib/dpkg/info/clinic-edge.*'\n",
        again = parts + "rm -rf $parts; tar --numeric-owner -xf /root/kept.tar\n";
    static std::string left() {
        return box()
            .aside("dpkg-query -W -f='${db:Status-Status}\\n' clinic-edge 2>&1; dpkg --audit; grep ^clinic /etc/passwd "
                   "/etc/group; find /etc /run /var/lib/clinic-edge /var/lib/systemd /lib/systemd/system -path "
                   "'*clinic*' -printf '%M %u %g %s %p %l\\n' 2>/dev/null | sort; cat /etc/clinic-edge/*.json | md5sum")
            .out;
    }
    // From what was kept on, by `command`: killed at each of the script's commands and done again it leaves what it
    // leaves unkilled, which is the answer. `holds`: also between the two.
    static std::string killed_at_each(const std::string& command, const std::string& script, int steps_min,
                                      const std::string& holds = "true") {
        const auto whole = box().aside(again + command);
        EXPECT_EQ(whole.exit, 0) << whole.out;
        auto wanted = left();
        std::string file = script;
        file.replace(file.find(' '), 1, ".");
        const int steps = steps_of(box(), file);
        EXPECT_GE(steps, steps_min);
        for (int step = 1; step <= steps && !HasFailure(); ++step) {
            SCOPED_TRACE(script + " " + std::to_string(step));
            const auto ran =
                box().aside(again + ("echo '" + script + " " + std::to_string(step)) + "' >/root/kill; ! " + command +
                            " 2>&1; [ ! -e /root/kill ]; " + holds + "; " + command);
            EXPECT_EQ(ran.exit, 0) << ran.out;
            EXPECT_EQ(left(), wanted);
        }
        return wanted;
    }
};

TEST_F(PackageOnADisk, KilledAtAnyCommandOfItsScriptsItEndsAsOneThatWasNot) {
    keep();
    const auto installed = killed_at_each("dpkg --configure -a", "postinst configure", 10);
    for (const char* part : {"installed\n", "/var/lib/clinic-edge/records ", "/etc/clinic-edge/clinicd.json ",
                             "/multi-user.target.wants/clinic-edge.target "})
        EXPECT_NE(installed.find(part), std::string::npos) << part << installed;

    ASSERT_EQ(box().aside(cut_off).exit, 0);
    keep();
    EXPECT_EQ(killed_at_each("dpkg --configure -a", "postinst configure", 7), installed) << "upgraded";

    // With the word, of a box that has records and every key.
    const auto lived = box().aside(
        "cd /var/lib/clinic-edge; mkdir -p setup records/replaced-1; touch setup/done sync/state\n"
        "touch records/records.db records/keys.db records/replaced-1/records.db\n"
        "cd /etc/clinic-edge; echo 'delete all patient records' >purge-records; touch tls/page.pem; cd keys\n"
        "touch clinic-edge.store before.1.clinic-edge.store plain.store local-ca next.console handover\n"
        "for key in sync-state ghl-token ghl-next ghl-app device console mllp; do touch clinic-edge.$key; done\n"
        "dpkg --remove clinic-edge");
    ASSERT_EQ(lived.exit, 0) << lived.out;
    keep();
    const auto purged = killed_at_each(
        "dpkg --purge clinic-edge", "postrm purge", 20,
        "[ ! -e /etc/clinic-edge/keys/clinic-edge.store ] || [ -e /var/lib/clinic-edge/records/keys.db ]");
    EXPECT_EQ(purged.find("/clinic-edge/"), std::string::npos) << purged;
}

} // namespace
} // namespace clinic::e2e
