#include "provisioning/link_commands.h"

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "provisioning/answers.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

std::string text(const json& row, const char* key) {
    const auto found = row.find(key);
    return found != row.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string view_list(const json& data) {
    std::string out;
    for (const auto& one : data.at("choices"))
        out += "Contact " + text(one, "contact") + " may be " + std::to_string(one.at("may_be").get<std::int64_t>()) +
               " people's: clinicctl link show " + text(one, "contact") + "\n";
    for (const auto& one : data.at("conflicts"))
        out +=
            wrapped("Difference " + std::to_string(one.at("number").get<std::int64_t>()) + ", " + text(one, "field") +
                        " of " + text(one, "kind") + " " + text(one, "id") + ": the clinic has " + text(one, "ours") +
                        ", GHL has " + text(one, "theirs") + "; " + text(one, "owner") + ".",
                    2);
    return out.empty() ? "Nobody waits for a link, and nothing differs.\n" : out;
}

std::string view_link(const json& data) {
    std::string out = "Contact " + text(data, "contact") + ": " + text(data, "state") + "\n";
    for (const auto& one : data.at("patients")) {
        out += "  " + text(one, "patient");
        for (const char* key : {"family", "given", "birth_date"})
            if (one.contains(key)) out += "  " + text(one, key);
        out += "\n";
    }
    return out;
}

} // namespace

int list_links(const Call& call, const Client& client) {
    const auto answer = client.ask("link-list", json::object());
    if (!answer) return failed;
    show(call, (*answer)["data"], view_list);
    return exit_of(*answer);
}

int show_link(const Call& call, const Client& client) {
    json args{{"contact", call.words[2]}, {"reveal", call.has("--reveal")}};
    if (call.has("--reason")) args["reason"] = call.value("--reason");
    const auto answer = client.ask("link-show", args);
    if (!answer) return failed;
    show(call, (*answer)["data"], view_link);
    return exit_of(*answer);
}

int change_link(const Call& call, const Client& client) {
    const std::string& what = call.words[1];
    json args{{"reason", call.value("--reason")}};
    if (what == "unset") {
        args["patient"] = call.words[2];
    } else if (what == "settle") {
        std::int64_t number = 0;
        const auto& word = call.words[2];
        const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), number);
        if (wrong != std::errc{} || end != word.data() + word.size()) {
            std::fputs("clinicctl: link settle: the number is one of `clinicctl link list`\n", stderr);
            return failed;
        }
        args["number"] = number;
        args["winner"] = call.words[3];
    } else {
        args["contact"] = call.words[2];
        args[what == "merge" ? "other" : "patient"] = call.words[3];
    }
    const std::string command = "link-" + what;
    const auto answer = client.ask(command.c_str(), args);
    if (!answer) return failed;
    std::fputs("Done, and noted in the audit chain.\n", stdout);
    return exit_of(*answer);
}

} // namespace clinic::provisioning
