// The table of the modes (daemon/health/modes.h) on a whole box: each mode is entered, and each surface is tried in it.
// Not walked: `restoring`, which nothing enters yet.
#include "daemon/health/modes.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "tests/e2e/conditions/room.h"
#include "tests/support/private_bus.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;
using health::Mode;
using health::Serves;
using health::Surface;
using test_support::Polkit;
using test_support::PrivateBus;

constexpr uid_t box_user = 61'701; // of packaging/try

class Modes : public Conditions {
protected:
    static void SetUpTestSuite() {
        if (!as_root()) return;
        bus_ = std::make_unique<PrivateBus>(box_user);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_->address().c_str(), 1);
        Conditions::SetUpTestSuite();
    }
    static void TearDownTestSuite() {
        box_.reset();
        bus_.reset();
    }
    void SetUp() override {
        if (!as_root()) GTEST_SKIP() << "a small disk and a bus of our own need root";
    }
    void TearDown() override {
        if (!as_root()) return;
        deliver();
        Conditions::TearDown();
        EXPECT_TRUE(eventually(
            [] {
                const auto crm = box().status()["egress"]["crm"];
                return crm["pending"] == 0 && crm["leased"] == 0 && crm["parked"] == 0;
            },
            120))
            << "what waited is delivered: " << box().status()["egress"].dump();
    }

    // One change waits: clinic-syncd does not start before `deliver`.
    static void let_one_wait() {
        std::ofstream{hold()};
        wrap("clinic-syncd", "while [ -e '" + hold().string() + "' ]; do sleep 0.1; done");
        restart("clinic-syncd");
        ASSERT_EQ(send(), "AA");
        ASSERT_TRUE(eventually([] { return box().status()["egress"]["crm"]["pending"] != 0; }));
    }
    static void deliver() {
        if (!fs::exists(hold())) return;
        fs::remove(hold());
        wrap("clinic-syncd", "");
    }
    static fs::path hold() { return box().folder() / "etc" / "hold"; }

    static Serves told(bool served) { return served ? Serves::all : Serves::nothing; }
    static Serves by_mllp() {
        const auto code = send();
        EXPECT_TRUE(code == "AA" || code == "AE") << code;
        return told(code == "AA");
    }
    static Serves by_import() {
        const std::string number = "I" + std::to_string(++counter_);
        const auto ran = box().ctl_with_file("import patients {}", "record_number,family_name,given_name,birth_date\n" +
                                                                       number + ",Quillfeather,Ottoline,1985-06-15\n");
        EXPECT_TRUE(ran.exit == 0 || !ran.out.empty()) << "a refusal says why";
        return told(ran.exit == 0);
    }
    static Serves by_page() { return told(box().page("/").find("HTTP/1.1 200") != std::string::npos); }
    // The document, and its health: ready where messages are taken in.
    static Serves by_api(Mode mode) {
        const bool ready = box().page("/api/health").find("HTTP/1.1 200") != std::string::npos;
        EXPECT_EQ(ready, serves(mode, Surface::mllp) == Serves::all);
        return told(is(name(mode)));
    }
    static Serves by_bus(Mode mode) {
        const std::string shown = std::string{"\"data\":\""} + name(mode) + "\"";
        return told(eventually([&] { return bus_->property("Mode").find(shown) != std::string::npos; }));
    }
    static Serves by_mqtt(Mode mode) {
        const std::string said = std::string{"\"mode\":\""} + name(mode) + "\"";
        return told(
            eventually([&] { return box().mqtt("clinic/+/up/v1/metrics", 1).find(said) != std::string::npos; }, 90));
    }
    // What has waited, once clinic-syncd speaks with clinicd. Of a clock that is not trusted it is parked: all that may
    // leave is what has no end, and the basis of this box has one.
    static Serves by_delivery(Mode mode) {
        const auto before = box().contacts().size();
        deliver();
        EXPECT_TRUE(eventually([] { return box().status()["lanes"]["program"]["state"] == "up"; }, 60));
        if (mode == Mode::clock_untrusted) {
            EXPECT_TRUE(eventually([] { return box().status()["egress"]["crm"]["parked"] != 0; }));
            EXPECT_EQ(box().contacts().size(), before);
            return Serves::some;
        }
        if (serves(mode, Surface::delivery) == Serves::nothing) {
            EXPECT_EQ(by_mqtt(mode), Serves::all) << "clinic-syncd asks, and hears of the mode";
            return told(box().contacts().size() != before);
        }
        const bool left = eventually([&] { return box().contacts().size() > before; }, 60);
        return mode == Mode::full && left ? Serves::some : told(left);
    }
    static Serves tried(Surface surface, Mode mode) {
        switch (surface) {
        case Surface::mllp: return by_mllp();
        case Surface::import: return by_import();
        case Surface::page: return by_page();
        case Surface::api: return by_api(mode);
        case Surface::dbus: return by_bus(mode);
        case Surface::delivery: return by_delivery(mode);
        case Surface::mqtt: return by_mqtt(mode);
        }
        return Serves::nothing;
    }
    // Each cell of the mode's line, after it was entered.
    static void walk(Mode mode) {
        ASSERT_TRUE(eventually([&] { return is(name(mode)); }, 60)) << box().status().dump();
        walked_.insert(mode);
        for (std::size_t at = 0; at < health::surface_names.size(); ++at) {
            const auto surface = static_cast<Surface>(at);
            EXPECT_EQ(tried(surface, mode), serves(mode, surface))
                << name(mode) << ", " << health::surface_names.at(at).c_str();
        }
        EXPECT_TRUE(is(name(mode))) << "and it is that mode still: " << box().status().dump();
    }
    static std::string mode_now() { return mode(); }

    static inline std::unique_ptr<PrivateBus> bus_;
    static inline std::set<Mode> walked_;
};

TEST_F(Modes, Running) {
    let_one_wait();
    walk(Mode::running);
}

TEST_F(Modes, Locked) {
    let_one_wait();
    while_closed([] { walk(Mode::locked); });
}

TEST_F(Modes, Damaged) {
    let_one_wait();
    const auto away = box().folder() / "records.away";
    while_closed([&] {
        fs::create_directory(away);
        run("mv '" + records().string() + "'/* '" + away.string() + "'");
    });
    walk(Mode::damaged);
    run("mv '" + away.string() + "'/* '" + records().string() + "'");
    fs::remove_all(away);
}

TEST_F(Modes, Full) {
    to_a_small_disk();
    let_one_wait();
    fill();
    ASSERT_TRUE(eventually([] { return send() == "AE"; }, 60));
    walk(Mode::full);
    fs::remove(records() / "filler");
    EXPECT_TRUE(eventually([] { return is("running"); }));
    home_from_it();
}

TEST_F(Modes, ClockUntrusted) {
    let_one_wait();
    fs::remove(hold()); // what starts it with that clock lets it begin
    set_clock("+3d");   // so far that the certificates of GHL and the broker are good all the same
    walk(Mode::clock_untrusted);
    set_clock("");
}

TEST_F(Modes, Draining) {
    let_one_wait();
    const Polkit polkit{*bus_};
    ASSERT_TRUE(eventually([] { return box().status()["dbus"] == "up"; }));
    ASSERT_EQ(bus_->call("Drain b true"), "");
    walk(Mode::draining);
    ASSERT_EQ(bus_->call("Drain b false"), "");
}

// Last: no line of the table was left out.
TEST_F(Modes, EveryLineWasWalked) {
    if (!as_root()) return;
    for (const auto& row : health::served_in_modes) EXPECT_TRUE(walked_.contains(row.mode)) << name(row.mode);
}

} // namespace
} // namespace clinic::e2e
