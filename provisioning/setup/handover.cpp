#include "provisioning/setup/handover.h"

#include "crypto/base/json.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

constexpr const char* key_file = "handover";
constexpr std::size_t text_bytes_max = 1'048'576;

} // namespace

Result<json> report_of(const Progress& progress, const std::string& version) {
    if (!progress.is_complete())
        return Error{Errc::refused, "the setup is not finished", "go on with: clinicctl setup"};
    json report{{"v", 1}, {"kind", "clinic-edge hand-over"}, {"version", version}};
    report["finished_at"] = progress.done_at(Step::proof);
    for (const Step step : steps) {
        report["steps"][name(step)] = progress.facts(step);
        report["steps"][name(step)]["at"] = progress.done_at(step);
    }
    return report;
}

std::string canonical(const json& report) {
    return base::dump_json(report); // its objects keep their keys in order
}

Result<crypto::SigningKey> handover_key(const provisioning::SealedKeys& keys) {
    const auto known = keys.get(key_file, key_file);
    CLINIC_TRY(known);
    if (*known) return crypto::SigningKey::from_seed((*known)->bytes());
    const auto seed = crypto::SecureBytes::random(crypto::signing_seed_bytes);
    CLINIC_TRY(keys.put(key_file, key_file, seed.bytes()));
    return crypto::SigningKey::from_seed(seed.bytes());
}

std::string signed_text(const json& report, const crypto::SigningKey& key) {
    return canonical(
               {{"report", report},
                {"signature",
                 {{"algorithm", "ed25519"}, {"key", key.public_key()}, {"value", key.sign(canonical(report))}}}}) +
           "\n";
}

Result<json> verify(std::string_view text, const std::string& key) {
    constexpr Error other{Errc::malformed, "the file is no hand-over of a box", "give the JSON file, not the PDF"};
    const auto read = base::parse_json(text, text_bytes_max, 16);
    if (!read || !read->is_object() || !read->contains("report") || !read->contains("signature")) return other;
    const json& signature = (*read)["signature"];
    if (!signature.is_object() || signature.value("algorithm", json{}) != "ed25519") return other;
    for (const char* part : {"key", "value"})
        if (!signature.contains(part) || !signature[part].is_string()) return other;
    const auto signer = signature["key"].get<std::string>();
    if (!key.empty() && signer != key)
        return Error{Errc::conflict, "another box signed it", "compare the key with the one that the box shows"};
    if (!crypto::is_signed_by(signer, signature["value"].get<std::string>(), canonical((*read)["report"])))
        return Error{Errc::tampered, "the signature does not fit: it was changed since it was signed"};
    return (*read)["report"];
}

} // namespace clinic::setup
