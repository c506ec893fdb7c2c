#include "daemon/on_the_bus.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/health/numbers.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;
using systemd::BusState;

constexpr containment::Part part(BusState state) {
    constexpr Literal name = "system bus";
    switch (state) {
    case BusState::joining: return {name, false, "not tried yet"};
    case BusState::open_wide: return {name, true, "left: it would have let us call others"};
    case BusState::unnamed:
    case BusState::up: return {name, true, "calls to others refused"};
    case BusState::lost: return {name, true, "lost: nothing is reached by it"};
    }
    return {name, false, "not known"};
}

constexpr Literal name(BusState state) {
    switch (state) {
    case BusState::joining: return "joining";
    case BusState::open_wide: return "open_wide";
    case BusState::unnamed: return "unnamed";
    case BusState::up: return "up";
    case BusState::lost: return "lost";
    }
    return "lost";
}

bool contained(const health::Status& status) {
    const auto& parts = status.containment;
    return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const auto& one) { return one.holds; });
}

void follow(const OnTheBus& box, BusState state) {
    box.containment.joined_bus(part(state));
    box.health.dbus(name(state));
}

} // namespace

systemd::BoxFacts bus_facts(const health::Status& status) {
    systemd::BoxFacts facts{.version = status.version,
                            .mode = health::name(status.mode),
                            .well = health::name(status.well),
                            .basis = status.basis,
                            .ready = health::ready(status),
                            .clock_trusted = status.clock_trusted,
                            .contained = contained(status),
                            .counters = health::counters(status)};
    for (const auto& need : status.needs) facts.needs.push_back(need.code);
    facts.egress["crm"] = health::numbers(status.crm);
    for (const auto& feed : status.feeds) facts.intake[feed.feed] = health::numbers(feed);
    return facts;
}

std::string findings_json(const health::Status& status) {
    json needs = json::array(), open = json::array();
    for (const auto& need : status.needs)
        needs.push_back({{"code", need.code},
                         {"state", health::name(need.tone)},
                         {"number", need.number},
                         {"since", base::rfc3339(need.since)},
                         {"meaning", need.meaning.c_str()},
                         {"action", need.action.c_str()},
                         {"cause", need.cause.c_str()},
                         {"remedy", need.remedy.c_str()}});
    for (const auto& one : status.containment)
        if (!one.holds) open.push_back({{"part", one.part.c_str()}, {"detail", one.detail.c_str()}});
    return base::dump_json({{"v", 1},
                            {"at", base::rfc3339(status.at)},
                            {"mode", health::name(status.mode)},
                            {"well", health::name(status.well)},
                            {"needs", std::move(needs)},
                            {"does_not_hold", std::move(open)}});
}

std::unique_ptr<systemd::BoxObject> join_bus(std::optional<systemd::Bus> bus, const OnTheBus& box) {
    if (!bus) return nullptr;
    box.health.dbus(name(BusState::joining));
    systemd::BoxMethods methods{.check = [box]() -> Result<std::string> {
                                    box.containment.look();
                                    return findings_json(box.health.status());
                                },
                                .drain = [box](uid_t who, bool begin) { return box.changes.drain(who, begin); },
                                .reload = [box](uid_t who) { return box.changes.reload(who); }};
    return std::make_unique<systemd::BoxObject>(
        std::move(*bus), [box] { return bus_facts(box.health.status()); }, std::move(methods),
        [box](BusState state) { follow(box, state); });
}

} // namespace clinic::daemon
