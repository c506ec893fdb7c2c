#include "tests/sync/support/scripted_https.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "tests/sync/support/tls_service.h"

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
        : script{std::move(given)}, service{leaf, [this](net::SecureStreamSocket& socket, const std::stop_token& stop) {
                                                serve(socket, stop);
                                            }} {}

    Script script;
    mutable std::mutex mutex;
    std::condition_variable_any stopping;
    std::vector<Received> received;
    std::atomic<int> connections{0}, closed{0};
    TlsService service; // last: its threads end first

    void serve(net::SecureStreamSocket& socket, const std::stop_token& stop);
    static std::optional<Received> read(net::SecureStreamSocket& socket, std::string& rest,
                                        const std::stop_token& stop);
};

std::optional<Received> ScriptedHttps::State::read(net::SecureStreamSocket& socket, std::string& rest,
                                                   const std::stop_token& stop) {
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
        if (!TlsService::hear(socket, rest)) return std::nullopt;
    }
    return std::nullopt;
}

void ScriptedHttps::State::serve(net::SecureStreamSocket& socket, const std::stop_token& stop) {
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
}

ScriptedHttps::ScriptedHttps(const Leaf& leaf, Script script)
    : state_{std::make_unique<State>(leaf, std::move(script))} {}

ScriptedHttps::~ScriptedHttps() = default;

std::uint16_t ScriptedHttps::port() const {
    return state_->service.port();
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
