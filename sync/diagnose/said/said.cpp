#include "sync/diagnose/said/said.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "crypto/base/json.h"
#include "crypto/base/owned.h"

namespace clinic::diagnose {
namespace {

using nlohmann::json;

constexpr std::array names{"not_tried",   "ok",    "timeout", "failed", "no_name",    "no_server", "refused",
                           "unreachable", "plain", "cut",     "issuer", "other_name", "expired",   "not_yet"};
static_assert(names.size() == static_cast<std::size_t>(Step::not_yet) + 1);
constexpr std::array states{"up", "paused", "down", ""};
constexpr std::size_t host_length_max = 256;
constexpr std::size_t code_length_max = 32;

std::optional<Step> step_of(const json& way, const char* key) {
    const auto found = way.find(key);
    if (found == way.end() || !found->is_string()) return std::nullopt;
    const auto* place = std::find(names.begin(), names.end(), found->get_ref<const std::string&>());
    if (place == names.end()) return std::nullopt;
    return static_cast<Step>(place - names.begin());
}

bool is_code(const std::string& text) {
    return text.size() <= code_length_max && std::all_of(text.begin(), text.end(), [](char c) {
               return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

json to_json(const Way& way) {
    return {{"configured", way.configured},
            {"host", way.host},
            {"port", way.port},
            {"dns", name(way.dns)},
            {"tcp", name(way.tcp)},
            {"tls", name(way.tls)},
            {"issuer", plain(way.issuer)},
            {"days_left", way.days_left},
            {"state", way.state},
            {"code", way.code}};
}

std::string text_of(const json& way, const char* key) {
    const auto found = way.find(key);
    return found != way.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<Way> way_of(const json& said, const char* key) {
    const auto found = said.find(key);
    if (found == said.end() || !found->is_object() || found->size() != 10) return std::nullopt;
    const auto dns = step_of(*found, "dns"), tcp = step_of(*found, "tcp"), tls = step_of(*found, "tls");
    const auto configured = found->value("configured", json{}), port = found->value("port", json{}),
               days = found->value("days_left", json{});
    Way way{.host = text_of(*found, "host"),
            .issuer = text_of(*found, "issuer"),
            .state = text_of(*found, "state"),
            .code = text_of(*found, "code")};
    const bool known = std::find(states.begin(), states.end(), way.state) != states.end();
    if (!dns || !tcp || !tls || !configured.is_boolean() || !port.is_number_unsigned() || !days.is_number_integer() ||
        !known || !is_code(way.code) || plain(way.issuer) != way.issuer || way.host.size() > host_length_max)
        return std::nullopt;
    way.configured = configured.get<bool>();
    way.port = port.get<std::uint16_t>();
    way.days_left = days.get<std::int64_t>();
    way.dns = *dns;
    way.tcp = *tcp;
    way.tls = *tls;
    return way;
}

Result<base::UniqueFd> dial(const std::string& path, int seconds_max) {
    base::UniqueFd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return Error{Errc::not_found, "the path of the socket is too long"};
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const timeval patience{seconds_max, 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
    if (errno == EACCES) return Error{Errc::unauthorized, "you may not speak to clinic-syncd", "", {}, errno};
    return Error{errno == EAGAIN ? Errc::timeout : Errc::not_found, "clinic-syncd does not listen", "", {}, errno};
}

} // namespace

const char* name(Step step) {
    return names[static_cast<std::size_t>(step)];
}

std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, issuer_length_max))
        out += c >= ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '?';
    return out;
}

std::string write(const Said& said) {
    return base::dump_json(
        {{"v", 1}, {"ghl", to_json(said.ghl)}, {"mqtt", to_json(said.mqtt)}, {"verdict", said.verdict}});
}

Result<Said> read(std::string_view text) {
    constexpr Error other{Errc::malformed, "clinic-syncd's answer is not understood",
                          "use the clinicctl of the same package"};
    const auto parsed = base::parse_json(text, answer_bytes_max, 3);
    if (!parsed || !parsed->is_object() || parsed->size() != 4 || parsed->value("v", json{}) != 1) return other;
    auto ghl = way_of(*parsed, "ghl"), mqtt = way_of(*parsed, "mqtt");
    const auto verdict = parsed->value("verdict", json{});
    if (!ghl || !mqtt || !verdict.is_boolean()) return other;
    return Said{std::move(*ghl), std::move(*mqtt), verdict.get<bool>()};
}

Result<std::string> put(const std::string& path, std::string_view asked, int seconds_max, std::size_t bytes_max) {
    const auto socket = dial(path, seconds_max);
    CLINIC_TRY(socket);
    std::string answer(bytes_max, '\0');
    if (send(socket->get(), asked.data(), asked.size(), MSG_NOSIGNAL) < 0)
        return Error{Errc::offline, "clinic-syncd hung up", "", {}, errno};
    const ssize_t got = recv(socket->get(), answer.data(), answer.size(), 0);
    if (got < 0 && errno == EAGAIN) return Error{Errc::timeout, "clinic-syncd does not answer in time"};
    if (got == 0) return Error{Errc::unauthorized, "clinic-syncd answers root alone"};
    if (got < 0) return Error{Errc::offline, "clinic-syncd hung up", "", {}, errno};
    answer.resize(static_cast<std::size_t>(got));
    return answer;
}

Result<Said> ask(const std::string& path, int seconds_max) {
    const auto answer = put(path, question, seconds_max);
    CLINIC_TRY(answer);
    return read(*answer);
}

} // namespace clinic::diagnose
