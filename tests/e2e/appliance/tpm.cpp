#include "tests/e2e/appliance/tpm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace clinic::e2e {
namespace {

constexpr unsigned short data_port = 24'321, control_port = 24'322; // the second follows the first: the library's rule
constexpr std::size_t head_bytes = 10, control_bytes = 5, message_bytes_max = 4'096;
constexpr int tick_ms = 20;
constexpr std::chrono::milliseconds turn_is_over{300}; // nothing was asked for so long: a user asks without a pause

// Of the TPM 2.0 library, part 2: commands and response codes, as they stand in a message's bytes 6 to 10.
constexpr unsigned start_session = 0x176, create_primary = 0x131, load = 0x157, flush = 0x165;

base::UniqueFd listen_at(unsigned short port) {
    base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int yes = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in here{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero{}};
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 || listen(socket.get(), 16) != 0)
        throw std::runtime_error{"the TPM's port cannot be had"};
    return socket;
}

unsigned number(const std::vector<unsigned char>& from, std::size_t at) {
    unsigned value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | from.at(i);
    return value;
}

bool read_whole(int from, std::vector<unsigned char>& into, std::size_t bytes) {
    while (into.size() < bytes) {
        unsigned char part[message_bytes_max];
        const auto got = read(from, part, std::min(bytes - into.size(), sizeof part));
        if (got <= 0) return false;
        into.insert(into.end(), part, part + got);
    }
    return true;
}

// A command or a response: its head says how long it is. Empty: the other side is gone.
std::vector<unsigned char> read_message(int from) {
    std::vector<unsigned char> message;
    if (!read_whole(from, message, head_bytes)) return {};
    const std::size_t size = number(message, 2);
    if (size < head_bytes || size > message_bytes_max || !read_whole(from, message, size)) return {};
    return message;
}

bool write_whole(int to, const std::vector<unsigned char>& message) {
    return send(to, message.data(), message.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(message.size());
}

} // namespace

std::string EmulatedTpm::for_systemd() {
    return "SYSTEMD_TPM2_DEVICE=swtpm:host=127.0.0.1,port=" + std::to_string(data_port);
}

void EmulatedTpm::start() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error{"no socket pair"};
    tpm_ = base::UniqueFd{ends[0]};
    const base::UniqueFd its{ends[1]};
    const std::string state = "dir=" + folder_.path().string();
    std::string words[] = {"setpriv",    "--pdeathsig", "KILL", "swtpm",   "socket",
                           "--tpm2",     "--fd",        "3",    "--flags", "not-need-init,startup-clear",
                           "--tpmstate", state};
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, its.get(), 3);
    const int failed = posix_spawnp(&program_, "setpriv", &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) throw std::runtime_error{"swtpm cannot be started"};
}

void EmulatedTpm::plug_in() {
    start();
    data_ = listen_at(data_port);
    control_ = listen_at(control_port);
    thread_ = std::jthread{[this](const std::stop_token& stop) { serve(stop); }};
}

void EmulatedTpm::take_out() {
    if (program_ < 0) return;
    thread_ = {};
    for (auto* end : {&data_, &control_, &tpm_}) *end = base::UniqueFd{};
    kill(program_, SIGTERM);
    waitpid(program_, nullptr, 0);
    program_ = -1;
    left_.clear();
}

void EmulatedTpm::clear() {
    for (const auto& file : std::filesystem::directory_iterator{folder_.path()}) std::filesystem::remove_all(file);
}

// Of the control port one word is used, with which each user begins: the answer, that it is done, is its turn.
void EmulatedTpm::serve(const std::stop_token& stop) {
    std::vector<base::UniqueFd> users, waiting;
    while (!stop.stop_requested()) {
        std::vector<pollfd> all{{data_.get(), POLLIN, 0}, {control_.get(), POLLIN, 0}};
        for (const auto& one : users) all.push_back({one.get(), POLLIN, 0});
        poll(all.data(), all.size(), tick_ms);
        const auto woken = [&](const base::UniqueFd& one) {
            return std::any_of(all.begin(), all.end(),
                               [&](const pollfd& each) { return each.fd == one.get() && each.revents != 0; });
        };
        std::erase_if(users, [&](const base::UniqueFd& one) { return woken(one) && !answer(one.get()); });
        if (all[0].revents != 0) users.emplace_back(accept4(data_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (all[1].revents != 0) waiting.emplace_back(accept4(control_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!waiting.empty() && std::chrono::steady_clock::now() >= used_ + turn_is_over) {
            take_away_what_was_left();
            Bytes word;
            if (read_whole(waiting.front().get(), word, control_bytes)) write_whole(waiting.front().get(), Bytes(4));
            waiting.erase(waiting.begin());
        }
    }
}

bool EmulatedTpm::answer(int connection) {
    const auto command = read_message(connection);
    if (command.empty()) return false;
    const auto response = ask(command);
    const unsigned what = number(command, 6);
    used_ = std::chrono::steady_clock::now();
    if (response.empty()) return false;
    const auto handle = [](const Bytes& in) { return Bytes(in.begin() + head_bytes, in.begin() + head_bytes + 4); };
    if (number(response, 6) == 0) {
        if (what == start_session || what == create_primary || what == load) left_.push_back(handle(response));
        if (what == flush) std::erase(left_, handle(command));
    }
    return write_whole(connection, response);
}

EmulatedTpm::Bytes EmulatedTpm::ask(const Bytes& command) {
    return write_whole(tpm_.get(), command) ? read_message(tpm_.get()) : Bytes{};
}

void EmulatedTpm::take_away_what_was_left() {
    used_ = std::chrono::steady_clock::now();
    for (const auto& one : std::exchange(left_, {})) {
        Bytes command{0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65};
        command.insert(command.end(), one.begin(), one.end());
        ask(command);
    }
}

} // namespace clinic::e2e
