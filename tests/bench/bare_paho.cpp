#include <mqtt/async_client.h>

#include <deque>

#include "tests/bench/commands.h"
#include "tests/bench/figures.h"

namespace clinic::bench {
namespace {

constexpr std::size_t window = 20; // unanswered at most: what mosquitto takes, and what the box uses

mqtt::connect_options options_of(const Arguments& given) {
    mqtt::connect_options options;
    options.set_mqtt_version(MQTTVERSION_5);
    options.set_clean_start(true);
    options.set_max_inflight(static_cast<int>(window));
    mqtt::ssl_options tls;
    tls.set_trust_store(given.text("ca"));
    tls.set_key_store(given.text("cert"));
    tls.set_private_key(given.text("key"));
    tls.set_enable_server_cert_auth(true);
    tls.set_verify(true);
    options.set_ssl(std::move(tls));
    return options;
}

// As docs/mqtt.md has an event, and as long.
std::string event(std::int64_t number) {
    return R"({"v":1,"box":"demo-1","msg_id":"demo-1-e1795255200)" + std::to_string(1'000'000 + number) +
           R"(","session":1795255200,"seq":)" + std::to_string(1'795'255'200 + number) +
           R"(,"at":"2026-11-21T10:00:00.000Z","sent":"2026-11-21T10:00:00.000Z","data":{"code":"E1204","severity":"warn"}})";
}

} // namespace

// QoS 1, pipelined, nothing kept on disk.
json bare_paho(const Arguments& given) {
    const std::int64_t count = given.number("count");
    mqtt::async_client client{"ssl://127.0.0.1:" + given.text("port"), "ops-bench", mqtt::create_options{MQTTVERSION_5},
                              nullptr};
    client.connect(options_of(given))->wait();
    const std::string topic = given.text("topic");
    std::deque<mqtt::delivery_token_ptr> unanswered;
    const Instant begin = now();
    for (std::int64_t i = 0; i < count; ++i) {
        if (unanswered.size() == window) {
            unanswered.front()->wait();
            unanswered.pop_front();
        }
        unanswered.push_back(client.publish(mqtt::message::create(topic, event(i), 1, false)));
    }
    for (const auto& one : unanswered) one->wait();
    const double took = seconds_between(begin, now());
    client.disconnect()->wait();
    return {{"messages", count}, {"messages_per_s", static_cast<double>(count) / took}};
}

} // namespace clinic::bench
