// What central ops are told, under kills: each event at least once, and numbers that only grow.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "tests/e2e/books/proof.h"
#include "tests/e2e/store_copy.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr int strikes = 16, quiet_events = 4;

// Central ops, listening to all that the box says; connects again when the broker was killed.
class Watcher {
public:
    explicit Watcher(const Box& box) : box_{box}, heard_{box.folder() / "heard"}, pid_{box.folder() / "watcher.pid"} {
        const auto& link = box.endpoints().at("mqtt");
        const auto text = [&](const char* key) { return "'" + link.at(key).get<std::string>() + "'"; };
        // The program ends with its broker: begun again at once.
        link_ = " -V 5 -q 1 -h 127.0.0.1 -p " + std::to_string(link.at("port").get<int>()) + " --cafile " + text("ca") +
                " --cert " + text("cert") + " --key " + text("key");
        const std::string listen = "mosquitto_sub -i watcher" + link_ + " -t clinic/+/up/v1/#";
        std::ofstream{box.folder() / "watcher"} << "while :; do " << listen << "; sleep 0.1; done\n";
        run("(setsid sh '" + (box.folder() / "watcher").string() + "' > '" + heard_.string() +
            "' 2>/dev/null & echo $! > '" + pid_.string() + "')");
        EXPECT_TRUE(eventually([&] { return listens(); }));
    }
    ~Watcher() {
        pid_t pid = 0;
        std::ifstream{pid_} >> pid;
        if (pid > 1) kill(-pid, SIGKILL); // with what it runs
    }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // A word of our own is heard: what is said from now on is heard too.
    bool listens() const {
        const std::string word = "word " + std::to_string(++words_);
        run("mosquitto_pub" + link_ + " -t clinic/words/up/v1/word -m '" + word + "'");
        const auto heard = [&] {
            std::ifstream in{heard_};
            for (std::string line; std::getline(in, line);)
                if (line == word) return true;
            return false;
        };
        return eventually(heard, 1);
    }
    std::vector<json> messages() const {
        std::vector<json> all;
        std::ifstream in{heard_};
        for (std::string line; std::getline(in, line);) {
            auto one = json::parse(line, nullptr, false);
            if (one.is_object()) all.push_back(std::move(one)); // else the last line is not whole yet
        }
        return all;
    }
    std::set<std::int64_t> events() const {
        std::set<std::int64_t> numbers;
        for (const auto& one : messages())
            if (one.at("type") == "event") numbers.insert(one.at("data").at("number").get<std::int64_t>());
        return numbers;
    }

private:
    const Box& box_;
    std::filesystem::path heard_, pid_;
    std::string link_;
    mutable int words_ = 0;
};

struct Stored {
    std::set<std::int64_t> made; // events, by number
    std::int64_t open = 0;       // that the broker has not acknowledged
};

Stored stored_events(const Box& box) {
    StoreCopy copy{box};
    Stored stored;
    if (!copy.opened()) return stored;
    const auto read = copy.store().read([&](records::Snapshot& session) -> Result<void> {
        auto find = session.prepare("SELECT number, acknowledged FROM event");
        if (!find) return find.error();
        for (;;) {
            const auto row = find->step();
            if (!row) return row.error();
            if (!*row) break;
            stored.made.insert(find->integer(0));
            stored.open += find->integer(1) == 0 ? 1 : 0;
        }
        return {};
    });
    EXPECT_TRUE(read);
    return stored;
}

class Breaker {
public:
    Breaker(const Box& box, const Watcher& watcher) : box_{box}, watcher_{watcher} {}

    // Two different messages under one number: E3001.
    void make_event() {
        const auto number = "E" + std::to_string(++events_);
        const auto first = adt("A28", "C" + number, number, "Quillfeather", "Ottoline");
        auto second = first;
        second.replace(second.find("Ottoline"), 8, "Ottilie");
        for (const auto& one : {first, second})
            EXPECT_TRUE(eventually([&] { return box_.send(one).find("MSA|AA|") != std::string::npos; }, 60));
    }

    void strike() {
        for (int i = below(3); i >= 0; --i) make_event();
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
    for (int i = 0; i < quiet_events; ++i) breaker.make_event();
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
