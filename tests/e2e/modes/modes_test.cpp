// The table of the modes (daemon/health/modes.h) on a whole box without its units: each mode is entered.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "tests/e2e/conditions/room.h"
#include "tests/e2e/modes/mode_walk.h"
#include "tests/support/private_bus.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;
using health::Mode;
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

    static void walk(Mode mode) { walk_->walk(mode); }

    static inline std::unique_ptr<PrivateBus> bus_;

private:
    class Walk : public ModeWalk {
        int patience_s() const override { return 90; }
        nlohmann::json status() override { return box().status(); }
        std::string send() override { return Modes::send(); }
        Ran import(const std::string& people) override { return box().ctl_with_file("import patients {}", people); }
        std::string page(const std::string& path) override { return box().page(path); }
        bool bus_says(const std::string& mode) override {
            return bus_->property("Mode").find("\"data\":\"" + mode + "\"") != std::string::npos;
        }
        std::string heard_by_ops() override { return box().mqtt("clinic/+/up/v1/metrics", 1); }
        std::size_t persons_at_ghl() override { return box().contacts().size(); }
        void deliver() override { Modes::deliver(); }
    };

protected:
    static inline const std::unique_ptr<Walk> walk_ = std::make_unique<Walk>();
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

// A restore that was cut off, and goes on when it is run again.
TEST_F(Modes, Restoring) {
    let_one_wait();
    const auto saved = box().folder() / "saved", key = box().folder() / "keys" / "store.key";
    const std::string store = " --records '" + records().string() + "' --credential '" + key.string();
    while_closed([&] {
        const auto salvaged = box().ctl("store salvage" + store + ".away' --to '" + saved.string() + "'");
        EXPECT_EQ(salvaged.exit, 0) << salvaged.out;
        std::ofstream{records() / "restoring"} << R"({"step":"copying"})";
        run("chmod 0644 '" + (records() / "restoring").string() + "'");
    });
    walk(Mode::restoring);
    const auto restored = box().ctl("store restore" + store + "' --from '" + saved.string() + "' --json");
    EXPECT_EQ(restored.exit, 0) << restored.out;
    const auto answer = restored.out.find('{'); // what it logs comes before: a slow disk is told of
    ASSERT_NE(answer, std::string::npos) << restored.out;
    EXPECT_EQ(nlohmann::json::parse(restored.out.substr(answer)).at("basis_closed"), false) << restored.out;
    EXPECT_TRUE(eventually([] { return is("running"); }, 60));
    fs::remove_all(saved);
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
    walk_->expect_all_walked();
}

} // namespace
} // namespace clinic::e2e
