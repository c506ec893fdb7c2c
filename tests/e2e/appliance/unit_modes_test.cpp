// The table of the modes (daemon/health/modes.h) under a real systemd: each mode is entered as a machine gets into it,
// and each surface is tried in it. What a cell shall be is read from the table. Not walked: `restoring`, which nothing
// enters yet. In tests/e2e/modes the same table, on a box without its units.
#include <set>

#include "daemon/health/modes.h"
#include "tests/e2e/appliance/on_machine.h"

namespace clinic::e2e {
namespace {

using health::Mode;
using health::Serves;
using health::Surface;
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

    static Serves told(bool served) { return served ? Serves::all : Serves::nothing; }
    static Serves by_mllp() {
        const auto code = box().send(next_message());
        EXPECT_TRUE(code == "AA" || code == "AE") << code;
        return told(code == "AA");
    }
    static Serves by_import() {
        const std::string number = "I" + std::to_string(++imports_);
        const auto ran =
            box().in("cd /root; printf 'record_number,family_name,given_name,birth_date\\n" + number +
                     ",Quillfeather,Ottoline,1985-06-15\\n' >people.csv; clinicctl import patients people.csv");
        EXPECT_TRUE(ran.exit == 0 || !ran.out.empty()) << "a refusal says why";
        return told(ran.exit == 0);
    }
    // The page's own document names the mode.
    static Serves by_page(Mode mode) {
        const auto document = box().page("/api/v1/status");
        return told(page_is_served() &&
                    document.find(std::string{"\"mode\":\""} + name(mode) + "\"") != std::string::npos);
    }
    // Ready where messages are taken in.
    static Serves by_api(Mode mode) {
        const bool ready = box().page("/api/health").find("HTTP/1.1 200") != std::string::npos;
        EXPECT_EQ(ready, serves(mode, Surface::mllp) == Serves::all);
        return told(OnSetUpMachine::mode() == name(mode));
    }
    static Serves by_bus(Mode mode) {
        const std::string wanted = std::string{"s \""} + name(mode) + "\"";
        return told(eventually(
            [&] {
                return box().ask("busctl get-property org.clinicedge.Clinicd1 /org/clinicedge/Clinicd1 "
                                 "org.clinicedge.Clinicd1 Mode") == wanted;
            },
            patience_s));
    }
    static Serves by_mqtt(Mode mode) {
        const std::string said = std::string{"\"mode\":\""} + name(mode) + "\"";
        return told(
            eventually([&] { return box().heard_by_ops("clinic/+/up/v1/metrics", 1).find(said) != std::string::npos; },
                       patience_s));
    }
    // What has waited, once clinic-syncd speaks with clinicd. By a clock that is not trusted it is parked: all that may
    // leave is what has no end, and the basis of this box has one.
    static Serves by_delivery(Mode mode) {
        const auto before = box().persons_at_ghl();
        EXPECT_EQ(box().in("systemctl start clinic-syncd").exit, 0);
        EXPECT_TRUE(eventually([] { return box().status()["lanes"]["program"]["state"] == "up"; }, patience_s));
        if (mode == Mode::clock_untrusted) {
            EXPECT_TRUE(eventually([] { return box().status()["egress"]["crm"]["parked"] != 0; }, patience_s));
            EXPECT_EQ(box().persons_at_ghl(), before);
            return Serves::some;
        }
        if (serves(mode, Surface::delivery) == Serves::nothing) {
            EXPECT_EQ(by_mqtt(mode), Serves::all) << "clinic-syncd asks, and hears of the mode";
            return told(box().persons_at_ghl() != before);
        }
        const bool left = eventually([&] { return box().persons_at_ghl() > before; }, patience_s);
        return mode == Mode::full && left ? Serves::some : told(left);
    }
    static Serves tried(Surface surface, Mode mode) {
        switch (surface) {
        case Surface::mllp: return by_mllp();
        case Surface::import: return by_import();
        case Surface::page: return by_page(mode);
        case Surface::api: return by_api(mode);
        case Surface::dbus: return by_bus(mode);
        case Surface::delivery: return by_delivery(mode);
        case Surface::mqtt: return by_mqtt(mode);
        }
        return Serves::nothing;
    }
    // Each cell of the mode's line, after it was entered.
    static void walk(Mode mode) {
        ASSERT_TRUE(becomes(name(mode))) << box().status();
        walked_.insert(mode);
        const long process = box().main_process("clinicd.service");
        for (std::size_t at = 0; at < health::surface_names.size(); ++at) {
            const auto surface = static_cast<Surface>(at);
            EXPECT_EQ(tried(surface, mode), serves(mode, surface))
                << name(mode) << ", " << health::surface_names.at(at).c_str();
        }
        EXPECT_EQ(OnSetUpMachine::mode(), name(mode)) << "and it is that mode still: " << box().status();
        EXPECT_EQ(box().main_process("clinicd.service"), process) << "nothing of it was a failure of the unit";
    }

    static inline std::set<Mode> walked_;
    static inline int imports_ = 0;
};

TEST_F(UnitModes, Running) {
    let_one_wait();
    walk(Mode::running);
}

// Ends without a person: the key is there again at the next start.
TEST_F(UnitModes, Locked) {
    let_one_wait();
    const std::string key = "/etc/clinic-edge/keys/clinic-edge.store";
    ASSERT_EQ(box().in("mv " + key + " /root/kept.key; systemctl restart clinicd").exit, 0);
    walk(Mode::locked);
    ASSERT_EQ(box().in("mv /root/kept.key " + key + "; systemctl restart clinicd").exit, 0);
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
    for (const auto& row : health::served_in_modes) EXPECT_TRUE(walked_.contains(row.mode)) << name(row.mode);
}

} // namespace
} // namespace clinic::e2e
