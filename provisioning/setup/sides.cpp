#include "provisioning/setup/sides.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "provisioning/check/table.h"

namespace clinic::setup {
namespace {

using check::Line;
using check::Outcome;
using nlohmann::json;

struct Part {
    const char* name;
    std::array<const char*, 6> ids; // null: no more
};
constexpr std::array ghl_parts{
    Part{"link", {"net.link", "net.address", "net.route"}}, Part{"DNS", {"net.resolver", "ghl.names"}},
    Part{"TCP", {"ghl.reached"}}, Part{"TLS", {"ghl.tls", "ghl.issuer", "ghl.certificate"}},
    Part{"auth", {"syncd.answers", "ghl.asked", "ghl.token", "ghl.accepted", "ghl.scope", "ghl.location"}}};
constexpr std::array ops_parts{
    Part{"link", {"net.link", "net.address", "net.route"}}, Part{"DNS", {"net.resolver", "mqtt.names"}},
    Part{"TCP", {"mqtt.reached"}}, Part{"TLS", {"mqtt.tls", "mqtt.issuer", "mqtt.certificate"}},
    Part{"auth", {"syncd.answers", "certificate.device", "mqtt.accepted", "mqtt.alone", "mqtt.open"}}};

// What those follow from, and can be asked before the box runs under systemd.
constexpr std::array roots{
    "clock.date",         "setup.clinicd",   "setup.syncd",  "keys.there", "certificate.authorities",
    "certificate.system", "clinicd.answers", "clinicd.mode", "syncd.heard"};
constexpr std::array machine{
    "memory.free",   "machine.temperature", "disk.space",     "disk.files", "disk.writable", "disk.file_system",
    "disk.journal",  "disk.errors",         "disk.wear",      "clock.date", "clock.kept",    "setup.clinicd",
    "setup.records", "package.state",       "package.others", "keys.tpm",   "net.link",      "net.address",
    "net.route",     "net.resolver",        "net.proxy"};

template <class Wanted>
std::vector<check::Check> only(const Wanted& is_wanted) {
    std::vector<check::Check> chosen;
    for (const auto& one : check::table())
        if (is_wanted(one.id)) chosen.push_back(one);
    return chosen;
}

bool is_among(std::span<const char* const> ids, std::string_view id) {
    return std::any_of(ids.begin(), ids.end(), [&](const char* one) { return one != nullptr && id == one; });
}

bool is_part(std::span<const Part> parts, std::string_view id) {
    return std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return is_among(part.ids, id); });
}

// The lines point into the table that was run: each is led back to the one that lasts.
std::vector<Line> run(const std::vector<check::Check>& chosen, const check::Site& site) {
    auto lines = check::run(chosen, std::make_shared<const check::Scene>(site));
    for (auto& line : lines)
        line.check = &*std::find_if(check::table().begin(), check::table().end(), [&](const check::Check& one) {
            return std::string_view{one.id} == line.check->id;
        });
    return lines;
}

int weight(Outcome outcome) {
    return outcome == Outcome::fail ? 3 : outcome == Outcome::unknown ? 2 : outcome == Outcome::suppressed ? 1 : 0;
}

Stage stage_of(const Part& part, const std::vector<Line>& lines) {
    Stage stage{part.name, Outcome::ok, {}, nullptr};
    for (const auto& line : lines) {
        if (!is_among(part.ids, line.check->id)) continue;
        if (weight(line.found.outcome) > weight(stage.outcome)) {
            stage.outcome = line.found.outcome;
            stage.worst = &line;
        }
        if (stage.worst == nullptr && !line.found.said.empty()) stage.said = line.found.said;
    }
    if (stage.worst != nullptr) stage.said = stage.worst->found.said;
    return stage;
}

// What stands in the way: the first stage that is not open, unless a later one shows that it does not matter here.
Side side_of(const char* name, std::span<const Part> parts, const std::vector<Line>& lines) {
    Side side{name, {}, nullptr};
    for (const auto& part : parts) side.stages.push_back(stage_of(part, lines));
    for (auto stage = side.stages.rbegin(); stage != side.stages.rend() && stage->worst != nullptr; ++stage) {
        const bool explains = stage->outcome == Outcome::fail || stage->outcome == Outcome::unknown;
        if (explains || side.trouble == nullptr) side.trouble = stage->worst;
    }
    const auto* root = side.trouble != nullptr ? side.trouble->root : nullptr;
    for (const auto& line : lines)
        if (root != nullptr && std::string_view{line.check->id} == root) side.trouble = &line;
    return side;
}

const char* word(Outcome outcome) {
    switch (outcome) {
    case Outcome::ok: return "ok";
    case Outcome::warn: return "look";
    case Outcome::fail: return "FAIL";
    case Outcome::unknown: return "?";
    case Outcome::suppressed: return "-";
    }
    return "?";
}

} // namespace

std::unique_ptr<Ways> look_at_ways(const check::Site& site, bool with_ops) {
    const auto chosen =
        only([](const char* id) { return is_among(roots, id) || is_part(ghl_parts, id) || is_part(ops_parts, id); });
    auto ways = std::make_unique<Ways>();
    ways->lines = run(chosen, site);
    ways->ghl = side_of("GHL", ghl_parts, ways->lines);
    if (with_ops) ways->ops = side_of("ops", ops_parts, ways->lines);
    return ways;
}

json to_json(const Side& side) {
    json stages = json::array();
    for (const auto& stage : side.stages)
        stages.push_back({{"stage", stage.name}, {"result", check::name(stage.outcome)}});
    return stages;
}

std::string view(const Side& side) {
    std::string text = std::string{"  "} + side.name + std::string(5 - std::string_view{side.name}.size(), ' ');
    for (const auto& stage : side.stages) {
        std::string part = std::string{stage.name} + " " + word(stage.outcome);
        part.resize(std::max<std::size_t>(part.size(), 12), ' ');
        text += part;
    }
    while (text.ends_with(' ')) text.pop_back();
    return text + "\n";
}

std::vector<Line> look_at_machine(const check::Site& site) {
    return run(only([](const char* id) { return is_among(machine, id); }), site);
}

std::string cause_of(const Line& line) {
    const std::string said = line.found.said, cause = line.found.cause.c_str();
    return said.empty() ? cause : cause + " (" + said + ")";
}

} // namespace clinic::setup
