#include "daemon/health/checks.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "crypto/base/json.h"

namespace clinic::health {
namespace {

using nlohmann::json;

constexpr base::Micros day = std::chrono::hours{24};
constexpr int better_sets = 2;
constexpr std::size_t kept_bytes_max = 16'384;

constexpr std::array all{
    DeclaredCheck{"memory.free", "E4001"},
    DeclaredCheck{"memory.killed", "E4002"},
    DeclaredCheck{"machine.load", "E4003"},
    DeclaredCheck{"machine.temperature", "E4004"},
    DeclaredCheck{"machine.watchdog", "E4005"},
    DeclaredCheck{"machine.restart", "E4006"},
    DeclaredCheck{"clock.date", "E2005"},
    DeclaredCheck{"clock.hardware", "E4301"},
    DeclaredCheck{"clock.kept", "E4302", "E2005"},
    DeclaredCheck{"setup.clinicd", "E4101"},
    DeclaredCheck{"setup.syncd", "E4102", "E2109"},
    DeclaredCheck{"setup.agrees", "E4103"},
    DeclaredCheck{"setup.records", "E4104", "E2015"},
    DeclaredCheck{"setup.users", "E4105"},
    DeclaredCheck{"package.state", "E4106"},
    DeclaredCheck{"package.others", "E4107"},
    DeclaredCheck{"disk.space", "E2006"},
    DeclaredCheck{"disk.files", "E4201"},
    DeclaredCheck{"disk.writable", "E4202", "E2011"},
    DeclaredCheck{"disk.file_system", "E4203", "E2011"},
    DeclaredCheck{"disk.journal", "E4204"},
    DeclaredCheck{"disk.errors", "E4205"},
    DeclaredCheck{"disk.wear", "E4206"},
    DeclaredCheck{"keys.tpm", "E4401"},
    DeclaredCheck{"keys.there", "E4402", "E2001"},
    DeclaredCheck{"keys.open", "E4403", "E2001"},
    DeclaredCheck{"keys.private", "E4404"},
    DeclaredCheck{"keys.recovery", "E4405"},
    DeclaredCheck{"certificate.page", "E4501", "E2013"},
    DeclaredCheck{"certificate.mllp", "E4502", "E2014"},
    DeclaredCheck{"certificate.device", "E4503"},
    DeclaredCheck{"certificate.authorities", "E4504"},
    DeclaredCheck{"certificate.system", "E4505"},
    DeclaredCheck{"certificate.added", "E4506"},
    DeclaredCheck{"service.manager", ""},
    DeclaredCheck{"clock.service", "E4303", "E2005"},
    DeclaredCheck{"service.clinicd", ""},
    DeclaredCheck{"service.syncd", "E2101"},
    DeclaredCheck{"service.sockets", "E4601"},
    DeclaredCheck{"service.credentials", "E4602", "E2001"},
    DeclaredCheck{"service.boot", "E4603"},
    DeclaredCheck{"service.revival", "E4604"},
    DeclaredCheck{"service.restarts", "E4605"},
    DeclaredCheck{"service.hardening", "E4606", "E2008"},
    DeclaredCheck{"service.others", "E4607"},
    DeclaredCheck{"net.link", "E4701", "E2102"},
    DeclaredCheck{"net.address", "E4702", "E2102"},
    DeclaredCheck{"net.route", "E4703", "E2102"},
    DeclaredCheck{"net.resolver", "E4704", "E2102"},
    DeclaredCheck{"net.proxy", "E4705"},
    DeclaredCheck{"clinicd.answers", ""},
    DeclaredCheck{"clinicd.mode", "E2001"},
    DeclaredCheck{"clinicd.version", "E4801"},
    DeclaredCheck{"clinicd.ports", "E4802"},
    DeclaredCheck{"net.exposed", "E4706"},
    DeclaredCheck{"net.fenced", "E4707", "E2008"},
    DeclaredCheck{"net.rules", "E4708"},
    DeclaredCheck{"clock.trusted", "E2005"},
    DeclaredCheck{"clock.offset", "E4304", "E2005"},
    DeclaredCheck{"store.readable", "E2010"},
    DeclaredCheck{"store.seals", "E2007"},
    DeclaredCheck{"store.checked", "E4803", "E2002"},
    DeclaredCheck{"store.people", "E2019"},
    DeclaredCheck{"store.keys", "E4804"},
    DeclaredCheck{"store.wal", "E4805"},
    DeclaredCheck{"store.books", "E2009"},
    DeclaredCheck{"containment.inside", "E2008"},
    DeclaredCheck{"containment.outside", "E4806", "E2008"},
    DeclaredCheck{"feeds.named", "E4807"},
    DeclaredCheck{"feeds.silent", "E2402"},
    DeclaredCheck{"intake.quarantine", "E2401"},
    DeclaredCheck{"syncd.answers", "E4901", "E2101"},
    DeclaredCheck{"syncd.heard", "E2101"},
    DeclaredCheck{"ghl.names", "E2103"},
    DeclaredCheck{"ghl.reached", "E2103"},
    DeclaredCheck{"ghl.tls", "E2103"},
    DeclaredCheck{"ghl.issuer", "E2107"},
    DeclaredCheck{"ghl.certificate", "E4902", "E2107"},
    DeclaredCheck{"ghl.asked", "E2103"},
    DeclaredCheck{"ghl.token", "E2104"},
    DeclaredCheck{"ghl.accepted", "E2104"},
    DeclaredCheck{"ghl.scope", "E2104"},
    DeclaredCheck{"ghl.location", "E2108"},
    DeclaredCheck{"ghl.fields", "E2111"},
    DeclaredCheck{"ghl.limits", ""},
    DeclaredCheck{"ghl.service", "E2105"},
    DeclaredCheck{"ghl.open", "E2103"},
    DeclaredCheck{"mqtt.names", "E2106"},
    DeclaredCheck{"mqtt.reached", "E2106"},
    DeclaredCheck{"mqtt.tls", "E2106"},
    DeclaredCheck{"mqtt.issuer", "E2106"},
    DeclaredCheck{"mqtt.certificate", "E4903", "E2106"},
    DeclaredCheck{"mqtt.numbers", "E2106"},
    DeclaredCheck{"mqtt.accepted", "E2106"},
    DeclaredCheck{"mqtt.alone", "E2106"},
    DeclaredCheck{"mqtt.limits", "E2110"},
    DeclaredCheck{"mqtt.service", "E2106"},
    DeclaredCheck{"mqtt.open", "E2106"},
    DeclaredCheck{"basis.valid", "E2201"},
    DeclaredCheck{"queue.dead", "E2301"},
    DeclaredCheck{"queue.age", "E2303"},
};
static_assert(all.size() == checks_declared);

constexpr std::array results{CheckResult::ok, CheckResult::suppressed, CheckResult::not_known, CheckResult::warn,
                             CheckResult::fail};

std::optional<std::size_t> place_of(std::string_view id) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return id == one.id.c_str(); });
    if (found == all.end()) return std::nullopt;
    return static_cast<std::size_t>(found - all.begin());
}

std::optional<CheckResult> result_of(std::string_view word) {
    const auto found = std::find_if(results.begin(), results.end(), [&](auto one) { return word == name(one); });
    if (found == results.end()) return std::nullopt;
    return *found;
}

std::string_view text(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string()
               ? std::string_view{found->get_ref<const std::string&>()}
               : std::string_view{};
}

constexpr Error other_checks{Errc::malformed, "the results are not those of the checks that this clinicd knows",
                             "use the clinicctl of the same package; restart clinicd after an update"};

} // namespace

const char* name(CheckResult result) {
    switch (result) {
    case CheckResult::ok: return "ok";
    case CheckResult::suppressed: return "suppressed";
    case CheckResult::not_known: return "not_known";
    case CheckResult::warn: return "warn";
    case CheckResult::fail: break;
    }
    return "fail";
}

const std::array<DeclaredCheck, checks_declared>& declared_checks() {
    return all;
}

bool ails(CheckResult result) {
    return result >= CheckResult::warn;
}

Result<CheckSet> read_checks(const json& said) {
    if (!said.is_array() || said.size() != all.size()) return other_checks;
    std::array<bool, checks_declared> seen{};
    CheckSet set{};
    for (const json& one : said) {
        if (!one.is_object() || one.size() != 2) return other_checks;
        const auto place = place_of(text(one, "id"));
        const auto result = result_of(text(one, "result"));
        if (!place || !result || seen[*place]) return other_checks;
        seen[*place] = true;
        set[*place] = *result;
    }
    return set;
}

bool CheckNews::may_raise(Told& told, base::Micros monotonic) const {
    while (!told.raised.empty() && monotonic - told.raised.front() >= day) told.raised.pop_front();
    return told.raised.size() < raised_a_day_max;
}

std::vector<CheckNews::One> CheckNews::take(const CheckSet& set, base::Micros monotonic) {
    std::vector<One> news;
    for (std::size_t i = 0; i < set.size(); ++i) {
        Told& told = told_[i];
        const CheckResult now = set[i];
        if (!all[i].is_told() || (now != CheckResult::ok && !ails(now))) continue;
        told.better = now < told.what ? told.better + 1 : 0;
        const bool is_worse = now > told.what && may_raise(told, monotonic);
        if (!is_worse && told.better < better_sets) continue;
        if (is_worse) told.raised.push_back(monotonic);
        told.what = now;
        told.better = 0;
        news.push_back({i, now});
    }
    return news;
}

json CheckNews::kept() const {
    json open = json::object();
    for (std::size_t i = 0; i < told_.size(); ++i)
        if (told_[i].what != CheckResult::ok) open[all[i].id.c_str()] = name(told_[i].what);
    return open;
}

void CheckNews::keep(const json& kept) {
    if (!kept.is_object()) return;
    for (std::size_t i = 0; i < told_.size(); ++i)
        if (const auto result = result_of(text(kept, all[i].id.c_str())); result && ails(*result))
            told_[i].what = *result;
}

bool is_missed(const CheckRound& round) {
    return round.missed_s >= round_life_s;
}

bool is_old(const CheckRound& round) {
    return is_missed(round) || round.age_s >= round_life_s;
}

std::string encode(const CheckRound& round, const CheckNews& news) {
    json set = json::object();
    for (std::size_t i = 0; i < round.set.size(); ++i)
        if (round.set[i] != CheckResult::ok) set[all[i].id.c_str()] = name(round.set[i]);
    return base::dump_json({{"at", round.at.micros}, {"set", std::move(set)}, {"told", news.kept()}});
}

void decode(std::string_view text, CheckRound& round, CheckNews& news) {
    const auto kept = base::parse_json(text, kept_bytes_max, 3);
    if (!kept || !kept->is_object() || !kept->contains("at") || !kept->at("at").is_number_integer()) return;
    round.at = Timestamp{kept->at("at").get<std::int64_t>()};
    const json set = kept->value("set", json::object());
    for (std::size_t i = 0; i < round.set.size(); ++i)
        round.set[i] = result_of(health::text(set, all[i].id.c_str())).value_or(CheckResult::ok);
    news.keep(kept->value("told", json::object()));
}

json to_json(const CheckRound& round) {
    json counts = json::object(), ailing = json::array();
    const bool told = round.age_s >= 0;
    for (const CheckResult one : results)
        counts[name(one)] = told ? std::count(round.set.begin(), round.set.end(), one) : 0;
    for (std::size_t i = 0; told && i < round.set.size(); ++i) {
        if (!ails(round.set[i])) continue;
        const std::string id = all[i].id.c_str();
        ailing.push_back(
            {{"id", id}, {"result", name(round.set[i])}, {"code", all[i].code.c_str()}, {"doc", "checks.md#" + id}});
    }
    return {{"at", told ? json(base::rfc3339(round.at)) : json{}},
            {"age_s", told ? json(round.age_s) : json{}},
            {"old", is_old(round)},
            {"counts", std::move(counts)},
            {"ailing", std::move(ailing)}};
}

} // namespace clinic::health
