#include "provisioning/compare_view.h"

#include <nlohmann/json.hpp>

#include "provisioning/answers.h"
#include "provisioning/format.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

std::string at(const json& value) {
    return value.is_null() ? "-" : value.get<std::string>().substr(0, 19) + "Z";
}

long long number(const json& from, const char* key) {
    return from.at(key).get<long long>();
}

// What it does now, for a person.
std::string step(const json& walk) {
    const auto said = walk.at("step").get<std::string>();
    if (said == "waits") return "waits for clinic-syncd, which asks after each round of its polling";
    if (said == "contacts") return format("compares; %lld links so far", number(walk, "compared"));
    return "reads GHL, up to what changed until " + at(walk.at("reached_at"));
}

std::string what_to_do(const json& facts) {
    for (const json& one : facts.at("kinds"))
        if (number(one, "contacts") > 0 && one.at("repair") == "again")
            return "\nWhat would be put into the queue again:\n  clinicctl sync repair --dry-run --kind " +
                   one.at("kind").get<std::string>() + "\n";
    return "";
}

} // namespace

std::string view_compare(const json& facts) {
    std::string out;
    if (const json& walk = facts.at("under_way"); !walk.is_null()) {
        out += format("Under way     number %lld, asked for %s by %s, %lld requests\n", number(walk, "number"),
                      at(walk.at("asked_at")).c_str(), walk.at("by") == "night" ? "the hour" : "an operator",
                      number(walk, "requests"));
        out += wrapped("  " + step(walk), 2);
    }
    const json& last = facts.at("last");
    if (last.is_null())
        out += "The last      none has ended yet\n";
    else
        out += format("The last      ended %s, %lld links, %lld requests\n", at(last.at("ended_at")).c_str(),
                      number(last, "compared"), number(last, "requests"));
    if (!facts.at("percent").is_null()) out += format("Consistent    %lld %%\n", number(facts, "percent"));
    out += format("Differing     %lld\n", number(facts, "differing"));
    for (const json& one : facts.at("kinds"))
        if (number(one, "contacts") > 0)
            out += format("  %-15s %8lld%s\n", one.at("kind").get<std::string>().c_str(), number(one, "contacts"),
                          one.at("repair") == "person" ? ", for a person: clinicctl link list" : "");
    return out + what_to_do(facts);
}

std::string view_repair(const json& done) {
    const bool dry_run = done.at("dry_run").get<bool>();
    std::string out = format("%s: %lld differ so; %lld %s", done.at("kind").get<std::string>().c_str(),
                             number(done, "found"), number(done, "put_again"),
                             dry_run ? "would be put into the queue again, as far as the legal basis allows"
                                     : "were put into the queue again");
    out += number(done, "left") > 0 ? format("; %lld are left to a person", number(done, "left")) : "";
    return wrapped(out, 0);
}

} // namespace clinic::provisioning
