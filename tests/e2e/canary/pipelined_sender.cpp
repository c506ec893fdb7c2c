#include "tests/e2e/canary/pipelined_sender.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"

namespace clinic::e2e {
namespace {

constexpr std::size_t window = 24; // on the way at a time; the box lets 32 wait
constexpr int patience_s = 60;

base::UniqueFd connected(unsigned short port, int patience) {
    base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval limit{patience, 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) return {};
    return socket;
}

bool put(int socket, const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
        const ssize_t part = send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (part <= 0) return false;
        sent += static_cast<std::size_t>(part);
    }
    return true;
}

// One connection with every `step`th message.
Answers talk(unsigned short port, std::size_t from, std::size_t to, std::size_t step,
             const std::function<std::string(std::size_t)>& message) {
    Answers answers;
    const auto socket = connected(port, patience_s);
    std::size_t waiting = 0;
    std::size_t looked = 0;
    std::array<char, 16'384> part{};
    for (std::size_t next = from; next < to || waiting > 0;) {
        std::string frames;
        for (; waiting < window && next < to; next += step, ++waiting) frames += "\x0b" + message(next) + "\x1c\r";
        if (!put(socket.get(), frames)) break;
        const ssize_t got = recv(socket.get(), part.data(), part.size(), 0);
        if (got <= 0) break;
        answers.text.append(part.data(), static_cast<std::size_t>(got));
        for (std::size_t end; (end = answers.text.find('\x1c', looked)) != std::string::npos; looked = end + 1) {
            const std::string_view one{answers.text.data() + looked, end - looked};
            const bool good = one.find("MSA|AA|") != std::string_view::npos;
            ++(good ? answers.accepted : answers.refused);
            --waiting;
        }
    }
    return answers;
}

} // namespace

Answers send_all(unsigned short port, std::size_t from, std::size_t to, std::size_t connections,
                 const std::function<std::string(std::size_t)>& message) {
    std::vector<Answers> each(connections);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < connections; ++i)
            threads.emplace_back([&, i] { each[i] = talk(port, from + i, to, connections, message); });
    }
    Answers all;
    for (auto& one : each) {
        all.accepted += one.accepted;
        all.refused += one.refused;
        all.text += one.text;
    }
    return all;
}

std::string send_raw(unsigned short port, const std::string& bytes) {
    const auto socket = connected(port, 1);
    std::string answer;
    std::array<char, 4'096> part{};
    if (!put(socket.get(), bytes)) return answer;
    for (ssize_t got; (got = recv(socket.get(), part.data(), part.size(), 0)) > 0;)
        answer.append(part.data(), static_cast<std::size_t>(got));
    return answer;
}

} // namespace clinic::e2e
