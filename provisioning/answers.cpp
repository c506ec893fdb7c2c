#include "provisioning/answers.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::provisioning {

using nlohmann::json;

int exit_of(const json& answer) {
    return answer.value("exit", failed);
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
