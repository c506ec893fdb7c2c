#include "provisioning/client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "crypto/base/owned.h"
#include "daemon/control/wire/wire.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

base::UniqueFd dial(const std::filesystem::path& path) {
    base::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) {
        std::fprintf(stderr, "clinicctl: the path of control.sock is too long\n");
        return {};
    }
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
    const char* why = errno == EACCES ? "you may not speak to it: run clinicctl as root or as an operator"
                                      : "is clinicd running? Look at: systemctl status clinicd";
    std::fprintf(stderr, "clinicctl: clinicd cannot be reached at %s; %s\n", path.c_str(), why);
    return {};
}

void say(const json& error) {
    const auto text = [&](const char* key) { return error.value(key, std::string{}); };
    std::fprintf(stderr, "clinicctl: %s", text("what").c_str());
    if (error.contains("line")) std::fprintf(stderr, " (line %d)", error.value("line", 0));
    if (!text("remedy").empty()) std::fprintf(stderr, "; %s", text("remedy").c_str());
    std::fprintf(stderr, " [%s]\n", text("code").c_str());
}

} // namespace

std::optional<json> Client::ask(std::string_view command, const json& args,
                                const std::optional<std::string>& body) const {
    const auto socket = dial(socket_);
    if (!socket) return std::nullopt;
    control::set_patience(socket.get());
    // A part that cannot be sent is no reason to stop: clinicd may have answered already.
    static_cast<void>(
        control::send_part(socket.get(), base::dump_json({{"v", 1}, {"command", command}, {"args", args}})));
    if (body) static_cast<void>(control::send_body(socket.get(), *body));
    const auto text = control::receive_part(socket.get(), control::answer_bytes_max);
    if (!text) {
        std::fprintf(stderr, "clinicctl: %s; ask again, and look at the log of clinicd if it goes on\n",
                     text.error().what.c_str());
        return std::nullopt;
    }
    auto answer = base::parse_json(*text, control::answer_bytes_max, 16);
    if (!answer || !answer->is_object()) {
        std::fprintf(stderr, "clinicctl: clinicd's answer is not understood; use the clinicctl of the same package\n");
        return std::nullopt;
    }
    if (!answer->value("ok", false)) {
        say((*answer)["error"]);
        return std::nullopt;
    }
    return std::move(answer).value();
}

} // namespace clinic::provisioning
