// Three relays on one real broker while GHL sends 500 webhooks a second and a relay is killed every two seconds: what
// GHL was told is taken, the box hears; what it hears twice has one id. Every name in the webhooks is a canary.
// CLINIC_RELAY_WEBHOOKS: how many (4,000); CLINIC_RELAY_PER_SECOND (500); CLINIC_RELAY_FIGURES: a file for what was
// measured, of relays that nobody kills.
#include "tests/e2e/relay/fleet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "crypto/base/clock.h"
#include "sync/envelope/down_message.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/temp_folder.h"
#include "tests/support/canary.h"

namespace clinic::relay {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> people{
    "Zyxwvarabella",         "Quillfeatherstone",  "zyxw.quill@mailbox-canary.example",
    "+4915730918273645",     "Nebelkraehengasse",  "Windelsbleichestadt",
    "Quillfeather-Praxis",   "1957-03-2199887766", "Fluesterkampagne",
    "Oberschwesterhildegund"};

std::size_t number_of(const char* name, std::size_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::stoul(text) : otherwise;
}

std::string contact_id(std::size_t i) {
    const std::string digits = std::to_string(i);
    return "CEc" + std::string(17 - digits.size(), '0') + digits;
}

class RelayFleet : public testing::Test {
protected:
    RelayFleet() {
        for (std::size_t i = 0; i < relays; ++i)
            EXPECT_TRUE(fakes::eventually([&] { return fleet.well(i); })) << "relay " << i + 1;
    }
    std::string body(std::size_t i) const {
        const std::string id = contact_id(i);
        return emulator::contact_event(
                   emulator::webhook("ContactUpdate", app, location, "wh-" + id, started.micros / 1'000), id, people)
            .dump();
    }
    emulator::DeliveryOptions delivery() const {
        return {.ports = fleet.ports(),
                .authority = authority.pem(),
                .per_second = static_cast<double>(number_of("CLINIC_RELAY_PER_SECOND", 500)),
                .again_after = 500ms,
                .jitter = 200ms};
    }
    // By the contact: the ids of the messages that told of it.
    std::map<std::string, std::set<std::string>> heard() const {
        std::map<std::string, std::set<std::string>> out;
        for (const auto& one : ops.heard(envelope::down_topic(box))) {
            const auto message = envelope::decode_down(one.payload);
            EXPECT_TRUE(message) << one.payload;
            if (message) out[message->fact.id].insert(message->id);
        }
        return out;
    }
    void expect_no_canary() const {
        const support::Search search{people};
        for (std::size_t i = 0; i < relays; ++i) EXPECT_TRUE(search.in_file(fleet.log(i)).empty()) << "a name in a log";
        for (const auto& one : ops.heard(envelope::down_topic(box)))
            ASSERT_TRUE(search.in(one.payload).empty()) << one.payload;
    }

    static constexpr std::size_t relays = 3;
    const Timestamp started = base::SystemClock{}.now();
    fakes::TempFolder folder;
    support::Authority authority{folder.path(), "authority"};
    mqtt::Mosquitto broker{folder.path(), authority};
    mqtt::Ops ops{broker, authority};
    emulator::WebhookKey key;
    Fleet fleet{folder.path(), authority, broker, key, static_cast<int>(relays)};
};

TEST_F(RelayFleet, LosesNothingWhileOneIsKilledEveryTwoSeconds) {
    const std::size_t count = number_of("CLINIC_RELAY_WEBHOOKS", 4'000);
    std::atomic<int> kills{0};
    std::jthread killer{[&](const std::stop_token& stop) {
        for (std::size_t which = 0; !stop.stop_requested(); which = (which + 1) % relays) {
            const auto until = std::chrono::steady_clock::now() + 2s;
            while (!stop.stop_requested() && std::chrono::steady_clock::now() < until)
                std::this_thread::sleep_for(20ms);
            if (stop.stop_requested()) return;
            fleet.kill(which);
            ++kills;
        }
    }};
    const auto sent = emulator::deliver(delivery(), key, count, [this](std::size_t i) { return body(i); });
    killer.request_stop();
    killer.join();
    EXPECT_EQ(sent.taken, count);
    EXPECT_EQ(sent.lost + sent.given_up, 0U);
    EXPECT_GE(kills, 2);
    EXPECT_TRUE(fakes::eventually([&] { return heard().size() >= count; }));
    const auto told = heard();
    EXPECT_EQ(told.size(), count);
    for (const auto& [contact, ids] : told) ASSERT_EQ(ids.size(), 1U) << contact << " under two ids";
    const auto messages = ops.heard(envelope::down_topic(box)).size();
    std::printf("%zu webhooks in %.1f s, %d kills: %zu messages (%zu twice), %zu sent again after 429, %zu at the next "
                "door\n",
                count, sent.seconds, kills.load(), messages, messages - told.size(), sent.again, sent.next_door);
    expect_no_canary();
}

TEST_F(RelayFleet, PublishesOneWebhookOnceHoweverOftenItComesToOneDoor) {
    auto options = delivery();
    options.ports = {fleet.ports().front()};
    const auto sent = emulator::deliver(options, key, 300, [this](std::size_t i) { return body(i % 3); });
    EXPECT_EQ(sent.taken, 300U);
    EXPECT_TRUE(fakes::eventually([&] { return heard().size() == 3; }));
    EXPECT_EQ(ops.heard(envelope::down_topic(box)).size(), 3U);
}

TEST_F(RelayFleet, SaysTryAgainWhileThereIsNoBrokerAndTakesItAfterwards) {
    broker.stop();
    for (std::size_t i = 0; i < relays; ++i) EXPECT_TRUE(fakes::eventually([&] { return !fleet.well(i); }));
    std::jthread back{[this] {
        std::this_thread::sleep_for(700ms); // GHL has to be turned away meanwhile
        broker.start();
    }};
    auto options = delivery();
    options.again_after = 1'500ms;
    const auto sent = emulator::deliver(options, key, 60, [this](std::size_t i) { return body(i); });
    EXPECT_EQ(sent.taken, 60U);
    EXPECT_GT(sent.answers.at(429), 0U);
    EXPECT_EQ(sent.lost, 0U);
}

TEST_F(RelayFleet, ServesToItsEndWhoIsInWhenItIsStopped) {
    std::jthread stopper{[this] {
        std::this_thread::sleep_for(1s); // webhooks are on their way by then
        EXPECT_EQ(fleet.stop(0), 0);
    }};
    const auto sent = emulator::deliver(delivery(), key, 1'000, [this](std::size_t i) { return body(i); });
    EXPECT_EQ(sent.taken, 1'000U);
    EXPECT_TRUE(fakes::eventually([&] { return heard().size() == 1'000; }));
}

TEST_F(RelayFleet, IsMeasured) {
    const char* figures = std::getenv("CLINIC_RELAY_FIGURES");
    if (figures == nullptr) return;
    const std::size_t count = number_of("CLINIC_RELAY_WEBHOOKS", 4'000);
    const auto before = fleet.use();
    auto sent = emulator::deliver(delivery(), key, count, [this](std::size_t i) { return body(i); });
    const auto after = fleet.use();
    ASSERT_EQ(sent.taken, count);
    std::sort(sent.answer_ms.begin(), sent.answer_ms.end());
    const double processor = after.processor_s - before.processor_s;
    std::ofstream{figures} << nlohmann::json{{"webhooks", count},
                                             {"relays", relays},
                                             {"seconds", sent.seconds},
                                             {"per_second", static_cast<double>(count) / sent.seconds},
                                             {"processor_ms_each", processor * 1'000 / static_cast<double>(count)},
                                             {"per_core_second", static_cast<double>(count) / processor},
                                             {"resident_kib", after.resident_kib},
                                             {"answer_p50_ms", sent.answer_ms.at(count / 2)},
                                             {"answer_p99_ms", sent.answer_ms.at(count * 99 / 100)}}
                                  .dump()
                           << "\n";
}

} // namespace
} // namespace clinic::relay
