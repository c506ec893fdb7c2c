#include "crypto/base/section.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace clinic::base {

using nlohmann::json;

Section::Section(const json& object, std::initializer_list<std::string_view> keys, Literal remedy)
    : object_{object}, remedy_{remedy} {
    require(object.is_object(), "a section of the configuration is not an object");
    if (!object.is_object()) return;
    for (const auto& item : object.items())
        if (std::find(keys.begin(), keys.end(), item.key()) == keys.end()) fail("an unknown key in the configuration");
}

std::string Section::text(const char* key, bool needed) {
    const auto* value = find(key);
    if (value == nullptr) return needed ? fail("a key that is needed is missing in the configuration"), "" : "";
    if (!value->is_string() || value->get_ref<const std::string&>().size() > setting_bytes_max ||
        (needed && value->get_ref<const std::string&>().empty()))
        return fail("a text of the configuration is empty, too long, or not a text"), "";
    return value->get<std::string>();
}

std::int64_t Section::number(const char* key, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    const auto* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_number_integer() || *value < least || *value > most)
        return fail("a number of the configuration is out of its range"), otherwise;
    return value->get<std::int64_t>();
}

bool Section::flag(const char* key, bool otherwise) {
    const auto* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) return fail("a switch of the configuration is neither true nor false"), otherwise;
    return value->get<bool>();
}

std::vector<std::string> Section::texts(const char* key, std::size_t texts_max, bool (*well_formed)(std::string_view)) {
    std::vector<std::string> out;
    const auto* value = find(key);
    if (value == nullptr) return out;
    if (!value->is_array() || value->size() > texts_max)
        return fail("a list of the configuration is too long, or none"), out;
    for (const auto& one : *value) {
        if (!one.is_string() || !well_formed(one.get_ref<const std::string&>()) ||
            std::find(out.begin(), out.end(), one.get_ref<const std::string&>()) != out.end())
            return fail("a word of a list of the configuration is not of its form, or twice"), out;
        out.push_back(one.get<std::string>());
    }
    return out;
}

const json* Section::find(const char* key) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
}

void Section::fail(Literal rule) {
    if (outcome_) outcome_ = Error{Errc::refused, rule, remedy_};
}

} // namespace clinic::base
