#include "tests/sync/support/scripted_https.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/SecureServerSocket.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Timespan.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace clinic::support {
namespace {

namespace net = Poco::Net;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

Received parse_head(const std::string& head) {
    Received out;
    const auto first = head.find(' '), second = head.find(' ', first + 1);
    out.method = head.substr(0, first);
    out.path = head.substr(first + 1, second - first - 1);
    for (auto at = head.find("\r\n"); at != std::string::npos;) {
        const auto start = at + 2;
        at = head.find("\r\n", start);
        const auto line = head.substr(start, at == std::string::npos ? at : at - start);
        if (const auto colon = line.find(": "); colon != std::string::npos)
            out.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
    }
    return out;
}

} // namespace

Sent answer(int status, const std::string& body, const std::string& more_headers) {
    return {"HTTP/1.1 " + std::to_string(status) +
                " x\r\nContent-Type: application/json\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body,
            {},
            false};
}

struct ScriptedHttps::State {
    State(const Leaf& leaf, Script given)
        : script{std::move(given)}, listener{net::SocketAddress{"127.0.0.1", 0}, 16,
                                             new net::Context{net::Context::TLS_SERVER_USE, leaf.key.string(),
                                                              leaf.cert.string(), "", net::Context::VERIFY_NONE}} {}

    Script script;
    net::SecureServerSocket listener;
    mutable std::mutex mutex;
    std::condition_variable_any stopping;
    std::vector<Received> received;
    std::atomic<int> connections{0}, closed{0};
    std::vector<std::jthread> served;
    std::jthread thread; // last: joined first

    void run(const std::stop_token& stop);
    void serve(net::SecureStreamSocket socket, const std::stop_token& stop);
    std::optional<Received> read(net::SecureStreamSocket& socket, std::string& rest, const std::stop_token& stop) const;
};

std::optional<Received> ScriptedHttps::State::read(net::SecureStreamSocket& socket, std::string& rest,
                                                   const std::stop_token& stop) const {
    std::optional<Received> request;
    std::size_t body_size = 0;
    while (!stop.stop_requested()) {
        if (const auto end = rest.find("\r\n\r\n"); !request && end != std::string::npos) {
            request = parse_head(rest.substr(0, end));
            rest.erase(0, end + 4);
            if (const auto length = request->headers.find("content-length"); length != request->headers.end())
                body_size = std::stoul(length->second);
        }
        if (request && rest.size() >= body_size) {
            request->body = rest.substr(0, body_size);
            rest.erase(0, body_size);
            return request;
        }
        char part[4'096];
        if (!socket.poll(Poco::Timespan{0, 20'000}, net::Socket::SELECT_READ)) continue;
        const int got = socket.receiveBytes(part, sizeof part);
        if (got <= 0) return std::nullopt;
        rest.append(part, static_cast<std::size_t>(got));
    }
    return std::nullopt;
}

void ScriptedHttps::State::serve(net::SecureStreamSocket socket, const std::stop_token& stop) {
    try {
        socket.setReceiveTimeout(Poco::Timespan{10, 0});
        socket.completeHandshake();
        const int number = ++connections;
        std::string rest;
        while (auto request = read(socket, rest, stop)) {
            request->connection = number;
            Sent sent;
            {
                std::unique_lock lock{mutex};
                received.push_back(*request);
                sent = script(*request);
                stopping.wait_for(lock, stop, sent.silence, [] { return false; });
            }
            if (!sent.bytes.empty()) socket.sendBytes(sent.bytes.data(), static_cast<int>(sent.bytes.size()));
            if (sent.close) break;
        }
        socket.close();
        ++closed;
    } catch (const Poco::Exception&) {
        return; // the client left, or refused our certificate: the test looks at the client
    }
}

void ScriptedHttps::State::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        try {
            if (!listener.poll(Poco::Timespan{0, 20'000}, net::Socket::SELECT_READ)) continue;
            net::SecureStreamSocket accepted{listener.acceptConnection()};
            served.emplace_back([this, accepted](const std::stop_token& ended) { serve(accepted, ended); });
        } catch (const Poco::Exception&) {
            continue;
        }
    }
}

ScriptedHttps::ScriptedHttps(const Leaf& leaf, Script script)
    : state_{std::make_unique<State>(leaf, std::move(script))} {
    state_->thread = std::jthread{[state = state_.get()](const std::stop_token& stop) { state->run(stop); }};
}

ScriptedHttps::~ScriptedHttps() = default;

std::uint16_t ScriptedHttps::port() const {
    return state_->listener.address().port();
}

std::vector<Received> ScriptedHttps::received() const {
    const std::lock_guard lock{state_->mutex};
    return state_->received;
}

int ScriptedHttps::connections() const {
    return state_->connections;
}
int ScriptedHttps::closed() const {
    return state_->closed;
}

} // namespace clinic::support
