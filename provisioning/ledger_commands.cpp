#include "provisioning/ledger_commands.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "provisioning/answers.h"
#include "provisioning/record_number.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr std::int64_t lines_shown = 20, lines_shown_max = 500;
constexpr const char* both_states = "both states"; // of a line that served two envelopes

std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.is_null() ? std::string{"-"} : value.dump();
}

std::optional<json> search(const Call& call) {
    json args{{"day", call.value("--day")},
              {"kind", call.value("--kind")},
              {"destination", call.value("--destination")},
              {"pid", call.value("--pid")}};
    if (call.has("--after")) {
        const std::string text = call.value("--after");
        std::int64_t after = 0;
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), after);
        if (wrong != std::errc{} || end != text.data() + text.size() || after < 0) {
            std::fputs("clinicctl: ledger: --after takes the number of an attempt\n", stderr);
            return std::nullopt;
        }
        args["after"] = after;
    }
    if (!call.has("--patient")) return args;
    const auto number = read_record_number("ledger");
    if (!number) return std::nullopt;
    args["number"] = *number;
    return args;
}

void add(json& sum, const json& part) {
    if (sum.is_null()) sum = json::object();
    for (const auto& [key, value] : part.items()) {
        if (value.is_object())
            add(sum[key], value);
        else
            sum[key] = sum.value(key, std::int64_t{0}) + value.get<std::int64_t>();
    }
}

// A row of the preview: how many before, how many then.
std::string row(const std::string& what, const json& now, const json& then) {
    std::array<char, 160> line{};
    const auto count = [](const json& value) { return value.is_number_integer() ? value.get<long long>() : 0LL; };
    std::snprintf(line.data(), line.size(), "  %-44s %9lld %9lld\n", what.c_str(), count(now), count(then));
    return line.data();
}

json at(const json& all, const std::string& key) {
    const auto found = all.is_object() ? all.find(key) : all.end();
    return found != all.end() ? *found : json{};
}

std::set<std::string> keys_of(const json& one, const json& other) {
    std::set<std::string> keys;
    for (const json* all : {&one, &other})
        if (all->is_object())
            for (const auto& [key, value] : all->items()) keys.insert(key);
    return keys;
}

} // namespace

std::string view_ledger(const json& page) {
    std::string out;
    if (page.at("pid").is_string())
        out += "pid " + text_of(page.at("pid")) + ", contact " + text_of(page.at("contact")) + "\n";
    if (page.at("lines").empty()) return out + "nothing left the building\n";
    out += "   attempt  at                    to   kind              request         result     status\n";
    for (const json& one : page.at("lines")) {
        std::array<char, 256> line{};
        const auto requests = one.value("requests", 1LL);
        const std::string what = requests > 1                          ? std::to_string(requests) + " times"
                                 : one.value("also", json{}).is_null() ? text_of(one.at("kind"))
                                                                       : std::string{both_states};
        std::snprintf(line.data(), line.size(), "%10lld  %.19sZ  %-4s %-16s  %-14s  %-9s %7lld\n",
                      one.at("attempt").get<long long>(), text_of(one.at("at")).c_str(),
                      text_of(one.at("destination")).c_str(), what.c_str(), text_of(one.at("route")).c_str(),
                      text_of(one.at("result")).c_str(), one.at("status").get<long long>());
        out += line.data();
        std::string fields;
        if (one.at("fields").is_object())
            for (const auto& [key, value] : one.at("fields").items())
                fields += (fields.empty() ? "" : " ") + key + "=" + text_of(value);
        if (!fields.empty()) out += std::string(12, ' ') + wrapped(fields, 12);
    }
    if (page.at("next").is_number_integer())
        out += "more: --after " + std::to_string(page.at("next").get<std::int64_t>()) + "\n";
    return out;
}

// Pages are asked for until as many lines as wanted are there: of what is looked for there may be few among many.
int show_ledger(const Call& call, const Client& client) {
    auto args = search(call);
    if (!args) return failed;
    std::int64_t wanted = lines_shown;
    if (call.has("--limit")) {
        const auto limit = positive_number(call.value("--limit"));
        if (!limit) return failed;
        wanted = std::min(*limit, lines_shown_max);
    }
    json page{{"lines", json::array()}};
    do {
        (*args)["limit"] = wanted - static_cast<std::int64_t>(page["lines"].size());
        const auto answer = client.ask("ledger", *args);
        if (!answer) return failed;
        const json& part = (*answer)["data"];
        for (const json& line : part.at("lines")) page["lines"].push_back(line);
        for (const char* key : {"next", "pid", "contact"}) page[key] = part.at(key);
        (*args)["after"] = part.at("next");
    } while (page["next"].is_number_integer() && static_cast<std::int64_t>(page["lines"].size()) < wanted);
    if (!call.has("--json"))
        std::fputs(view_ledger(page).c_str(), stdout);
    else
        for (const json& line : page["lines"]) print_json(line);
    return 0;
}

std::string view_preview(const json& preview) {
    std::string out = "Of " + std::to_string(preview.at("patients").get<std::int64_t>()) +
                      " people whose records changed in " + std::to_string(preview.at("days").get<std::int64_t>()) +
                      " days:\n\n  " + std::string(44, ' ') + "       now      then\n";
    const json& now = preview.at("now");
    const json& then = preview.at("then");
    for (const std::string& kind : keys_of(now.at("leaves"), then.at("leaves"))) {
        out += row(kind + " leaves", at(now.at("leaves"), kind), at(then.at("leaves"), kind));
        const json before = at(now.at("fields"), kind), after = at(then.at("fields"), kind);
        for (const std::string& field : keys_of(before, after))
            out += row("  with " + field, at(before, field), at(after, field));
    }
    for (const std::string& kind : keys_of(now.at("stays"), then.at("stays"))) {
        const json before = at(now.at("stays"), kind), after = at(then.at("stays"), kind);
        for (const std::string& why : keys_of(before, after))
            out += row(kind + " stays: " + why, at(before, why), at(after, why));
    }
    return out + "\nNothing was changed.\n";
}

int preview_policy(const Call& call, const Client& client) {
    json args{{"basis", call.value("--basis")},
              {"unlinked", call.value("--unlinked")},
              {"pipeline", call.value("--pipeline")},
              {"bookings", call.value("--bookings")}};
    if (call.has("--days")) {
        const auto days = positive_number(call.value("--days"));
        if (!days) return failed;
        args["days"] = *days;
    }
    const json none{{"leaves", json::object()}, {"fields", json::object()}, {"stays", json::object()}};
    json sum{{"patients", 0}, {"now", none}, {"then", none}};
    do {
        const auto answer = client.ask("policy-preview", args);
        if (!answer) return failed;
        const json& part = (*answer)["data"];
        sum["days"] = part.at("days");
        sum["patients"] = sum["patients"].get<std::int64_t>() + part.at("patients").get<std::int64_t>();
        add(sum["now"], part.at("now"));
        add(sum["then"], part.at("then"));
        args["after"] = part.at("next");
    } while (args["after"].is_string());
    show(call, sum, view_preview);
    return 0;
}

} // namespace clinic::provisioning
