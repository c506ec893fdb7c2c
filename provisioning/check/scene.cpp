#include "provisioning/check/scene.h"

#include <sys/timex.h>

#include <array>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "daemon/control/wire/wire.h"
#include "provisioning/check/units.h"

namespace clinic::check {
namespace {

using nlohmann::json;

constexpr std::size_t settings_bytes_max = 65'536;
constexpr std::chrono::seconds rules_max{3};

Result<json> settings_of(const std::filesystem::path& file) {
    const auto text = base::read_text(file, settings_bytes_max);
    CLINIC_TRY(text);
    auto parsed = base::parse_json(*text, settings_bytes_max, 4);
    CLINIC_TRY(parsed);
    if (!parsed->is_object()) return Error{Errc::malformed, "not an object of settings"};
    return parsed;
}

Result<json> ask(const std::filesystem::path& socket, const char* command) {
    const auto text = control::ask(socket, base::dump_json({{"v", 1}, {"command", command}, {"args", json::object()}}),
                                   std::nullopt, static_cast<int>(answer_max.count()));
    CLINIC_TRY(text);
    auto answer = base::parse_json(*text, control::answer_bytes_max, 16);
    CLINIC_TRY(answer);
    if (!flag_at(*answer, {"ok"}))
        return Error{text_at(*answer, {"error", "code"}) == base::name(Errc::unauthorized) ? Errc::unauthorized
                                                                                           : Errc::refused,
                     "clinicd refuses to answer"};
    return std::move((*answer)["data"]);
}

std::filesystem::path records_of(const Result<json>& settings) {
    const std::string said = settings ? text_at(*settings, {"records"}) : std::string{};
    return said.empty() ? "/var/lib/clinic-edge/records" : said;
}

Later<Result<systemd::Services>> units_by(const std::string& bus) {
    return Later<Result<systemd::Services>>{[bus] { return systemd::ask_manager({bus}, looked_at_units); }};
}

// Only root may have a unit look. Where it does not end in time there is no saying what it found.
Result<systemd::Unit> look_at_rules(const systemd::BusAddress& bus) {
    CLINIC_TRY(systemd::restart_units(bus, rules_unit, {.wait = rules_max}));
    auto services = systemd::ask_manager(bus, rules_unit);
    CLINIC_TRY(services);
    return std::move(services->units.at(rules_unit.front()));
}

Later<Result<json>> answer_to(const char* command, const Site& site) {
    return Later<Result<json>>{[command, socket = site.control] { return ask(socket, command); }};
}

Later<Result<diagnose::Said>> ways_by(const std::string& socket) {
    return Later<Result<diagnose::Said>>{
        [socket] { return diagnose::ask(socket, static_cast<int>(ways_max.count())); }};
}

// Where clinic-syncd listens for us; the package's own place where its settings cannot be read.
std::string asked_at(const Site& site, const Result<json>& settings) {
    return settings ? text_at(*settings, {"diagnose"}) : site.sync.string();
}

const json* at(const json& object, std::initializer_list<const char*> keys) {
    const json* here = &object;
    for (const char* key : keys) {
        const auto found = here->is_object() ? here->find(key) : here->end();
        if (!here->is_object() || found == here->end()) return nullptr;
        here = &*found;
    }
    return here;
}

// A source that hangs is waited for once, by the check that the others follow from.
template <class T>
Result<T> waited(const Later<Result<T>>& answer) {
    const auto* there = answer.wait(std::chrono::steady_clock::now() + answer_max);
    return there != nullptr ? *there : Result<T>{Error{Errc::timeout, "it does not answer in time"}};
}

} // namespace

Scene::Scene(Site given)
    : site{std::move(given)}, clinicd_settings{settings_of(site.clinicd_settings)},
      syncd_settings{settings_of(site.syncd_settings)}, records{records_of(clinicd_settings)},
      services{units_by(site.bus)}, status{answer_to("status", site)}, containment{answer_to("containment", site)},
      ways{ways_by(asked_at(site, syncd_settings))}, rules{[bus = site.bus] { return look_at_rules({bus}); }} {}

std::string Scene::text(const std::string& path) const {
    auto text = base::read_text(under(path), file_bytes_max);
    return text ? std::move(text).value() : std::string{};
}

Result<systemd::Services> Scene::units() const {
    return waited(services);
}
Result<systemd::Unit> Scene::rules_looked_at() const {
    return waited(rules);
}
Result<diagnose::Said> Scene::ways_said() const {
    const auto* there = ways.wait(Instant{});
    return there != nullptr ? *there : Result<diagnose::Said>{Error{Errc::timeout, "it does not answer in time"}};
}
json Scene::said() const {
    auto answer = waited(status);
    return answer ? std::move(answer).value() : json{};
}
json Scene::contained() const {
    auto answer = waited(containment);
    return answer ? std::move(answer).value() : json{};
}

std::string text_at(const json& object, std::initializer_list<const char*> keys) {
    const json* found = at(object, keys);
    return found != nullptr && found->is_string() ? found->get<std::string>() : std::string{};
}
std::int64_t number_at(const json& object, std::initializer_list<const char*> keys) {
    const json* found = at(object, keys);
    return found != nullptr && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}
bool flag_at(const json& object, std::initializer_list<const char*> keys) {
    const json* found = at(object, keys);
    return found != nullptr && found->is_boolean() && found->get<bool>();
}

json object_at(const json& object, std::initializer_list<const char*> keys) {
    const json* found = at(object, keys);
    return found != nullptr && found->is_object() ? *found : json::object();
}

std::vector<unsigned short> ports_of(const json& containment) {
    std::vector<unsigned short> ports;
    const json* all = at(containment, {"about", "ports"});
    if (all == nullptr || !all->is_array()) return ports;
    for (const auto& one : *all)
        if (one.is_number_unsigned()) ports.push_back(one.get<unsigned short>());
    return ports;
}

std::optional<bool> is_clock_kept() {
    timex asked{};
    const int state = adjtimex(&asked);
    if (state < 0) return std::nullopt;
    return state != TIME_ERROR && (asked.status & STA_UNSYNC) == 0;
}

} // namespace clinic::check
