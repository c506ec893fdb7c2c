#include "provisioning/message_commands.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "provisioning/answers.h"
#include "provisioning/message_view.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

// The options of a feed as clinicd takes them; nullopt: a status word has no "=", and it was said.
std::optional<json> feed_of(const Call& call) {
    json feed{{"name", call.words[2]}};
    static constexpr std::pair<const char*, const char*> texts[] = {{"--certificate", "certificate"},
                                                                    {"--sender", "sender"},
                                                                    {"--character-set", "character_set"},
                                                                    {"--ack", "acknowledgement"},
                                                                    {"--preadmit", "preadmit"},
                                                                    {"--expect", "expect"},
                                                                    {"--hours", "hours"}};
    for (const auto& [option, key] : texts)
        if (call.has(option)) feed[key] = call.value(option);
    json addresses = json::array();
    for (const auto& address : call.values("--address"))
        if (address != "none") addresses.push_back(address);
    if (call.has("--address")) feed["addresses"] = std::move(addresses);
    for (const auto& said : call.values("--status-word")) {
        const auto equals = said.find('=');
        if (equals == std::string::npos) {
            std::fprintf(stderr, "clinicctl: --status-word is WORD=STATUS; WORD= takes it away\n");
            return std::nullopt;
        }
        const std::string status = said.substr(equals + 1);
        feed["status_words"][said.substr(0, equals)] = status.empty() ? json{} : json(status);
    }
    return feed;
}

int show_list(const Call& call, const Client& client, const char* command, const json& args,
              std::string (*view)(const json&)) {
    const auto answer = client.ask(command, args);
    if (!answer) return failed;
    show(call, (*answer)["data"], view);
    return exit_of(*answer);
}

// An answer holds so many as clinicd does in a moment, and says where to go on.
int settle(const Call& call, const Client& client, const char* command) {
    json args{{"all", true}, {"after", 0}, {"feed", call.value("--feed")}};
    if (call.words.size() == 3) {
        const auto id = positive_number(call.words[2]);
        if (!id) return failed;
        args = {{"id", *id}};
    } else if (!call.has("--all")) {
        std::fputs("clinicctl: say the number of an item, or --all\n", stderr);
        return failed;
    }
    args["reason"] = call.value("--reason");
    int exit = 0;
    do {
        const auto answer = client.ask(command, args);
        if (!answer) return failed;
        const json& data = (*answer)["data"];
        show(call, data, view_settled);
        exit = std::max(exit, exit_of(*answer));
        args["after"] = data.value("next", json{});
    } while (args["after"].is_number_integer());
    return exit;
}

} // namespace

int list_feeds(const Call& call, const Client& client) {
    return show_list(call, client, "feed-list", json::object(), view_feeds);
}

int keep_feed(const Call& call, const Client& client, const char* command) {
    const auto feed = feed_of(call);
    return feed ? plain(client, command, *feed) : failed;
}

int list_messages(const Call& call, const Client& client) {
    json args{{"feed", call.value("--feed")}, {"since", call.value("--since")}};
    return page(call, args) ? show_list(call, client, "messages-list", args, view_messages) : failed;
}

int list_audit(const Call& call, const Client& client) {
    json args = json::object();
    return page(call, args) ? show_list(call, client, "audit-list", args, view_audit) : failed;
}

int list_quarantine(const Call& call, const Client& client) {
    json args = json::object();
    return page(call, args) ? show_list(call, client, "quarantine-list", args, view_quarantine) : failed;
}

int show_message(const Call& call, const Client& client, const char* command) {
    const auto id = positive_number(call.words[2]);
    if (!id) return failed;
    const auto answer =
        client.ask(command, {{"id", *id}, {"reveal", call.has("--reveal")}, {"reason", call.value("--reason")}});
    if (!answer) return failed;
    show(call, (*answer)["data"], view_message);
    return exit_of(*answer);
}

int replay(const Call& call, const Client& client) {
    return settle(call, client, "quarantine-replay");
}

int discard(const Call& call, const Client& client) {
    return settle(call, client, "quarantine-discard");
}

} // namespace clinic::provisioning
