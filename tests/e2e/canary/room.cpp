#include "tests/e2e/canary/room.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "crypto/base/files.h"

namespace clinic::e2e {
namespace {

constexpr std::size_t heard_bytes_max = std::size_t{1} << 28;

std::string read_all(const std::filesystem::path& path) {
    auto text = base::read_text(path, heard_bytes_max);
    EXPECT_TRUE(text) << path;
    return text ? std::move(text).value() : std::string{};
}

std::filesystem::path passable(const std::filesystem::path& folder) {
    chmod(folder.c_str(), 0711);
    return folder;
}

} // namespace

Room::Room(std::uint64_t seed)
    : collectors_authority{passable(own.path()), "collectors"}, collector{collectors_authority.issue("collector",
                                                                                                     "IP:127.0.0.1"),
                                                                          [](const support::Received&) {
                                                                              return support::answer(200, "{}");
                                                                          }},
      day{seed}, search{day.canaries()}, tap{{port_base + 1, port_base + 2, port_base + 3, port_base + 4, mqtt_recorded,
                                              port_base + 6, ghl_recorded, spare_port, collector.port()},
                                             port_base + 2},
      dumps{own / "dumps"}, box{port_base}, places{box, search, began}, visits{box, day, places, own.path()} {
    std::vector<pid_t> all;
    for (const char* name : {"clinic-supervise", "clinicd", "clinic-syncd"})
        for (const pid_t one : box.pids(name)) all.push_back(one);
    // What is started from here on inherits no limit: only what the programs renounce by themselves keeps their memory.
    for (const pid_t one : box.pids("clinic-supervise")) EXPECT_TRUE(Dumps::allow(one));
    attempts = std::make_unique<Attempts>(all);
    lead_through_recorders();
    listen_to_all();
    control_ghl({{"knob", "rate_per_10s"}, {"value", 1'000'000}});
}

Room::~Room() {
    if (listener_ > 0) {
        kill(listener_, SIGTERM);
        waitpid(listener_, nullptr, 0);
    }
}

void Room::lead_through_recorders() {
    const auto keys = box.folder() / "keys";
    const auto ca = box.folder() / "ca.pem";
    mqtt = std::make_unique<Recorder>(Recorder::Ends{.listen = mqtt_recorded,
                                                     .to = port_base + 3,
                                                     .ca = ca,
                                                     .certificate = keys / "mqtt.pem",
                                                     .key = keys / "mqtt.key",
                                                     .client_certificate = keys / "device.pem",
                                                     .client_key = keys / "device.key"});
    ghl = std::make_unique<Recorder>(Recorder::Ends{.listen = ghl_recorded,
                                                    .to = port_base + 4,
                                                    .ca = ca,
                                                    .certificate = keys / "ghl.pem",
                                                    .key = keys / "ghl.key",
                                                    .client_certificate = {},
                                                    .client_key = {}});
    // Patients have a case too: the eye sees its requests as any.
    const nlohmann::json pipeline{
        {"id", "CEpipeline0000000001"},
        {"stages",
         {{"new", "8f9d3b7e-1c55-4f0a-9a1e-000000000001"}, {"archived", "8f9d3b7e-1c55-4f0a-9a1e-000000000004"}}}};
    const auto records = box.folder() / "etc" / "clinicd.json";
    auto of_records = nlohmann::json::parse(read_all(records));
    of_records["ghl"]["pipeline"] = pipeline;
    // And their appointments are bookings with their times, which may leave; nothing else of them may.
    const nlohmann::json reads{{"calendars", {"CEcalendar0000000001"}}},
        bookings{{"calendar", "CEcalendar0000000001"}, {"create", true}};
    of_records["ghl"]["reads"] = reads;
    of_records["ghl"]["bookings"] = bookings;
    std::ofstream{records} << of_records.dump();
    EXPECT_TRUE(signal_program("clinicd", SIGTERM));
    const auto file = box.folder() / "etc" / "sync.json";
    auto settings = nlohmann::json::parse(read_all(file));
    settings["ghl"]["pipeline"] = pipeline;
    settings["ghl"]["reads"] = reads;
    settings["ghl"]["bookings"] = bookings;
    settings["mqtt"]["port"] = mqtt_recorded;
    settings["ghl"]["base"] = "https://127.0.0.1:" + std::to_string(ghl_recorded);
    settings["ghl"]["requests_per_second_max"] = 100'000; // the emulator's own limit is raised too
    settings["ghl"]["polling"] = {{"busy_s", 5}};
    settings["workers"] = 16;
    chmod(collectors_authority.pem().c_str(), 0644);
    settings["traces"] = {{"base", "https://127.0.0.1:" + std::to_string(collector.port())},
                          {"ca", collectors_authority.pem().string()}};
    std::ofstream{file} << settings.dump();
    EXPECT_TRUE(signal_program("clinic-syncd", SIGTERM));
    EXPECT_TRUE(eventually([this] { return is_up() && !mqtt->outward().empty() && !ghl->outward().empty(); }, 60));
}

// As central ops, from the first message on, with a list that lets it hear everything.
pid_t start_shell(const std::string& command) {
    const pid_t child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
}

void Room::listen_to_all() {
    std::ofstream{box.folder() / "etc" / "mosquitto.acl", std::ios::app} << "\nuser ops\ntopic read #\n";
    for (const pid_t broker : box.pids("mosquitto")) EXPECT_EQ(kill(broker, SIGHUP), 0);
    const auto& link = box.endpoints().at("mqtt");
    const std::string command = "exec mosquitto_sub -V 5 -h 127.0.0.1 -p " +
                                std::to_string(link.at("port").get<int>()) + " --cafile " + quoted(link.at("ca")) +
                                " --cert " + quoted(link.at("cert")) + " --key " + quoted(link.at("key")) +
                                " -F '%t %P %C %R %D %p' -t '#' >" + quoted((own / "heard").string()) + " 2>&1";
    listener_ = start_shell(command);
    EXPECT_TRUE(eventually([this] { return heard().find("/state") != std::string::npos; }));
}

std::string Room::heard() const {
    std::error_code absent;
    return std::filesystem::exists(own / "heard", absent) ? read_all(own / "heard") : std::string{};
}

std::string Room::traces() const {
    std::string all;
    for (const auto& one : collector.received()) {
        all += one.method + " " + one.path + "\n";
        for (const auto& [name, value] : one.headers) all += name + ": " + value + "\n";
        all += one.body + "\n";
    }
    return all;
}

void Room::control_ghl(const nlohmann::json& body) const {
    const auto said = run("curl --silent --fail --max-time 10 --cacert " + quoted(box.endpoints().at("console_ca")) +
                          " -X POST -d " + quoted(body.dump()) + " " + quoted(box.endpoints().at("ghl").at("faults")));
    EXPECT_EQ(said.exit, 0) << said.out;
}

void Room::seed_ghl(const nlohmann::json& contacts) const {
    std::string address = box.endpoints().at("ghl").at("faults");
    address.replace(address.rfind("/_faults"), std::string::npos, "/_seed");
    const auto file = own / "seed.json"; // too long for a command
    std::ofstream{file} << nlohmann::json{{"contacts", contacts}}.dump();
    const auto said =
        run("curl --silent --fail --max-time 10 --cacert " + e2e::quoted(box.endpoints().at("console_ca")) +
            " -X POST --data-binary @" + e2e::quoted(file.string()) + " " + e2e::quoted(address));
    EXPECT_EQ(said.exit, 0) << said.out;
    std::filesystem::remove(file);
}

bool Room::settled() const {
    const auto status = box.status();
    return status.contains("egress") && status["egress"]["crm"]["pending"] == 0 &&
           status["egress"]["crm"]["leased"] == 0;
}

bool Room::is_up() const {
    const auto status = box.status();
    return status.value("mode", "") == "running" && status.contains("lanes") &&
           status["lanes"]["crm"]["state"] == "up" && status["lanes"]["mqtt"]["state"] == "up";
}

bool Room::signal_program(const std::string& name, int signal) const {
    const auto before = box.pids(name);
    if (before.size() != 1 || kill(before.front(), signal) != 0) return false;
    return eventually([&] {
        const auto now = box.pids(name);
        return now.size() == 1 && now != before;
    });
}

void Room::look_at_what_left() {
    places.look_at_requests("GHL's record", read_all(box.endpoints().at("ghl").at("requests").get<std::string>()));
    places.look("bytes to GHL", ghl->outward());
    places.look("bytes to the broker", mqtt->outward());
    places.look("bytes from the broker", mqtt->inward());
    // Nobody but the test's own attacker writes downward.
    std::istringstream lines{heard()};
    std::string upward;
    for (std::string line; std::getline(lines, line);)
        if (!line.starts_with("clinic/demo-1/down/")) upward += line + "\n";
    places.look("what the broker gave on", upward);
    places.look("traces", traces());
    places.look("the wire", tap.bytes());
}

void Room::look_everywhere() {
    look_at_what_left();
    places.look_at_processes();
    places.look_at_files();
}

} // namespace clinic::e2e
