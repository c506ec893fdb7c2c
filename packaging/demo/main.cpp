// clinic-demo-day HOST:PORT [SECONDS]: sends a demo clinic's day to the MLLP port, a message each SECONDS (3), after
// a first burst; waits for each answer, as a practice system does, and sends again what was not answered AA.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "crypto/base/log.h"
#include "crypto/base/owned.h"
#include "packaging/demo/day.h"

namespace {

using namespace clinic;

constexpr int answer_seconds_max = 20;

base::UniqueFd dial(const sockaddr_in& there) {
    base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval patience{answer_seconds_max, 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) socket.reset();
    return socket;
}

// True when it was answered AA.
bool deliver(int socket, const std::string& message) {
    const std::string frame = "\x0b" + message + "\x1c\r";
    if (send(socket, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size())) return false;
    std::string answer;
    char part[4'096];
    while (answer.find('\x1c') == std::string::npos) {
        const ssize_t got = recv(socket, part, sizeof part, 0);
        if (got <= 0) return false;
        answer.append(part, static_cast<std::size_t>(got));
    }
    return answer.find("MSA|AA|") != std::string::npos;
}

void rest(long milliseconds) {
    const timespec span{milliseconds / 1'000, milliseconds % 1'000 * 1'000'000};
    nanosleep(&span, nullptr); // the pace of the day, not a wait for something
}

bool parse(std::string_view text, sockaddr_in& there) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    unsigned short port = 0;
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    there.sin_family = AF_INET;
    there.sin_port = htons(port);
    return port != 0 && inet_pton(AF_INET, std::string{text.substr(0, colon)}.c_str(), &there.sin_addr) == 1;
}

[[noreturn]] void live(const sockaddr_in& there, long pause_ms) {
    demo::Day day{static_cast<std::uint32_t>(std::time(nullptr)), std::time(nullptr)};
    base::UniqueFd socket;
    for (std::int64_t sent = 0;; ++sent) {
        const std::string message = day.next(std::time(nullptr));
        while (!socket || !deliver(socket.get(), message)) {
            rest(1'000);
            socket = dial(there);
        }
        if (sent == 0) base::log(base::Level::info, "demo", "the day begins");
        constexpr long burst_ms = 20, evening_ms = 60'000;
        rest(sent < 2 * demo::Day::people ? burst_ms : sent < demo::Day::messages ? pause_ms : evening_ms);
    }
}

} // namespace

int main(int count, char** arguments) {
    sockaddr_in there{};
    if (count < 2 || !parse(arguments[1], there)) {
        base::log(base::Level::error, "demo", "usage: clinic-demo-day HOST:PORT [SECONDS]");
        return 2;
    }
    live(there, count > 2 ? 1'000L * std::strtol(arguments[2], nullptr, 10) : 3'000L);
}
