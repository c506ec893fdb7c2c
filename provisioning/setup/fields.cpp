#include "provisioning/setup/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace clinic::setup {
namespace {

using nlohmann::json;

const json empty_object = json::object(), empty_list = json::array();

bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= text_bytes_max && std::none_of(text.begin(), text.end(), [](char letter) {
        return static_cast<unsigned char>(letter) < ' ' || letter == '\x7F';
    });
}

} // namespace

Fields::Fields(const json& object, std::string path, Faults& faults)
    : object_{object}, path_{std::move(path)}, faults_{faults} {
    if (!object.is_object()) fault("", "is not an object");
}

Fields::~Fields() {
    if (!object_.is_object()) return;
    for (const auto& [key, value] : object_.items())
        if (!known_.contains(key)) fault(key.c_str(), "is unknown");
}

bool Fields::has(const char* key) const {
    return object_.is_object() && object_.contains(key);
}

void Fields::fault(const char* key, std::string_view what) {
    std::string named = place(key);
    if (named.ends_with('.')) named.pop_back(); // the object itself
    faults_.push_back((named.empty() ? "the file" : named) + " " + std::string{what});
}

const json* Fields::take(const char* key, bool needed) {
    known_.insert(key);
    if (has(key)) return &object_.at(key);
    if (needed && object_.is_object()) fault(key, "is missing");
    return nullptr;
}

std::string Fields::text(const char* key) {
    const json* value = take(key, true);
    if (value == nullptr) return {};
    if (value->is_string() && is_plain(value->get_ref<const std::string&>())) return value->get<std::string>();
    fault(key, "is not a text of 1 to 256 letters");
    return {};
}

std::string Fields::text_or(const char* key, const char* otherwise) {
    known_.insert(key);
    return has(key) ? text(key) : otherwise;
}

std::int64_t Fields::number(const char* key, std::int64_t least, std::int64_t most) {
    const json* value = take(key, true);
    if (value == nullptr) return least;
    if (value->is_number_integer() && *value >= least && *value <= most) return value->get<std::int64_t>();
    fault(key, "is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return least;
}

std::int64_t Fields::number_or(const char* key, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    known_.insert(key);
    return has(key) ? number(key, least, most) : otherwise;
}

std::filesystem::path Fields::path(const char* key) {
    const std::string said = text(key);
    if (!said.empty() && said.front() != '/') fault(key, "is not a path from / on");
    return said;
}

std::optional<std::filesystem::path> Fields::path_or_null(const char* key) {
    const json* value = take(key, true);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return path(key);
}

const json& Fields::object(const char* key) {
    const json* value = take(key, true);
    if (value == nullptr) return empty_object;
    if (value->is_object()) return *value;
    fault(key, "is not an object");
    return empty_object;
}

const json* Fields::object_or_null(const char* key) {
    const json* value = take(key, true);
    if (value == nullptr || value->is_null()) return nullptr;
    if (value->is_object()) return value;
    fault(key, "is neither an object nor null");
    return nullptr;
}

const json& Fields::list(const char* key) {
    const json* value = take(key, true);
    if (value == nullptr) return empty_list;
    if (value->is_array()) return *value;
    fault(key, "is not a list");
    return empty_list;
}

} // namespace clinic::setup
