// One MQTT 5 connection over mutual TLS, made afresh each time: no library persistence, no library reconnect.
//   Errors:  offline, timeout, unauthorized (the broker or its access list says no), conflict (another came under our
//            name), throttled (a limit of the broker's
//            is reached; `native` is its reason).
//   Threads: one owner; the library's threads only set a flag. `Subscription::take` alone is called on one of them.
//   Source:  facts/mqtt.md §2.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::mqtt {

// Reasons of MQTT 5 (its 2.4), as CONNACK, PUBACK or DISCONNECT give them.
inline constexpr std::size_t heard_bytes_max = 16'384; // a longer one the broker does not hand out
inline constexpr int reason_packet_too_large = 0x95, reason_message_rate = 0x96, reason_quota = 0x97;

struct BrokerOptions {
    std::string host;
    std::uint16_t port = 8883;
    std::filesystem::path ca, cert, key;
    std::string client; // the client id: the box
    std::chrono::seconds keep_alive{30};
    std::chrono::seconds will_delay{20}; // a short absence is not told
    std::chrono::milliseconds connect_max{10'000};
    std::chrono::milliseconds publish_max{10'000};
    std::chrono::milliseconds quiet_after{1'000}; // an answer that takes longer is said
};

struct Will {
    std::string topic, payload; // retained, QoS 1
};

// What is to be heard, in a session that the broker keeps while we are away: QoS 1.
struct Subscription {
    std::string topic;
    std::chrono::seconds keep{std::chrono::hours{7 * 24}}; // the session, after we left
    int in_flight_max = 20;                                // that the broker sends before it is told that they are here
    // One at a time, in order; what it answers true to is acknowledged when it returns. At false the connection is cut
    // before any acknowledgement: the broker keeps the message for the next one. On the library's thread, which serves
    // all connections of the process: within some seconds, and without a call of this class.
    std::function<bool(std::string_view payload)> take;
};

class Broker {
public:
    static Result<std::unique_ptr<Broker>> connect(const BrokerOptions& options, const Will& will,
                                                   std::stop_token stop);
    // A connection that hears. It has no will.
    static Result<std::unique_ptr<Broker>> subscribe(const BrokerOptions& options, Subscription what,
                                                     std::stop_token stop);
    ~Broker();

    // QoS 1: returns when the broker has it. `expires` zero: never.
    struct Message {
        std::string topic, payload;
        bool retained = false;
        std::chrono::seconds expires{};
    };
    Result<void> publish(const Message& message, std::stop_token stop);
    // The same for several, on their way together. `first` of them are surely with the broker, whatever ended it.
    struct Published {
        std::size_t first = 0;
        Result<void> ended;
    };
    Published publish_all(const std::vector<Message>& messages, std::stop_token stop);

    // Asks for a sign of life: returns when the broker answered.
    Result<void> ping(std::stop_token stop);
    // True when an answer takes longer than `quiet_after`, false when it came after all; called by the owner's thread.
    void on_quiet(std::function<void(bool)> listener);

    bool lost() const;
    Error why_lost() const; // the broker's reason, where it gave one
    // Until the connection is lost, the time is over, or stop.
    void wait_lost(std::chrono::milliseconds span, std::stop_token stop);
    // The last word, then a clean disconnect that withdraws the will. Within two seconds; best effort.
    void leave(const Message& last);

private:
    struct State;
    explicit Broker(std::unique_ptr<State> state);
    static Result<std::unique_ptr<Broker>> open(std::unique_ptr<State> state, const BrokerOptions& options,
                                                const std::stop_token& stop);
    std::unique_ptr<State> state_;
};

} // namespace clinic::mqtt
