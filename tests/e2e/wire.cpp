#include "tests/e2e/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>

namespace clinic::e2e {

base::UniqueFd tcp(int port, const char* from) {
    base::UniqueFd fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in here{};
    here.sin_family = AF_INET;
    inet_pton(AF_INET, from, &here.sin_addr);
    sockaddr_in there = here;
    inet_pton(AF_INET, "127.0.0.1", &there.sin_addr);
    there.sin_port = htons(static_cast<std::uint16_t>(port));
    if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
        connect(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0)
        return {};
    return fd;
}

// The other side knows who asks by the effective user at this moment.
base::UniqueFd unix_socket(const std::filesystem::path& path, int type, unsigned effective_user) {
    base::UniqueFd fd{socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    sockaddr_un there{};
    there.sun_family = AF_UNIX;
    std::strncpy(there.sun_path, path.c_str(), sizeof there.sun_path - 1);
    const uid_t us = geteuid();
    if (seteuid(effective_user) != 0) return {};
    const int connected = connect(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there);
    if (seteuid(us) != 0 || connected != 0) return {};
    return fd;
}

bool send_all(const base::UniqueFd& socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

Heard hear(const base::UniqueFd& socket, int seconds, std::string_view until) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
    Heard heard;
    while (until.empty() || heard.bytes.find(until) == std::string::npos) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
        pollfd ready{socket.get(), POLLIN, 0};
        if (left <= 0 || poll(&ready, 1, static_cast<int>(left)) <= 0) return heard;
        char part[65'536];
        const ssize_t got = recv(socket.get(), part, sizeof part, 0);
        if (got <= 0) {
            heard.ended = true;
            return heard;
        }
        heard.bytes.append(part, static_cast<std::size_t>(got));
    }
    return heard;
}

Footprint footprint(int process) {
    Footprint held;
    const std::filesystem::path folder = "/proc/" + std::to_string(process);
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator{folder / "fd", gone}) {
        static_cast<void>(entry);
        ++held.descriptors;
    }
    std::ifstream in{folder / "status"};
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("VmRSS:"))
            held.resident_kib = std::strtol(line.c_str() + 6, nullptr, 10);
        else if (line.starts_with("VmData:"))
            held.writable_kib = std::strtol(line.c_str() + 7, nullptr, 10);
    return held;
}

int process_of(const Box& box, const std::string& program) {
    for (const auto& one : box.processes())
        if (one.find("/bin/" + program + " ") != std::string::npos) return std::stoi(one);
    return 0;
}

std::string mllp_frame(std::string_view message) {
    return "\x0b" + std::string{message} + "\x1c\r";
}

std::string acknowledgement(const std::string& answer) {
    constexpr std::string_view begins = "\rMSA|";
    const auto at = answer.find(begins);
    return at == std::string::npos ? std::string{} : answer.substr(at + begins.size(), 2);
}

} // namespace clinic::e2e
