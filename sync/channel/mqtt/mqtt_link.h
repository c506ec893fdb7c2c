// Tells central ops how the box is: retained state with a will, metrics, and events until they are taken.
//   Errors:  none leave: a link that is down says so on the board and tries again; it never holds up another lane.
//   Threads: `run` in one of its own, which owns the connection.
//   Source:  facts/mqtt.md §2 and §6; docs/mqtt.md.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>

#include "crypto/base/clock.h"
#include "crypto/base/vitals.h"
#include "sync/channel/mqtt/broker/broker.h"
#include "sync/channel/mqtt/messages.h"
#include "sync/lane/backoff.h"
#include "sync/lane/board.h"
#include "sync/lane/egress_client.h"
#include "sync/lane/state_file.h"

namespace clinic::mqtt {

struct LinkOptions {
    BrokerOptions broker;
    std::string box;
    std::filesystem::path egress;
    std::chrono::milliseconds metrics_period{15'000};
    std::chrono::milliseconds look_period{2'000}; // for events
    lane::BackoffLimits reconnect{.cap = std::chrono::seconds{60}};
    base::Pulse pulse = {}; // each look, each try to connect
};

class MqttLink {
public:
    MqttLink(LinkOptions options, lane::StateFile& numbers, lane::Board& board, const Clock& clock);
    void run(std::stop_token stop);

private:
    Result<void> serve(std::stop_token stop); // one connection, to its end: always an error, unless we stop
    void say_up();
    enum class Next : std::uint8_t { look_later, go_on };
    Result<Next> turn(Broker& broker, std::stop_token stop);
    Result<void> tell_events(Broker& broker, const envelope::Device& device, std::stop_token stop);
    Result<void> tell_metrics(Broker& broker, const envelope::Device& device, std::stop_token stop);
    Result<envelope::Device> ask_device(std::stop_token stop);

    LinkOptions options_;
    lane::StateFile& numbers_;
    lane::Board& board_;
    const Clock& clock_;
    lane::EgressClient client_;
    std::int64_t session_ = 0;
    base::Micros metrics_at_{}, connected_at_{};
    bool limited_ = false; // by the broker: up is said when it has taken something again
};

} // namespace clinic::mqtt
