#include "tests/e2e/books/practice.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

struct Distance {
    int days;
    const char* bucket;
};
// Far from every edge, so that a midnight in between moves nothing.
constexpr std::array<Distance, 6> distances{
    {{1, "d0_2"}, {5, "d3_7"}, {20, "d8_30"}, {60, "m1_3"}, {130, "m3_6"}, {260, "m6_plus"}}};
constexpr long seconds_a_day = 86'400;

const char* bucket(int days) {
    return std::find_if(distances.begin(), distances.end(), [&](const Distance& one) { return one.days == days; })
        ->bucket;
}

base::UniqueFd connect_to(int port) {
    base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval patience{10, 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<unsigned short>(port));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) != 0) socket.reset();
    return socket;
}

} // namespace

Shown Person::shown() const {
    Shown out;
    out.stage = active ? "new" : "inactive";
    if (active) out.tags = {"ce-new-patient"};
    if (!open.empty()) {
        const auto soonest = std::min_element(open.begin(), open.end(),
                                              [](const auto& a, const auto& b) { return a.second < b.second; });
        out.next = out.appt_when = bucket(soonest->second);
        out.appt_status = status.at(soonest->first);
    } else if (!ended.empty()) {
        out.appt_status = status.at(ended);
        out.appt_when = bucket(ended_days);
    }
    return out;
}

Sender::Sender(int mllp_port, std::string name, std::uint64_t seed, int people)
    : port_{mllp_port}, name_{std::move(name)}, random_{seed} {
    for (int i = 0; i < people; ++i) {
        Person person;
        person.number = name_ + "N" + std::to_string(i);
        person.family = "Bookmoor";
        person.given = std::string{"Amabel"} + static_cast<char>('a' + i % 26);
        people_.push_back(std::move(person));
    }
}

void Sender::start() {
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void Sender::stop() {
    thread_ = {};
}

void Sender::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        deliver(next_message());
        std::this_thread::sleep_for(std::chrono::milliseconds{20 + below(150)}); // the pace of a busy front desk
    }
}

// The link is at-least-once: without an answer, or with one that is not positive, the same bytes go again.
void Sender::deliver(const std::string& message) {
    for (int tries = 0;; ++tries) {
        const std::string answer = exchange(message);
        if (answer.find("MSA|AA|") != std::string::npos) break;
        if (answer.empty())
            ++resent_;
        else
            ++refused_;
        std::this_thread::sleep_for(std::chrono::milliseconds{30 + below(70)});
    }
    acknowledged_.push_back(message);
    ++yes_;
}

std::string Sender::exchange(const std::string& message) {
    if (!socket_) socket_ = connect_to(port_);
    if (!socket_) return "";
    const std::string frame = "\x0b" + message + "\x1c\r";
    std::string answer;
    std::array<char, 4'096> part{};
    bool whole = send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(frame.size());
    while (whole && answer.find('\x1c') == std::string::npos) {
        const ssize_t got = recv(socket_.get(), part.data(), part.size(), 0);
        whole = got > 0;
        if (whole) answer.append(part.data(), static_cast<std::size_t>(got));
    }
    if (whole) return answer;
    socket_.reset();
    return "";
}

std::string Sender::next_message() {
    if (admitted_ < people_.size() && (admitted_ == 0 || below(3) == 0)) return admit(people_[admitted_++]);
    std::vector<std::size_t> here;
    for (std::size_t i = 0; i < admitted_; ++i)
        if (!people_[i].merged) here.push_back(i);
    Person& person = people_[here[static_cast<std::size_t>(below(static_cast<int>(here.size())))]];
    Person& other = people_[here[static_cast<std::size_t>(below(static_cast<int>(here.size())))]];
    if (!person.active) {
        person.active = true;
        return adt("A31", control(), person.number, person.family, person.given);
    }
    const bool fits = &person != &other && other.active && !person.open.empty() && other.ended.empty() &&
                      person.ended.empty() && other.open.size() <= 1 && person.open.size() <= 1 &&
                      (other.open.empty() || other.open.begin()->second != person.open.begin()->second);
    const int what = below(20);
    if (what == 0 && fits && here.size() > 3) return merge(person, other);
    if (what == 1) {
        person.active = false;
        return adt("A29", control(), person.number, person.family, person.given);
    }
    if (what < 5) {
        person.given = std::string{"Amabel"} + static_cast<char>('a' + below(26));
        return adt("A08", control(), person.number, person.family, person.given);
    }
    return move_or_end(person);
}

std::string Sender::admit(Person& person) {
    return adt("A28", control(), person.number, person.family, person.given);
}

int Sender::other_day(const Person& person) {
    for (;;) {
        const int days = distances[static_cast<std::size_t>(below(distances.size()))].days;
        if (std::none_of(person.open.begin(), person.open.end(), [&](const auto& one) { return one.second == days; }))
            return days;
    }
}

std::string Sender::move_or_end(Person& person) {
    const auto say = [&](const std::string& event, const std::string& key, int days, const std::string& word) {
        return siu(event, control(), person.number, person.family, person.given, key, days * seconds_a_day, word);
    };
    if (person.open.empty()) {
        const bool again = !person.ended.empty();
        const std::string key = again ? person.ended : name_ + "A" + std::to_string(++appointments_);
        const int days = other_day(person);
        person.open[key] = days;
        person.status[key] = again ? "rescheduled" : "booked";
        person.ended.clear();
        return say(again ? "S13" : "S12", key, days, "Booked");
    }
    const std::string key = person.open.begin()->first;
    if (person.was_merged_into || below(3) != 0) {
        const int days = other_day(person);
        person.open[key] = days;
        person.status[key] = "rescheduled";
        return say("S13", key, days, "Booked");
    }
    const bool no_show = below(2) == 0;
    person.ended = key;
    person.ended_days = person.open.at(key);
    person.status[key] = no_show ? "no_show" : "cancelled";
    person.open.erase(key);
    return say(no_show ? "S26" : "S15", key, person.ended_days, no_show ? "Noshow" : "Cancelled");
}

std::string Sender::merge(Person& survivor, Person& prior) {
    prior.merged = true;
    survivor.was_merged_into = true;
    survivor.open.insert(prior.open.begin(), prior.open.end());
    survivor.status.insert(prior.status.begin(), prior.status.end());
    return adt("A40", control(), survivor.number, survivor.family, survivor.given) + "MRG|" + prior.number +
           "^^^CLINIC^MR\r";
}

} // namespace clinic::e2e
