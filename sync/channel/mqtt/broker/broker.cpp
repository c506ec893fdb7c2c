#include "sync/channel/mqtt/broker/broker.h"

#include <mqtt/async_client.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>

namespace clinic::mqtt {
namespace {

namespace paho = ::mqtt;

constexpr std::chrono::milliseconds look{50}; // between two looks at a stop request
constexpr std::chrono::milliseconds goodbye_max{1'000};
constexpr std::size_t in_flight_max = 20;
constexpr const char* ping_filter = "clinic/ping";

constexpr Error unreachable{Errc::offline, "the broker is not to be reached"};
constexpr Error not_taken{Errc::offline, "what the broker told was not taken and comes again"};

Error limit(Literal what, Literal remedy, int reason) {
    return {Errc::throttled, what, remedy, {}, reason};
}

// Nothing where the broker gave no reason that we know.
std::optional<Error> refusal(int reason) {
    switch (reason) {
    case paho::NOT_AUTHORIZED:
    case paho::BAD_USER_NAME_OR_PASSWORD:
    case paho::BANNED:
        return Error{Errc::unauthorized, "the broker does not admit this box",
                     "see its certificate and the broker's access list"};
    case reason_quota: return limit("this box's quota at the broker is used up", "raise it at the broker", reason);
    case reason_message_rate:
        return limit("the broker finds that this box speaks too often", "raise the rate that it allows", reason);
    case reason_packet_too_large:
        return limit("the broker finds a message of this box too large", "raise its largest packet to 64 KiB", reason);
    case paho::SESSION_TAKEN_OVER:
        return Error{Errc::conflict,
                     "another box has come to the broker under this box's name",
                     "two boxes have one certificate, as after a disk was copied: give the other its own",
                     {},
                     reason};
    case paho::SERVER_BUSY: return limit("the broker is busy", "see its load", reason);
    default: return std::nullopt;
    }
}

// Of a CONNACK the library gives the broker's reason as its own return code; those of its own are below zero.
Error what_failed(const paho::exception& failed) {
    const int reason = failed.get_reason_code() != paho::SUCCESS ? failed.get_reason_code() : failed.get_return_code();
    if (auto refused = refusal(reason)) return *refused;
    Error away = unreachable;
    away.native = failed.get_return_code();
    return away;
}

int port_of(const sockaddr_storage& address) {
    if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
    if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
    return -1;
}

// A connection of ours, by its descriptor and its own port: the library closes descriptors when it likes.
struct Socket {
    int fd = -1, port = 0;
    auto operator<=>(const Socket&) const = default;
};

// The library shows none of its sockets: ours are those to the broker's port.
std::set<Socket> sockets_to(std::uint16_t peer_port) {
    std::set<Socket> found;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd", failed}) {
        const auto name = entry.path().filename().string();
        int fd = -1;
        std::from_chars(name.data(), name.data() + name.size(), fd);
        sockaddr_storage peer{}, own{};
        socklen_t size = sizeof peer, own_size = sizeof own;
        if (fd < 0 || getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || port_of(peer) != peer_port ||
            getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0)
            continue;
        found.insert({fd, port_of(own)});
    }
    return found;
}

// It has no call for this either.
void set_no_delay(const std::set<Socket>& sockets) {
    const int on = 1;
    for (const Socket& one : sockets) setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

} // namespace

struct Broker::State {
    explicit State(const BrokerOptions& given)
        : publish_max{given.publish_max}, quiet_after{given.quiet_after}, port{given.port},
          client{"ssl://" + given.host + ":" + std::to_string(given.port), given.client,
                 paho::create_options{MQTTVERSION_5}, nullptr} {}

    std::chrono::milliseconds publish_max, quiet_after;
    std::function<void(bool)> quiet_listener;
    std::function<bool(std::string_view)> take; // of a subscription
    std::uint16_t port = 0;
    std::set<Socket> others;               // that were there before we connected
    std::optional<std::set<Socket>> own{}; // that came with it
    mutable std::mutex mutex;
    std::condition_variable_any gone;
    std::optional<Error> ended;    // why the connection is lost
    paho::connect_options options; // alive as long as the client
    paho::async_client client;     // last: its threads end before what they touch

    paho::delivery_token_ptr send(const Message& message);
    void prepare(const BrokerOptions& given, std::chrono::seconds session_life, int receive_max);
    void leave_will(const BrokerOptions& given, const Will& will);
    void hear(std::string_view payload);
    std::set<Socket> ours() const;
    void cut();
    void end(const Error& why);
    std::optional<Error> why_ended() const {
        const std::lock_guard lock{mutex};
        return ended;
    }
    Result<void> wait(const paho::token_ptr& token, std::chrono::milliseconds span, const std::stop_token& stop) const;
    void say_quiet(bool now) const {
        if (quiet_listener) quiet_listener(now);
    }
};

// The first word stands: a broker that gives its reason closes the connection after it.
void Broker::State::end(const Error& why) {
    {
        const std::lock_guard lock{mutex};
        if (!ended) ended = why;
    }
    gone.notify_all();
}

// The token's end, waited for in short steps so that a stop request is seen, and a silence said. A lost connection ends
// no token: the library would send it again in the next one.
Result<void> Broker::State::wait(const paho::token_ptr& token, std::chrono::milliseconds span,
                                 const std::stop_token& stop) const {
    const auto from = std::chrono::steady_clock::now();
    bool quiet = false;
    for (auto now = from; now < from + span; now = std::chrono::steady_clock::now()) {
        if (token->wait_for(look)) {
            if (quiet) say_quiet(false);
            return {};
        }
        if (const auto why = why_ended()) return *why;
        if (stop.stop_requested()) return Error{Errc::timeout, "stopped while waiting for the broker"};
        if (!quiet && now - from >= quiet_after) say_quiet(quiet = true);
    }
    return Error{Errc::timeout, "the broker does not answer in time"};
}

void Broker::State::prepare(const BrokerOptions& given, std::chrono::seconds session_life, int receive_max) {
    client.set_connection_lost_handler([this](const std::string&) { end(unreachable); });
    client.set_disconnected_handler(
        [this](const paho::properties&, paho::ReasonCode reason) { end(refusal(reason).value_or(unreachable)); });
    options.set_mqtt_version(MQTTVERSION_5);
    options.set_automatic_reconnect(false);
    options.set_clean_start(false);
    options.set_keep_alive_interval(given.keep_alive);
    options.set_connect_timeout(std::chrono::ceil<std::chrono::seconds>(given.connect_max));
    options.set_max_inflight(static_cast<int>(in_flight_max));
    paho::properties session;
    session.add({paho::property::SESSION_EXPIRY_INTERVAL, static_cast<int>(session_life.count())});
    if (receive_max > 0) {
        session.add({paho::property::RECEIVE_MAXIMUM, receive_max});
        session.add({paho::property::MAXIMUM_PACKET_SIZE, static_cast<int>(heard_bytes_max)});
    }
    options.set_properties(std::move(session));
    paho::ssl_options tls;
    tls.set_trust_store(given.ca.string());
    tls.set_key_store(given.cert.string());
    tls.set_private_key(given.key.string());
    tls.set_enable_server_cert_auth(true);
    tls.set_verify(true);
    tls.set_ssl_version(MQTT_SSL_VERSION_TLS_1_2);
    options.set_ssl(std::move(tls));
}

void Broker::State::leave_will(const BrokerOptions& given, const Will& will) {
    paho::will_options last{will.topic, will.payload, 1, true};
    last.set_retained(true);
    paho::properties delayed;
    delayed.add({paho::property::WILL_DELAY_INTERVAL, static_cast<int>(given.will_delay.count())});
    last.set_properties(std::move(delayed));
    options.set_will(std::move(last));
}

// The library acknowledges when this returns, whatever it returns (facts/mqtt.md §2): unless the connection is no more.
void Broker::State::hear(std::string_view payload) {
    bool taken = false;
    try {
        taken = !why_ended() && take(payload);
    } catch (const std::exception&) {
        taken = false; // the library has no catch
    }
    if (taken) return;
    end(not_taken);
    cut();
}

// Those that came since. Another of this process that came up in the same moment may be among them: it comes up again.
std::set<Socket> Broker::State::ours() const {
    std::set<Socket> out;
    for (const Socket& one : sockets_to(port))
        if (!others.contains(one)) out.insert(one);
    return out;
}

void Broker::State::cut() {
    const std::lock_guard lock{mutex};
    const auto there = ours();
    for (const Socket& one : own ? *own : there)
        if (there.contains(one)) shutdown(one.fd, SHUT_RDWR);
}

Broker::Broker(std::unique_ptr<State> state) : state_{std::move(state)} {}
Broker::~Broker() = default;

Result<std::unique_ptr<Broker>> Broker::open(std::unique_ptr<State> state, const BrokerOptions& options,
                                             const std::stop_token& stop) {
    CLINIC_TRY(state->wait(state->client.connect(state->options), options.connect_max, stop));
    set_no_delay(sockets_to(options.port));
    {
        const std::lock_guard lock{state->mutex};
        state->own = state->ours();
    }
    return std::unique_ptr<Broker>{new Broker{std::move(state)}};
}

Result<std::unique_ptr<Broker>> Broker::connect(const BrokerOptions& options, const Will& will, std::stop_token stop) {
    try {
        auto state = std::make_unique<State>(options);
        // The session outlives the will's delay, or the broker would tell the will at once.
        state->prepare(options, options.will_delay + std::chrono::seconds{10}, 0);
        state->leave_will(options, will);
        return open(std::move(state), options, stop);
    } catch (const paho::exception& failed) {
        return what_failed(failed);
    }
}

Result<std::unique_ptr<Broker>> Broker::subscribe(const BrokerOptions& options, Subscription what,
                                                  std::stop_token stop) {
    try {
        auto state = std::make_unique<State>(options);
        state->prepare(options, what.keep, what.in_flight_max);
        state->others = sockets_to(options.port);
        state->take = std::move(what.take);
        auto* hears = state.get();
        state->client.set_message_callback(
            [hears](const paho::const_message_ptr& message) { hears->hear(message->get_payload_str()); });
        auto broker = open(std::move(state), options, stop);
        CLINIC_TRY(broker);
        CLINIC_TRY(
            (*broker)->state_->wait((*broker)->state_->client.subscribe(what.topic, 1), options.connect_max, stop));
        return broker;
    } catch (const paho::exception& failed) {
        return what_failed(failed);
    }
}

paho::delivery_token_ptr Broker::State::send(const Message& message) {
    paho::properties properties;
    if (message.expires.count() > 0)
        properties.add({paho::property::MESSAGE_EXPIRY_INTERVAL, static_cast<int>(message.expires.count())});
    return client.publish(paho::message::create(message.topic, message.payload, 1, message.retained, properties));
}

Result<void> Broker::publish(const Message& message, std::stop_token stop) {
    return publish_all({message}, std::move(stop)).ended;
}

// Waited for in their order, which is the order of the broker's answers. Never more unanswered ones than may be: the
// library looks at what it held back once a second.
Broker::Published Broker::publish_all(const std::vector<Message>& messages, std::stop_token stop) {
    Published out;
    try {
        std::vector<paho::delivery_token_ptr> tokens;
        tokens.reserve(messages.size());
        for (; out.first < messages.size(); ++out.first) {
            while (tokens.size() < std::min(messages.size(), out.first + in_flight_max))
                tokens.push_back(state_->send(messages[tokens.size()]));
            out.ended = state_->wait(tokens[out.first], state_->publish_max, stop);
            if (!out.ended) break;
        }
    } catch (const paho::exception& failed) {
        out.ended = what_failed(failed);
    }
    return out;
}

// The library sends MQTT's own ping by its clock alone. An UNSUBSCRIBE of what was never subscribed is answered by
// every broker and changes nothing (MQTT 5, 3.11.3: "No subscription existed").
Result<void> Broker::ping(std::stop_token stop) {
    try {
        return state_->wait(state_->client.unsubscribe(ping_filter), state_->publish_max, stop);
    } catch (const paho::exception&) {
        if (!lost()) state_->say_quiet(false); // a refusal is an answer
        return {};
    }
}

void Broker::on_quiet(std::function<void(bool)> listener) {
    state_->quiet_listener = std::move(listener);
}

bool Broker::lost() const {
    return state_->why_ended().has_value();
}

Error Broker::why_lost() const {
    return state_->why_ended().value_or(unreachable);
}

void Broker::wait_lost(std::chrono::milliseconds span, std::stop_token stop) {
    std::unique_lock lock{state_->mutex};
    state_->gone.wait_for(lock, stop, span, [&] { return state_->ended.has_value(); });
}

void Broker::leave(const Message& last) {
    try {
        const auto token = state_->client.publish(paho::message::create(last.topic, last.payload, 1, last.retained));
        token->wait_for(goodbye_max);
        state_->client.disconnect(goodbye_max)->wait_for(goodbye_max);
    } catch (const paho::exception&) {
        return; // it is gone already
    }
}

} // namespace clinic::mqtt
