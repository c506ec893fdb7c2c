#include "sync/diagnose/said/grant_said.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/diagnose/said/said.h"

namespace clinic::diagnose {
namespace {

using nlohmann::json;

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

} // namespace

std::string write_question(const GrantQuestion& asked) {
    if (!asked.code) return base::dump_json({{"v", 1}, {"ask", "grant"}});
    return base::dump_json({{"v", 1}, {"ask", "authorize"}, {"code", *asked.code}});
}

std::optional<GrantQuestion> read_grant_question(std::string_view text) {
    const auto parsed = base::parse_json(text, answer_bytes_max, 1);
    if (!parsed || !parsed->is_object() || parsed->value("v", json{}) != 1) return std::nullopt;
    const auto what = parsed->value("ask", json{}), code = parsed->value("code", json{});
    if (what == "grant" && parsed->size() == 2) return GrantQuestion{};
    if (what != "authorize" || parsed->size() != 3 || !code.is_string()) return std::nullopt;
    auto given = code.get<std::string>();
    if (given.empty() || given.size() > code_length_max || !is_plain(given)) return std::nullopt;
    return GrantQuestion{std::move(given)};
}

std::string write_grant(const GrantSaid& said) {
    json missing = json::array();
    for (const auto& [scope, feature] : said.missing) missing.push_back({{"scope", scope}, {"feature", feature}});
    return base::dump_json({{"v", 1},
                            {"way", said.way},
                            {"state", said.state},
                            {"minutes_left", said.minutes_left},
                            {"address", said.address},
                            {"missing", missing},
                            {"why", said.why},
                            {"remedy", said.remedy}});
}

Result<GrantSaid> read_grant(std::string_view text) {
    constexpr Error other{Errc::malformed, "clinic-syncd's answer is not understood",
                          "use the clinicctl of the same package"};
    const auto parsed = base::parse_json(text, answer_bytes_max, 3);
    if (!parsed || !parsed->is_object() || parsed->size() != 8 || parsed->value("v", json{}) != 1) return other;
    GrantSaid said;
    const auto take = [&](const char* key, std::string& into, const json& object) {
        const auto found = object.find(key);
        if (found == object.end() || !found->is_string() || !is_plain(found->get_ref<const std::string&>()))
            return false;
        into = found->get<std::string>();
        return true;
    };
    const auto minutes = parsed->value("minutes_left", json{}), missing = parsed->value("missing", json{});
    if (!take("way", said.way, *parsed) || !take("state", said.state, *parsed) ||
        !take("address", said.address, *parsed) || !take("why", said.why, *parsed) ||
        !take("remedy", said.remedy, *parsed) || !minutes.is_number_integer() || !missing.is_array())
        return other;
    said.minutes_left = minutes.get<std::int64_t>();
    for (const auto& one : missing) {
        std::pair<std::string, std::string> scope;
        if (!one.is_object() || !take("scope", scope.first, one) || !take("feature", scope.second, one)) return other;
        said.missing.push_back(std::move(scope));
    }
    return said;
}

Result<GrantSaid> ask_grant(const std::string& socket, const GrantQuestion& asked, int seconds_max) {
    const auto answer = put(socket, write_question(asked), seconds_max);
    CLINIC_TRY(answer);
    return read_grant(*answer);
}

} // namespace clinic::diagnose
