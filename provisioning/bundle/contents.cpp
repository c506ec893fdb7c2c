#include "provisioning/bundle/contents.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "crypto/base/json.h"
#include "daemon/control/wire/wire.h"
#include "provisioning/bundle/allowed.h"
#include "provisioning/programs/program.h"

namespace clinic::bundle {
namespace {

using nlohmann::json;

constexpr Literal no_clinicd = "clinicd does not answer";

// Left out of the status: the box's sentences, senders' names, how many patients there are, details of the containment.
constexpr std::array status_places{
    Allowed{"format", Kind::number},
    Allowed{"version", Kind::word},
    Allowed{"at", Kind::time},
    Allowed{"uptime_s", Kind::number},
    Allowed{"mode", Kind::word},
    Allowed{"ready", Kind::flag},
    Allowed{"well", Kind::word},
    Allowed{"since", Kind::time},
    Allowed{"needs[].code", Kind::word},
    Allowed{"needs[].state", Kind::word},
    Allowed{"needs[].since", Kind::time},
    Allowed{"needs[].number", Kind::number},
    Allowed{"egress.crm.released", Kind::number},
    Allowed{"egress.crm.pending", Kind::number},
    Allowed{"egress.crm.leased", Kind::number},
    Allowed{"egress.crm.delivered", Kind::number},
    Allowed{"egress.crm.superseded", Kind::number},
    Allowed{"egress.crm.withdrawn", Kind::number},
    Allowed{"egress.crm.parked", Kind::number},
    Allowed{"egress.crm.dead", Kind::number},
    Allowed{"egress.crm.discarded", Kind::number},
    Allowed{"queue.crm.oldest_s", Kind::number},
    Allowed{"queue.crm.last_delivered_s", Kind::number},
    Allowed{"queue.crm.last_code", Kind::word},
    Allowed{"queue.crm.balanced", Kind::flag},
    Allowed{"intake.mllp.received", Kind::number},
    Allowed{"intake.mllp.stored", Kind::number},
    Allowed{"intake.mllp.quarantined", Kind::number},
    Allowed{"intake.mllp.refused", Kind::number},
    Allowed{"intake.mllp.duplicate", Kind::number},
    Allowed{"intake.csv.received", Kind::number},
    Allowed{"intake.csv.stored", Kind::number},
    Allowed{"intake.csv.quarantined", Kind::number},
    Allowed{"intake.csv.refused", Kind::number},
    Allowed{"intake.csv.duplicate", Kind::number},
    Allowed{"feeds.mllp.last_message_s", Kind::number},
    Allowed{"feeds.mllp.balanced", Kind::flag},
    Allowed{"feeds.csv.last_message_s", Kind::number},
    Allowed{"feeds.csv.balanced", Kind::flag},
    Allowed{"lanes.heard_s", Kind::number},
    Allowed{"lanes.program.state", Kind::word},
    Allowed{"lanes.crm.state", Kind::word},
    Allowed{"lanes.crm.code", Kind::word},
    Allowed{"lanes.mqtt.state", Kind::word},
    Allowed{"lanes.mqtt.code", Kind::word},
    Allowed{"lanes.location[].part", Kind::word},
    Allowed{"lanes.location[].lack", Kind::word},
    Allowed{"lanes.read_back.read", Kind::number},
    Allowed{"lanes.read_back.differing", Kind::number},
    Allowed{"lanes.webhooks.up", Kind::flag},
    Allowed{"lanes.webhooks.told", Kind::number},
    Allowed{"lanes.webhooks.looked", Kind::number},
    Allowed{"lanes.webhooks.refused", Kind::number},
    Allowed{"lanes.webhooks.bad", Kind::number},
    Allowed{"lanes.webhooks.newest_s", Kind::number},
    Allowed{"data_consistency.compared_at", Kind::time},
    Allowed{"data_consistency.compared", Kind::number},
    Allowed{"data_consistency.differing", Kind::number},
    Allowed{"data_consistency.lasting", Kind::number},
    Allowed{"data_consistency.percent", Kind::number},
    Allowed{"data_consistency.lasting_percent", Kind::number},
    Allowed{"basis.name", Kind::word},
    Allowed{"basis.expired", Kind::flag},
    Allowed{"basis.expires", Kind::time},
    Allowed{"clock.trusted", Kind::flag},
    Allowed{"clock.floor_holds", Kind::flag},
    Allowed{"clock.step_s", Kind::number},
    Allowed{"clock.kernel_synchronised", Kind::flag},
    Allowed{"clock.https_offset_s", Kind::number},
    Allowed{"clock.zone_minutes", Kind::number},
    Allowed{"dbus", Kind::word},
    Allowed{"store.open", Kind::flag},
    Allowed{"store.readable", Kind::flag},
    Allowed{"store.schema_version", Kind::number},
    Allowed{"store.database_bytes", Kind::number},
    Allowed{"store.wal_bytes", Kind::number},
    Allowed{"store.commits", Kind::number},
    Allowed{"store.jobs", Kind::number},
    Allowed{"store.jobs_failed", Kind::number},
    Allowed{"store.reads", Kind::number},
    Allowed{"store.reads_cut", Kind::number},
    Allowed{"store.reads_refused", Kind::number},
    Allowed{"store.slow_statements", Kind::number},
    Allowed{"store.cache_rows", Kind::number},
    Allowed{"store.cache_hits", Kind::number},
    Allowed{"store.cache_misses", Kind::number},
    Allowed{"store.authentication_failures", Kind::number},
    Allowed{"store.free_key_slots", Kind::number},
    Allowed{"store.quarantine_items", Kind::number},
    Allowed{"store.audit_entries", Kind::number},
    Allowed{"store.disk_free_percent", Kind::number},
    Allowed{"store.reserve_bytes", Kind::number},
    Allowed{"store.telemetry_dropped", Kind::number},
    Allowed{"store.check.running", Kind::flag},
    Allowed{"store.check.started", Kind::time},
    Allowed{"store.check.last", Kind::time},
    Allowed{"store.check.sound", Kind::flag},
    Allowed{"store.check.tables_skipped", Kind::number},
    Allowed{"store.check.keys_damaged", Kind::number},
    Allowed{"checks.at", Kind::time},
    Allowed{"checks.old", Kind::flag},
    Allowed{"checks.ailing[].id", Kind::word},
    Allowed{"checks.ailing[].result", Kind::word},
    Allowed{"checks.ailing[].code", Kind::word},
};

constexpr std::array containment_places{Allowed{"parts[].part", Kind::words}, Allowed{"parts[].holds", Kind::flag}};

constexpr std::array unit_places{Allowed{"LoadState", Kind::word},     Allowed{"ActiveState", Kind::word},
                                 Allowed{"SubState", Kind::word},      Allowed{"UnitFileState", Kind::word},
                                 Allowed{"Result", Kind::word},        Allowed{"NRestarts", Kind::word},
                                 Allowed{"ProtectSystem", Kind::word}, Allowed{"WatchdogUSec", Kind::word}};

// Of the two settings files: numbers as they are, of anything else only that it is there, of a list only how long it
// is.
constexpr std::array clinicd_places{"box",
                                    "zone",
                                    "records",
                                    "credential",
                                    "user",
                                    "peer",
                                    "operators",
                                    "console.certificate",
                                    "console.key",
                                    "console.authority",
                                    "console.names",
                                    "mllp.allow",
                                    "mllp.message_bytes_max",
                                    "mllp.tls.certificate",
                                    "mllp.tls.key",
                                    "mllp.tls.client_ca",
                                    "ghl.location",
                                    "ghl.tag_prefix",
                                    "ghl.index_lag_ms",
                                    "ghl.late_ms",
                                    "ghl.coalesce_ms",
                                    "ghl.coalesce_quiet_ms",
                                    "support.key"};
constexpr std::array syncd_places{
    "box",       "egress",  "state",          "credential",   "records",         "diagnose",
    "ghl.base",  "ghl.ca",  "ghl.token_file", "ghl.location", "ghl.api_version", "mqtt.host",
    "mqtt.port", "mqtt.ca", "mqtt.cert",      "mqtt.key"};

// Whose versions tell which machine it is.
constexpr std::array packages{
    "clinic-edge", "systemd",     "dbus",         "libc6",    "libsqlite3-0",    "libsodium23",  "libssl3",
    "libsystemd0", "libseccomp2", "libpoconet80", "nftables", "ca-certificates", "avahi-daemon", "systemd-timesyncd"};

std::string written(const json& value) {
    return base::dump_json(value) + "\n";
}

// By what the item is without it.
Item filled(Item item, const json& value) {
    item.body = written(value);
    if (item.body.size() > item_bytes_max) return {item.id, item.source, item.safe, {}, "longer than its bound"};
    return item;
}
Item missing(Item item, Literal why) {
    item.missing = why;
    return item;
}

Item about(const check::Scene& scene) {
    const Item item{"about", "this program and uname(2)", "version, kernel and time: nothing that somebody wrote"};
    utsname machine{};
    uname(&machine);
    const json all{{"clinicctl", scene.site.version},
                   {"at", base::rfc3339(scene.site.now)},
                   {"kernel", machine.release},
                   {"machine", machine.machine},
                   {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
                   {"memory_pages", sysconf(_SC_PHYS_PAGES)},
                   {"root", geteuid() == 0}};
    constexpr std::array places{Allowed{"clinicctl", Kind::word},    Allowed{"at", Kind::time},
                                Allowed{"kernel", Kind::word},       Allowed{"machine", Kind::word},
                                Allowed{"processors", Kind::number}, Allowed{"memory_pages", Kind::number},
                                Allowed{"root", Kind::flag}};
    return filled(item, only(all, places));
}

Item status(const check::Scene& scene) {
    const Item item{"status", "clinicd, the status document",
                    "counts, states and codes of ours; no sentence, no name of a sender, not how many patients"};
    const json said = scene.said();
    return said.is_object() ? filled(item, only(said, status_places)) : missing(item, no_clinicd);
}

Item metrics(const check::Scene& scene) {
    const Item item{"metrics", "clinicd, its metrics", "numbers under names of ours; nothing by sender"};
    const auto text = control::ask(scene.site.control, R"({"v":1,"command":"metrics","args":{}})", std::nullopt,
                                   static_cast<int>(check::answer_max.count()));
    if (!text) return missing(item, no_clinicd);
    const auto answer = base::parse_json(*text, control::answer_bytes_max, 8);
    const std::string said = answer ? check::text_at(*answer, {"data", "text"}) : std::string{};
    return said.empty() ? missing(item, "clinicd does not tell them") : filled(item, {{"text", safe_metrics(said)}});
}

Item checks(const std::vector<check::Line>& lines) {
    const Item item{"checks", "clinicctl check",
                    "ids, results and causes that stand in the program; nothing of what was seen"};
    json all = json::array();
    for (const auto& line : lines)
        all.push_back({{"id", line.check->id},
                       {"result", check::name(line.found.outcome)},
                       {"cause", line.found.cause.c_str()},
                       {"root", line.root == nullptr ? json{} : json(line.root)},
                       {"took_ms", line.took.count()}});
    return filled(item, {{"checks", std::move(all)}});
}

Item containment(const check::Scene& scene) {
    const Item item{"containment", "clinicd, asked of the kernel",
                    "parts of ours and whether they hold; no path, no port"};
    const json said = scene.contained();
    return said.is_object() ? filled(item, only(said, containment_places)) : missing(item, no_clinicd);
}

const json* found_at(const json& settings, const std::string& path) {
    const json* here = &settings;
    std::istringstream keys{path};
    for (std::string key; std::getline(keys, key, '.');) {
        const auto next = here->is_object() ? here->find(key) : here->end();
        if (!here->is_object() || next == here->end()) return nullptr;
        here = &*next;
    }
    return here;
}

json as_told(const json* value) {
    if (value == nullptr) return {};
    if (value->is_number() || value->is_boolean()) return *value;
    return value->is_array() ? json{{"entries", value->size()}} : json("there");
}

json settings_of(const Result<json>& file, std::span<const char* const> places) {
    if (!file) return base::name(file.error().code);
    json out = json::object();
    for (const char* place : places) out[place] = as_told(found_at(*file, place));
    return out;
}

Item settings(const check::Scene& scene) {
    const Item item{
        "settings", "clinicd.json and clinic-syncd.json",
        "numbers; of all else only whether it is there, or how many; keys that are not listed are left out"};
    return filled(item, {{"clinicd", settings_of(scene.clinicd_settings, clinicd_places)},
                         {"clinic-syncd", settings_of(scene.syncd_settings, syncd_places)}});
}

Item units(const check::Scene& scene) {
    const Item item{"units", "systemd", "states and counts of the box's own units"};
    const auto services = scene.units();
    if (!services) return missing(item, "systemd does not answer");
    json all = json::object();
    for (const auto& [name, unit] : services->units) all[name] = only(json(unit), unit_places);
    return filled(item, {{"units", std::move(all)}, {"failed_on_the_machine", services->failed}});
}

Item versions() {
    const Item item{"packages", "dpkg", "versions and states of packages that are listed here"};
    std::vector<std::string> command{"/usr/bin/dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n"};
    command.insert(command.end(), packages.begin(), packages.end());
    const auto ended = provisioning::run_program(command, {}, {.patience = std::chrono::seconds{5}});
    if (!ended || ended->out.size() == 0) return missing(item, "dpkg does not answer");
    const auto bytes = ended->out.bytes();
    std::istringstream lines{std::string{reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
    json all = json::object();
    for (std::string line, name, version, state; std::getline(lines, line);) {
        std::istringstream words{line};
        words >> name >> version >> state;
        const bool listed = std::find(packages.begin(), packages.end(), name) != packages.end();
        if (listed && fits(version, Kind::word) && fits(state, Kind::word))
            all[name] = {{"version", version}, {"state", state}};
    }
    return filled(item, all);
}

Item journal(const Sources& sources) {
    const Item item{"journal", "journald, the box's own units",
                    "only lines whose whole text stands in our programs; of others how long they are"};
    const auto lines = read_journal(sources.journal);
    if (!lines || lines->empty()) return missing(item, "there is no journal of the box's units that can be read");
    const auto literals = Literals::of(sources.programs);
    json all = json::array();
    for (const auto& line : *lines) all.push_back(to_json(line, literals));
    return filled(item, {{"lines", std::move(all)}});
}

// clinic_egress_messages_total{destination="crm",state="pending"} 3
bool is_safe(const std::string& line) {
    if (!line.starts_with("clinic_") || line.starts_with("clinic_sender") || line.find("patients") != std::string::npos)
        return false;
    const auto open = line.find('{');
    if (open == std::string::npos) return line.find('"') == std::string::npos;
    const auto close = line.find('}', open);
    if (close == std::string::npos) return false;
    constexpr std::array keys{"destination", "state", "feed", "result", "lane", "reason", "part", "mode"};
    std::istringstream labels{line.substr(open + 1, close - open - 1)};
    for (std::string label; std::getline(labels, label, ',');) {
        const std::string key = label.substr(0, label.find('='));
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) return false;
    }
    return true;
}

} // namespace

std::string safe_metrics(const std::string& text) {
    std::string out;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
        if (is_safe(line)) out += line + "\n";
    return out;
}

std::vector<Item> gather(const Sources& sources) {
    const check::Scene& scene = *sources.scene;
    return {about(scene),    status(scene), metrics(scene), checks(sources.checks), containment(scene),
            settings(scene), units(scene),  versions(),     journal(sources)};
}

} // namespace clinic::bundle
