// What the link says when the broker takes less than it is told.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "crypto/secure_bytes.h"
#include "sync/channel/mqtt/mqtt_link.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/channel/mqtt/scripted_broker.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::mqtt {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using At = ScriptedBroker::At;

envelope::Device a_device() {
    envelope::Device device;
    device.mode = "running";
    device.version = "0.1.0";
    device.basis = "baa";
    return device;
}

struct MqttLimits : testing::Test {
    void SetUp() override {
        ASSERT_TRUE(crypto::start());
        signal(SIGPIPE, SIG_IGN);
        auto file =
            lane::StateFile::open(folder.path(), crypto::KeySlot::from_key(crypto::SecureBytes::zeroed(32)), clock);
        ASSERT_TRUE(file);
        numbers = std::move(*file);
    }
    LinkOptions options() const {
        const auto leaf = authority.issue("demo-1", "");
        LinkOptions out;
        out.box = "demo-1";
        out.egress = folder / "egress.sock";
        out.broker = {.host = "127.0.0.1",
                      .port = broker.port(),
                      .ca = authority.pem(),
                      .cert = leaf.cert,
                      .key = leaf.key,
                      .client = "demo-1"};
        out.metrics_period = 20ms;
        out.look_period = 10ms;
        out.reconnect = {.base = 20ms, .cap = 50ms, .floor = 10ms};
        return out;
    }

    fakes::TempFolder folder;
    base::SystemClock clock;
    support::Authority authority{folder.path(), "authority"};
    ScriptedBroker broker{authority.issue("broker", "IP:127.0.0.1")};
    std::unique_ptr<lane::StateFile> numbers;
    lane::Board board{clock};
    support::ScriptedEgress egress{
        folder / "egress.sock", [](const envelope::Request&) -> std::optional<envelope::Reply> { return a_device(); }};
};

struct Limit {
    At at;
    std::uint8_t reason;
    const char* code;
};

TEST_F(MqttLimits, EachIsSaidForWhatItIsAndGoesWhenItIsRaised) {
    std::jthread link{[&](std::stop_token stop) { MqttLink{options(), *numbers, board, clock}.run(std::move(stop)); }};
    for (const At at : {At::connection, At::message, At::disconnect})
        for (const Limit& limit : {Limit{at, 0x97, "quota"}, Limit{at, 0x96, "rate"}, Limit{at, 0x95, "too_large"},
                                   Limit{at, 0x89, "throttled"}, Limit{at, 0x87, "unauthorized"}}) {
            ASSERT_TRUE(eventually([&] { return board.mqtt_up(); }));
            broker.refuse(limit.at, limit.reason);
            EXPECT_TRUE(eventually([&] { return board.said().mqtt_code == limit.code; }))
                << limit.code << " at " << static_cast<int>(at) << ": " << board.said().mqtt_code;
            EXPECT_EQ(board.said().mqtt,
                      limit.reason == 0x87 ? envelope::LaneState::down : envelope::LaneState::paused);
            broker.refuse(At::nothing);
        }
}

// As a broker says it to the one of two who was there first. (mosquitto 2.0.11 hangs up without a word: `offline`.)
TEST_F(MqttLimits, ABoxWhoseNameAnotherHasSaysSo) {
    std::jthread link{[&](std::stop_token stop) { MqttLink{options(), *numbers, board, clock}.run(std::move(stop)); }};
    ASSERT_TRUE(eventually([&] { return board.mqtt_up(); }));
    broker.refuse(At::disconnect, 0x8E);
    EXPECT_TRUE(eventually([&] { return board.said().mqtt_code == "taken_over"; })) << board.said().mqtt_code;
    EXPECT_EQ(board.said().mqtt, envelope::LaneState::down);
    broker.refuse(At::nothing);
    EXPECT_TRUE(eventually([&] { return board.mqtt_up(); }));
}

// Each try connects well, and fails at the first thing that it tells.
TEST_F(MqttLimits, ALinkThatIsHeldBackIsNotSaidToBeUpBetweenItsTries) {
    broker.refuse(At::message, 0x97);
    std::jthread link{[&](std::stop_token stop) { MqttLink{options(), *numbers, board, clock}.run(std::move(stop)); }};
    ASSERT_TRUE(eventually([&] { return board.said().mqtt_code == "quota"; }));
    std::atomic<int> ups{0};
    std::jthread eyes{[&](std::stop_token stop) {
        for (auto seen = board.version(); !stop.stop_requested(); seen = board.version()) {
            board.wait_change(stop, seen, 10ms);
            ups += board.mqtt_up() ? 1 : 0;
        }
    }};
    const int before = broker.refusals();
    ASSERT_TRUE(eventually([&] { return broker.refusals() >= before + 8; }));
    EXPECT_EQ(ups, 0);
    broker.refuse(At::nothing);
    EXPECT_TRUE(eventually([&] { return board.mqtt_up(); }));
}

// The library keeps what was not acknowledged for its next connection: waited for to its end, it would be a silence.
TEST_F(MqttLimits, AConnectionThatIsLostInTheMiddleOfAMessageIsNoSilence) {
    auto given = options();
    given.broker.publish_max = 1h;
    broker.refuse(At::disconnect, 0x8B); // the server shuts down: a reason that is no limit
    std::jthread link{[&](std::stop_token stop) { MqttLink{given, *numbers, board, clock}.run(std::move(stop)); }};
    EXPECT_TRUE(eventually([&] { return board.said().mqtt_code == "offline"; })) << board.said().mqtt_code;
    EXPECT_TRUE(eventually([&] { return broker.refusals() >= 3; }));
}

} // namespace
} // namespace clinic::mqtt
