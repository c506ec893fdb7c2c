// From GHL's webhook to the clinic: a relay, a broker, a whole box whose polling is ten minutes away. A booking that
// GHL made where the clinic has no room is shown within seconds; clinic-syncd killed again and again loses none. Every
// name in the webhooks is a canary: none is at the broker, in a log or in a file of the box.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "crypto/base/clock.h"
#include "sync/envelope/crm_reads.h"
#include "tests/e2e/box.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/webhooks.h"
#include "tests/support/canary.h"

namespace clinic::e2e {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* app = "CEapp000000000000001";
const std::vector<std::string> people{
    "Zyxwvarabella",         "Quillfeatherstone",  "zyxw.quill@mailbox-canary.example",
    "+4915730918273645",     "Nebelkraehengasse",  "Windelsbleichestadt",
    "Quillfeather-Praxis",   "1957-03-2199887766", "Fluesterkampagne",
    "Oberschwesterhildegund"};

std::string booking_id(std::size_t i) {
    const std::string digits = std::to_string(i);
    return "CEb" + std::string(17 - digits.size(), '0') + digits;
}

// A program of the test's, with its output in a file.
pid_t start(const std::vector<std::string>& command, const std::filesystem::path& output) {
    std::vector<std::string> words = command;
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int end : {STDOUT_FILENO, STDERR_FILENO})
        posix_spawn_file_actions_addopen(&actions, end, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    pid_t process = -1;
    EXPECT_EQ(posix_spawnp(&process, arguments.front(), &actions, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return process;
}

class RelayedBox : public testing::Test {
protected:
    static void SetUpTestSuite() {
        box_ = std::make_unique<Box>();
        location_ = settings("sync.json")["ghl"]["location"];
        const json reads{{"calendars", {emulator::calendar_id}}, {"campaigns", {"spring"}}, {"sources", {"website"}}};
        change("clinicd.json", [&](json& all) { all["ghl"]["reads"] = reads; });
        change("sync.json", [&](json& all) {
            all["ghl"]["reads"] = reads;
            all["ghl"]["polling"] = {{"busy_s", 600}, {"quiet_s", 600}};
            all["mqtt"]["relay"] = true;
        });
        let_the_relay_in();
        listener_ = start({"mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", broker_port(), "--cafile", authority(),
                           "--cert", box_->endpoints().at("mqtt").at("cert"), "--key",
                           box_->endpoints().at("mqtt").at("key"), "-v", "-t", "clinic/#"},
                          heard());
        box_->kill_program("clinicd");
        ASSERT_TRUE(eventually([] { return !box_->status().value("lanes", json::object()).empty(); }, 60));
        box_->kill_program("clinic-syncd");
        start_relay();
        ASSERT_TRUE(eventually([] { return said()["up"] == true; }, 60));
        ASSERT_TRUE(eventually([] { return health(); }, 60));
    }
    static void TearDownTestSuite() {
        for (const pid_t one : {relay_, listener_}) {
            if (one <= 0) continue;
            kill(one, SIGTERM);
            waitpid(one, nullptr, 0);
        }
        box_.reset();
    }

    static json settings(const std::string& file) { return json::parse(std::ifstream{box_->folder() / "etc" / file}); }
    static void change(const std::string& file, const std::function<void(json&)>& with) {
        auto all = settings(file);
        with(all);
        std::ofstream{box_->folder() / "etc" / file} << all;
    }
    static std::string authority() { return box_->endpoints().at("mqtt").at("ca"); }
    static std::string broker_port() { return std::to_string(box_->endpoints().at("mqtt").at("port").get<int>()); }
    static int door() { return box_->console_port() + 8; } // the last of the box's ten ports
    static std::filesystem::path heard() { return box_->folder() / "logs" / "listener.log"; }

    static void certificate(const std::string& name, const std::string& san) {
        const std::string keys = (box_->folder() / "keys").string() + "/";
        const auto made =
            run("cd " + keys + " && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + name +
                ".key -out " + name + ".csr -subj /CN=" + name + " && echo subjectAltName=" + san + " > " + name +
                ".ext && openssl x509 -req -in " + name + ".csr -CA ../ca.pem -CAkey ca.key " + "-days 2 -out " + name +
                ".pem -extfile " + name + ".ext");
        ASSERT_EQ(made.exit, 0) << made.out;
    }
    static void let_the_relay_in() {
        std::ofstream{box_->folder() / "etc" / "mosquitto.acl", std::ios::app}
            << "user relay\ntopic write clinic/+/down/#\ntopic write ops/+/state\n";
        for (const pid_t one : box_->pids("mosquitto")) kill(one, SIGHUP);
        certificate("relay", "DNS:relay");
        certificate("door", "IP:127.0.0.1");
    }
    static void start_relay() {
        const auto sync = settings("sync.json");
        const std::string keys = (box_->folder() / "keys").string() + "/";
        const json config{
            {"name", "r1"},
            {"listen", {{"address", "127.0.0.1"}, {"port", door()}}},
            {"certificate", keys + "door.pem"},
            {"key", keys + "door.key"},
            {"app", app},
            {"signature", {{"key", key_.public_key()}}},
            {"locations",
             {{location_, {{"box", sync["box"]}, {"fields", sync["ghl"]["fields"]}, {"reads", sync["ghl"]["reads"]}}}}},
            {"mqtt",
             {{"host", "127.0.0.1"},
              {"port", box_->endpoints().at("mqtt").at("port")},
              {"ca", authority()},
              {"cert", keys + "relay.pem"},
              {"key", keys + "relay.key"}}}};
        const auto file = box_->folder() / "etc" / "relay.json";
        std::ofstream{file} << config;
        relay_ = start({CLINIC_RELAY, "--config", file.string()}, box_->folder() / "logs" / "relay.log");
    }
    static bool health() {
        return run("curl --silent --output /dev/null --write-out %{http_code} --cacert '" + authority() +
                   "' https://127.0.0.1:" + std::to_string(door()) + "/health")
                   .out == "200";
    }
    static json said() {
        const auto all = box_->status();
        auto heard = all.is_object() ? all.value("lanes", json::object()).value("webhooks", json{}) : json{};
        return heard.is_object() ? heard : json{{"up", false}, {"told", 0}, {"looked", 0}};
    }

    static emulator::Delivered deliver(std::size_t count, const std::function<json(std::size_t)>& body,
                                       double per_second = 500) {
        const emulator::DeliveryOptions how{.ports = {door()},
                                            .authority = authority(),
                                            .per_second = per_second,
                                            .again_after = 500ms,
                                            .jitter = 200ms};
        return emulator::deliver(how, key_, count, [&](std::size_t i) { return body(i).dump(); });
    }
    static std::int64_t now_ms() { return base::SystemClock{}.now().micros / 1'000; }
    static json heading(const char* type, const std::string& id) {
        return emulator::webhook(type, app, location_, "wh-" + id, now_ms());
    }
    // At the very time of the clinic's own appointment.
    static json booking(std::size_t i) {
        auto out = heading("AppointmentCreate", booking_id(i));
        out["appointment"] = {{"id", booking_id(i)},
                              {"title", people[0] + " " + people[1]},
                              {"address", people[4]},
                              {"calendarId", emulator::calendar_id},
                              {"contactId", "CEcontactOfNobody001"},
                              {"appointmentStatus", "confirmed"},
                              {"startTime", envelope::iso_ms(slot_ms_)},
                              {"endTime", envelope::iso_ms(slot_ms_ + 1'800'000)},
                              {"dateUpdated", envelope::iso_ms(now_ms())},
                              {"notes", people[5]}};
        return out;
    }
    static void make_an_appointment() {
        constexpr long ahead_s = 86'400;
        slot_ms_ = now_ms() + ahead_s * 1'000;
        EXPECT_NE(box_->send(siu("S12", "C1", "4711", "Ottoline", "Una", "A1", ahead_s, "BOOKED")).find("|AA|"),
                  std::string::npos);
    }
    static std::set<std::string> in_conflict() {
        std::set<std::string> out;
        const auto listed = json::parse(box_->ctl("link list --json").out, nullptr, false);
        if (!listed.is_object()) return out;
        for (const auto& one : listed.at("conflicts")) out.insert(one.at("id").get<std::string>());
        return out;
    }

    static inline std::unique_ptr<Box> box_;
    static inline std::string location_;
    static inline emulator::WebhookKey key_;
    static inline pid_t relay_ = -1, listener_ = -1;
    static inline std::int64_t slot_ms_ = 0;
};

TEST_F(RelayedBox, ABookingWithoutRoomIsShownWithinSecondsAndAContactIsLookedAt) {
    make_an_appointment();
    const auto from = std::chrono::steady_clock::now();
    EXPECT_EQ(deliver(1, [](std::size_t) { return booking(0); }).taken, 1U);
    ASSERT_TRUE(eventually([] { return in_conflict().contains(booking_id(0)); }, 20));
    std::printf("from the webhook to clinicctl: %.1f s\n",
                std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count());
    const auto reads = box_->requests().size();
    EXPECT_EQ(deliver(1,
                      [](std::size_t) {
                          return emulator::contact_event(heading("ContactUpdate", "c1"), "CEcontactOfNobody001",
                                                         people);
                      })
                  .taken,
              1U);
    ASSERT_TRUE(eventually([&] { return said()["looked"] == 1 && box_->requests().size() > reads; }, 20));
    EXPECT_EQ(said()["bad"], 0);
    EXPECT_EQ(said()["refused"], 0);
}

TEST_F(RelayedBox, NothingIsLostWhileClinicSyncdIsKilledAndNothingNamesAPerson) {
    constexpr std::size_t count = 120;
    std::atomic<int> kills{0};
    std::jthread killer{[&](const std::stop_token& stop) {
        for (std::int64_t seen = -1; !stop.stop_requested();) { // killed whenever it has taken something
            const auto told = said();
            const auto taken = told["told"].get<std::int64_t>();
            if (taken > 0 && taken != seen && box_->kill_program("clinic-syncd")) {
                seen = taken; // what clinicd still says until the next one speaks
                ++kills;
            }
            std::this_thread::sleep_for(50ms); // between two looks
        }
    }};
    const auto sent = deliver(
        count, [](std::size_t i) { return booking(100 + i); }, 10);
    EXPECT_EQ(sent.taken, count);
    killer.request_stop();
    killer.join();
    EXPECT_GE(kills, 2);
    std::set<std::string> missing;
    EXPECT_TRUE(eventually(
        [&] {
            missing.clear();
            const auto there = in_conflict();
            for (std::size_t i = 0; i < count; ++i)
                if (!there.contains(booking_id(100 + i))) missing.insert(booking_id(100 + i));
            return missing.empty();
        },
        90))
        << missing.size() << " of " << count << ", first " << *missing.begin();
    std::printf("%zu bookings, %d kills\n", count, kills.load());
    const support::Search search{people};
    std::size_t looked = 0;
    for (const char* folder : {"logs", "mosquitto", "sync", "records", "etc"})
        for (const auto& entry : std::filesystem::recursive_directory_iterator{box_->folder() / folder})
            if (entry.is_regular_file()) {
                ++looked;
                EXPECT_TRUE(search.in_file(entry.path()).empty()) << entry.path();
            }
    EXPECT_GT(looked, 10U);
    EXPECT_GT(std::filesystem::file_size(heard()), count * 200) << "what was at the broker";
}

} // namespace
} // namespace clinic::e2e
