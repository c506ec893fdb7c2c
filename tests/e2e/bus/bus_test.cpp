// A whole box on a system bus of the test's own: what it shows there is what its status says, what it does there polkit
// lets, and without the bus it goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "tests/e2e/wire.h"
#include "tests/support/private_bus.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;
using test_support::Listener;
using test_support::Polkit;
using test_support::PrivateBus;
using test_support::RealPolkit;
using testing::HasSubstr;

constexpr uid_t box_user = 61'701, other_user = 65'534; // of packaging/try, and nobody

class BoxAndBus : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (geteuid() != 0) GTEST_SKIP() << "only root has two users to tell apart";
        bus_ = std::make_unique<PrivateBus>(box_user);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_->address().c_str(), 1);
        box_ = std::make_unique<Box>();
        unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    }
    static void TearDownTestSuite() {
        box_.reset();
        bus_.reset();
    }
    void SetUp() override {
        if (!box_) GTEST_SKIP() << "only root has two users to tell apart";
        ASSERT_TRUE(dbus_is("up")) << status().dump();
    }

    static json status() { return box_->status(); }
    static bool dbus_is(const std::string& wanted) {
        return eventually([&] { return status().value("dbus", std::string{}) == wanted; });
    }
    static json property(const std::string& name) {
        return json::parse(bus_->property(name), nullptr, false).value("data", json{});
    }
    static std::string send(const std::string& number) {
        return acknowledgement(box_->send(adt("A28", "C" + number, number, "Brack", "Tom")));
    }
    static bool needs(const std::string& code) { return status().at("needs").dump().find(code) != std::string::npos; }

    static inline std::unique_ptr<PrivateBus> bus_;
    static inline std::unique_ptr<Box> box_;
};

TEST_F(BoxAndBus, TheBooksOnTheBusAreTheStatus) {
    const Listener listener{*bus_};
    ASSERT_EQ(send("B1"), "AA");
    ASSERT_TRUE(eventually([] { return status().at("egress").at("crm").at("delivered") == 1; }));
    EXPECT_TRUE(eventually([] {
        const auto now = status();
        return property("Egress") == now.at("egress") && property("Intake") == now.at("intake") &&
               property("Mode") == now.at("mode") && property("Ready") == now.at("ready") &&
               property("Well") == now.at("well");
    })) << property("Egress").dump()
        << status().dump();
    const auto counters = property("Counters");
    const auto now = status();
    for (const auto& [name, number] : counters.items())
        EXPECT_TRUE(now.at("store").contains(name)) << name << number.dump();
    EXPECT_TRUE(eventually([] { return property("Counters").value("patients", 0) == 1; }));
    EXPECT_TRUE(eventually([&] { return listener.heard("Intake") && listener.heard("Egress"); }));
}

TEST_F(BoxAndBus, AnotherUserIsTheSameReader) {
    EXPECT_THAT(bus_->ask("--json=short get-property org.clinicedge.Clinicd1 /org/clinicedge/Clinicd1 "
                          "org.clinicedge.Clinicd1 Mode",
                          other_user),
                HasSubstr("running"));
}

TEST_F(BoxAndBus, NothingIsDoneWithoutPolkit) {
    for (const char* method : {"Check", "Drain b true", "Reload"})
        EXPECT_THAT(bus_->call(method), HasSubstr("Access denied")) << method;
    EXPECT_EQ(status().at("mode"), "running");
}

TEST_F(BoxAndBus, CheckSaysWhatItFound) {
    const Polkit polkit{*bus_};
    const auto answer = json::parse(bus_->call("Check", other_user), nullptr, false);
    ASSERT_TRUE(answer.is_object());
    const auto found = json::parse(answer.at("data").at(0).get<std::string>());
    EXPECT_EQ(found.at("mode"), "running");
    EXPECT_EQ(found.at("does_not_hold"), json::array());
    EXPECT_EQ(found.at("needs").size(), status().at("needs").size());
}

// polkit answers about others only to whom an action names as its owner: the stand-in is not so strict.
TEST_F(BoxAndBus, ByPolkitItselfRootMayAndNobodyMayNot) {
    const RealPolkit polkit{*bus_};
    EXPECT_THAT(bus_->call("Check"), HasSubstr("does_not_hold"));
    EXPECT_EQ(bus_->call("Drain b false"), "");
    EXPECT_THAT(bus_->call("Reload"), HasSubstr("\"data\":[[]]"));
    for (const char* method : {"Check", "Drain b true", "Reload"})
        EXPECT_THAT(bus_->call(method, other_user), HasSubstr("polkit does not let you")) << method;
    EXPECT_EQ(status().at("mode"), "running");
}

TEST_F(BoxAndBus, ADrainedBoxTakesNothingInUntilItIsToldTo) {
    const Polkit polkit{*bus_};
    ASSERT_EQ(bus_->call("Drain b true", other_user), "");
    EXPECT_TRUE(eventually([] { return status().at("mode") == "draining"; }));
    EXPECT_EQ(send("B2"), "AE");
    EXPECT_TRUE(eventually([] { return needs("E2017"); }));
    EXPECT_FALSE(status().at("ready").get<bool>());
    EXPECT_THAT(box_->ctl_with_file("import patients {}", "number,family,given\n").out,
                HasSubstr("takes in nothing more"));
    ASSERT_EQ(bus_->call("Drain b false", other_user), "");
    EXPECT_TRUE(eventually([] { return status().at("mode") == "running"; }));
    EXPECT_EQ(send("B2"), "AA");
    const auto chain = json::parse(box_->ctl("audit list --limit 50 --json").out);
    for (const char* what : {"drain_begin", "drain_end"}) {
        const auto entry =
            std::find_if(chain.begin(), chain.end(), [&](const json& one) { return one.value("detail", "") == what; });
        ASSERT_NE(entry, chain.end()) << chain.dump(1);
        EXPECT_EQ(entry->at("actor_id"), other_user) << "who polkit let";
        EXPECT_EQ(entry->at("action"), "configure");
    }
}

TEST_F(BoxAndBus, ClinicctlDoesTheSameAndSaysWhy) {
    EXPECT_THAT(box_->ctl("drain begin").out, HasSubstr("add --reason TEXT"));
    EXPECT_THAT(box_->ctl("drain now --reason 'a new switch'").out, HasSubstr("clinicctl drain begin, or"));
    EXPECT_EQ(status().at("mode"), "running");
    EXPECT_EQ(box_->ctl("drain begin --reason 'a new switch'").exit, 0);
    EXPECT_EQ(status().at("mode"), "draining");
    EXPECT_EQ(send("B4"), "AE");
    EXPECT_EQ(box_->ctl("drain end --reason 'the switch is in'").exit, 0);
    EXPECT_EQ(send("B4"), "AA");
    EXPECT_EQ(box_->ctl("reload --reason 'another sender'").out, "{\"wait_for_restart\":[]}\n");
    const auto chain = box_->ctl("audit list --limit 50 --json").out;
    for (const char* what :
         {"drain_begin a new switch", "drain_end the switch is in", "settings_reload another sender"})
        EXPECT_THAT(chain, HasSubstr(what));
}

TEST_F(BoxAndBus, ReloadTakesUpWhoMayComeIn) {
    const Polkit polkit{*bus_};
    const auto file = box_->folder() / "etc" / "clinicd.json";
    const auto before = [&] {
        std::ifstream in{file};
        return json::parse(in);
    }();
    auto other = before;
    other["mllp"]["allow"] = {"192.0.2.1"};
    other["console"]["names"] = {"localhost", "another.local"};
    std::ofstream{file} << other.dump();
    EXPECT_EQ(bus_->call("Reload"), "{\"type\":\"as\",\"data\":[[\"console\"]]}\n");
    EXPECT_EQ(send("B3"), "") << "it may not come in any more";
    std::ofstream{file} << "{}";
    EXPECT_THAT(bus_->call("Reload"), HasSubstr("nothing has changed"));
    std::ofstream{file} << before.dump();
    EXPECT_EQ(bus_->call("Reload"), "{\"type\":\"as\",\"data\":[[]]}\n");
    EXPECT_EQ(send("B3"), "AA");
}

TEST_F(BoxAndBus, TheConnectionIsNoWayOut) {
    const auto report = json::parse(box_->ctl("containment --json").out);
    EXPECT_TRUE(report.at("holds").get<bool>()) << report.dump(1);
    EXPECT_THAT(report.at("inside").dump(), HasSubstr("calls to others refused"));
    EXPECT_THAT(bus_->ask("list --no-legend"), HasSubstr(" clinicd ")) << "its process is on the bus";
}

// Last: the bus does not come back.
TEST_F(BoxAndBus, WithoutTheBusItGoesOn) {
    const auto process = box_->pids("clinicd");
    const auto well = status().at("well");
    bus_->end();
    EXPECT_TRUE(dbus_is("lost"));
    EXPECT_TRUE(eventually([] { return needs("E2016"); }));
    EXPECT_EQ(status().at("well"), well) << "it is no trouble of the box";
    EXPECT_EQ(send("B9"), "AA");
    EXPECT_THAT(box_->page("/metrics"), HasSubstr("clinic_dbus_up 0"));
    EXPECT_TRUE(json::parse(box_->ctl("containment --json").out).at("holds").get<bool>());
    EXPECT_EQ(box_->pids("clinicd"), process) << "the same process";
    std::ifstream in{box_->folder() / "logs" / "clinicd.log"};
    const std::string log{std::istreambuf_iterator<char>{in}, {}};
    const auto first = log.find("the system bus is lost");
    EXPECT_NE(first, std::string::npos);
    EXPECT_EQ(log.find("the system bus is lost", first + 1), std::string::npos) << "said once";
}

// As where the package's policy was taken away: nothing could keep code inside from having a program started by it.
TEST(BoxAndALooseBus, TheBusIsLeftAndTheBoxServes) {
    if (geteuid() != 0) GTEST_SKIP() << "only root has two users to tell apart";
    const PrivateBus bus{box_user, false};
    setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address().c_str(), 1);
    const Box box;
    unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    EXPECT_TRUE(eventually([&] { return box.status().value("dbus", std::string{}) == "open_wide"; }));
    const auto report = json::parse(box.ctl("containment --json").out);
    EXPECT_TRUE(report.at("holds").get<bool>()) << report.dump(1);
    EXPECT_THAT(report.at("inside").dump(), HasSubstr("it would have let us call others"));
    EXPECT_EQ(bus.ask("list --no-legend").find(" clinicd "), std::string::npos) << "nobody of the box is on it";
    EXPECT_EQ(acknowledgement(box.send(adt("A28", "CL1", "L1", "Brack", "Tom"))), "AA");
}

} // namespace
} // namespace clinic::e2e
