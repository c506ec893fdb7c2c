#include "sync/envelope/closed_object.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace clinic::envelope {

using nlohmann::json;

namespace {
const json nothing = json::object();
} // namespace

ObjectReader::ObjectReader(const json& object) : object_{object.is_object() ? object : nothing} {
    if (!object.is_object()) refuse("a JSON object is expected");
}

void ObjectReader::refuse(Literal rule) {
    if (!broken_) broken_ = Error{Errc::refused, rule};
}

bool ObjectReader::has(const char* key) const {
    return object_.contains(key);
}

const json* ObjectReader::take(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end()) {
        refuse("a field is missing");
        return nullptr;
    }
    ++taken_;
    return &*found;
}

std::int64_t ObjectReader::integer(const char* key, std::int64_t min, std::int64_t max) {
    const json* value = take(key);
    if (value == nullptr) return min;
    const bool fits =
        value->is_number_integer() &&
        (!value->is_number_unsigned() || value->get<std::uint64_t>() <= static_cast<std::uint64_t>(integer_max));
    const std::int64_t number = fits ? value->get<std::int64_t>() : 0;
    if (fits && number >= min && number <= max) return number;
    refuse("a number is not an integer within its bounds");
    return min;
}

bool ObjectReader::boolean(const char* key) {
    const json* value = take(key);
    if (value != nullptr && value->is_boolean()) return value->get<bool>();
    refuse("true or false is expected");
    return false;
}

std::string_view ObjectReader::raw_text(const char* key) {
    const json* value = take(key);
    if (value != nullptr && value->is_string()) return value->get_ref<const std::string&>();
    refuse("text is expected");
    return {};
}

std::string ObjectReader::text(const char* key, TextRule well_formed) {
    const std::string_view value = raw_text(key);
    require(well_formed(value), "a text is not of its form");
    return std::string{value};
}

void ObjectReader::exactly(const char* key, std::string_view value) {
    require(raw_text(key) == value, "a text is not the one that is expected");
}

void ObjectReader::object(const char* key, const std::function<void(ObjectReader&)>& read) {
    const json* value = take(key);
    if (value == nullptr) return;
    ObjectReader inner{*value};
    read(inner);
    if (const auto inner_done = inner.done(); !inner_done) refuse(inner_done.error().what);
}

void ObjectReader::objects(const char* key, std::size_t items_max, const std::function<void(ObjectReader&)>& read) {
    const json* value = take(key);
    if (value == nullptr) return;
    if (!value->is_array() || value->size() > items_max) return refuse("a list is too long, or no list");
    for (const json& item : *value) {
        ObjectReader inner{item};
        read(inner);
        if (const auto inner_done = inner.done(); !inner_done) refuse(inner_done.error().what);
    }
}

std::vector<std::string> ObjectReader::texts(const char* key, std::size_t items_max) {
    std::vector<std::string> all;
    const json* value = take(key);
    if (value == nullptr) return all;
    if (!value->is_array() || value->size() > items_max) {
        refuse("a list is too long, or no list");
        return all;
    }
    for (const json& item : *value) {
        if (item.is_string())
            all.push_back(item.get<std::string>());
        else
            refuse("text is expected");
    }
    return all;
}

Result<void> ObjectReader::done() {
    if (!broken_ && taken_ != object_.size()) refuse("a field is not of this object's schema");
    if (broken_) return *broken_;
    return {};
}

ObjectWriter& ObjectWriter::key(const char* key) {
    if (text_.size() > 1) text_ += ',';
    text_ += '"';
    text_ += key;
    text_ += "\":";
    return *this;
}

ObjectWriter& ObjectWriter::integer(const char* name, std::int64_t value) {
    key(name).text_ += std::to_string(value);
    return *this;
}

ObjectWriter& ObjectWriter::boolean(const char* name, bool value) {
    key(name).text_ += value ? "true" : "false";
    return *this;
}

ObjectWriter& ObjectWriter::text(const char* name, std::string_view value) {
    key(name).text_ += quoted(value);
    return *this;
}

ObjectWriter& ObjectWriter::written(const char* name, std::string_view value) {
    key(name).text_ += value;
    return *this;
}

ObjectWriter& ObjectWriter::list(const char* name, const std::vector<std::string>& written) {
    key(name).text_ += '[';
    for (std::size_t i = 0; i < written.size(); ++i) {
        if (i > 0) text_ += ',';
        text_ += written[i];
    }
    text_ += ']';
    return *this;
}

std::string quoted(std::string_view text) {
    constexpr std::string_view hexadecimal = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += hexadecimal[byte >> 4];
            out += hexadecimal[byte & 0xF];
        } else {
            out += c;
        }
    }
    return out + '"';
}

bool only(std::string_view text, std::string_view extra, bool upper, bool lower, bool digits) {
    return std::ranges::all_of(text, [&](char c) {
        return (upper && c >= 'A' && c <= 'Z') || (lower && c >= 'a' && c <= 'z') || (digits && c >= '0' && c <= '9') ||
               extra.find(c) != std::string_view::npos;
    });
}

bool is_code(std::string_view text) {
    return text.size() <= 32 && only(text, "_", false, true, true);
}

bool is_pseudonym(std::string_view text, char letter) {
    return text.size() == 28 && text[0] == letter && text[1] == '_' &&
           text.substr(2).find_first_not_of(crockford) == std::string_view::npos;
}

bool is_site(std::string_view text) {
    return text.size() == 12 && text.starts_with("s_") &&
           text.substr(2).find_first_not_of(crockford) == std::string_view::npos;
}

} // namespace clinic::envelope
