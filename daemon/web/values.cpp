#include "daemon/web/values.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "daemon/web/words/words.h"

namespace clinic::web {
namespace {

using nlohmann::json;

const json& at(const json& status, std::string_view path) {
    static const json nothing;
    const json* value = &status;
    while (!path.empty()) {
        const auto dot = path.find('.');
        const auto next = value->find(std::string{path.substr(0, dot)});
        if (next == value->end()) return nothing;
        value = &*next;
        path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
    }
    return *value;
}

std::int64_t integer(const json& value, std::int64_t otherwise) {
    return value.is_number_integer() ? value.get<std::int64_t>() : otherwise;
}
std::string text(const json& value) {
    return value.is_string() ? value.get<std::string>() : std::string{};
}
bool truth(const json& value) {
    return value.is_boolean() && value.get<bool>();
}

Timestamp time(const json& value) {
    return words::moment_of(text(value));
}

words::Moment moment(const json& status) {
    return {time(at(status, "at")), static_cast<int>(integer(at(status, "clock.zone_minutes"), 0))};
}

std::string sentence(const json& status, const json& said) {
    const words::Values values{integer(at(said, "n"), 0), integer(at(said, "age_s"), -1), time(at(said, "at"))};
    return words::say(text(at(said, "key")), values, moment(status));
}

std::pair<std::string_view, std::string_view> split(std::string_view argument) {
    const auto colon = argument.find(':');
    return {argument.substr(0, colon),
            colon == std::string_view::npos ? std::string_view{} : argument.substr(colon + 1)};
}

std::string either(const json& status, std::string_view argument) {
    const auto [path, choices] = split(argument);
    const auto [yes, no] = split(choices);
    return words::text(truth(at(status, path)) ? yes : no).c_str();
}

std::string word(const json& status, std::string_view argument) {
    const auto [prefix, path] = split(argument);
    const std::string key = std::string{prefix} + text(at(status, path));
    return words::has(key) ? words::text(key).c_str() : text(at(status, path));
}

// Counts, ages and the basis lie in the records: while those are closed nobody knows them.
bool is_known(const json& status, std::string_view path) {
    constexpr std::array in_the_records{"egress.", "queue.", "intake.", "feeds.", "basis.", "store."};
    const bool kept = std::any_of(in_the_records.begin(), in_the_records.end(),
                                  [&](const char* prefix) { return path.starts_with(prefix); });
    return !kept || path == "store.disk_free_percent" || truth(at(status, "store.open"));
}

std::string seconds(const json& value) {
    if (!value.is_number_integer()) return words::text("page.not_said").c_str();
    return words::say("clock.seconds", {.n = integer(value, 0)}, {});
}

} // namespace

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) switch (c) {
        case '&': safe += "&amp;"; break;
        case '<': safe += "&lt;"; break;
        case '>': safe += "&gt;"; break;
        case '"': safe += "&quot;"; break;
        case '\'': safe += "&#39;"; break;
        default: safe += c;
        }
    return safe;
}

bool is_mark(std::string_view kind) {
    constexpr std::array marks{"state", "lane", "trust", "balanced", "open"};
    return std::find(marks.begin(), marks.end(), kind) != marks.end();
}

std::string mark(const json& status, std::string_view kind, std::string_view path) {
    const json& value = at(status, path);
    if (kind == "state") return text(value);
    if (kind == "lane")
        return text(value) == "up"                                  ? "well"
               : text(value) == "unknown" || text(value) == "unset" ? "information"
                                                                    : "look";
    if (kind == "open") return truth(value) ? "open" : "closed";
    if (!is_known(status, path)) return "information";
    return truth(value) ? "well" : "look";
}

std::string show(const json& status, std::string_view kind, std::string_view argument) {
    const json& value = at(status, argument);
    const auto [first, second] = split(argument);
    if (!is_known(status, kind == "word" ? second : first)) return words::text("page.not_known").c_str();
    if (kind == "n") return words::number(integer(value, 0));
    if (kind == "ago") return words::ago(integer(value, -1), moment(status));
    if (kind == "span")
        return integer(value, 0) > 0 ? words::span(integer(value, 0)) : words::text("page.none").c_str();
    if (kind == "bytes") return words::bytes(integer(value, 0));
    if (kind == "text") return text(value);
    if (kind == "word") return word(status, argument);
    if (kind == "sentence") return sentence(status, value);
    if (kind == "since") return words::say("page.since", {.at = time(value)}, moment(status));
    if (kind == "date")
        return value.is_string() ? words::date(time(value), moment(status)) : words::text("page.none").c_str();
    if (kind == "exact") return words::exact(time(value), moment(status));
    if (kind == "seconds") return seconds(value);
    if (kind == "either") return either(status, argument);
    if (kind == "balance") return words::text(truth(value) ? "page.adds_up" : "page.adds_not").c_str();
    assert(false && "a directive of the page that nobody knows");
    return {};
}

std::string exact_time(const json& status, std::string_view kind, std::string_view argument) {
    if (!is_known(status, argument)) return {};
    const json& value = at(status, argument);
    const words::Moment now = moment(status);
    if (kind == "ago" && integer(value, -1) >= 0)
        return words::exact(now.now - std::chrono::seconds{integer(value, 0)}, now);
    if (kind == "since") return words::exact(time(value), now);
    return {};
}

} // namespace clinic::web
