#include "provisioning/sync_commands.h"

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "provisioning/answers.h"
#include "provisioning/compare_view.h"
#include "provisioning/sync_view.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

int ask(const Call& call, const Client& client, const char* command, const json& args,
        std::string (*view)(const json&)) {
    const auto answer = client.ask(command, args);
    if (!answer) return failed;
    show(call, (*answer)["data"], view);
    return exit_of(*answer);
}

int settle_dead(const Call& call, const Client& client, const char* command) {
    json args{{"class", call.value("--class")}, {"all", call.has("--all")}, {"reason", call.value("--reason")}};
    if (call.words.size() == 4) {
        const auto letter = positive_number(call.words[3]);
        if (!letter) return failed;
        args["number"] = *letter;
    }
    return ask(call, client, command, args, view_dead_settled);
}

} // namespace

int sync_status(const Call& call, const Client& client) {
    return ask(call, client, "sync-status", json::object(), view_sync);
}

int sync_compare(const Call& call, const Client& client) {
    return ask(call, client, "sync-compare", {{"dry_run", call.has("--dry-run")}}, view_compare);
}

int sync_repair(const Call& call, const Client& client) {
    return ask(call, client, "sync-repair", {{"kind", call.value("--kind")}, {"dry_run", call.has("--dry-run")}},
               view_repair);
}

int list_dead(const Call& call, const Client& client) {
    json args{{"class", call.value("--class")}};
    return page(call, args) ? ask(call, client, "sync-dead-list", args, view_dead) : failed;
}

int show_dead(const Call& call, const Client& client) {
    const auto letter = positive_number(call.words[3]);
    return letter ? ask(call, client, "sync-dead-show", {{"number", *letter}}, view_letter) : failed;
}

int retry_dead(const Call& call, const Client& client) {
    return settle_dead(call, client, "sync-dead-retry");
}

int discard_dead(const Call& call, const Client& client) {
    return settle_dead(call, client, "sync-dead-discard");
}

} // namespace clinic::provisioning
