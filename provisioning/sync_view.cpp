#include "provisioning/sync_view.h"

#include <nlohmann/json.hpp>
#include <set>

#include "provisioning/answers.h"
#include "provisioning/format.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

std::string word(const json& from, const char* key) {
    const json& value = from.at(key);
    return value.is_string() ? value.get<std::string>() : std::string{};
}

long long number(const json& from, const char* key) {
    return from.at(key).get<long long>();
}

std::string to_the_second(const json& from, const char* key) {
    const std::string at = word(from, key);
    return at.empty() ? "-" : at.substr(0, 19) + "Z";
}

// What to do, once for each class that is shown.
std::string next_steps(const json& rows) {
    std::string out;
    std::set<std::string> said;
    for (const json& one : rows)
        if (said.insert(word(one, "class")).second)
            out += wrapped(format("%-11s", word(one, "class").c_str()) + word(one, "next"), 11);
    return out.empty() ? out : "\n" + out;
}

} // namespace

std::string view_sync(const json& status) {
    const json& lane = status.at("ghl").at("lane");
    const json& books = status.at("books");
    const json& ages = status.at("waiting").at("ages");
    std::string out = word(status.at("ghl").at("answer"), "text") + ".\n\n";
    out += format("GHL           %s%s%s\n", word(lane, "state").c_str(), word(lane, "code").empty() ? "" : ", ",
                  word(lane, "code").c_str());
    out += format("Next try      %s\n", to_the_second(status, "next_try_at").c_str());
    out += format("Waiting       %lld, on their way %lld, parked %lld\n", number(books, "pending"),
                  number(books, "leased"), number(books, "parked"));
    out += format("  by age      %lld up to a minute, %lld up to an hour, %lld up to a day, %lld older\n",
                  number(ages, "minute"), number(ages, "hour"), number(ages, "day"), number(ages, "older"));
    for (const json& kind : status.at("waiting").at("kinds"))
        out += format("  %-18s %8lld, the oldest from %s\n", word(kind, "kind").c_str(), number(kind, "envelopes"),
                      to_the_second(kind, "oldest_at").c_str());
    if (number(status.at("waiting"), "looked_at") < number(books, "pending"))
        out += format("  (of the oldest %lld)\n", number(status.at("waiting"), "looked_at"));
    out += format("Set aside     %lld\n", number(books, "dead"));
    for (const json& one : status.at("dead"))
        out += format("  %-11s %8lld, the last %s\n", word(one, "class").c_str(), number(one, "letters"),
                      to_the_second(one, "last_at").c_str());
    out += format("Quarantine    %lld\n", number(status, "quarantine"));
    return out + next_steps(status.at("dead"));
}

std::string view_dead(const json& letters) {
    if (letters.empty()) return "nothing is set aside\n";
    std::string out = "    number  class       kind              code        tried  first                 last\n";
    for (const json& one : letters)
        out += format("%10lld  %-10s  %-16s  %-10s %6lld  %s  %s\n", number(one, "number"), word(one, "class").c_str(),
                      word(one, "kind").c_str(), word(one, "code").c_str(), number(one, "attempts"),
                      to_the_second(one, "first_at").c_str(), to_the_second(one, "last_at").c_str());
    return out + next_steps(letters);
}

std::string view_letter(const json& letter) {
    std::string out = view_dead(json::array({letter}));
    out += "\n   attempt  at                    route           result     status\n";
    for (const json& one : letter.at("requests"))
        out += format("%10lld  %s  %-14s  %-10s %6lld\n", number(one, "attempt"), to_the_second(one, "at").c_str(),
                      word(one, "route").c_str(), word(one, "result").c_str(), number(one, "status"));
    const json& envelope = letter.at("envelope");
    if (envelope.is_null()) return out + "\nWhat it would say cannot be read.\n";
    out += "\n";
    for (const auto& [key, value] : envelope.items()) out += format("%-8s  ", key.c_str()) + value.dump() + "\n";
    return out;
}

std::string view_dead_settled(const json& settled) {
    std::string out;
    for (const auto& [done, count] : settled.items()) out += format("%s: %lld\n", done.c_str(), count.get<long long>());
    return out;
}

} // namespace clinic::provisioning
