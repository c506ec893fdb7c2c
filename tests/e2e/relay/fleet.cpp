#include "tests/e2e/relay/fleet.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cassert>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/emulator/fields.h"
#include "tests/emulator/https_client.h"

namespace clinic::relay {
namespace {

using nlohmann::json;

std::uint64_t ticks_of(pid_t process) { // utime and stime: the 14th and 15th of /proc/N/stat
    std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    std::istringstream rest{text.substr(text.rfind(')') + 2)};
    std::string skipped;
    for (int i = 3; i < 14; ++i) rest >> skipped;
    std::uint64_t user = 0, kernel = 0;
    rest >> user >> kernel;
    return user + kernel;
}

double seconds_of(pid_t process) {
    return static_cast<double>(ticks_of(process)) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::int64_t resident_kib(pid_t process) {
    std::ifstream file{"/proc/" + std::to_string(process) + "/status"};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
    return 0;
}

json configuration(const std::string& name, int port, const support::Leaf& door, const support::Leaf& relay,
                   const support::Authority& authority, int broker, const std::string& key) {
    const json fields{{"pid", emulator::field_ce_pid},
                      {"stage", emulator::field_ce_stage},
                      {"last", emulator::field_ce_last},
                      {"next", emulator::field_ce_next},
                      {"appt_status", emulator::field_ce_appt_status},
                      {"appt_when", emulator::field_ce_appt_when}};
    return {
        {"name", name},
        {"listen", {{"address", "127.0.0.1"}, {"port", port}}},
        {"certificate", door.cert},
        {"key", door.key},
        {"app", app},
        {"signature", {{"key", key}}},
        {"locations", {{location, {{"box", box}, {"fields", fields}}}}},
        {"mqtt",
         {{"host", "127.0.0.1"}, {"port", broker}, {"ca", authority.pem()}, {"cert", relay.cert}, {"key", relay.key}}}};
}

} // namespace

Fleet::Fleet(const std::filesystem::path& folder, const support::Authority& authority, const mqtt::Mosquitto& broker,
             const emulator::WebhookKey& key, int relays)
    : folder_{folder}, authority_{authority} {
    const auto door = authority.issue("door", "IP:127.0.0.1"), relay = authority.issue("relay", "");
    for (int i = 0; i < relays; ++i) {
        const std::string name = "r" + std::to_string(i + 1);
        One one{.config = folder / (name + ".json"), .port = mqtt::free_port()};
        std::ofstream{one.config}
            << configuration(name, one.port, door, relay, authority, broker.port(), key.public_key()).dump();
        all_.push_back(one);
    }
    for (auto& one : all_) start(one);
}

void Fleet::start(One& one) const {
    std::string program = CLINIC_RELAY, option = "--config", file = one.config.string();
    char* arguments[] = {program.data(), option.data(), file.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const auto log = one.config.string() + ".log";
    for (const int end : {STDOUT_FILENO, STDERR_FILENO})
        posix_spawn_file_actions_addopen(&actions, end, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    [[maybe_unused]] const int spawned =
        posix_spawn(&one.process, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    assert(spawned == 0);
}

Fleet::~Fleet() {
    for (auto& one : all_) {
        if (one.process < 0) continue;
        ::kill(one.process, SIGKILL);
        waitpid(one.process, nullptr, 0);
    }
}

std::vector<int> Fleet::ports() const {
    std::vector<int> out;
    for (const auto& one : all_) out.push_back(one.port);
    return out;
}

bool Fleet::well(std::size_t which) const {
    emulator::HttpsClient client{all_.at(which).port, authority_.pem(), std::chrono::seconds{1}};
    return client.get("/health").status == 200;
}

void Fleet::kill(std::size_t which) {
    auto& one = all_.at(which);
    one.spent_s += seconds_of(one.process);
    ::kill(one.process, SIGKILL);
    waitpid(one.process, nullptr, 0);
    start(one);
}

int Fleet::stop(std::size_t which) {
    auto& one = all_.at(which);
    ::kill(one.process, SIGTERM);
    int status = -1;
    waitpid(one.process, &status, 0);
    one.process = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::filesystem::path Fleet::log(std::size_t which) const {
    return all_.at(which).config.string() + ".log";
}

Fleet::Use Fleet::use() const {
    Use out;
    for (const auto& one : all_) {
        out.processor_s += one.spent_s + (one.process > 0 ? seconds_of(one.process) : 0);
        if (one.process > 0) out.resident_kib = std::max(out.resident_kib, resident_kib(one.process));
    }
    return out;
}

} // namespace clinic::relay
