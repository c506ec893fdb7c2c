#include "sync/relay/options.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/base/section.h"
#include "sync/channel/mqtt/broker/broker_options.h"
#include "sync/envelope/rules_options.h"

namespace clinic::relay {
namespace {

using nlohmann::json;

constexpr std::size_t file_bytes_max = 8U << 20U; // 10,000 locations
constexpr Literal page = "see docs/relay.md";

struct Section : base::Section {
    Section(const json& object, std::initializer_list<std::string_view> keys) : base::Section{object, keys, page} {}
};

bool is_plain_name(std::string_view text) {
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !text.empty() && text.size() <= 32 && text.front() != '-' && std::all_of(text.begin(), text.end(), good);
}

// Of the machine, as far as its first dot; what may not stand in a topic becomes '-'.
std::string machine_name() {
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) return {};
    std::string name{host.data()};
    name = name.substr(0, std::min<std::size_t>(name.find('.'), 32));
    for (char& c : name) {
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (!is_plain_name(std::string_view{&c, 1})) c = '-';
    }
    return name;
}

Result<void> read_listen(const json& object, Options& out) {
    Section in{object, {"address", "port"}};
    if (auto address = in.text("address", false); !address.empty()) out.address = std::move(address);
    out.port = static_cast<std::uint16_t>(in.number("port", out.port, 1, 65'535));
    return in.outcome();
}

Result<SignatureKeys> read_keys(const json& object) {
    Section in{object, {"key", "next_key", "legacy_key_file"}};
    SignatureKeys out{.current = in.text("key", true),
                      .next = in.text("next_key", false),
                      .legacy = in.text("legacy_key_file", false)};
    CLINIC_TRY(in.outcome());
    return out;
}

Result<Box> read_box(const std::string& location, const json& object) {
    Section in{object, {"box", "tag_prefix", "fields", "reads", "bookings"}};
    Box out{.name = in.text("box", true), .rules = {}};
    in.require(is_plain_name(out.name), "locations: box: small letters, digits and '-', at most 32");
    in.require(envelope::is_contact_id(location), "locations: a key is the id of a location");
    out.rules.location = location;
    if (auto prefix = in.text("tag_prefix", false); !prefix.empty()) out.rules.tag_prefix = std::move(prefix);
    in.require(in.section("fields") != nullptr, "locations: fields is missing");
    CLINIC_TRY(in.outcome());
    auto fields = envelope::read_field_ids(*in.section("fields"), page);
    CLINIC_TRY(fields);
    out.rules.fields = std::move(*fields);
    if (const auto* said = in.section("reads")) {
        auto reads = envelope::read_reads(*said, page);
        CLINIC_TRY(reads);
        out.rules.reads = std::move(*reads);
    }
    if (const auto* said = in.section("bookings")) CLINIC_TRY(envelope::read_bookings(*said, out.rules, page));
    return out;
}

// Two locations that feed one box would be one patient's data in another's books.
Result<Boxes> read_boxes(const json& object) {
    if (!object.is_object() || object.empty() || object.size() > locations_max)
        return Error{Errc::refused, "locations: an object of 1 to 10,000 locations", page};
    Boxes out;
    std::set<std::string> names;
    for (const auto& [location, said] : object.items()) {
        auto box = read_box(location, said);
        CLINIC_TRY(box);
        if (!names.insert(box->name).second) return Error{Errc::refused, "locations: one box for two locations", page};
        out.emplace(location, std::move(*box));
    }
    return out;
}

Result<void> read_reception(Section& in, ReceptionOptions& out) {
    out.app = in.text("app", true);
    in.require(envelope::is_contact_id(out.app), "app: the id of the marketplace app");
    out.window = std::chrono::minutes{
        in.number("window_min", std::chrono::duration_cast<std::chrono::minutes>(out.window).count(), 5, 24 * 60)};
    out.replay_entries_max = static_cast<std::size_t>(
        in.number("replay_entries", static_cast<std::int64_t>(out.replay_entries_max), 1'024, 16'777'216));
    in.require(in.section("locations") != nullptr, "locations is missing");
    CLINIC_TRY(in.outcome());
    auto boxes = read_boxes(*in.section("locations"));
    CLINIC_TRY(boxes);
    out.boxes = std::move(*boxes);
    return {};
}

Result<Options> from_json(const json& object, std::string name) {
    Section in{object,
               {"name", "listen", "certificate", "key", "threads", "app", "window_min", "replay_entries", "signature",
                "locations", "mqtt"}};
    Options out;
    out.name = in.text("name", false);
    if (!name.empty()) out.name = std::move(name);
    if (out.name.empty()) out.name = machine_name();
    in.require(is_plain_name(out.name), "name: small letters, digits and '-', at most 32");
    out.door.certificate = in.text("certificate", true);
    out.door.key = in.text("key", true);
    out.door.threads_max = static_cast<int>(in.number("threads", out.door.threads_max, 16, 1'024));
    in.require(in.section("signature") != nullptr, "signature is missing");
    in.require(in.section("mqtt") != nullptr, "mqtt is missing");
    CLINIC_TRY(in.outcome());
    if (const auto* listen = in.section("listen")) CLINIC_TRY(read_listen(*listen, out));
    auto keys = read_keys(*in.section("signature"));
    CLINIC_TRY(keys);
    out.keys = std::move(*keys);
    CLINIC_TRY(read_reception(in, out.reception));
    auto broker = mqtt::read_broker(*in.section("mqtt"), "relay-" + out.name, page);
    CLINIC_TRY(broker);
    out.broker = std::move(*broker);
    return out;
}

} // namespace

Result<Options> read_options(const std::filesystem::path& file, std::string name) {
    const auto text = base::read_text(file, file_bytes_max);
    if (!text) return text.error();
    const auto parsed = base::parse_json(*text, file_bytes_max, 5);
    if (!parsed) return parsed.error();
    return from_json(*parsed, std::move(name));
}

} // namespace clinic::relay
