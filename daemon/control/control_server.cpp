#include "daemon/control/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "crypto/base/log.h"
#include "daemon/control/wire/wire.h"

namespace clinic::control {
namespace {

using nlohmann::json;

constexpr int conversations_max = 4;
constexpr int no_descriptors_pause_ms = 100;

std::string failure(const Error& error) {
    json about{{"code", base::name(error.code)}, {"what", error.what.c_str()}, {"remedy", error.remedy.c_str()}};
    if (error.at.line != 0) about["line"] = error.at.line;
    if (error.at.field != 0) about["field"] = error.at.field;
    return base::dump_json({{"v", 1}, {"ok", false}, {"exit", 2}, {"error", std::move(about)}});
}

std::string success(const Answer& answer) {
    return base::dump_json(
        {{"v", 1}, {"ok", true}, {"exit", answer.exit}, {"data", answer.data ? *answer.data : json(nullptr)}});
}

bool well_formed(const json& question) {
    return question.is_object() && question.size() == 3 && question.contains("v") && question["v"] == 1 &&
           question.contains("command") && question["command"].is_string() && question.contains("args") &&
           question["args"].is_object();
}

} // namespace

struct ControlServer::Reply {
    Reply(std::string said) : text{std::move(said)} {}
    std::string text;
    crypto::SecureBytes secret;
};

ControlServer::ControlServer(base::UniqueFd listener, std::vector<uid_t> operators, Commands commands)
    : listener_{std::move(listener)}, operators_{std::move(operators)}, commands_{std::move(commands)} {}

ControlServer::~ControlServer() {
    for (auto& thread : threads_) thread.request_stop();
    {
        const std::lock_guard lock{talking_mutex_};
        ending_ = true;
        for (const int socket : talking_) shutdown(socket, SHUT_RD); // one that is silent is not waited for
    }
    const std::uint64_t one = 1;
    if (stopping_) {
        [[maybe_unused]] const auto put = write(stopping_.get(), &one, sizeof one);
    }
}

Result<void> ControlServer::start() {
    stopping_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    // Several threads wait for the same caller: the ones that come late must not stay in accept.
    const int flags = fcntl(listener_.get(), F_GETFL);
    if (!stopping_ || fcntl(listener_.get(), F_SETFL, flags | O_NONBLOCK) != 0)
        return Error{Errc::system, "control.sock cannot be watched", "", {}, errno};
    for (int i = 0; i < conversations_max; ++i)
        threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
    return {};
}

void ControlServer::serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd ready[2]{{listener_.get(), POLLIN, 0}, {stopping_.get(), POLLIN, 0}};
        if (poll(ready, 2, -1) <= 0 || (ready[0].revents & POLLIN) == 0) continue;
        const base::UniqueFd socket{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (socket)
            converse(socket.get());
        else if (errno == EMFILE || errno == ENFILE)
            poll(&ready[1], 1, no_descriptors_pause_ms); // the caller is still there and would wake us for ever
    }
}

void ControlServer::converse(int socket) {
    set_patience(socket);
    {
        const std::lock_guard lock{talking_mutex_};
        if (ending_) return;
        talking_.insert(socket);
    }
    const Reply reply = guarded_answer(socket);
    auto sent = send_part(socket, reply.text);
    if (sent && reply.secret.size() > 0) sent = send_secret(socket, reply.secret);
    if (!sent) base::log(base::Level::notice, "control", sent.error());
    const std::lock_guard lock{talking_mutex_};
    talking_.erase(socket);
}

// A question of the wrong shape that got past the checks is the asker's trouble, not the daemon's.
ControlServer::Reply ControlServer::guarded_answer(int socket) {
    try {
        return answer(socket);
    } catch (const std::exception&) {
        return failure(
            {Errc::malformed, "the question has a value of the wrong type", "use the clinicctl of this package"});
    }
}

ControlServer::Reply ControlServer::answer(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        std::find(operators_.begin(), operators_.end(), peer.uid) == operators_.end())
        return failure({Errc::unauthorized, "you are not an operator of this box", "run it as root or as an operator"});
    const auto text = receive_part(socket, question_bytes_max);
    if (!text) return failure(text.error());
    const auto question = base::parse_json(*text, question_bytes_max, 4);
    if (!question) return failure(question.error());
    if (!well_formed(*question))
        return failure({Errc::malformed, "not a question of this version", "use the clinicctl of this package"});
    auto command = commands_.find((*question)["command"].get_ref<const std::string&>());
    if (command == commands_.end()) command = commands_.find(any_other);
    if (command == commands_.end())
        return failure({Errc::unsupported, "this box has no such command", "use the clinicctl of this package"});
    std::string body;
    if (command->second.takes_body) {
        auto received = receive_body(socket, body_bytes_max);
        if (!received) return failure(received.error());
        body = std::move(received).value();
    }
    crypto::SecureBytes secret;
    if (command->second.takes_secret) {
        auto received = receive_secret(socket);
        if (!received) return failure(received.error());
        secret = std::move(received).value();
    }
    auto outcome = command->second.run(
        {.args = (*question)["args"], .body = std::move(body), .asker = peer.uid, .secret = std::move(secret)});
    if (!outcome) return failure(outcome.error());
    Reply reply = success(*outcome);
    reply.secret = std::move(outcome->secret);
    return reply;
}

} // namespace clinic::control
