// A network to the broker that is cut without a reset: it is noticed in time, said with its cause, and central ops have
// each event once in result when it is over.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <set>

#include "tests/e2e/books/cable.h"
#include "tests/e2e/books/central_ops.h"
#include "tests/e2e/books/proof.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int keep_alive_s = 30; // of the connection to the broker
constexpr int watched_s = 5;     // while somebody looks at the page
constexpr int port = 8883;

std::string metric(const Box& box, const std::string& name) {
    const auto text = box.page("/metrics");
    const auto at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "";
    const auto value = at + name.size() + 2;
    return text.substr(value, text.find('\n', value) - value);
}

json need(const Box& box, const std::string& code) {
    for (const auto& one : box.status().value("needs", json::array()))
        if (one.at("code") == code) return one;
    return json::object();
}

// The broker at the far end of a cable. Central ops stand beside it, so that they hear what it hears.
class FarBroker {
public:
    explicit FarBroker(const Box& box) : box_{box}, cable_{box} {
        if (!cable_.made()) return;
        const auto here = box.folder().string();
        run("cd '" + here + "' && mkdir -p far-broker && sed -e 's|^listener .*|listener " + std::to_string(port) +
            "|' -e 's|/keys/mqtt\\.|/keys/far.|' -e 's|^persistence_location .*|persistence_location " + here +
            "/far-broker/|' etc/mosquitto.conf > etc/far.conf");
        cable_.run_there("$(command -v mosquitto || echo /usr/sbin/mosquitto) -c etc/far.conf", "far.log");
        change_sync_settings(box,
                             ".mqtt.host = \"" + std::string{Cable::far} + "\" | .mqtt.port = " + std::to_string(port));
    }
    const Cable& cable() const { return cable_; }
    std::string log() const { return run("tail -n 20 '" + (box_.folder() / "logs" / "far.log").string() + "'").out; }

private:
    const Box& box_;
    const Cable cable_;
};

using Numbers = std::set<std::int64_t>;

// How often central ops have heard of each event. A repetition says the very same under the same id.
std::map<std::int64_t, int> heard(const Watcher& watcher) {
    std::map<std::int64_t, int> times;
    std::map<std::string, json> by_id;
    for (const auto& one : watcher.messages()) {
        if (one.at("type") != "event") continue;
        const auto number = one.at("data").at("number").get<std::int64_t>();
        const auto id = one.at("msg_id").get<std::string>();
        EXPECT_EQ(id, one.at("box").get<std::string>() + "-e" + std::to_string(number));
        EXPECT_EQ(by_id.try_emplace(id, one.at("data")).first->second, one.at("data"));
        ++times[number];
    }
    return times;
}

Numbers numbers_of(const std::map<std::int64_t, int>& times) {
    Numbers numbers;
    for (const auto& [number, count] : times) numbers.insert(number);
    return numbers;
}

// How often clinic-syncd has given a connection to the broker up.
int given_up(const Box& box) {
    return std::stoi(run("grep -c 'the connection to the broker is lost' '" +
                         (box.folder() / "logs" / "clinic-syncd.log").string() + "'")
                         .out);
}

void expect_said(const Box& box) {
    const auto status = box.status();
    EXPECT_EQ(status.at("lanes").at("mqtt").at("code"), "timeout");
    EXPECT_EQ(status.at("lanes").at("crm").at("state"), "up") << "the way to GHL does not depend on it";
    EXPECT_EQ(status.at("well"), "look");
    const auto said = need(box, "E2106");
    ASSERT_TRUE(said.contains("what")) << status.at("needs").dump();
    EXPECT_EQ(said.at("what"), "Central operations cannot be reached");
    for (const char* part : {"cause", "remedy", "action"}) EXPECT_NE(said.at(part), "") << part;
}

TEST(TheBooks, ABrokerThatIsCutOffIsNoticedAndEachEventIsThereInTheEnd) {
    if (geteuid() != 0) GTEST_SKIP() << "a network of its own needs root";
    Box box;
    const FarBroker broker{box};
    ASSERT_TRUE(broker.cable().made()) << "root, and this machine makes no network for us";
    const Watcher watcher{box, broker.cable().there(), port};
    const auto before = stored_events(box).made;
    const auto lane_is = [&](const char* value) { return metric(box, "clinic_lane_up{lane=\"mqtt\"}") == value; };
    const auto all_told = [&] { return stored_events(box).open == 0; };
    const auto over = [&] { return lane_is("1") && need(box, "E2106").empty() && all_told(); };
    // Both anew: to the far broker, and looked at by nobody.
    EXPECT_TRUE(box.kill_program("clinic-syncd") && box.kill_program("clinicd"));
    ASSERT_TRUE(eventually([&] { return lane_is("1") && metric(box, "clinic_store_open") == "1"; }, 60))
        << broker.log();
    make_event(box, 1);
    ASSERT_TRUE(eventually(all_told));

    // Nobody looks and nothing happens: what the box says of itself is not answered.
    const auto told_before = heard(watcher);
    ASSERT_EQ(metric(box, "clinic_page_watched"), "0");
    const auto cut = Clock::now();
    broker.cable().cut();
    ASSERT_TRUE(eventually([&] { return lane_is("0"); }, keep_alive_s));
    const std::chrono::duration<double> unseen = Clock::now() - cut;
    ASSERT_EQ(metric(box, "clinic_page_watched"), "0");
    expect_said(box);
    for (int number = 2; number <= 6; ++number) make_event(box, number);
    EXPECT_EQ(heard(watcher), told_before) << "the cable carries nothing";
    EXPECT_FALSE(all_told());
    broker.cable().mend();
    ASSERT_TRUE(eventually(over, 120)) << box.status().dump() << broker.log();

    // The broker hears, and its answers are lost: central ops have an event that the box holds for untold.
    const int before_loss = given_up(box);
    broker.cable().lose_answers();
    const auto lost = Clock::now();
    const auto made_before = stored_events(box).made.size();
    make_event(box, 7);
    ASSERT_TRUE(eventually([&] { return stored_events(box).made.size() > made_before; }));
    const auto newest = *stored_events(box).made.rbegin();
    ASSERT_TRUE(eventually([&] { return lane_is("0"); }, watched_s));
    const std::chrono::duration<double> seen = Clock::now() - lost;
    expect_said(box);
    ASSERT_TRUE(eventually([&] { return heard(watcher).contains(newest); }));
    ASSERT_TRUE(eventually([&] { return given_up(box) > before_loss; }));
    EXPECT_FALSE(all_told());
    broker.cable().mend();
    ASSERT_TRUE(eventually(over, 120)) << box.status().dump() << broker.log();

    auto made = stored_events(box).made;
    std::erase_if(made, [&](std::int64_t number) { return before.contains(number); });
    EXPECT_GE(made.size(), 7U);
    auto times = heard(watcher);
    std::erase_if(times, [&](const auto& one) { return before.contains(one.first); }); // told here, and made before
    EXPECT_EQ(numbers_of(times), made) << "each is there, and none that was not made";
    EXPECT_GE(times.at(newest), 2) << "told again, under the id that makes it one";
    int told = 0;
    for (const auto& [number, count] : times) told += count;
    std::printf("the broker was cut off: noticed after %.1f s with nobody looking, after %.1f s with somebody; "
                "%zu events, told %d times\n",
                unseen.count(), seen.count(), times.size(), told);
}

} // namespace
} // namespace clinic::e2e
