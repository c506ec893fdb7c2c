// Hands messages to the broker and says when it has them: QoS 1, and an answer means its PUBACK.
//   Bounds:  waiting_max callers at once; the next one is told at once that it is full, so that a thread is always free
//            to say so to who asks. `answer_max` for one message.
//   Errors:  of publish: full; offline (no connection); timeout (it may have arrived); unauthorized and throttled (the
//            broker's answer).
//   Threads: publish from any; `run` in one of its own, which owns the connection.
//   Source:  facts/mqtt.md §2; facts/ghl-api §4.4 (answer in under two seconds).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "crypto/base/vitals.h"
#include "sync/channel/mqtt/broker/broker.h"

namespace clinic::relay {

struct PublisherOptions {
    mqtt::BrokerOptions broker;
    std::string name; // of this relay: ops/{name}/state
    std::size_t waiting_max = 64;
    std::chrono::milliseconds answer_max{1'500};
    std::chrono::milliseconds reconnect_min{250}, reconnect_max{2'000}; // a random span between them
    std::chrono::seconds expires{std::chrono::hours{7 * 24}};           // at the broker, for a box that is away
};

class Publisher {
public:
    explicit Publisher(PublisherOptions options, base::Pulse pulse = {});

    Result<void> publish(std::string topic, std::string payload);
    bool is_up() const { return up_; }
    void run(std::stop_token stop);

private:
    struct Parcel;
    using Batch = std::vector<std::shared_ptr<Parcel>>;
    Error serve(mqtt::Broker& broker, const std::stop_token& stop); // one connection, to its end
    Batch next_batch(const std::stop_token& stop);
    Result<void> send(mqtt::Broker& broker, const Batch& batch, const std::stop_token& stop);
    void turn_away(const Error& why); // all who wait
    void pause(const std::stop_token& stop);

    const PublisherOptions options_;
    const base::Pulse pulse_;
    std::atomic<bool> up_{false};
    std::mutex mutex_;
    std::condition_variable_any ready_;
    std::deque<std::shared_ptr<Parcel>> queue_;
    std::size_t waiting_ = 0; // callers inside `publish`
};

} // namespace clinic::relay
