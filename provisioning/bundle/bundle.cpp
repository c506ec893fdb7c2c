#include "provisioning/bundle/bundle.h"

#include <algorithm>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/seal.h"

namespace clinic::bundle {
namespace {

using nlohmann::json;

constexpr int form = 1;
constexpr std::size_t manifest_bytes_max = 65'536;

std::string digest_of(std::string_view text) {
    return crypto::hex(crypto::digest(base::as_bytes(text)));
}

json entry(const Item& item) {
    json one{{"id", item.id.c_str()}, {"source", item.source.c_str()}, {"safe", item.safe.c_str()}};
    if (*item.missing.c_str() != '\0')
        one["missing"] = item.missing.c_str();
    else
        one.update({{"bytes", item.body.size()}, {"blake2b", digest_of(item.body)}});
    return one;
}

bool is_name(const std::string& id) {
    return !id.empty() && id.size() <= 32 &&
           std::all_of(id.begin(), id.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// A line that a terminal may be shown: whoever has the public key can write one.
bool is_text(const json& value) {
    if (!value.is_string()) return false;
    const auto& text = value.get_ref<const std::string&>();
    return text.size() <= 200 && std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_entry(const json& one) {
    if (!one.is_object()) return false;
    const auto text = [&](const char* key) { return is_text(one.value(key, json{})); };
    if (!text("id") || !is_name(one.at("id").get<std::string>()) || !text("source") || !text("safe")) return false;
    return one.contains("missing") ? text("missing")
                                   : one.value("bytes", json{}).is_number_unsigned() && text("blake2b");
}

constexpr Error no_bundle{Errc::malformed, "what was sealed is no support bundle", "see which file it is"};

} // namespace

json manifest(const Heading& heading, const std::vector<Item>& items) {
    json contents = json::array();
    for (const Item& item : items) contents.push_back(entry(item));
    return {{"v", form},
            {"kind", "clinic-edge bundle"},
            {"version", heading.version},
            {"made", base::rfc3339(heading.made)},
            {"audited", heading.audited},
            {"contents", std::move(contents)}};
}

Result<std::string> pack(const Heading& heading, const std::vector<Item>& items) {
    std::string packed = base::dump_json(manifest(heading, items)) + "\n";
    for (const Item& item : items) {
        if (item.body.size() > item_bytes_max) return Error{Errc::full, "a content is longer than a bundle takes"};
        packed += item.body;
    }
    if (packed.size() > bundle_bytes_max) return Error{Errc::full, "the contents are longer than a bundle takes"};
    return packed;
}

Result<Unpacked> unpack(std::string_view packed) {
    const auto end = packed.substr(0, manifest_bytes_max).find('\n');
    if (end == std::string_view::npos) return no_bundle;
    auto said = base::parse_json(packed.substr(0, end), manifest_bytes_max, 4);
    if (!said || !said->is_object() || said->value("kind", json{}) != "clinic-edge bundle") return no_bundle;
    if (said->value("v", json{}) != form) return Error{Errc::newer, "made by a newer program", "use a newer clinicctl"};
    const json contents = said->value("contents", json{});
    if (!contents.is_array() || !std::all_of(contents.begin(), contents.end(), is_entry)) return no_bundle;
    Unpacked out;
    auto rest = packed.substr(end + 1);
    for (const json& one : contents) {
        if (one.contains("missing")) continue;
        const auto bytes = one.at("bytes").get<std::size_t>();
        const auto body = rest.substr(0, bytes);
        if (body.size() != bytes || digest_of(body) != one.at("blake2b").get_ref<const std::string&>())
            return Error{Errc::tampered, "a content is not what the manifest says", "have it sent again"};
        out.contents.emplace_back(one.at("id").get<std::string>(), body);
        rest.remove_prefix(bytes);
    }
    if (!rest.empty()) return Error{Errc::tampered, "there is more than the manifest says", "have it sent again"};
    out.manifest = std::move(*said);
    return out;
}

} // namespace clinic::bundle
