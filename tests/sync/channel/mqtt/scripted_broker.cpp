#include "tests/sync/channel/mqtt/scripted_broker.h"

#include <atomic>
#include <optional>
#include <string>

#include "tests/sync/support/tls_service.h"

namespace clinic::mqtt {
namespace {

namespace net = Poco::Net;

enum Type : std::uint8_t { connect = 1, publish = 3, unsubscribe = 10, ping = 12, disconnect = 14 };

struct Packet {
    std::uint8_t type = 0, flags = 0;
    std::string body;
};

std::uint8_t octet(const std::string& bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes.at(at));
}

std::string octets(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) out.push_back(static_cast<char>(value));
    return out;
}

// The first packet of what has come, when it is whole: MQTT 5, 2.1.
std::optional<Packet> next(std::string& come) {
    std::size_t length = 0, at = 1;
    for (unsigned shift = 0;; shift += 7, ++at) {
        if (come.size() <= at) return std::nullopt;
        length |= static_cast<std::size_t>(octet(come, at) & 0x7FU) << shift;
        if ((octet(come, at) & 0x80U) == 0) break;
    }
    ++at;
    if (come.size() < at + length) return std::nullopt;
    Packet packet{static_cast<std::uint8_t>(octet(come, 0) >> 4U), static_cast<std::uint8_t>(octet(come, 0) & 0x0FU),
                  come.substr(at, length)};
    come.erase(0, at + length);
    return packet;
}

} // namespace

struct ScriptedBroker::State {
    explicit State(const support::Leaf& leaf)
        : service{leaf, [this](net::SecureStreamSocket& socket, const std::stop_token& stop) { serve(socket, stop); }} {
    }

    std::atomic<At> at{At::nothing};
    std::atomic<std::uint8_t> reason{0};
    std::atomic<int> refusals{0};

    std::string refused(const std::string& answer) {
        ++refusals;
        return answer;
    }
    std::string answer(const Packet& packet, bool& over);
    std::string answer_publish(const std::string& body, bool& over);
    void serve(net::SecureStreamSocket& socket, const std::stop_token& stop);

    support::TlsService service; // last: its threads end first
};

std::string ScriptedBroker::State::answer_publish(const std::string& body, bool& over) {
    const std::size_t topic_size = static_cast<std::size_t>(octet(body, 0)) << 8U | octet(body, 1);
    const int id_high = octet(body, topic_size + 2), id_low = octet(body, topic_size + 3);
    const bool is_state = body.substr(2, topic_size).ends_with("/state");
    if (at == At::connection) { // one that stands already ends, so that the next one hears it
        over = true;
        return "";
    }
    if (!is_state && at == At::disconnect) {
        over = true;
        return refused(octets({0xE0, 2, reason, 0}));
    }
    if (!is_state && at == At::message) return refused(octets({0x40, 3, id_high, id_low, reason}));
    return octets({0x40, 2, id_high, id_low});
}

std::string ScriptedBroker::State::answer(const Packet& packet, bool& over) {
    switch (packet.type) {
    case connect:
        over = at == At::connection;
        return over ? refused(octets({0x20, 3, 0, reason, 0})) : octets({0x20, 3, 0, 0, 0});
    case publish: return answer_publish(packet.body, over);
    case unsubscribe: return octets({0xB0, 4, octet(packet.body, 0), octet(packet.body, 1), 0, 0x11});
    case ping: return octets({0xD0, 0});
    default: over = true; return "";
    }
}

void ScriptedBroker::State::serve(net::SecureStreamSocket& socket, const std::stop_token& stop) {
    std::string come;
    bool over = false;
    while (!over && !stop.stop_requested()) {
        if (const auto packet = next(come)) {
            const auto said = answer(*packet, over);
            if (!said.empty()) socket.sendBytes(said.data(), static_cast<int>(said.size()));
        } else if (!support::TlsService::hear(socket, come)) {
            return;
        }
    }
    socket.shutdown();
}

ScriptedBroker::ScriptedBroker(const support::Leaf& leaf) : state_{std::make_unique<State>(leaf)} {}

ScriptedBroker::~ScriptedBroker() = default;

void ScriptedBroker::refuse(At at, std::uint8_t reason) {
    state_->at = At::nothing;
    state_->reason = reason;
    state_->at = at;
}

std::uint16_t ScriptedBroker::port() const {
    return state_->service.port();
}

int ScriptedBroker::refusals() const {
    return state_->refusals;
}

} // namespace clinic::mqtt
