// The table of the modes (daemon/health/modes.h) under a real systemd: each mode is entered as a machine gets into it.
#include <fstream>

#include "tests/e2e/appliance/on_machine.h"
#include "tests/e2e/modes/mode_walk.h"

namespace clinic::e2e {
namespace {

using health::Mode;
using nlohmann::json;

class UnitModes : public OnSetUpMachine {
protected:
    void TearDown() override {
        box().in("systemctl start clinic-syncd");
        EXPECT_TRUE(becomes("running"));
        EXPECT_TRUE(eventually(
            [] {
                const auto crm = box().status()["egress"]["crm"];
                return crm["pending"] == 0 && crm["leased"] == 0 && crm["parked"] == 0;
            },
            patience_s))
            << "what waited is delivered: " << box().status()["egress"];
        OnSetUpMachine::TearDown();
    }

    // One change waits: clinic-syncd does not run before its cell.
    static void let_one_wait() {
        ASSERT_TRUE(becomes("running"));
        ASSERT_EQ(box().in("systemctl stop clinic-syncd").exit, 0);
        ASSERT_EQ(box().send(next_message()), "AA");
        ASSERT_TRUE(eventually([] { return box().status()["egress"]["crm"]["pending"] != 0; }, patience_s));
    }

    static void walk(Mode mode) {
        const long process = box().main_process("clinicd.service");
        walk_->walk(mode);
        EXPECT_EQ(box().main_process("clinicd.service"), process) << "nothing of it was a failure of the unit";
    }

    static std::string start_of(const std::string& unit) {
        return box().ask("systemctl show --property=InvocationID --value " + unit);
    }
    // Whether clinic-edge-unlock starts clinicd for what `change` does to the key's file, once it has looked.
    static bool is_started_anew_after(const std::string& change) {
        const auto is_over = [] {
            return box().ask("systemctl is-active clinic-edge-unlock.service || true") == "inactive" &&
                   box().ask("systemctl list-jobs | head -n 1") == "No jobs running.";
        };
        EXPECT_TRUE(eventually(is_over, patience_s));
        const auto look = start_of("clinic-edge-unlock.service");
        const auto done =
            box().in("{ " + change + "; } 2>/dev/null; systemctl show --property=InvocationID --value clinicd.service");
        EXPECT_EQ(done.exit, 0) << done.out;
        EXPECT_TRUE(eventually([&] { return start_of("clinic-edge-unlock.service") != look && is_over(); }, patience_s))
            << box().in("systemctl status clinic-edge-unlock.* || true").out;
        return start_of("clinicd.service") + "\n" != done.out;
    }

    static inline const std::string key = "/etc/clinic-edge/keys/clinic-edge.store";

private:
    class Walk : public ModeWalk {
        int patience_s() const override { return e2e::patience_s; }
        json status() override { return box().status(); }
        std::string send() override { return box().send(next_message()); }
        Ran import(const std::string& people) override {
            std::ofstream{box().path("/root/people.csv")} << people;
            return box().in("clinicctl import patients /root/people.csv");
        }
        std::string page(const std::string& path) override { return box().page(path); }
        bool bus_says(const std::string& mode) override {
            return box().ask("busctl get-property org.clinicedge.Clinicd1 /org/clinicedge/Clinicd1 "
                             "org.clinicedge.Clinicd1 Mode") == "s \"" + mode + "\"";
        }
        std::string heard_by_ops() override { return box().heard_by_ops("clinic/+/up/v1/metrics", 1); }
        std::size_t persons_at_ghl() override { return box().persons_at_ghl(); }
        void deliver() override { EXPECT_EQ(box().in("systemctl start clinic-syncd").exit, 0); }
    };

protected:
    static inline const std::unique_ptr<Walk> walk_ = std::make_unique<Walk>();
};

TEST_F(UnitModes, Running) {
    let_one_wait();
    walk(Mode::running);
}

// Ends without a person, when the key is there again.
TEST_F(UnitModes, Locked) {
    let_one_wait();
    ASSERT_EQ(box().in("mv " + key + " /root/kept.key; systemctl restart clinicd").exit, 0);
    walk(Mode::locked);
    ASSERT_EQ(box().in("mv /root/kept.key " + key).exit, 0);
    EXPECT_TRUE(becomes("running")) << "by itself: " << box().in("systemctl status clinic-edge-unlock.*").out;
}

TEST_F(UnitModes, ALockedBoxIsStartedAnewForAKeyThatOpensAndOnce) {
    ASSERT_TRUE(becomes("running"));
    ASSERT_EQ(box().in("mv " + key + " /root/kept.key; systemctl restart clinicd").exit, 0);
    ASSERT_TRUE(becomes("locked"));
    EXPECT_FALSE(is_started_anew_after("echo nonsense >" + key));
    const std::string another =
        "openssl rand -hex 32 | systemd-creds encrypt --name=clinic-edge.store - /root/another; "
        "mv /root/another " +
        key;
    EXPECT_FALSE(is_started_anew_after(another + "; systemctl restart clinicd")) << "who put it there has done that";
    EXPECT_TRUE(is_started_anew_after(another));
    EXPECT_EQ(mode(), "locked") << "it is not the key of these records";
    EXPECT_TRUE(is_started_anew_after("{ head -c 100 /root/kept.key; sleep 1; tail -c +101 /root/kept.key; } >" + key))
        << "in two pieces";
    EXPECT_TRUE(becomes("running"));
    EXPECT_EQ(box().in("rm /root/kept.key").exit, 0);
}

TEST_F(UnitModes, ARunningBoxIsLeftAloneWhateverBecomesOfItsKey) {
    ASSERT_TRUE(becomes("running"));
    const long process = box().main_process("clinicd.service");
    EXPECT_FALSE(
        is_started_anew_after("systemd-creds decrypt --name=clinic-edge.store " + key +
                              " - | systemd-creds encrypt --name=clinic-edge.store - /root/anew; mv /root/anew " + key))
        << "sealed anew";
    EXPECT_FALSE(is_started_anew_after("mv " + key + " /root/kept.key"));
    EXPECT_FALSE(is_started_anew_after("mv /root/kept.key " + key));
    EXPECT_EQ(box().main_process("clinicd.service"), process);
    EXPECT_EQ(mode(), "running");
}

// By itself where its files are back; it may write in the folder that it started with, so they come back into it.
TEST_F(UnitModes, Damaged) {
    let_one_wait();
    const std::string moved = "cd /var/lib/clinic-edge; mkdir -p away; ";
    ASSERT_EQ(box().in("systemctl stop clinicd; " + moved + "mv records/* away/; systemctl start clinicd").exit, 0);
    walk(Mode::damaged);
    ASSERT_EQ(box().in("cd /var/lib/clinic-edge; mv away/* records/; rmdir away").exit, 0);
}

TEST_F(UnitModes, Full) {
    ASSERT_TRUE(becomes("running"));
    ASSERT_EQ(box()
                  .in("systemctl stop clinicd; cd /var/lib/clinic-edge; cp -a records /root/kept\n"
                      "mount -t tmpfs -o size=24m,mode=0700,uid=$(id -u clinicd),gid=$(id -g clinicd) records records\n"
                      "cp -a /root/kept/. records/; systemctl start clinicd")
                  .exit,
              0);
    let_one_wait();
    box().in("dd if=/dev/zero of=/var/lib/clinic-edge/records/filler bs=4k 2>/dev/null; true");
    ASSERT_TRUE(eventually([] { return box().send(next_message()) == "AE"; }, patience_s));
    walk(Mode::full);
    ASSERT_EQ(box().in("rm /var/lib/clinic-edge/records/filler").exit, 0);
    EXPECT_TRUE(becomes("running")) << "by itself, when there is room";
    ASSERT_EQ(box()
                  .in("systemctl stop clinicd; cd /var/lib/clinic-edge; rm -rf /root/kept; cp -a records /root/kept\n"
                      "umount records; rm -rf records/*; cp -a /root/kept/. records/; systemctl start clinicd")
                  .exit,
              0);
}

// Ends by itself with the right time, which GHL's answers say.
TEST_F(UnitModes, ClockUntrusted) {
    let_one_wait();
    set_clock({"clinicd"}, "+3d");
    walk(Mode::clock_untrusted);
    set_clock({"clinicd"}, "");
}

// A restore that was cut off: it goes on when it is run again, beside a clinicd that says so.
TEST_F(UnitModes, Restoring) {
    let_one_wait();
    const std::string store = " --records /var/lib/clinic-edge/records --words ";
    const auto saved = box().in("systemctl stop clinicd; clinicctl store salvage" + store +
                                "--to /var/lib/clinic-edge/saved </root/words");
    ASSERT_EQ(saved.exit, 0) << saved.out;
    ASSERT_EQ(box()
                  .in("echo '{\"step\":\"copying\"}' > /var/lib/clinic-edge/records/restoring\n"
                      "chown clinicd: /var/lib/clinic-edge/records/restoring; systemctl start clinicd")
                  .exit,
              0);
    walk(Mode::restoring);
    const auto restored =
        box().in("clinicctl store restore" + store + "--from /var/lib/clinic-edge/saved </root/words");
    EXPECT_EQ(restored.exit, 0) << restored.out;
    EXPECT_TRUE(becomes("running")) << "by itself";
    ASSERT_EQ(box().in("rm -r /var/lib/clinic-edge/saved /var/lib/clinic-edge/records/replaced-1").exit, 0);
}

TEST_F(UnitModes, Draining) {
    let_one_wait();
    const std::string drain =
        "busctl call org.clinicedge.Clinicd1 /org/clinicedge/Clinicd1 org.clinicedge.Clinicd1 Drain b ";
    ASSERT_TRUE(eventually([] { return box().status()["dbus"] == "up"; }, patience_s));
    const auto asked = box().in(drain + "true");
    ASSERT_EQ(asked.exit, 0) << asked.out;
    walk(Mode::draining);
    ASSERT_EQ(box().in(drain + "false").exit, 0);
}

// Last: no line of the table was left out.
TEST_F(UnitModes, EveryLineWasWalked) {
    walk_->expect_all_walked();
}

} // namespace
} // namespace clinic::e2e
