#include <signal.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "tests/bench/commands.h"
#include "tests/bench/figures.h"
#include "tests/bench/practice.h"
#include "tests/bench/requests_log.h"

namespace clinic::bench {

json latency(const Arguments& given) {
    RequestsLog log{given.text("requests")};
    Messages messages{Mix::newcomers};
    Sender sender{given.text("to")};
    const auto count = static_cast<std::size_t>(given.number("count", 200));
    Spans acknowledged, requested;
    for (std::size_t i = 1; i <= count; ++i) {
        const std::string message = messages.next();
        const Instant before = now();
        sender.send(message);
        sender.await_positive();
        acknowledged.add(seconds_between(before, now()));
        requested.add(seconds_between(before, log.wait_for(i, std::chrono::seconds{30})));
        // The lease is settled meanwhile: the next message finds the box at rest, at another phase of its timers.
        std::this_thread::sleep_for(std::chrono::milliseconds{15 + i * 7 % 31});
    }
    return {{"messages", count}, {"acknowledged", acknowledged.said()}, {"request_at_emulator", requested.said()}};
}

// From the first request to the last: how long the paused process took to wake is not counted.
json deliver(const Arguments& given) {
    RequestsLog log{given.text("requests")};
    const auto count = static_cast<std::size_t>(given.number("count"));
    if (kill(static_cast<pid_t>(given.number("process")), SIGCONT) != 0) give_up("no such process to go on");
    log.wait_for(count, std::chrono::seconds{120});
    const auto arrivals = log.arrivals();
    return {
        {"envelopes", count},
        {"envelopes_per_s", static_cast<double>(count - 1) / seconds_between(arrivals.front(), arrivals[count - 1])}};
}

namespace {

// Sends at its own pace whatever the answers are like; an answer that is late shows as lag.
class Pace {
public:
    Pace(std::string address, double per_second, Instant begin, Instant end)
        : address_{std::move(address)}, per_second_{per_second}, begin_{begin}, end_{end} {}

    void run(std::size_t senders) {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < senders; ++i) threads.emplace_back([this] { send_on(); });
    }
    const std::vector<Instant>& due() const { return due_; } // of the messages that were sent, in their order
    const Spans& acknowledged() const { return acknowledged_; }

private:
    void send_on() {
        Sender sender{address_};
        Spans spans;
        while (const auto turn = next_turn()) {
            std::this_thread::sleep_until(turn->first);
            sender.send(turn->second);
            sender.await_positive();
            spans.add(seconds_between(turn->first, now()));
        }
        const std::lock_guard lock{mutex_};
        acknowledged_.add(spans);
    }
    std::optional<std::pair<Instant, std::string>> next_turn() {
        const std::lock_guard lock{mutex_};
        const auto offset = std::chrono::duration<double>(static_cast<double>(due_.size()) / per_second_);
        const Instant at = begin_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(offset);
        if (at >= end_) return std::nullopt;
        due_.push_back(at);
        return std::pair{at, messages_.next()};
    }

    std::string address_;
    double per_second_;
    Instant begin_, end_;
    std::mutex mutex_;
    Messages messages_{Mix::newcomers};
    std::vector<Instant> due_;
    Spans acknowledged_;
};

} // namespace

// Each message is a newcomer and so one request. The n-th request answers for the n-th message: what is due first is
// delivered first.
json sustained(const Arguments& given) {
    RequestsLog log{given.text("requests")};
    const auto per_second = static_cast<double>(given.number("per-minute", 50'000)) / 60;
    const Instant begin = now();
    Pace pace{given.text("to"), per_second, begin, begin + std::chrono::seconds{given.number("seconds", 60)}};
    pace.run(static_cast<std::size_t>(given.number("senders", 32)));
    const double sending = seconds_between(begin, now());
    const std::size_t sent = pace.due().size();
    log.wait_for(sent, std::chrono::seconds{given.number("patience", 120)});
    const auto arrivals = log.arrivals();
    Spans lag;
    for (std::size_t i = 0; i < sent; ++i) lag.add(std::max(0.0, seconds_between(pace.due()[i], arrivals[i])));
    return {{"messages", sent},
            {"asked_per_minute", per_second * 60},
            {"acknowledged_per_minute", static_cast<double>(sent) / sending * 60},
            {"requests_per_minute", static_cast<double>(sent) / seconds_between(begin, arrivals[sent - 1]) * 60},
            {"acknowledged", pace.acknowledged().said()},
            {"lag", lag.said()}};
}

} // namespace clinic::bench
