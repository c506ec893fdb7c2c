// What central ops are told, under kills: each event at least once, and numbers that only grow.
#include <gtest/gtest.h>
#include <signal.h>

#include <random>
#include <thread>

#include "tests/e2e/books/central_ops.h"
#include "tests/e2e/books/proof.h"

namespace clinic::e2e {
namespace {

constexpr int strikes = 16, quiet_events = 4;

class Breaker {
public:
    Breaker(const Box& box, const Watcher& watcher) : box_{box}, watcher_{watcher} {}

    void make_one() { make_event(box_, ++events_); }

    void strike() {
        for (int i = below(3); i >= 0; --i) make_one();
        std::this_thread::sleep_for(std::chrono::milliseconds{below(400)}); // when, not whether
        switch (below(4)) {
        case 0: kill_all("clinic-syncd"); break;
        case 1: kill_all("clinicd"); break;
        default: kill_broker(below(2) == 0); break;
        }
        EXPECT_TRUE(eventually([&] { return is_up(box_) && !box_.pids("clinic-syncd").empty(); }, 60));
    }

private:
    int below(int bound) { return std::uniform_int_distribution<int>{0, bound - 1}(random_); }
    void kill_all(const char* name) const {
        for (const pid_t one : box_.pids(name)) kill(one, SIGKILL);
    }
    // clinic-syncd stands still until central ops listen again: the broker keeps nothing for who is away.
    void kill_broker(bool both) const {
        const auto told_by = box_.pids("clinic-syncd"), broker = box_.pids("mosquitto");
        for (const pid_t one : broker) kill(one, SIGKILL);
        for (const pid_t one : told_by) kill(one, SIGSTOP);
        EXPECT_TRUE(eventually([&] { return watcher_.listens(); }, 60));
        for (const pid_t one : told_by) kill(one, both ? SIGKILL : SIGCONT);
    }

    const Box& box_;
    const Watcher& watcher_;
    std::mt19937_64 random_{4};
    int events_ = 0;
};

TEST(TheBooks, EachEventIsToldUnderKillsAndTheNumbersOnlyGrow) {
    Box box;
    const Watcher watcher{box};
    const auto before = stored_events(box).made; // the box's start has its own, told before anybody listened
    Breaker breaker{box, watcher};
    for (int i = 0; i < strikes && !HasFailure(); ++i) breaker.strike();
    const auto all_told = [&] {
        const auto stored = stored_events(box);
        return stored.made.size() > before.size() && stored.open == 0;
    };
    EXPECT_TRUE(eventually(all_told, 120)) << "the broker acknowledges each in the end";
    const auto quiet_from = watcher.messages().size();
    for (int i = 0; i < quiet_events; ++i) breaker.make_one();
    EXPECT_TRUE(eventually([&] { return watcher.messages().size() >= quiet_from + quiet_events && all_told(); }, 120));

    auto made = stored_events(box).made;
    std::erase_if(made, [&](std::int64_t number) { return before.contains(number); });
    EXPECT_GE(made.size(), static_cast<std::size_t>(strikes / 2 + quiet_events));
    auto heard = watcher.events();
    std::erase_if(heard, [&](std::int64_t number) { return before.contains(number); });
    EXPECT_EQ(heard, made) << "each was told, and none that was not made";

    const auto messages = watcher.messages();
    std::int64_t sequence = 0, session = 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const auto& one = messages[i];
        EXPECT_GT(one.at("seq").get<std::int64_t>(), sequence) << one.dump();
        EXPECT_GE(one.at("session").get<std::int64_t>(), session) << one.dump();
        if (i > quiet_from && sequence != 0) {
            EXPECT_EQ(one.at("seq").get<std::int64_t>(), sequence + 1) << "a gap that no kill made";
        }
        sequence = one.at("seq"), session = one.at("session");
        if (one.at("type") != "event") continue;
        const auto number = std::to_string(one.at("data").at("number").get<std::int64_t>());
        EXPECT_EQ(one.at("msg_id"), one.at("box").get<std::string>() + "-e" + number);
    }
    std::printf("events: %zu made, %zu messages heard\n", made.size(), messages.size());
}

} // namespace
} // namespace clinic::e2e
