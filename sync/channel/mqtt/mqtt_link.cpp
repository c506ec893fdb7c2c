#include "sync/channel/mqtt/mqtt_link.h"

#include <optional>
#include <tuple>
#include <utility>

#include "crypto/base/ids.h"
#include "crypto/base/log.h"
#include "sync/lane/wait.h"

namespace clinic::mqtt {
namespace {

using envelope::LaneState;

constexpr std::chrono::seconds metrics_life{3'600};
constexpr base::Micros steady = std::chrono::seconds{30}; // a connection this old was a good one
constexpr std::chrono::milliseconds reply_wait{5'000};

struct Said {
    LaneState state;
    const char* code;
};

// What the broker has too much of.
const char* limit(int reason) {
    switch (reason) {
    case reason_quota: return "quota";
    case reason_message_rate: return "rate";
    case reason_packet_too_large: return "too_large";
    default: return "throttled";
    }
}

Said said(const Error& error) {
    switch (error.code) {
    case Errc::unauthorized: return {LaneState::down, "unauthorized"};
    case Errc::conflict: return {LaneState::down, "taken_over"};
    case Errc::throttled: return {LaneState::paused, limit(error.native)};
    case Errc::timeout: return {LaneState::paused, "timeout"};
    case Errc::offline: return {LaneState::paused, "offline"};
    default: return {LaneState::down, "state_file"};
    }
}

} // namespace

MqttLink::MqttLink(LinkOptions options, lane::StateFile& numbers, lane::Board& board, const Clock& clock)
    : options_{std::move(options)}, numbers_{numbers}, board_{board}, clock_{clock}, client_{options_.egress} {
    board_.mqtt(LaneState::down, "starting");
}

void MqttLink::run(std::stop_token stop) {
    lane::Backoff backoff{options_.reconnect};
    std::optional<Errc> logged; // of what is not the network's
    while (!stop.stop_requested()) {
        connected_at_ = {};
        options_.pulse.beat();
        const auto ended = serve(stop);
        if (stop.stop_requested()) break;
        const Error& error = ended.error();
        const auto why = said(error);
        board_.mqtt(why.state, why.code);
        limited_ = error.code == Errc::throttled;
        if ((limited_ || why.state == LaneState::down) && logged != error.code)
            base::log(base::Level::warning, "mqtt", error);
        logged = error.code;
        if (connected_at_.count() != 0) base::log(base::Level::warning, "mqtt", "the connection to the broker is lost");
        if (connected_at_.count() != 0 && clock_.monotonic() - connected_at_ > steady) backoff.reset();
        options_.pulse.beat();
        lane::sleep_for(stop, backoff.next()); // a broker that comes back is not met by all boxes at once
    }
    board_.mqtt(LaneState::down, "stopped");
}

Result<void> MqttLink::serve(std::stop_token stop) {
    const auto session = numbers_.next_session(); // durable before the CONNECT that carries it
    if (!session) return session.error();
    session_ = *session;
    const auto topic = state_topic(options_.box);
    auto broker = Broker::connect(options_.broker, {topic, state_payload(options_.box, session_, false, "lwt")}, stop);
    if (!broker) return broker.error();
    CLINIC_TRY((*broker)->publish({topic, state_payload(options_.box, session_, true, "connected"), true, {}}, stop));
    connected_at_ = clock_.monotonic();
    metrics_at_ = {};
    (*broker)->on_quiet([this](bool now) { now ? board_.mqtt(LaneState::paused, "timeout") : say_up(); });
    say_up();
    base::log(base::Level::notice, "mqtt", "connected to the broker", {{"session", session_}});
    Result<Next> ended = Next::look_later;
    while (ended && !stop.stop_requested() && !(*broker)->lost()) {
        options_.pulse.beat();
        ended = turn(**broker, stop);
        if (ended && std::exchange(limited_, false)) say_up();
        if (!ended || *ended != Next::look_later) continue;
        if (const auto lives = board_.watched() ? (*broker)->ping(stop) : Result<void>{}; !lives) ended = lives.error();
        if (ended) (*broker)->wait_lost(options_.look_period, stop);
    }
    // What the broker does not hear now, the will tells it.
    if (stop.stop_requested() && !(*broker)->lost())
        (*broker)->leave({topic, state_payload(options_.box, session_, false, "shutdown"), true, {}});
    if (!ended) return ended.error();
    return stop.stop_requested() ? Result<void>{} : (*broker)->why_lost();
}

// Not while a limit of the broker's has only been met by our connecting again.
void MqttLink::say_up() {
    if (!limited_) board_.mqtt(LaneState::up, "");
}

Result<envelope::Device> MqttLink::ask_device(std::stop_token stop) {
    if (!client_.connected()) CLINIC_TRY(client_.connect());
    return client_.ask_for<envelope::Device>(envelope::DeviceRequest{}, reply_wait, stop);
}

// What clinicd cannot be asked is not told; the next look asks again. A full frame has more behind it.
Result<MqttLink::Next> MqttLink::turn(Broker& broker, std::stop_token stop) {
    const auto device = ask_device(stop);
    if (!device) return Next::look_later;
    CLINIC_TRY(tell_events(broker, *device, stop));
    const Next next = device->events.size() < envelope::device_events_max ? Next::look_later : Next::go_on;
    if (metrics_at_.count() != 0 && clock_.monotonic() < metrics_at_) return next;
    CLINIC_TRY(tell_metrics(broker, *device, stop));
    metrics_at_ = clock_.monotonic() + options_.metrics_period;
    return next;
}

Result<void> MqttLink::tell_events(Broker& broker, const envelope::Device& device, std::stop_token stop) {
    if (device.events.empty()) return {};
    const auto sequence = numbers_.next_sequences(device.events.size());
    if (!sequence) return sequence.error();
    std::vector<Broker::Message> messages;
    for (const auto& event : device.events) {
        // The same id each time it is told, so that a repetition is known for one.
        const Heading head{options_.box,
                           options_.box + "-e" + std::to_string(event.number),
                           session_,
                           *sequence + static_cast<std::int64_t>(messages.size()),
                           Timestamp{event.at_ms * 1'000},
                           clock_.now()};
        messages.push_back({up_topic(options_.box, "event"), event_payload(head, event), false, {}});
    }
    const auto published = broker.publish_all(messages, stop);
    // Not acknowledged when clinicd is away: told again, under the same id.
    if (published.first != 0)
        std::ignore = client_.ask_for<envelope::Settled>(envelope::DeviceAck{device.events[published.first - 1].number},
                                                         reply_wait);
    return published.ended;
}

Result<void> MqttLink::tell_metrics(Broker& broker, const envelope::Device& device, std::stop_token stop) {
    const auto now = clock_.now();
    const auto sequence = numbers_.next_sequence();
    if (!sequence) return sequence.error();
    const Heading head{options_.box, base::Uuid::v7(now).text(), session_, *sequence, now, clock_.now()};
    return broker.publish(
        {up_topic(options_.box, "metrics"), metrics_payload(head, device, board_.said()), false, metrics_life}, stop);
}

} // namespace clinic::mqtt
