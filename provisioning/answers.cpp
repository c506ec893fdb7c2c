#include "provisioning/answers.h"

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::provisioning {

using nlohmann::json;

int exit_of(const json& answer) {
    return answer.value("exit", failed);
}

int refuse(const char* command, const Error& why) {
    const bool helps = *why.remedy.c_str() != '\0';
    std::fprintf(stderr, "clinicctl: %s: %s%s%s\n", command, why.what.c_str(), helps ? "; " : "", why.remedy.c_str());
    return failed;
}

void print_json(const json& value) {
    std::printf("%s\n", base::dump_json(value).c_str());
}

void show(const Call& call, const json& data, std::string (*view)(const json&)) {
    if (call.has("--json"))
        print_json(data);
    else
        std::fputs(view(data).c_str(), stdout);
}

std::optional<std::int64_t> positive_number(const std::string& text) {
    std::int64_t value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && at == text.data() + text.size() && value > 0) return value;
    std::fprintf(stderr, "clinicctl: a number is wanted in place of one of the words\n");
    return std::nullopt;
}

bool page(const Call& call, json& args) {
    for (const auto& [option, key] : {std::pair{"--limit", "limit"}, std::pair{"--before", "before"}}) {
        if (!call.has(option)) continue;
        const auto said = positive_number(call.value(option));
        if (!said) return false;
        args[key] = *said;
    }
    return true;
}

int plain(const Client& client, const char* command, const json& args) {
    const auto answer = client.ask(command, args);
    if (!answer) return failed;
    print_json((*answer)["data"]);
    return exit_of(*answer);
}

std::string wrapped(const std::string& text, std::size_t indent) {
    constexpr std::size_t columns = 80;
    std::string out;
    std::size_t used = indent;
    for (std::size_t from = 0; from < text.size();) {
        const auto space = std::min(text.find(' ', from), text.size());
        const auto length = space - from;
        if (used > indent && used + 1 + length > columns) {
            out += "\n" + std::string(indent, ' ');
            used = indent;
        }
        if (used > indent) out += " ", ++used;
        out += text.substr(from, length);
        used += length;
        from = space + 1;
    }
    return out + "\n";
}

} // namespace clinic::provisioning
