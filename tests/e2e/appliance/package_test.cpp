// The package's own life: upgrade under load, removal, purge, and dpkg killed at each of its steps. From every one of
// them dpkg and the box go on.
#include <atomic>
#include <thread>
#include <tuple>

#include "tests/e2e/appliance/on_machine.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

// Stopped before: a unit that was started again and again for want of its settings would find half of its keys.
constexpr const char* settings_again = "systemctl stop clinicd clinic-syncd; cp -a /root/settings/. /etc/clinic-edge/; "
                                       "systemctl start clinicd clinic-syncd";

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

// Of an upgrade: the old prerm, the new preinst, the old postrm, the new postinst; of a removal: prerm, postrm; of the
// installation after it: preinst, postinst.
TEST_F(Package, WhereverDpkgIsKilledItAndTheBoxGoOn) {
    const std::string remove = "dpkg --remove clinic-edge", install = "dpkg -i ";
    int version = 10;
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

TEST_F(Package, RemovedItLeavesSettingsAndRecords) {
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

} // namespace
} // namespace clinic::e2e
