// The books under kills: a busy practice, and every program killed at random times, alone and together, while GHL
// misbehaves.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <random>
#include <thread>

#include "tests/e2e/books/proof.h"
#include "tests/support/campaign.h"

namespace clinic::e2e {
namespace {

constexpr int moments_a_round = 100; // at each, one to three programs are killed
constexpr int senders = 5, people_of_each = 10;
constexpr std::array programs{"clinicd", "clinic-syncd", "ghl-emulator", "mosquitto"};
constexpr std::array faults{"timeout-after-effect", "422-but-created", "5xx", "slow", "html-body", "rate-limited"};

class Wrecker {
public:
    Wrecker(const Box& box, const Senders& practice, std::uint64_t seed)
        : box_{box}, practice_{practice}, random_{seed} {}

    int kills() const { return kills_; }
    int moments() const { return moments_; }

    // One accident, and then the whole box is there again with its books in balance.
    void strike() {
        if (below(4) == 0) box_.fault(faults.at(static_cast<std::size_t>(below(faults.size()))), 1 + below(2));
        pause(below(250));
        switch (below(14)) {
        case 0:
        case 1: kill_all({"clinicd", "clinic-syncd"}); break;
        case 2: kill_all({"ghl-emulator", "clinic-syncd"}); break;
        case 3: stop_and_go("clinic-syncd", "clinicd"); break;
        case 4: stop_and_go("clinicd", "clinic-syncd"); break;
        case 5: kill_all({"clinicd", "ghl-emulator", "mosquitto"}); break;
        case 6: kill_as_it_comes_back("clinicd"); break;
        case 7: kill_as_it_comes_back("clinic-syncd"); break;
        default: kill_all({programs.at(static_cast<std::size_t>(below(programs.size())))}); break;
        }
        expect_back();
    }

    void fast_ghl() const {
        run("curl --silent --max-time 10 --retry 5 --retry-connrefused --retry-delay 1 --cacert '" +
            box_.endpoints().at("console_ca").get<std::string>() +
            "' -X POST -d '{\"knob\":\"rate_per_10s\",\"value\":100000}' '" +
            box_.endpoints().at("ghl").at("faults").get<std::string>() + "'");
    }

private:
    int below(std::size_t bound) { return std::uniform_int_distribution<int>{0, static_cast<int>(bound) - 1}(random_); }
    static void pause(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds{ms}); } // when, not whether

    void kill_all(std::initializer_list<const char*> names) {
        std::vector<pid_t> all;
        for (const char* name : names)
            for (const pid_t one : box_.pids(name)) all.push_back(one);
        for (const pid_t one : all) kills_ += kill(one, SIGKILL) == 0 ? 1 : 0;
        ++moments_;
        dead_ = std::move(all);
    }

    // In the middle of what it mends at its start, and in the middle of that again.
    void kill_as_it_comes_back(const char* name) {
        kill_all({name});
        for (int times = 0; times < 2; ++times) {
            ASSERT_TRUE(eventually(
                [&] {
                    const auto now = box_.pids(name);
                    return !now.empty() && std::ranges::find(dead_, now.front()) == dead_.end();
                },
                60));
            pause(below(120));
            kill_all({name});
        }
    }

    // The one stands still with whatever it has in hand while the other dies and comes back.
    void stop_and_go(const char* still, const char* dies) {
        const auto stopped = box_.pids(still);
        for (const pid_t one : stopped) kill(one, SIGSTOP);
        pause(below(600));
        kill_all({dies});
        pause(below(1'200));
        for (const pid_t one : stopped) kill(one, SIGCONT);
    }

    void expect_back() {
        const auto gone = [&] {
            for (const char* name : programs) {
                const auto now = box_.pids(name);
                const bool old = std::any_of(now.begin(), now.end(), [&](pid_t one) {
                    return std::find(dead_.begin(), dead_.end(), one) != dead_.end();
                });
                if (now.empty() || old) return false;
            }
            return true;
        };
        ASSERT_TRUE(eventually(gone, 60)) << "every program is started again";
        ASSERT_TRUE(eventually([&] { return is_up(box_); }, 60)) << "clinicd serves again";
        expect_rows(box_, practice_);
        fast_ghl(); // a knob does not outlive the emulator
    }

    const Box& box_;
    const Senders& practice_;
    std::mt19937_64 random_;
    int kills_ = 0, moments_ = 0;
    std::vector<pid_t> dead_;
};

TEST(TheBooks, BalanceAndNothingIsLostOrDoneTwiceUnderKills) {
    support::Campaign campaign{
        {.name = "books_under_kills", .what = "moments", .plain = 1, .most = 10, .weight = moments_a_round}};
    while (const auto seed = campaign.next()) {
        Box box;
        Senders practice;
        for (int i = 0; i < senders; ++i)
            practice.push_back(std::make_unique<Sender>(box.mllp_port(),
                                                        "S" + std::to_string(i) + "R" + std::to_string(*seed),
                                                        *seed * 100 + static_cast<std::uint64_t>(i), people_of_each));
        Wrecker wrecker{box, practice, *seed};
        wrecker.fast_ghl();
        for (const auto& one : practice) one->start();
        while (wrecker.moments() < moments_a_round && !testing::Test::HasFailure()) wrecker.strike();
        int resent = 0;
        for (const auto& one : practice) {
            one->stop();
            resent += one->resent() + one->refused();
        }
        EXPECT_GT(resent, 0) << "kills that nobody noticed prove nothing";
        EXPECT_TRUE(eventually([&] { return is_quiet(box); }, 300)) << box.status().dump();
        expect_all_kept(box, practice);
        EXPECT_EQ(box.status().at("egress").at("crm").at("dead"), 0);
        EXPECT_EQ(box.ctl("audit verify").exit, 0);
        const auto contacts = box.contacts();
        expect_ledger_matches(box, box.requests());
        box.stop();
        expect_effects(box.folder() / "records", box.folder() / "keys" / "store.key", contacts, practice);
        std::printf("books: seed %llu, %d moments, %d kills, %zu contacts, %d re-sends\n",
                    static_cast<unsigned long long>(*seed), wrecker.moments(), wrecker.kills(), contacts.size(),
                    resent);
        for (const auto& one : practice) std::printf("  a sender: %zu acknowledged\n", one->acknowledged().size());
    }
}

} // namespace
} // namespace clinic::e2e
