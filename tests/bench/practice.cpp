#include "tests/bench/practice.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <chrono>
#include <ctime>

#include "tests/bench/arguments.h"
#include "tests/fakes/hl7_time.h"

namespace clinic::bench {
namespace {

using fakes::hl7_time;

// "Kobade", "Rumilo": another for each number, of letters alone.
std::string word(std::int64_t number, std::size_t letters) {
    constexpr std::string_view consonants = "bcdfghjklmnprstvwz", vowels = "aeiou";
    auto left = static_cast<std::uint64_t>(number) * 2'654'435'761U + 12'345U;
    std::string out;
    while (out.size() < letters) {
        const std::string_view from = out.size() % 2 == 0 ? consonants : vowels;
        out += from[left % from.size()];
        left = left / from.size() + static_cast<std::uint64_t>(number) * 97U;
    }
    out[0] = static_cast<char>(out[0] - 'a' + 'A');
    return out;
}

std::string padded(std::int64_t number, std::size_t digits) {
    const std::string text = std::to_string(number);
    return text.size() >= digits ? text : std::string(digits - text.size(), '0') + text;
}

std::string header(const char* type, const std::string& control,
                   const std::string& sent = hl7_time(std::time(nullptr))) {
    return "MSH|^~\\&|BENCHPMS|CLINIC|BOX|EDGE|" + sent + "||" + type + "|" + control + "|P|2.5.1\r";
}

std::string person(const std::string& run, std::int64_t number, std::int64_t version) {
    const std::string family = word(number, 8), given = word(number + 7'919, 6);
    return "PID|1||" + run + padded(number, 7) + "^^^CLINIC^MR||" + family + "^" + given + "||19" +
           padded(30 + number % 69, 2) + padded(1 + number % 12, 2) + padded(1 + number % 28, 2) + "|F|||" +
           std::to_string(1 + version) + " Elm Street^^Salem^OR^97301||^PRN^CP^^^503^" +
           padded((number * 7 + version) % 10'000'000, 7) + "~^NET^Internet^" + given + "." + family +
           padded(number, 7) + "@mail.example\r";
}

std::string registration(const std::string& run, std::int64_t number, const std::string& control) {
    return header("ADT^A28^ADT_A05", control) + "EVN|A28|" + hl7_time(std::time(nullptr)) + "\r" +
           person(run, number, 0);
}

std::string correction(const std::string& run, std::int64_t number, std::int64_t version, const std::string& control) {
    return header("ADT^A31^ADT_A05", control) + "EVN|A31|" + hl7_time(std::time(nullptr)) + "\r" +
           person(run, number, version);
}

std::string booking(const std::string& run, std::int64_t number, std::int64_t visit, const std::string& control) {
    const std::string when = hl7_time(std::time(nullptr) + 86'400 * (1 + visit % 90));
    const std::string id = run + padded(visit, 8);
    return header("SIU^S12^SIU_S12", control) + "SCH|P" + id + "|F" + id + "|||||CHECKUP|||30|min|^^30^" + when +
           "|||||||||||||Booked\r" + person(run, number, 0) + "RGS|1\rAIS|1||VISIT|" + when + "\r";
}

} // namespace

Mix mix_named(const std::string& name) {
    if (name == "newcomers") return Mix::newcomers;
    if (name == "day") return Mix::day;
    if (name == "repeated") return Mix::repeated;
    if (name == "bookings") return Mix::bookings;
    give_up("--mix newcomers, day, repeated or bookings");
}

Messages::Messages(Mix mix)
    : mix_{mix}, run_{std::to_string(std::chrono::system_clock::now().time_since_epoch() /
                                     std::chrono::milliseconds{1} % 100'000'000)},
      began_{hl7_time(std::time(nullptr))} {}

std::string Messages::next() {
    const std::int64_t number = ++sent_;
    const std::string control = "B" + run_ + "-" + std::to_string(number);
    if (mix_ == Mix::repeated)
        return header("ADT^A31^ADT_A05", "B" + run_, began_) + "EVN|A31|" + began_ + "\r" + person(run_, 1, number);
    if (mix_ == Mix::bookings) return booking(run_, ++people_, number, control);
    const std::int64_t people = people_;
    if (mix_ == Mix::newcomers || people < 20 || number % 10 < 2) return registration(run_, ++people_, control);
    // Somebody who is known for sure: not of the last messages, which may still be on their way.
    const std::int64_t known = 1 + number * 31 % (people - 10);
    return number % 10 < 6 ? correction(run_, known, number, control) : booking(run_, known, number, control);
}

base::UniqueFd connect_to(const std::string& address) {
    const auto colon = address.rfind(':');
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &there.sin_addr) != 1)
        give_up("not HOST:PORT: " + address);
    base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0)
        give_up("nobody listens at " + address);
    const int yes = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    const timeval patience{30, 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return socket;
}

Sender::Sender(const std::string& address) : socket_{connect_to(address)} {}

void Sender::send(const std::string& message) {
    const std::string frame = "\x0b" + message + "\x1c\r";
    if (::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
        give_up("a message is not sent");
}

void Sender::await_positive() {
    std::array<char, 4'096> part{};
    std::size_t end = 0;
    while ((end = received_.find("\x1c\r")) == std::string::npos) {
        const ssize_t got = recv(socket_.get(), part.data(), part.size(), 0);
        if (got <= 0) give_up("a message is not answered");
        received_.append(part.data(), static_cast<std::size_t>(got));
    }
    if (received_.substr(0, end).find("\rMSA|AA|") == std::string::npos)
        give_up("a message is not accepted: " + received_.substr(0, end));
    received_.erase(0, end + 2);
}

} // namespace clinic::bench
