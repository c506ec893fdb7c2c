#include "sync/diagnose/desk.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "crypto/base/log.h"

namespace clinic::diagnose {
namespace {

constexpr int glance_ms = 200; // between two looks at a stop request
constexpr int patience_s = 2;  // for a question
constexpr int callers_max = 4; // who wait behind one another

// Root, and ourselves.
bool may_ask(int caller) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return getsockopt(caller, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

std::string state_word(envelope::LaneState state) {
    switch (state) {
    case envelope::LaneState::up: return "up";
    case envelope::LaneState::paused: return "paused";
    case envelope::LaneState::down: break;
    }
    return "down";
}

Way unset() {
    Way way;
    way.state = "down";
    way.code = "not_configured";
    return way;
}

} // namespace

Desk::Desk(DeskOptions options, const lane::Board& board, const Clock& clock, Probe probe, Grant grant,
           Location location)
    : options_{std::move(options)}, board_{board}, clock_{clock}, probe_{std::move(probe)}, grant_{std::move(grant)},
      location_{std::move(location)} {}

Result<void> Desk::open() {
    const std::string path = options_.socket.string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error{Errc::malformed, "the path of the socket for clinicctl is too long",
                     "see diagnose in the configuration"};
    std::memcpy(address.sun_path, path.c_str(), path.size());
    unlink(path.c_str()); // what was left by one that was killed
    base::UniqueFd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket || fchmod(socket.get(), 0600) != 0 ||
        bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(socket.get(), callers_max) != 0)
        return Error{Errc::system,
                     "the socket for clinicctl cannot be made",
                     "see diagnose in the configuration: its folder must be this user's",
                     {},
                     errno};
    listener_ = std::move(socket);
    return {};
}

void Desk::run(std::stop_token stop) {
    while (!stop.stop_requested()) {
        pollfd ready{listener_.get(), POLLIN, 0};
        if (poll(&ready, 1, glance_ms) != 1) continue;
        const base::UniqueFd caller{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (caller)
            serve(caller.get(), stop);
        else
            poll(nullptr, 0, glance_ms); // no descriptor is free: the caller is still there
    }
}

void Desk::serve(int caller, const std::stop_token& stop) {
    if (!may_ask(caller)) return;
    const timeval patience{patience_s, 0};
    setsockopt(caller, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(caller, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    std::array<char, answer_bytes_max> packet{};
    const ssize_t got = recv(caller, packet.data(), packet.size(), 0);
    const std::string_view asked{packet.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
    const auto about_grant = grant_ ? read_grant_question(asked) : std::nullopt;
    const auto about_location = location_ ? read_location_question(asked) : std::nullopt;
    if (asked != question && !about_grant && !about_location) return;
    const std::string answer = about_grant      ? write_grant(grant_(*about_grant, stop))
                               : about_location ? write_location(location_(*about_location, stop))
                                                : write(look(stop));
    if (send(caller, answer.data(), answer.size(), MSG_NOSIGNAL) < 0)
        base::log(base::Level::info, "diagnose", "who asked did not wait for the answer");
}

// The far sides side by side: one that is silent takes nothing of the other's time.
Said Desk::look(const std::stop_token& stop) {
    Said said{unset(), unset(), true};
    {
        std::array<std::jthread, 2> looks;
        if (options_.ghl)
            looks[0] = std::jthread{[&] { said.ghl = diagnose::look(*options_.ghl, options_.bounds, stop); }};
        if (options_.mqtt)
            looks[1] = std::jthread{[&] { said.mqtt = diagnose::look(*options_.mqtt, options_.bounds, stop); }};
        if (options_.ghl) said.verdict = verdict(stop);
    }
    const auto lanes = board_.said();
    if (options_.ghl) said.ghl.state = state_word(lanes.crm), said.ghl.code = lanes.crm_code;
    if (options_.mqtt) said.mqtt.state = state_word(lanes.mqtt), said.mqtt.code = lanes.mqtt_code;
    return said;
}

// Who asks again and again is told of the newest probe.
bool Desk::verdict(const std::stop_token& stop) {
    const auto now = clock_.monotonic();
    if (probed_at_ && now - *probed_at_ < options_.probe_spacing) return last_verdict_;
    probed_at_ = now;
    return last_verdict_ = probe_(options_.verdict_max, stop);
}

} // namespace clinic::diagnose
