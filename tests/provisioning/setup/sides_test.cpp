// The two far sides by their steps: what stands in the way is the one thing named, and what follows from it is not.
#include "provisioning/setup/sides.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/provisioning/check/world.h"

namespace clinic::setup {
namespace {

using check::Outcome;
using check::World;
using diagnose::Step;

std::unique_ptr<Ways> ways_of(World& world, bool with_ops = true) {
    world.look(); // writes its settings
    return look_at_ways(world.site, with_ops);
}

std::string trouble(const Side& side) {
    return side.trouble != nullptr ? side.trouble->check->id : "";
}

TEST(Sides, BothAreOpenOnABoxThatIsWell) {
    World world;
    const auto ways = ways_of(world);
    EXPECT_EQ(trouble(ways->ghl), "");
    EXPECT_EQ(trouble(ways->ops), "");
    EXPECT_EQ(view(ways->ghl), "  GHL  link ok     DNS ok      TCP ok      TLS ok      auth ok\n");
    for (const auto& stage : to_json(ways->ops)) EXPECT_EQ(stage.at("result"), "ok");
    EXPECT_TRUE(ways_of(world, false)->ops.stages.empty());
}

TEST(Sides, TheFirstStepThatIsNotOpenIsNamed) {
    const std::vector<std::pair<const char*, std::function<void(World&)>>> faults{
        {"ghl.names",
         [](World& w) { w.said.ghl.dns = Step::timeout, w.said.ghl.tcp = w.said.ghl.tls = Step::not_tried; }},
        {"ghl.reached", [](World& w) { w.said.ghl.tcp = Step::timeout, w.said.ghl.tls = Step::not_tried; }},
        {"ghl.tls", [](World& w) { w.said.ghl.tls = Step::plain; }},
        {"ghl.issuer", [](World& w) { w.said.ghl.tls = Step::issuer, w.said.ghl.issuer = "Acme, Firewall CA"; }},
        {"ghl.accepted", [](World& w) { w.said.ghl.state = "down", w.said.ghl.code = "unauthorized"; }}};
    for (const auto& [id, fault] : faults) {
        World world;
        fault(world);
        const auto ways = ways_of(world);
        EXPECT_EQ(trouble(ways->ghl), id);
        EXPECT_EQ(trouble(ways->ops), "") << id;
        EXPECT_STRNE(ways->ghl.trouble->found.next.c_str(), "");
    }
}

// Without a cable both sides are shut, and the cable is what is named; and where the far side is on the machine itself
// a cable that is not there stands in nobody's way.
TEST(Sides, ACableCountsWhereItIsNeeded) {
    World world;
    world.put("sys/class/net/eth0/carrier", "0\n");
    EXPECT_EQ(trouble(ways_of(world)->ghl), "") << "it answers all the same";
    world.said.ghl.dns = Step::no_server;
    world.said.ghl.tcp = world.said.ghl.tls = Step::not_tried;
    EXPECT_EQ(trouble(ways_of(world)->ghl), "net.link");
}

TEST(Sides, AMachineIsLookedAtBeforeThereIsABox) {
    World world;
    world.put("etc/resolv.conf", "# none\n");
    world.stop_clinicd();
    world.stop_syncd();
    world.look();
    const auto lines = look_at_machine(world.site);
    EXPECT_GT(lines.size(), 15U);
    for (const auto& line : lines) {
        const bool is_it = std::string_view{line.check->id} == "net.resolver";
        EXPECT_EQ(line.found.outcome == Outcome::fail, is_it) << line.check->id;
        if (!is_it) continue;
        EXPECT_EQ(cause_of(line),
                  "no name server is set, and the router gave none with the address (DHCP): no name can "
                  "be found (none)");
    }
}

} // namespace
} // namespace clinic::setup
