#include "tests/e2e/box.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr std::size_t command_line_bytes_max = 1U << 20;

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string{c};
    return out + "'";
}

std::string stamp(std::time_t at) {
    std::tm parts{};
    gmtime_r(&at, &parts);
    char text[24];
    return {text, std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts)};
}

std::string person(const std::string& number, const std::string& family, const std::string& given) {
    return "PID|1||" + number + "^^^CLINIC^MR||" + family + "^" + given +
           "||19800102|F|||12 Elm Street^^Salem^OR^97301||^PRN^CP^^^503^555" + "0199\r";
}

} // namespace

Ran run(const std::string& command) {
    Ran ran;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    std::array<char, 8'192> part{};
    while (const std::size_t got = fread(part.data(), 1, part.size(), pipe)) ran.out.append(part.data(), got);
    const int status = pclose(pipe);
    ran.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

namespace {

bool is_free(int port) {
    const base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int yes = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); // as the supervisor does
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(static_cast<unsigned short>(port));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0;
}

} // namespace

bool eventually(const std::function<bool()>& holds, int seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{50}); // between two looks at the condition
    }
    return true;
}

int free_port_base() {
    constexpr int first = 28'000, ports = 10, rows = 400;
    for (int row = 0; row < rows; ++row) {
        const int base = first + (static_cast<int>(getpid()) + row) % rows * ports;
        bool free = true;
        for (int port = base; port < base + ports; ++port) free = free && is_free(port);
        if (free) return base;
    }
    throw std::runtime_error{"no ten ports in a row are free"};
}

Box::Box(int port_base) : port_base_{port_base} {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0711});
    try {
        start();
    } catch (...) {
        stop();
        throw;
    }
}

Box::~Box() {
    stop();
}

void Box::start() {
    const auto tried = run(std::string{CLINIC_SOURCE_DIR} + "/packaging/try --empty --detach --dir " +
                           quoted(folder().string()) + " --port-base " + std::to_string(port_base_));
    if (tried.exit != 0) throw std::runtime_error{"the box did not start: " + tried.out};
    std::ifstream in{folder() / "endpoints.json"};
    endpoints_ = json::parse(in);
}

void Box::stop() {
    run(std::string{CLINIC_SOURCE_DIR} + "/packaging/try stop --dir " + quoted(folder().string()));
}

std::string Box::send(const std::string& message) const {
    const base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval patience{20, 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<unsigned short>(port_base_ + 2));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string frame = "\x0b" + message + "\x1c\r";
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) != 0 ||
        ::send(socket.get(), frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
        return "";
    std::string answer;
    std::array<char, 4'096> part{};
    while (answer.find('\x1c') == std::string::npos) {
        const ssize_t got = recv(socket.get(), part.data(), part.size(), 0);
        if (got <= 0) break;
        answer.append(part.data(), static_cast<std::size_t>(got));
    }
    return answer;
}

Ran Box::ctl(const std::string& words) const {
    std::string command;
    for (const auto& one : endpoints_.at("clinicctl")) command += quoted(one.get<std::string>()) + " ";
    return run(command + words);
}

Ran Box::ctl_with_file(const std::string& words, const std::string& text) const {
    const auto file = folder() / "to-clinicctl";
    std::ofstream{file} << text;
    std::string with = words;
    with.replace(with.find("{}"), 2, quoted(file.string()));
    return ctl(with);
}

std::string Box::page(const std::string& path) const {
    return run("curl --silent --include --max-time 10 --cacert " +
               quoted(endpoints_.at("console_ca").get<std::string>()) + " " +
               quoted(endpoints_.at("console").get<std::string>() + path))
        .out;
}

json Box::status() const {
    const std::string answer = page("/api/v1/status");
    const auto body = answer.find("\r\n\r\n");
    return body == std::string::npos ? json::object() : json::parse(answer.substr(body + 4), nullptr, false);
}

json Box::ghl() const {
    return json::parse(run("curl --silent --max-time 10 --cacert " +
                           quoted(endpoints_.at("console_ca").get<std::string>()) + " " +
                           quoted(endpoints_.at("ghl").at("state").get<std::string>()))
                           .out,
                       nullptr, false);
}

void Box::fault(const std::string& name, int count) const {
    const json body{{"fault", name}, {"count", count}};
    run("curl --silent --max-time 10 --cacert " + quoted(endpoints_.at("console_ca").get<std::string>()) +
        " -X POST -d " + quoted(body.dump()) + " " + quoted(endpoints_.at("ghl").at("faults").get<std::string>()));
}

std::vector<json> Box::requests() const {
    std::ifstream in{endpoints_.at("ghl").at("requests").get<std::string>()};
    std::vector<json> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
    return lines;
}

std::string Box::mqtt(const std::string& topic, int messages) const {
    const auto& link = endpoints_.at("mqtt");
    return run("mosquitto_sub -V 5 -h 127.0.0.1 -p " + std::to_string(link.at("port").get<int>()) + " --cafile " +
               quoted(link.at("ca").get<std::string>()) + " --cert " + quoted(link.at("cert").get<std::string>()) +
               " --key " + quoted(link.at("key").get<std::string>()) + " -W 20 -C " + std::to_string(messages) +
               " -v -t " + quoted(topic))
        .out;
}

std::vector<json> Box::contacts() const {
    std::vector<json> ours;
    for (const auto& contact : ghl().value("contacts", json::array()))
        if (contact.value("firstName", std::string{}).rfind("p_", 0) == 0) ours.push_back(contact);
    return ours;
}

std::vector<std::string> processes_of(const std::filesystem::path& folder) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        auto text = base::read_text(entry.path() / "cmdline", command_line_bytes_max);
        if (!text) continue; // it has ended meanwhile
        std::string line = std::move(text).value();
        for (char& c : line)
            if (c == '\0') c = ' ';
        if (line.find(folder.string() + "/") != std::string::npos)
            found.push_back(entry.path().filename().string() + " " + line);
    }
    return found;
}

std::vector<std::string> Box::processes() const {
    return processes_of(folder());
}

std::vector<pid_t> Box::pids(const std::string& name) const {
    std::vector<pid_t> found;
    for (const auto& one : processes()) {
        const auto command = one.substr(one.find(' ') + 1);
        const auto program = command.substr(0, command.find(' '));
        if (program.substr(program.rfind('/') + 1) == name) found.push_back(static_cast<pid_t>(std::stol(one)));
    }
    return found;
}

bool Box::start_again() {
    const std::string here = folder().string();
    run("setsid " + quoted(here + "/bin/clinic-supervise") + " " + quoted(here + "/etc/plan.json") + " </dev/null >>" +
        quoted(here + "/logs/supervise.log") + " 2>&1 & sleep 0");
    return eventually([this] { return status().contains("egress"); }, 60);
}

bool Box::kill_program(const std::string& name) const {
    for (const auto& one : processes()) {
        if (one.find("/bin/" + name + " ") == std::string::npos) continue;
        return kill(static_cast<pid_t>(std::stol(one)), SIGKILL) == 0;
    }
    return false;
}

std::string adt(const std::string& event, const std::string& control, const std::string& number,
                const std::string& family, const std::string& given) {
    const std::string now = stamp(std::time(nullptr));
    return "MSH|^~\\&|PMS|CLINIC|BOX|EDGE|" + now + "+0000||ADT^" + event + "|" + control + "|P|2.5.1\rEVN|" + event +
           "|" + now + "+0000\r" + person(number, family, given);
}

std::string siu(const std::string& event, const std::string& control, const std::string& number,
                const std::string& family, const std::string& given, const std::string& appointment, long seconds_ahead,
                const std::string& status) {
    const std::time_t now = std::time(nullptr);
    const std::string when = stamp(now + seconds_ahead) + "+0000";
    return "MSH|^~\\&|PMS|CLINIC|BOX|EDGE|" + stamp(now) + "+0000||SIU^" + event + "|" + control + "|P|2.5.1\rSCH|P" +
           appointment + "|F" + appointment + "|||||CHECKUP|||30|min|^^30^" + when + "|||||||||||||" + status + "\r" +
           person(number, family, given) + "RGS|1\rAIS|1||VISIT|" + when + "\r";
}

} // namespace clinic::e2e
