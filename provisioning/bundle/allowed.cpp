#include "provisioning/bundle/allowed.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace clinic::bundle {
namespace {

using nlohmann::json;

constexpr std::size_t word_bytes_max = 64, list_max = 200;

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_of(const std::string& text, std::string_view others) {
    return text.size() <= word_bytes_max && std::all_of(text.begin(), text.end(), [&](char c) {
               return is_letter_or_digit(c) || others.find(c) != std::string_view::npos;
           });
}

// "2026-11-21T10:00:00Z"
bool is_time(const std::string& text) {
    constexpr std::string_view form = "0000-00-00T00:00:00";
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() <= form.size() || text.size() > 32 || text.back() != 'Z') return false;
    for (std::size_t i = 0; i < form.size(); ++i)
        if (form[i] == '0' ? !digit(text[i]) : text[i] != form[i]) return false;
    return std::all_of(text.begin() + form.size(), text.end() - 1, [&](char c) { return c == '.' || digit(c); });
}

void take(const json& from, std::string_view path, Kind kind, json& into) {
    const auto dot = path.find('.');
    std::string key{path.substr(0, dot)};
    const auto rest = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    const bool list = key.ends_with("[]");
    if (list) key.erase(key.size() - 2);
    const auto found = from.is_object() ? from.find(key) : from.end();
    if (!from.is_object() || found == from.end()) return;
    if (!list && rest.empty()) {
        into[key] = fits(*found, kind) ? *found : json{};
    } else if (!list) {
        take(*found, rest, kind, into[key]);
    } else if (found->is_array()) {
        json& out = into[key];
        if (!out.is_array()) out = json::array();
        for (std::size_t i = 0; i < std::min(found->size(), list_max); ++i) {
            if (out.size() <= i) out.push_back(json::object());
            take((*found)[i], rest, kind, out[i]);
        }
    }
}

} // namespace

bool fits(const json& value, Kind kind) {
    switch (kind) {
    case Kind::number: return value.is_number();
    case Kind::flag: return value.is_boolean();
    case Kind::word: return value.is_string() && is_of(value.get_ref<const std::string&>(), "._:~+-");
    case Kind::words: return value.is_string() && is_of(value.get_ref<const std::string&>(), "._:~+-' ");
    case Kind::time: return value.is_string() && is_time(value.get_ref<const std::string&>());
    }
    return false;
}

json only(const json& from, std::span<const Allowed> places) {
    json out = json::object();
    for (const Allowed& one : places) take(from, one.path, one.kind, out);
    return out;
}

} // namespace clinic::bundle
