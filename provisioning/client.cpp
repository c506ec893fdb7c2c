#include "provisioning/client.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/control/wire/wire.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

void say_unreached(const std::filesystem::path& path, const Error& why) {
    const char* next = "is clinicd running? Look at: systemctl status clinicd";
    if (why.code == Errc::unauthorized) next = "you may not speak to it: run clinicctl as root or as an operator";
    if (why.code == Errc::malformed) next = why.what.c_str();
    std::fprintf(stderr, "clinicctl: clinicd cannot be reached at %s; %s\n", path.c_str(), next);
}

bool was_reached(const Error& why) {
    return why.code != Errc::not_found && why.code != Errc::unauthorized && why.code != Errc::malformed;
}

void say(const json& error) {
    const auto text = [&](const char* key) { return error.value(key, std::string{}); };
    std::fprintf(stderr, "clinicctl: %s", text("what").c_str());
    if (error.contains("line")) std::fprintf(stderr, " (line %d)", error.value("line", 0));
    if (error.contains("field")) std::fprintf(stderr, " (%d)", error.value("field", 0));
    if (!text("remedy").empty()) std::fprintf(stderr, "; %s", text("remedy").c_str());
    std::fprintf(stderr, " [%s]\n", text("code").c_str());
}

} // namespace

std::optional<json> Client::ask(std::string_view command, const json& args,
                                const std::optional<std::string>& body) const {
    return answer_of(control::ask(socket_, base::dump_json({{"v", 1}, {"command", command}, {"args", args}}), body));
}

std::optional<Client::Told> Client::ask_secretly(std::string_view command, const json& args,
                                                 const crypto::SecureBytes& secret) const {
    auto told =
        control::ask_secretly(socket_, base::dump_json({{"v", 1}, {"command", command}, {"args", args}}), secret);
    auto answer = answer_of(told ? Result<std::string>{std::move(told->text)} : Result<std::string>{told.error()});
    if (!answer) return std::nullopt;
    return Told{std::move(*answer), std::move(told->secret)};
}

std::optional<json> Client::answer_of(const Result<std::string>& text) const {
    if (!text && !was_reached(text.error())) {
        say_unreached(socket_, text.error());
        return std::nullopt;
    }
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

std::optional<json> Client::try_ask(std::string_view command, const json& args) const {
    const auto text =
        control::ask(socket_, base::dump_json({{"v", 1}, {"command", command}, {"args", args}}), std::nullopt);
    if (!text) return std::nullopt;
    auto answer = base::parse_json(*text, control::answer_bytes_max, 16);
    if (!answer || !answer->is_object() || !answer->value("ok", false)) return std::nullopt;
    return std::move(*answer)["data"];
}

} // namespace clinic::provisioning
