#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "tests/bench/commands.h"
#include "tests/bench/figures.h"
#include "tests/bench/practice.h"

namespace clinic::bench {
namespace {

struct Stretch {
    Instant from, to;
};

// When the box copied its WAL into the database: the database file is written at no other time.
class CheckpointWatch {
public:
    explicit CheckpointWatch(const std::string& database) : inotify_{inotify_init1(IN_CLOEXEC | IN_NONBLOCK)} {
        if (inotify_add_watch(inotify_.get(), database.c_str(), IN_MODIFY) < 0) give_up("cannot watch " + database);
        thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
    }
    std::vector<Stretch> stop() {
        thread_.request_stop();
        thread_.join();
        return seen_;
    }

private:
    static constexpr auto apart = std::chrono::milliseconds{20}; // closer writes are of one checkpoint

    void run(const std::stop_token& stop) {
        std::array<char, 4'096> events{};
        while (!stop.stop_requested()) {
            pollfd on{inotify_.get(), POLLIN, 0};
            if (poll(&on, 1, 50) <= 0 || read(inotify_.get(), events.data(), events.size()) <= 0) continue;
            const Instant at = now();
            if (seen_.empty() || at - seen_.back().to > apart) seen_.push_back({at, at});
            seen_.back().to = at;
        }
    }

    base::UniqueFd inotify_;
    std::vector<Stretch> seen_;
    std::jthread thread_;
};

bool meets(const Stretch& one, const std::vector<Stretch>& others) {
    for (const Stretch& other : others)
        if (one.from <= other.to && other.from <= one.to) return true;
    return false;
}

// Until the time is over or so many are sent, whichever was asked for.
class Quota {
public:
    explicit Quota(const Arguments& given)
        : left_{given.number("count", INT64_MAX)}, end_{now() + std::chrono::seconds{given.number(
                                                                    "seconds", left_ == INT64_MAX ? 5 : 600)}} {}
    bool one_more() { return now() < end_ && left_.fetch_sub(1) > 0; }

private:
    std::atomic<std::int64_t> left_;
    Instant end_;
};

std::vector<Stretch> send_within(Quota& quota, const std::string& address, Messages& messages) {
    Sender sender{address};
    std::vector<Stretch> sent;
    while (quota.one_more()) {
        const std::string message = messages.next();
        const Instant before = now();
        sender.send(message);
        sender.await_positive();
        sent.push_back({before, now()});
    }
    return sent;
}

} // namespace

json acknowledge(const Arguments& given) {
    const std::string address = given.text("to");
    const auto senders = static_cast<std::size_t>(given.number("senders"));
    Messages messages{mix_named(given.text("mix"))};
    CheckpointWatch checkpoints{given.text("database")};
    Quota quota{given};
    const Instant begin = now();
    std::vector<std::vector<Stretch>> sent(senders);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < senders; ++i)
            threads.emplace_back([&, i] { sent[i] = send_within(quota, address, messages); });
    }
    const double took = seconds_between(begin, now());
    const auto copied = checkpoints.stop();
    Spans all, undisturbed;
    for (const auto& one : sent) {
        for (const Stretch& message : one) {
            all.add(seconds_between(message.from, message.to));
            if (!meets(message, copied)) undisturbed.add(seconds_between(message.from, message.to));
        }
    }
    return {{"senders", senders},
            {"messages", all.count()},
            {"messages_per_s", static_cast<double>(all.count()) / took},
            {"acknowledged", all.said()},
            {"checkpoints", copied.size()},
            {"outside_checkpoints", undisturbed.said()}};
}

} // namespace clinic::bench
