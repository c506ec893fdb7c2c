#include "provisioning/box_commands.h"

#include <charconv>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "provisioning/advice_view.h"
#include "provisioning/answers.h"
#include "provisioning/containment_look.h"
#include "provisioning/containment_view.h"
#include "provisioning/status_view.h"
#include "provisioning/time_service.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr std::size_t file_bytes_max = 64 * 1'048'576;

std::optional<std::string> read_file(const std::string& path) {
    auto text = base::read_text(path, file_bytes_max);
    if (text) return std::move(text).value();
    // Its name may be a patient's, and a terminal's output is kept here and there.
    std::fprintf(stderr, "clinicctl: the file that was given: %s\n", text.error().what.c_str());
    return std::nullopt;
}

std::optional<std::int64_t> number(const std::string& word) {
    std::int64_t value = 0;
    const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (wrong != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return value;
}

std::string view_clock(const json& clock) {
    const auto yes = [&](const char* key) { return clock.at(key).get<bool>() ? "yes\n" : "no\n"; };
    const auto& keeper = clock.at("time_service");
    std::string text = std::string{"Trusted by clinicd:     "} + yes("trusted");
    if (keeper.is_null()) return text + "The machine's keeper:   not known\n";
    text += std::string{"A time service is on:   "} + (keeper.at("wanted").get<bool>() ? "yes\n" : "no\n");
    text += std::string{"It keeps the clock:     "} + (keeper.at("synchronised").get<bool>() ? "yes\n" : "no\n");
    const auto& server = keeper.at("server");
    return text + "By the server:          " + (server.is_null() ? "not known" : server.get<std::string>()) + "\n";
}

} // namespace

int status(const Call& call, const Client& client) {
    for (;;) {
        const auto answer = client.ask("status", json::object());
        const bool watch = call.has("--watch"); // goes on: a clinicd that is started again is what one watches for
        if (!answer && !watch) return failed;
        if (answer && call.has("--json"))
            print_json((*answer)["data"]);
        else if (answer)
            std::fputs(view((*answer)["data"], watch).c_str(), stdout);
        if (!watch) return exit_of(*answer);
        std::fflush(stdout);
        const timespec second{1, 0};
        nanosleep(&second, nullptr);
    }
}

int import_file(const Call& call, const Client& client) {
    const auto text = read_file(call.words[2]);
    if (!text) return failed;
    const auto answer = client.ask("import", {{"kind", call.words[1]}}, text);
    if (!answer) return failed;
    show(call, (*answer)["data"], view_import);
    return exit_of(*answer);
}

int basis_set(const Call& call, const Client& client) {
    std::optional<std::string> evidence{""};
    if (call.has("--evidence")) evidence = read_file(call.value("--evidence"));
    if (!evidence) return failed;
    json args{{"mode", call.words[2]}};
    if (call.has("--expires")) args["expires"] = call.value("--expires");
    const auto answer = client.ask("basis-set", args, evidence);
    if (!answer) return failed;
    std::fputs(view_basis((*answer)["data"]).c_str(), stdout);
    return exit_of(*answer);
}

int basis_show(const Call& call, const Client& client) {
    const auto answer = client.ask("basis-show", json::object());
    if (!answer) return failed;
    show(call, (*answer)["data"], view_basis);
    return exit_of(*answer);
}

int containment(const Call& call, const Client& client) {
    const auto answer = client.ask("containment", json::object());
    if (!answer) return failed;
    const json report = look_at_containment((*answer)["data"], client.socket());
    show(call, report, view_containment);
    return report.at("holds").get<bool>() ? 0 : 1;
}

// Turn by turn to the link that was the newest when it began.
int export_audit(const Call& call, const Client& client) {
    const auto after = number(call.has("--after") ? call.value("--after") : "0");
    if (!after) {
        std::fputs("clinicctl: audit export: --after takes the number of a link\n", stderr);
        return failed;
    }
    json args{{"after", *after}};
    do {
        const auto answer = client.ask("audit-export", args);
        if (!answer) return failed;
        const json& page = (*answer)["data"];
        if (!args.contains("until")) print_json({{"store", page.at("store")}, {"after", *after}});
        for (const json& link : page.at("links")) print_json(link);
        args = {{"after", page.at("next")}, {"until", page.at("until")}};
    } while (args["after"].is_number_integer());
    return 0;
}

int store_advise(const Call& call, const Client& client) {
    const auto answer = client.ask("store-advise", {{"all", call.has("--all")}});
    if (!answer) return failed;
    show(call, (*answer)["data"], view_advice);
    return exit_of(*answer);
}

// clinicd's trust, and beside it what systemd says: the one is decided by more than the other.
int clock_show(const Call& call, const Client& client) {
    const auto answer = client.ask("status", json::object());
    if (!answer) return failed;
    json clock = (*answer)["data"]["clock"];
    clock["time_service"] = nullptr;
    if (const auto service = time_service())
        clock["time_service"] = {{"wanted", service->wanted},
                                 {"synchronised", service->synchronised},
                                 {"server", service->server.empty() ? json{} : json(service->server)}};
    else
        std::fprintf(stderr, "clinicctl: %s; %s\n", service.error().what.c_str(), service.error().remedy.c_str());
    show(call, clock, view_clock);
    return clock.at("trusted").get<bool>() ? 0 : 1;
}

} // namespace clinic::provisioning
