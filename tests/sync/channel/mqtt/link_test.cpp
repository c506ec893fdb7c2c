#include "sync/channel/mqtt/mqtt_link.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "crypto/secure_bytes.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/channel/mqtt/mosquitto.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::mqtt {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using support::eventually;

std::set<int> connections_to(std::uint16_t port) {
    std::set<int> out;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        const int fd = std::stoi(entry.path().filename().string());
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port)
            out.insert(fd);
    }
    return out;
}

struct MqttLinks : testing::Test {
    void SetUp() override {
        if (!Mosquitto::installed()) GTEST_SKIP() << "mosquitto is not installed";
        ASSERT_TRUE(crypto::start());
        signal(SIGPIPE, SIG_IGN);
        broker = std::make_unique<Mosquitto>(folder.path(), authority);
        ops = std::make_unique<Ops>(*broker, authority);
        numbers = open_numbers();
    }
    std::unique_ptr<lane::StateFile> open_numbers() {
        auto slot = crypto::KeySlot::from_key(crypto::SecureBytes::zeroed(32));
        auto file = lane::StateFile::open(folder.path(), std::move(slot), clock);
        EXPECT_TRUE(file);
        return std::move(*file);
    }
    LinkOptions options(const std::string& certificate_of = "demo-1") const {
        const auto leaf = authority.issue(certificate_of, "");
        LinkOptions out;
        out.box = "demo-1";
        out.egress = folder / "egress.sock";
        out.broker = {.host = "127.0.0.1",
                      .port = broker->port(),
                      .ca = authority.pem(),
                      .cert = leaf.cert,
                      .key = leaf.key,
                      .client = "demo-1",
                      .will_delay = 1s,
                      .connect_max = 5s,
                      .publish_max = 5s};
        out.metrics_period = 200ms;
        out.look_period = 50ms;
        out.reconnect = {.base = 20ms, .cap = 100ms, .floor = 10ms};
        return out;
    }
    std::jthread start(LinkOptions given) {
        return std::jthread{[this, given = std::move(given)](std::stop_token stop) {
            MqttLink{given, *numbers, board, clock}.run(std::move(stop));
        }};
    }
    std::optional<json> state() const {
        const auto heard = ops->heard("clinic/demo-1/state");
        if (heard.empty()) return std::nullopt;
        return json::parse(heard.back().payload);
    }
    bool state_is(bool online, const char* reason) const {
        const auto now = state();
        return now && (*now)["online"] == online && (*now)["reason"] == reason;
    }

    fakes::TempFolder folder;
    base::SystemClock clock;
    support::Authority authority{folder.path(), "authority"};
    std::unique_ptr<Mosquitto> broker;
    std::unique_ptr<Ops> ops;
    std::unique_ptr<lane::StateFile> numbers;
    lane::Board board{clock};
};

TEST_F(MqttLinks, TellsOnlineAndAtACleanStopOffline) {
    auto link = start(options());
    ASSERT_TRUE(eventually([&] { return state_is(true, "connected"); }));
    ASSERT_TRUE(eventually([&] { return board.mqtt_up(); }));
    const auto session = (*state())["session"];
    link.request_stop();
    link.join();
    ASSERT_TRUE(eventually([&] { return state_is(false, "shutdown"); }));
    EXPECT_EQ((*state())["session"], session);
    const Ops late{*broker, authority};
    ASSERT_TRUE(eventually([&] { return late.heard("clinic/demo-1/state").size() == 1; }));
    EXPECT_TRUE(late.heard("clinic/demo-1/state")[0].retained) << "who comes later sees the state at once";
}

TEST_F(MqttLinks, TheSessionGrowsWithEachConnection) {
    std::int64_t last = 0;
    for (int i = 0; i < 3; ++i) {
        numbers = open_numbers();
        const auto link = start(options());
        ASSERT_TRUE(eventually([&] { return state_is(true, "connected") && (*state())["session"] > last; }));
        last = (*state())["session"].get<std::int64_t>();
    }
}

TEST_F(MqttLinks, ABoxThatVanishesIsToldOfByItsWill) {
    const auto others = connections_to(broker->port());
    auto given = options();
    given.reconnect = {.base = 1h, .cap = 1h, .floor = 1h};
    const auto link = start(given);
    ASSERT_TRUE(eventually([&] { return state_is(true, "connected"); }));
    const auto session = (*state())["session"];
    for (const int fd : connections_to(broker->port()))
        if (!others.contains(fd)) shutdown(fd, SHUT_RDWR);
    ASSERT_TRUE(eventually([&] { return state_is(false, "lwt"); }));
    EXPECT_EQ((*state())["session"], session);
}

TEST_F(MqttLinks, AShortAbsenceIsNotTold) {
    const auto others = connections_to(broker->port());
    auto given = options();
    given.broker.will_delay = 60s;
    const auto link = start(given);
    ASSERT_TRUE(eventually([&] { return state_is(true, "connected"); }));
    const auto session = (*state())["session"];
    for (const int fd : connections_to(broker->port()))
        if (!others.contains(fd)) shutdown(fd, SHUT_RDWR);
    ASSERT_TRUE(eventually([&] { return (*state())["session"] > session; }));
    for (const auto& heard : ops->heard("clinic/demo-1/state")) EXPECT_EQ(json::parse(heard.payload)["online"], true);
}

TEST_F(MqttLinks, MetricsCarryTheHealthOfTheBoxAndNumbersThatGrow) {
    support::ScriptedEgress egress{folder / "egress.sock", [](const envelope::Request&) {
                                       envelope::Device device;
                                       device.mode = "running";
                                       device.version = "0.1.0";
                                       device.basis = "baa";
                                       device.queue = 12;
                                       return device;
                                   }};
    const auto link = start(options());
    ASSERT_TRUE(eventually([&] { return ops->heard("clinic/demo-1/up/v1/metrics").size() >= 3; }));
    std::int64_t last = 0;
    std::set<std::string> ids;
    for (const auto& heard : ops->heard("clinic/demo-1/up/v1/metrics")) {
        const auto told = json::parse(heard.payload);
        EXPECT_EQ(told["data"]["queue"], 12);
        EXPECT_EQ(told["data"]["mode"], "running");
        EXPECT_GT(told["seq"].get<std::int64_t>(), last);
        last = told["seq"].get<std::int64_t>();
        ids.insert(told["msg_id"]);
        EXPECT_FALSE(heard.retained);
    }
    EXPECT_GE(ids.size(), 3U);
}

TEST_F(MqttLinks, AnEventIsAcknowledgedOnceItIsAtTheBrokerAndNotToldAgain) {
    std::atomic<std::int64_t> acknowledged{0};
    support::ScriptedEgress egress{
        folder / "egress.sock", [&](const envelope::Request& request) -> std::optional<envelope::Reply> {
            if (const auto* ack = std::get_if<envelope::DeviceAck>(&request)) {
                acknowledged = ack->event;
                return envelope::Settled{};
            }
            envelope::Device device;
            device.mode = "running";
            device.version = "0.1.0";
            device.basis = "baa";
            for (const std::int64_t number : {5, 6})
                if (acknowledged < number) device.events.push_back({number, "E1001", "critical", 1'700'000'000'000});
            return device;
        }};
    const auto link = start(options());
    ASSERT_TRUE(eventually([&] { return ops->heard("clinic/demo-1/up/v1/metrics").size() >= 3; }));
    EXPECT_EQ(acknowledged, 6);
    EXPECT_EQ(egress.seen<envelope::DeviceAck>().size(), 1U);
    const auto events = ops->heard("clinic/demo-1/up/v1/event");
    ASSERT_EQ(events.size(), 2U);
    const auto told = json::parse(events[0].payload);
    EXPECT_EQ(told["msg_id"], "demo-1-e5");
    EXPECT_EQ(told["ts"], 1'700'000'000'000);
    EXPECT_EQ(told["data"], (json{{"number", 5}, {"code", "E1001"}, {"severity", "critical"}}));
}

// A box that was cut off has hundreds to tell: they do not trickle out, a frame every look.
TEST_F(MqttLinks, ManyEventsAreToldAtOnceInTheirOrder) {
    constexpr std::int64_t count = 200;
    std::atomic<std::int64_t> acknowledged{0};
    support::ScriptedEgress egress{
        folder / "egress.sock", [&](const envelope::Request& request) -> std::optional<envelope::Reply> {
            if (const auto* ack = std::get_if<envelope::DeviceAck>(&request)) {
                acknowledged = ack->event;
                return envelope::Settled{};
            }
            envelope::Device device;
            device.mode = "running";
            device.version = "0.1.0";
            device.basis = "baa";
            for (auto number = acknowledged + 1; number <= count && device.events.size() < envelope::device_events_max;
                 ++number)
                device.events.push_back({number, "E3001", "warn", 1'700'000'000'000});
            return device;
        }};
    auto given = options();
    given.look_period = 1h; // what is not told at the first look is not told in this test
    given.metrics_period = 1h;
    const auto link = start(given);
    ASSERT_TRUE(eventually([&] { return acknowledged == count; }));
    ASSERT_TRUE(eventually([&] { return ops->heard("clinic/demo-1/up/v1/event").size() >= count; }));
    const auto events = ops->heard("clinic/demo-1/up/v1/event");
    ASSERT_EQ(events.size(), static_cast<std::size_t>(count));
    const auto first = json::parse(events.front().payload)["seq"].get<std::int64_t>();
    for (std::int64_t i = 0; i < count; ++i) {
        const auto told = json::parse(events[static_cast<std::size_t>(i)].payload);
        EXPECT_EQ(told["data"]["number"], i + 1);
        EXPECT_GE(told["seq"].get<std::int64_t>(), first + i);
    }
    EXPECT_EQ(egress.seen<envelope::DeviceAck>().size(), 7U);
}

TEST_F(MqttLinks, ComesBackAfterTheBrokerDid) {
    const auto link = start(options());
    ASSERT_TRUE(eventually([&] { return board.mqtt_up(); }));
    const auto before = (*state())["session"];
    broker->stop();
    ASSERT_TRUE(eventually([&] { return !board.mqtt_up(); }));
    EXPECT_EQ(board.said().mqtt_code, "offline");
    broker->start();
    ASSERT_TRUE(eventually([&] { return board.mqtt_up(); }));
    ops = std::make_unique<Ops>(*broker, authority);
    ASSERT_TRUE(eventually([&] { return state_is(true, "connected"); }));
    EXPECT_GT((*state())["session"], before);
}

TEST_F(MqttLinks, ABrokerThatHangsIsSaidWhileItsConnectionIsKept) {
    auto given = options();
    given.broker.quiet_after = 100ms;
    given.broker.publish_max = 60s;
    board.watched(true);
    const auto link = start(given);
    ASSERT_TRUE(eventually([&] { return board.mqtt_up(); }));
    broker->hang();
    EXPECT_TRUE(eventually([&] { return board.said().mqtt_code == "timeout"; }));
    broker->go_on();
    EXPECT_TRUE(eventually([&] { return board.mqtt_up(); }));
    ASSERT_TRUE(eventually([&] { return state().has_value(); }));
    EXPECT_EQ(ops->heard("clinic/demo-1/state").size(), 1U) << "nobody was told of a new session";
}

TEST_F(MqttLinks, ABoxWithoutTheRightToItsTopicSaysSo) {
    const auto link = start(options("somebody-else"));
    ASSERT_TRUE(eventually([&] { return board.said().mqtt_code == "unauthorized"; }));
    EXPECT_EQ(board.said().mqtt, envelope::LaneState::down);
    EXPECT_FALSE(state());
}

TEST_F(MqttLinks, ABrokerOfAnotherAuthorityIsNotTalkedTo) {
    const support::Authority other{folder.path(), "other"};
    auto given = options();
    given.broker.ca = other.pem();
    const auto link = start(given);
    ASSERT_TRUE(eventually([&] { return board.said().mqtt_code == "offline"; }));
    EXPECT_FALSE(state());
}

TEST_F(MqttLinks, ABrokerUnderAnotherNameIsNotTalkedTo) {
    auto given = options();
    given.broker.host = "localhost"; // its certificate names the address alone
    const auto link = start(given);
    ASSERT_TRUE(eventually([&] { return board.said().mqtt_code == "offline"; }));
    EXPECT_FALSE(state());
}

TEST_F(MqttLinks, ABrokerWhoseCertificateHasExpiredIsNotTalkedTo) {
    const auto apart = folder / "expired";
    std::filesystem::create_directory(apart);
    const Mosquitto expired{apart, authority, -1};
    auto given = options();
    given.broker.port = expired.port();
    const auto link = start(given);
    ASSERT_TRUE(eventually([&] { return board.said().mqtt_code == "offline"; }));
    EXPECT_FALSE(state());
}

TEST_F(MqttLinks, SmallMessagesAreNotHeldBack) {
    const auto given = options();
    auto connected =
        Broker::connect(given.broker, {state_topic("demo-1"), state_payload("demo-1", 1, false, "lwt")}, {});
    ASSERT_TRUE(connected);
    const auto sockets = connections_to(broker->port());
    ASSERT_FALSE(sockets.empty());
    for (const int socket : sockets) {
        int on = 0;
        socklen_t size = sizeof on;
        EXPECT_EQ(getsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
        EXPECT_NE(on, 0);
    }
    EXPECT_TRUE((*connected)->publish({up_topic("demo-1", "metrics"), "{}", false, 60s}, {}));
    (*connected)->leave({state_topic("demo-1"), state_payload("demo-1", 1, false, "shutdown"), true, {}});
}

} // namespace
} // namespace clinic::mqtt
