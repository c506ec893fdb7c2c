#include "tests/emulator/shape.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace clinic::emulator {
namespace {

std::string joined(std::span<const char* const> words) {
    std::string text;
    for (const char* word : words) text += (text.empty() ? "" : ", ") + std::string{word};
    return text;
}

bool is_text_list(const Json& value) {
    return std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_string(); });
}

// Empty when `value` has the type.
std::string type_fault(const Property& property, const Json& value) {
    const std::string name = property.name;
    switch (property.type) {
    case Type::text: return value.is_string() ? "" : name + " must be a string";
    case Type::nullable_text: return value.is_string() || value.is_null() ? "" : name + " must be a string";
    case Type::flag: return value.is_boolean() ? "" : name + " must be a boolean value";
    case Type::number:
        return value.is_number() ? "" : name + " must be a number conforming to the specified constraints";
    case Type::positive:
        if (!value.is_number_integer()) return name + " must be an integer number";
        return value.get<std::int64_t>() >= 1 ? "" : name + " must not be less than 1";
    case Type::texts:
        if (!value.is_array()) return name + " must be an array";
        return is_text_list(value) ? "" : "each value in " + name + " must be a string";
    case Type::list: return value.is_array() ? "" : name + " must be an array";
    case Type::object: return value.is_object() ? "" : name + " must be an object";
    case Type::nullable_any: return "";
    }
    return "";
}

bool in_words(const Property& property, const Json& value) {
    const auto& text = value.get_ref<const std::string&>();
    return std::any_of(property.words.begin(), property.words.end(), [&](const char* word) { return text == word; });
}

void check(const Property& property, const Json& body, std::vector<std::string>& out) {
    const auto found = body.find(property.name);
    if (found == body.end()) {
        if (property.required) out.push_back(std::string{property.name} + " should not be empty");
        return;
    }
    if (std::string fault = type_fault(property, *found); !fault.empty()) {
        out.push_back(std::move(fault));
        return;
    }
    if (property.required && found->is_string() && found->get_ref<const std::string&>().empty())
        out.push_back(std::string{property.name} + " should not be empty");
    if (!property.words.empty() && found->is_string() && !in_words(property, *found))
        out.push_back(std::string{property.name} + " must be one of the following values: " + joined(property.words));
}

} // namespace

std::vector<std::string> complaints(const Json& body, std::span<const Property> shape) {
    std::vector<std::string> out;
    for (const auto& [key, value] : body.items()) {
        const bool known = std::any_of(shape.begin(), shape.end(), [&](const Property& p) { return key == p.name; });
        if (!known) out.push_back("property " + key + " should not exist");
    }
    for (const Property& property : shape) check(property, body, out);
    return out;
}

} // namespace clinic::emulator
