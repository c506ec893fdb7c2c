#include "provisioning/erase_command.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "provisioning/answers.h"
#include "provisioning/record_number.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

using Clock = std::chrono::steady_clock;    // the machine's date may be set meanwhile
constexpr std::chrono::seconds ghl_max{90}; // a look-up that waits out GHL's index takes a minute

std::optional<json> person(const Call& call) {
    json args{{"pid", call.value("--pid")}, {"reason", call.value("--reason")}};
    if (!call.has("--patient")) return args;
    const auto number = read_record_number("erase");
    if (!number) return std::nullopt;
    args["number"] = *number;
    return args;
}

std::string view(const json& look) {
    const auto& last = look.at("last_visit");
    const auto merged = look.at("merged").get<std::int64_t>();
    return "A person known since " + look.at("since").get<std::string>().substr(0, 10) + ", " +
           std::to_string(look.at("visits").get<std::int64_t>()) + " visits, " +
           std::to_string(look.at("appointments").get<std::int64_t>()) + " appointments" +
           (last.is_string() ? ", last here on " + last.get<std::string>().substr(0, 10) : std::string{}) + ".\n" +
           (merged == 0 ? std::string{}
                        : "The records of " + std::to_string(merged) + " more were merged into theirs, and go too.\n") +
           "Erased is for good: no backup and no key brings the records back. What the law makes the clinic keep,\n"
           "or a court has asked to be kept, the box does not know. Take them out of the practice system first: its\n"
           "next message about them makes a new person here.\n";
}

bool is_confirmed() {
    std::fputs("Type erase to go on: ", stderr);
    std::string typed;
    return std::getline(std::cin, typed) && typed == "erase";
}

// Until GHL is empty of them, for as long as that is worth waiting.
int erase(const Client& client, json args) {
    for (const auto until = Clock::now() + ghl_max;;) {
        const auto answer = client.ask("erase", args);
        if (!answer) return failed;
        const json& said = (*answer)["data"];
        if (said.at("state") == "erased") {
            std::puts(said.at("left_in_ghl").get<bool>()
                          ? "Erased. What GHL holds of them stays there: delete it by hand."
                          : "Erased. GHL holds nothing of them that the box sent.");
            return 0;
        }
        if (!args.contains("again"))
            std::puts("What GHL holds of them is taken back first. This waits for its answer.");
        args["again"] = true;
        if (Clock::now() > until) break;
        std::fflush(stdout);
        const timespec second{1, 0};
        nanosleep(&second, nullptr);
    }
    std::fputs(
        "clinicctl: erase: GHL has not answered yet, and nobody was erased; when clinicctl status says that GHL is "
        "up to date: the same command again\n",
        stderr);
    return 1;
}

} // namespace

int erase_person(const Call& call, const Client& client) {
    auto args = person(call);
    if (!args) return failed;
    const auto look = client.ask("erase-look", *args);
    if (!look) return failed;
    std::fputs(view((*look)["data"]).c_str(), stdout);
    std::fflush(stdout);
    if (!is_confirmed()) {
        std::fputs("clinicctl: erase: nobody was erased: the word was not typed\n", stderr);
        return failed;
    }
    (*args)["word"] = "erase";
    (*args)["leave_in_ghl"] = call.has("--leave-in-ghl");
    return erase(client, std::move(*args));
}

} // namespace clinic::provisioning
