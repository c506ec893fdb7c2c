#include "provisioning/ghl_commands.h"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "provisioning/answers.h"
#include "sync/diagnose/said/grant_said.h"

namespace clinic::provisioning {
namespace {

using diagnose::GrantQuestion;
using diagnose::GrantSaid;
using nlohmann::json;

constexpr const char* usual_socket = "/run/clinic-edge/sync/ask.sock";
constexpr int patience_s = 30; // GHL is asked within

Result<GrantSaid> asked(const Call& call, const GrantQuestion& question) {
    return diagnose::ask_grant(call.has("--ask") ? call.value("--ask") : usual_socket, question, patience_s);
}

int refuse(const Error& why) {
    std::fprintf(stderr, "clinicctl: ghl: %s; %s\n", why.what.c_str(),
                 *why.remedy.c_str() != '\0' ? why.remedy.c_str() : "look at: systemctl status clinic-syncd");
    return failed;
}

json to_json(const GrantSaid& said) {
    json missing = json::array();
    for (const auto& [scope, feature] : said.missing) missing.push_back({{"scope", scope}, {"feature", feature}});
    json all{{"way", said.way}};
    if (said.way != "grant") return all;
    all["state"] = said.state;
    all["minutes_left"] = said.minutes_left;
    all["missing"] = missing;
    all["address"] = said.address;
    return all;
}

std::string span(std::int64_t minutes) {
    if (minutes < 120) return std::to_string(minutes) + " minutes";
    return std::to_string(minutes / 60) + " hours";
}

std::string view(const json& said) {
    if (said.at("way") == "none") return "GHL is not configured: see ghl in clinic-syncd.json.\n";
    if (said.at("way") == "token")
        return "GHL lets the box in by a private integration token. A new one: clinicctl ghl token\n"
               "While both are good: clinicctl ghl token --next. It is tried within five minutes, and takes over when\n"
               "it works.\n";
    const auto state = said.at("state").get<std::string>();
    std::string text = state == "works"     ? "GHL has authorized this box.\n"
                       : state == "untried" ? "GHL has authorized this box; no answer has come to it yet.\n"
                       : state == "dead"    ? "GHL takes this box's authorization no more. Authorize it again:\n"
                                            : "GHL has not authorized this box yet:\n";
    if (state == "none" || state == "dead")
        text += "  1. Open this address in a browser and choose the clinic's location:\n" +
                said.at("address").get<std::string>() +
                "\n  2. Copy the address that the browser ends at (the page itself need not open).\n"
                "  3. Give it to: clinicctl ghl authorize\n";
    else
        text += "Its token is renewed by itself; the one in use is good for " +
                span(said.at("minutes_left").get<std::int64_t>()) + ".\n";
    for (const auto& one : said.at("missing"))
        text += "The app lacks the scope " + one.at("scope").get<std::string>() + ", needed for " +
                one.at("feature").get<std::string>() + ".\n";
    return text;
}

// "https://…?code=abc&…" or the code alone.
std::string code_in(std::string text) {
    const auto mark = text.find("code=");
    if (mark != std::string::npos) text = text.substr(mark + 5);
    return text.substr(0, text.find_first_of("& \r\n"));
}

} // namespace

int show_grant(const Call& call, const Client&) {
    const auto said = asked(call, {});
    if (!said) return refuse(said.error());
    const json all = to_json(*said);
    show(call, all, view);
    const bool good =
        said->way == "token" || ((said->state == "works" || said->state == "untried") && said->missing.empty());
    return good ? 0 : 1;
}

int authorize_grant(const Call& call, const Client&) {
    std::string line;
    std::fputs("The address that the browser ended at, or its code: ", stderr);
    std::getline(std::cin, line);
    auto code = code_in(line);
    if (code.empty()) return refuse({Errc::malformed, "that holds no code", "it stands after code= in the address"});
    const auto said = asked(call, {std::move(code)});
    if (!said) return refuse(said.error());
    if (!said->why.empty()) {
        std::fprintf(stderr, "clinicctl: ghl: %s; %s\n", said->why.c_str(),
                     said->remedy.empty() ? "a code is for one use: open the address anew" : said->remedy.c_str());
        return failed;
    }
    std::fputs(view(to_json(*said)).c_str(), stdout);
    return said->missing.empty() ? 0 : 1;
}

} // namespace clinic::provisioning
