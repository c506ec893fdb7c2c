#include <signal.h>

#include <algorithm>
#include <thread>

#include "tests/bench/commands.h"
#include "tests/bench/figures.h"
#include "tests/bench/practice.h"
#include "tests/bench/requests_log.h"

namespace clinic::bench {

// A paused process goes on with what waits; meanwhile, each so often, somebody new books a visit. The field of an
// appointment's status is in a request for them alone, so the n-th such request answers for the n-th message.
json backlog(const Arguments& given) {
    RequestsLog all{given.text("requests")};
    RequestsLog fresh{given.text("requests"), given.text("field")};
    const std::chrono::milliseconds every{given.number("every-ms", 1'000)};
    const auto count = static_cast<std::size_t>(given.number("seconds", 120) * 1'000 / every.count());
    Messages messages{Mix::bookings};
    Sender sender{given.text("to")};
    const Instant begin = now();
    if (kill(static_cast<pid_t>(given.number("process")), SIGCONT) != 0) give_up("no such process to go on");
    const double first = seconds_between(begin, all.wait_for(1, std::chrono::seconds{60}));
    std::vector<Instant> sent;
    Spans acknowledged;
    for (std::size_t i = 0; i < count; ++i) {
        std::this_thread::sleep_until(begin + every * i);
        sent.push_back(now());
        sender.send(messages.next());
        sender.await_positive();
        acknowledged.add(seconds_between(sent.back(), now()));
    }
    fresh.wait_for(count, std::chrono::seconds{60});
    const double seconds = seconds_between(begin, now());
    const auto arrivals = fresh.arrivals();
    Spans waited;
    for (std::size_t i = 0; i < count; ++i) waited.add(std::max(0.0, seconds_between(sent[i], arrivals[i])));
    return {{"fresh", count},
            {"first_request_s", first},
            {"acknowledged", acknowledged.said()},
            {"fresh_at_emulator", waited.said()},
            {"seconds", seconds},
            {"requests_per_s", static_cast<double>(all.count()) / seconds}};
}

} // namespace clinic::bench
