// The object on a bus: what is read, told, asked and refused, by others on the same bus.
#include "systemd/box_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "tests/fakes/eventually.h"
#include "tests/support/private_bus.h"

namespace clinic::systemd {
namespace {

using fakes::eventually;
using test_support::Listener;
using test_support::Polkit;
using test_support::PrivateBus;
using testing::HasSubstr;

constexpr uid_t box_user = 61'713, other_user = 65'534;

// As clinicd does: who it is on the bus is who connects.
Result<Bus> joined(const std::string& address) {
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address.c_str(), 1);
    [[maybe_unused]] const int as_the_box = seteuid(box_user);
    auto bus = Bus::open();
    [[maybe_unused]] const int as_root = seteuid(0);
    unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    return bus;
}

class BoxOnTheBus : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "only root has two users to tell apart";
    }
    void join(const PrivateBus& bus) {
        auto connection = joined(bus.address());
        ASSERT_TRUE(connection);
        BoxMethods methods{.check = [] { return std::string{R"({"needs":[]})"}; },
                           .drain = [this](uid_t who, bool begin) -> Result<void> {
                               asked_by = who;
                               drained = begin;
                               return {};
                           },
                           .reload = [this](uid_t who) -> Result<std::vector<std::string>> {
                               asked_by = who;
                               if (no_settings) return Error{Errc::malformed, "no settings", "mend them"};
                               return std::vector<std::string>{"console"};
                           }};
        object.emplace(
            std::move(*connection),
            [this] {
                const std::lock_guard lock{mutex};
                ++looks;
                return facts;
            },
            std::move(methods), [this](BusState now) { state = now; });
    }
    void change(const std::function<void(BoxFacts&)>& how) {
        const std::lock_guard lock{mutex};
        how(facts);
    }
    bool is(BusState wanted) {
        return eventually([&] { return state == wanted; });
    }

    std::mutex mutex;
    BoxFacts facts{.version = "1.2.3",
                   .mode = "running",
                   .well = "well",
                   .basis = "baa",
                   .ready = true,
                   .clock_trusted = true,
                   .contained = true,
                   .needs = {"E2301"},
                   .egress = {{"crm", {{"released", 7}, {"delivered", 7}}}},
                   .intake = {{"mllp", {{"received", 9}}}, {"csv", {{"received", 0}}}},
                   .counters = {{"patients", 5}}};
    std::atomic<int> looks{0};
    std::atomic<BusState> state{BusState::joining};
    std::atomic<uid_t> asked_by{0};
    std::atomic<bool> drained{false}, no_settings{false};
    std::optional<BoxObject> object;
};

TEST_F(BoxOnTheBus, ShowsWhatTheStatusSays) {
    const PrivateBus bus{box_user};
    join(bus);
    ASSERT_TRUE(is(BusState::up));
    EXPECT_EQ(bus.property("Version"), "{\"type\":\"s\",\"data\":\"1.2.3\"}\n");
    EXPECT_EQ(bus.property("Mode"), "{\"type\":\"s\",\"data\":\"running\"}\n");
    EXPECT_EQ(bus.property("Ready"), "{\"type\":\"b\",\"data\":true}\n");
    EXPECT_EQ(bus.property("Needs"), "{\"type\":\"as\",\"data\":[\"E2301\"]}\n");
    EXPECT_EQ(bus.property("Egress"), "{\"type\":\"a{sa{sx}}\",\"data\":{\"crm\":{\"delivered\":7,\"released\":7}}}\n");
    EXPECT_EQ(bus.property("Intake"),
              "{\"type\":\"a{sa{sx}}\",\"data\":{\"csv\":{\"received\":0},\"mllp\":{\"received\":9}}}\n");
    EXPECT_EQ(bus.property("Counters"), "{\"type\":\"a{sx}\",\"data\":{\"patients\":5}}\n");
    for (const char* one : {"Well", "Basis", "ClockTrusted", "Contained"})
        EXPECT_THAT(bus.property(one), HasSubstr("\"data\":")) << one;
}

TEST_F(BoxOnTheBus, TellsAllChangesOfASecondInOneSignal) {
    const PrivateBus bus{box_user};
    const Listener listener{bus};
    join(bus);
    ASSERT_TRUE(is(BusState::up));
    change([](BoxFacts& now) {
        now.mode = "full";
        now.ready = false;
        now.egress["crm"]["released"] = 8;
    });
    ASSERT_TRUE(eventually([&] { return !listener.heard().empty(); }));
    EXPECT_THAT(listener.heard().front(), testing::UnorderedElementsAre("Mode", "Ready", "Egress"));
    const int then = looks;
    ASSERT_TRUE(eventually([&] { return looks >= then + 2; }));
    EXPECT_EQ(listener.heard().size(), 1U) << "what did not change is not told";
}

TEST_F(BoxOnTheBus, DoesWhatPolkitLets) {
    const PrivateBus bus{box_user};
    const Polkit polkit{bus};
    join(bus);
    ASSERT_TRUE(is(BusState::up));
    EXPECT_EQ(bus.call("Check", other_user), R"({"type":"s","data":["{\"needs\":[]}"]})"
                                             "\n");
    EXPECT_EQ(bus.call("Drain b true", other_user), "");
    EXPECT_TRUE(drained);
    EXPECT_EQ(asked_by, other_user) << "as the bus says";
    EXPECT_EQ(bus.call("Drain b false", other_user), "");
    EXPECT_FALSE(drained);
    EXPECT_EQ(bus.call("Reload"), "{\"type\":\"as\",\"data\":[[\"console\"]]}\n");
    EXPECT_EQ(asked_by, 0U);
    no_settings = true;
    EXPECT_THAT(bus.call("Reload"), HasSubstr("no settings; mend them"));
    EXPECT_THAT(polkit.asked(), testing::ElementsAre("org.clinicedge.Clinicd1.check", "org.clinicedge.Clinicd1.drain",
                                                     "org.clinicedge.Clinicd1.drain", "org.clinicedge.Clinicd1.reload",
                                                     "org.clinicedge.Clinicd1.reload"));
}

TEST_F(BoxOnTheBus, DoesNothingThatPolkitRefuses) {
    const PrivateBus bus{box_user};
    Polkit polkit{bus};
    join(bus);
    ASSERT_TRUE(is(BusState::up));
    for (const char* method : {"Check", "Drain b true", "Reload"}) {
        polkit.say(Polkit::Word::no);
        EXPECT_THAT(bus.call(method, other_user), HasSubstr("Access denied")) << method;
        polkit.say(Polkit::Word::who_are_you);
        EXPECT_THAT(bus.call(method, other_user), HasSubstr("polkit does not let you")) << method;
    }
    EXPECT_EQ(polkit.asked().size(), 6U);
    EXPECT_FALSE(drained);
}

TEST_F(BoxOnTheBus, DoesNothingWithoutPolkitForRootNeither) {
    const PrivateBus bus{box_user};
    join(bus);
    ASSERT_TRUE(is(BusState::up));
    for (const char* method : {"Check", "Drain b true", "Reload"})
        EXPECT_THAT(bus.call(method), HasSubstr("Access denied")) << method;
    EXPECT_FALSE(drained);
}

// Whose question polkit leaves open waits; the seventeenth does not, and the object goes on.
TEST_F(BoxOnTheBus, ABoundedNumberOfCallersWaitsForPolkit) {
    const PrivateBus bus{box_user};
    Polkit polkit{bus};
    polkit.say(Polkit::Word::nothing);
    join(bus);
    ASSERT_TRUE(is(BusState::up));
    for (std::size_t i = 0; i < BoxObject::questions_max; ++i)
        EXPECT_EQ(bus.ask("--expect-reply=no call org.clinicedge.Clinicd1 /org/clinicedge/Clinicd1 "
                          "org.clinicedge.Clinicd1 Check"),
                  "");
    ASSERT_TRUE(eventually([&] { return polkit.asked().size() == BoxObject::questions_max; }));
    EXPECT_THAT(bus.call("Check"), HasSubstr("too many wait for polkit"));
    EXPECT_THAT(bus.property("Mode"), HasSubstr("running"));
}

TEST_F(BoxOnTheBus, ALostBusIsSaidAndNothingElse) {
    PrivateBus bus{box_user};
    join(bus);
    ASSERT_TRUE(is(BusState::up));
    bus.end();
    EXPECT_TRUE(is(BusState::lost));
    const int then = looks;
    object.reset(); // and its thread ends
    EXPECT_EQ(looks, then) << "nobody is told any more";
}

TEST_F(BoxOnTheBus, ABusThatWouldLetItCallOthersIsLeft) {
    const PrivateBus bus{box_user, false};
    join(bus);
    EXPECT_TRUE(is(BusState::open_wide));
    EXPECT_THAT(bus.property("Mode"), HasSubstr("not"));
}

// The package's policy itself, for code that has the connection.
TEST_F(BoxOnTheBus, ItsUserMayCallNobodyAndTellNothingElse) {
    const PrivateBus bus{box_user};
    const Polkit polkit{bus};
    const std::string bus_itself = "call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ";
    for (const std::string& words :
         {bus_itself + "StartServiceByName su org.freedesktop.systemd1 0", bus_itself + "ListNames",
          bus_itself + "GetConnectionUnixProcessID s org.freedesktop.PolicyKit1",
          bus_itself + "AddMatch s type='signal'",
          std::string{"call org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority "
                      "org.freedesktop.DBus.Introspectable Introspect"},
          std::string{"call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "
                      "StartUnit ss rescue.target replace"}}) {
        EXPECT_THAT(bus.ask(words, box_user), HasSubstr("Access denied")) << words;
        EXPECT_THAT(bus.ask(words), testing::Not(HasSubstr("Access denied"))) << "and another user may: " << words;
    }
    EXPECT_THAT(bus.ask(bus_itself + "RequestName su org.freedesktop.PolicyKit1 0", box_user),
                HasSubstr("Access denied"));
}

TEST(BusAddress, OneThatIsNotAPathIsRefused) {
    for (const char* address : {"unixexec:path=/bin/true", "tcp:host=localhost,port=1", "unix:abstract=x",
                                "unix:path=/x;unixexec:path=/bin/true"}) {
        setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
        const auto bus = Bus::open();
        ASSERT_FALSE(bus) << address;
        EXPECT_EQ(bus.error().code, Errc::unsupported);
    }
    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/at/all", 1);
    EXPECT_EQ(Bus::open().error().code, Errc::not_found);
    unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

} // namespace
} // namespace clinic::systemd
