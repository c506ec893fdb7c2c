#include "daemon/release/policy.h"

#include <array>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::release {
namespace {

constexpr std::array basis_names{"off", "deid", "authorized", "baa", "consumer_consent"};
constexpr std::array unlinked_names{"park", "shell"};
constexpr std::size_t policy_bytes_max = 4'096;
constexpr int days_max = 36'500;

template <std::size_t count>
std::optional<std::size_t> index_of(const std::array<const char*, count>& names, std::string_view name) {
    for (std::size_t i = 0; i < count; ++i) {
        if (name == names[i]) return i;
    }
    return std::nullopt;
}

bool int_between(const nlohmann::json& object, const char* key, int least, int most, int& out) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_integer()) return false;
    const auto value = found->get<std::int64_t>();
    if (value < least || value > most) return false;
    out = static_cast<int>(value);
    return true;
}

bool text_of(const nlohmann::json& object, const char* key, std::string& out) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) return false;
    out = found->get<std::string>();
    return true;
}

bool expiry_of(const nlohmann::json& object, std::optional<Timestamp>& out) {
    const auto found = object.find("basis_expires");
    if (found == object.end()) return false;
    if (found->is_number_integer()) out = Timestamp{found->get<std::int64_t>()};
    return found->is_null() || found->is_number_integer();
}

} // namespace

const char* name(Basis basis) {
    return basis_names.at(static_cast<std::size_t>(basis));
}

std::optional<Basis> basis(std::string_view name) {
    const auto index = index_of(basis_names, name);
    return index ? std::optional{static_cast<Basis>(*index)} : std::nullopt;
}

Basis Policy::effective(Timestamp at) const {
    return basis_expires && *basis_expires <= at ? Basis::off : basis;
}

std::string encode(const Policy& policy) {
    nlohmann::json expires = nullptr;
    if (policy.basis_expires) expires = policy.basis_expires->micros;
    return base::dump_json({{"v", 1},
                            {"basis", name(policy.basis)},
                            {"basis_expires", expires},
                            {"evidence", policy.evidence_digest},
                            {"unlinked", unlinked_names.at(static_cast<std::size_t>(policy.unlinked))},
                            {"site", policy.site},
                            {"recall_after_days", policy.recall_after_days},
                            {"lapsed_after_days", policy.lapsed_after_days},
                            {"new_for_days", policy.new_for_days}});
}

Result<Policy> decode_policy(std::string_view text) {
    auto parsed = base::parse_json(text, policy_bytes_max, 2);
    if (!parsed) return parsed.error();
    const nlohmann::json& object = *parsed;
    // A fixed offset, which nothing set, was a part of it once.
    const std::size_t keys = object.is_object() && object.contains("utc_offset_minutes") ? 10 : 9;
    const Error broken{Errc::corrupt, "the stored release policy is not one of ours", "set the basis again"};
    int version = 0;
    if (!object.is_object() || object.size() != keys || !int_between(object, "v", 0, 1'000'000, version)) return broken;
    if (version != 1) return Error{Errc::newer, "the release policy was written by a later version"};

    Policy policy;
    std::string basis_name, unlinked_name;
    const bool complete = text_of(object, "basis", basis_name) && text_of(object, "unlinked", unlinked_name) &&
                          text_of(object, "evidence", policy.evidence_digest) && text_of(object, "site", policy.site) &&
                          expiry_of(object, policy.basis_expires) &&
                          int_between(object, "recall_after_days", 1, days_max, policy.recall_after_days) &&
                          int_between(object, "lapsed_after_days", 1, days_max, policy.lapsed_after_days) &&
                          int_between(object, "new_for_days", 0, days_max, policy.new_for_days);
    const auto stored_basis = basis(basis_name);
    const auto unlinked = index_of(unlinked_names, unlinked_name);
    if (!complete || !stored_basis || !unlinked) return broken;
    policy.basis = *stored_basis;
    policy.unlinked = static_cast<Unlinked>(*unlinked);
    return policy;
}

} // namespace clinic::release
