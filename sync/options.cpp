#include "sync/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/base/section.h"
#include "sync/channel/mqtt/broker/broker_options.h"
#include "sync/envelope/rules_options.h"
#include "sync/poll/phone.h"

namespace clinic::sync {
namespace {

using nlohmann::json;

constexpr std::size_t file_bytes_max = 65'536;
constexpr std::int64_t seconds_max = 600;
constexpr std::int64_t requests_per_second_max = 100'000;

constexpr Literal page = "see docs/syncd.md";

struct Section : base::Section {
    Section(const json& object, std::initializer_list<std::string_view> keys) : base::Section{object, keys, page} {}
};

std::chrono::milliseconds seconds(std::int64_t value) {
    return std::chrono::seconds{value};
}
std::int64_t whole_seconds(std::chrono::milliseconds value) {
    return std::chrono::duration_cast<std::chrono::seconds>(value).count();
}

bool plain_name(std::string_view text) {
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !text.empty() && text.size() <= 32 && text.front() != '-' && std::all_of(text.begin(), text.end(), good);
}

// "https://host" or "https://host:port"; an address of version 6 in brackets; no path.
bool read_base(std::string_view base, ghl::ClientOptions& client) {
    constexpr std::string_view scheme = "https://";
    if (!base.starts_with(scheme)) return false;
    base.remove_prefix(scheme.size());
    if (base.ends_with('/')) base.remove_suffix(1);
    const auto bracket = base.starts_with('[') ? base.find(']') : std::string_view::npos;
    const auto colon = base.find(':', bracket == std::string_view::npos ? 0 : bracket);
    auto host = base.substr(0, colon);
    if (bracket != std::string_view::npos) host = host.substr(1, bracket - 1);
    client.host = host;
    if (host.empty() || host.find_first_of("/?#@ ") != std::string_view::npos) return false;
    if (colon == std::string_view::npos) return true;
    const auto port = base.substr(colon + 1);
    const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), client.port);
    return failed == std::errc{} && end == port.data() + port.size() && client.port != 0;
}

Result<ghl::GrantOptions> read_oauth(const json& object, const std::string& location) {
    Section in{object, {"client_id", "client_secret_file", "redirect_uri"}};
    ghl::GrantOptions out{.client_id = in.text("client_id", true),
                          .client_secret_file = in.text("client_secret_file", true),
                          .redirect_uri = in.text("redirect_uri", true),
                          .location = location};
    CLINIC_TRY(in.outcome());
    return out;
}

Result<poll::PollOptions> read_polling(const json& object) {
    Section in{object, {"hours", "country", "busy_s", "quiet_s"}};
    poll::PollOptions out;
    if (const auto text = in.text("hours", false); !text.empty()) {
        out.hours = poll::Hours::parse(text);
        in.require(out.hours.has_value(), "ghl.polling.hours: as 'mon-fri 08:00-18:00'");
    }
    if (auto country = in.text("country", false); !country.empty()) out.country = std::move(country);
    in.require(poll::is_country(out.country), "ghl.polling.country: two capitals, as US or DE");
    out.pace.busy = seconds(in.number("busy_s", 45, 5, seconds_max));
    out.pace.quiet = seconds(in.number("quiet_s", 240, 5, seconds_max));
    CLINIC_TRY(in.outcome());
    return out;
}

// `version`: for all modules; `versions` for one and another.
void read_versions(Section& in, ghl::Dialects& dialects) {
    const auto speak = [&](std::size_t module, const std::string& version) {
        const bool spoken = version.empty() || dialects.speak(static_cast<ghl::Module>(module), version);
        in.require(spoken, "ghl.version, ghl.versions: 2021-07-28, 2021-04-15 or v3");
    };
    // Where the dated one is named, calendars stay at theirs.
    if (const auto all = in.text("version", false); all != "2021-07-28")
        for (std::size_t i = 0; i < ghl::module_names.size(); ++i) speak(i, all);
    const auto* section = in.section("versions");
    if (section == nullptr) return;
    Section each{*section, {"locations", "contacts", "opportunities", "calendars"}};
    for (std::size_t i = 0; i < ghl::module_names.size(); ++i) speak(i, each.text(ghl::module_names.at(i), false));
    in.require(static_cast<bool>(each.outcome()), "ghl.versions: locations, contacts, opportunities, calendars");
}

Result<GhlOptions> read_ghl(const json& object) {
    Section in{object,
               {"base", "location", "token_file", "next_token_file", "oauth", "ca", "tag_prefix", "fields",
                "connect_timeout_s", "call_timeout_s", "version", "versions", "requests_per_second_max", "reads",
                "polling", "pipeline", "bookings"}};
    GhlOptions out;
    auto& client = out.client;
    in.require(read_base(in.text("base", true), client), "ghl.base: https://host[:port]");
    client.token_file = in.text("token_file", false);
    client.next_token_file = in.text("next_token_file", false);
    in.require((in.section("oauth") != nullptr) == client.token_file.empty(),
               "ghl: either token_file or oauth, and one of them");
    client.ca = in.text("ca", false);
    read_versions(in, client.dialects);
    client.connect_max = seconds(in.number("connect_timeout_s", whole_seconds(client.connect_max), 1, seconds_max));
    client.call_max = seconds(in.number("call_timeout_s", whole_seconds(client.call_max), 1, seconds_max));
    out.rate.per_second_max = static_cast<double>(in.number(
        "requests_per_second_max", static_cast<std::int64_t>(out.rate.per_second_max), 1, requests_per_second_max));
    out.rules.location = in.text("location", true);
    in.require(envelope::is_contact_id(out.rules.location), "ghl.location: the id of the location");
    if (auto prefix = in.text("tag_prefix", false); !prefix.empty()) out.rules.tag_prefix = std::move(prefix);
    CLINIC_TRY(in.outcome());
    if (const auto* oauth = in.section("oauth")) {
        auto grant = read_oauth(*oauth, out.rules.location);
        CLINIC_TRY(grant);
        client.oauth = std::move(*grant);
    }
    if (const auto* reads = in.section("reads")) {
        auto read = envelope::read_reads(*reads, page);
        CLINIC_TRY(read);
        out.rules.reads = std::move(*read);
    }
    if (const auto* pipeline = in.section("pipeline")) {
        std::array<envelope::Case, 7> outcomes{}; // clinicd's
        auto read = envelope::read_pipeline(*pipeline, outcomes, page);
        CLINIC_TRY(read);
        out.rules.pipeline = std::move(*read);
    }
    if (const auto* bookings = in.section("bookings")) CLINIC_TRY(envelope::read_bookings(*bookings, out.rules, page));
    if (const auto* polling = in.section("polling")) {
        auto read = read_polling(*polling);
        CLINIC_TRY(read);
        out.polling = std::move(*read);
    }
    if (client.oauth) client.oauth->wants = ghl::wants_of(out.rules);
    if (in.section("fields") == nullptr) return out; // until `clinicctl ghl prepare`: nothing is delivered
    auto fields = envelope::read_field_ids(*in.section("fields"), page);
    CLINIC_TRY(fields);
    out.rules.fields = std::move(*fields);
    return out;
}

Result<TraceOptions> read_traces(const json& object) {
    Section in{object, {"base", "ca"}};
    ghl::ClientOptions far;
    in.require(read_base(in.text("base", true), far), "traces.base: https://host[:port]");
    TraceOptions out{far.host, far.port, in.text("ca", false)};
    CLINIC_TRY(in.outcome());
    return out;
}

Result<Options> from_json(const json& object) {
    Section in{object,
               {"box", "egress", "state", "credential", "records", "diagnose", "workers", "ghl", "mqtt", "traces"}};
    Options out;
    out.box = in.text("box", true);
    in.require(plain_name(out.box), "box: small letters, digits and '-', at most 32");
    out.egress = in.text("egress", true);
    out.state = in.text("state", true);
    out.credential = in.text("credential", true);
    out.records = in.text("records", false);
    out.diagnose = in.text("diagnose", false);
    out.workers = static_cast<int>(in.number("workers", out.workers, 1, 64));
    CLINIC_TRY(in.outcome());
    if (const auto* ghl = in.section("ghl")) {
        auto read = read_ghl(*ghl);
        CLINIC_TRY(read);
        out.ghl = std::move(*read);
    }
    if (const auto* broker = in.section("mqtt")) {
        auto settings = *broker;
        const auto relay = settings.is_object() && settings.contains("relay") ? settings["relay"] : json(false);
        in.require(relay.is_boolean(), "mqtt.relay: true or false");
        out.relay = relay == true;
        in.require(!out.relay || (out.ghl && out.ghl->polling), "mqtt.relay: needs ghl.polling, which is complete");
        CLINIC_TRY(in.outcome());
        if (settings.is_object()) settings.erase("relay");
        auto read = mqtt::read_broker(settings, out.box, page);
        CLINIC_TRY(read);
        out.mqtt = std::move(*read);
    }
    if (const auto* traces = in.section("traces")) {
        auto read = read_traces(*traces);
        CLINIC_TRY(read);
        out.traces = std::move(*read);
    }
    return out;
}

} // namespace

Result<Options> read_options(const std::filesystem::path& file) {
    const auto text = base::read_text(file, file_bytes_max);
    if (!text) return text.error();
    const auto parsed = base::parse_json(*text, file_bytes_max, 4);
    if (!parsed) return parsed.error();
    return from_json(*parsed);
}

} // namespace clinic::sync
