#include "daemon/records/patient_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::records {
namespace {

using nlohmann::json;

constexpr std::size_t phone_digits_min = 7; // fewer is an extension, or nothing
constexpr int depth_max = 4;

constexpr std::pair<const char*, std::string PatientFields::*> texts[] = {
    {"family", &PatientFields::family},         {"given", &PatientFields::given}, {"middle", &PatientFields::middle},
    {"birth_date", &PatientFields::birth_date}, {"sex", &PatientFields::sex},     {"address", &PatientFields::address},
    {"language", &PatientFields::language},
};

void apply(std::string& field, const Said<PhiText>& said, const Disclosure& why) {
    if (said.is_cleared())
        field.clear();
    else if (said.is_given())
        field = reveal(said.value(), why);
}

void apply(std::vector<std::string>& field, const Said<std::vector<PhiText>>& said, const Disclosure& why) {
    if (said.is_absent()) return;
    field.clear();
    if (!said.is_given()) return;
    for (const auto& value : said.value()) {
        if (const auto& text = reveal(value, why); !text.empty()) field.push_back(text);
    }
}

void add(std::vector<PatientFields::Number>& numbers, const Identifier& identifier, const Disclosure& why) {
    PatientFields::Number number{identifier.name_space, identifier.type, trimmed(reveal(identifier.value, why))};
    if (number.value.empty()) return;
    const auto known = std::find_if(numbers.begin(), numbers.end(), [&number](const auto& other) {
        return other.name_space == number.name_space && other.value == number.value;
    });
    if (known == numbers.end())
        numbers.push_back(std::move(number));
    else if (known->type.empty())
        known->type = number.type;
}

bool is_whole_date(std::string_view date) {
    return date.size() == 8 && std::all_of(date.begin(), date.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> strings(const json& value, const char* key) {
    return value.contains(key) ? value.at(key).get<std::vector<std::string>>() : std::vector<std::string>{};
}

PatientFields from_json(const json& value) {
    PatientFields fields;
    for (const auto& [key, member] : texts) fields.*member = value.value(key, std::string{});
    fields.phones = strings(value, "phones");
    fields.emails = strings(value, "emails");
    fields.deceased = value.value("deceased", false);
    fields.text_assumed = value.value("text_assumed", false);
    for (const auto& number : value.at("identifiers")) {
        fields.identifiers.push_back({number.at("name_space").get<std::string>(), number.at("type").get<std::string>(),
                                      number.at("value").get<std::string>()});
    }
    return fields;
}

} // namespace

bool PatientFields::has_mobile() const {
    return std::any_of(phones.begin(), phones.end(),
                       [](const auto& phone) { return normal_phone(phone).size() >= phone_digits_min; });
}

bool PatientFields::has_email() const {
    return std::any_of(emails.begin(), emails.end(),
                       [](const auto& email) { return email.find('@') != std::string::npos; });
}

void apply(PatientFields& fields, const PatientChange& change, const Disclosure& why) {
    apply(fields.family, change.family, why);
    apply(fields.given, change.given, why);
    apply(fields.middle, change.middle, why);
    apply(fields.birth_date, change.birth_date, why);
    apply(fields.sex, change.sex, why);
    apply(fields.address, change.address, why);
    apply(fields.language, change.language, why);
    apply(fields.phones, change.phones, why);
    apply(fields.emails, change.emails, why);
    if (change.family.is_given() || change.given.is_given()) fields.text_assumed = change.text_assumed;
    if (change.deceased.is_cleared())
        fields.deceased = false;
    else if (change.deceased.is_given())
        fields.deceased = change.deceased.value();
    add_numbers(fields, change, why);
}

void add_numbers(PatientFields& fields, const PatientChange& change, const Disclosure& why) {
    for (const auto& identifier : change.identifiers) add(fields.identifiers, identifier, why);
}

std::vector<IndexEntry> index_entries(const PatientFields& fields) {
    std::vector<IndexEntry> entries;
    const auto put = [&entries](IndexKind kind, std::string normal) {
        if (!normal.empty()) entries.push_back({kind, std::move(normal)});
    };
    put(IndexKind::name, normal_name(fields.family + ' ' + fields.given));
    put(IndexKind::birth_date, trimmed(fields.birth_date));
    for (const auto& phone : fields.phones) put(IndexKind::phone, normal_phone(phone));
    for (const auto& email : fields.emails) put(IndexKind::email, normal_email(email));
    for (const auto& number : fields.identifiers)
        if (identifies_person(number.type)) put(IndexKind::number, trimmed(number.value)); // in whatever name space
    std::sort(entries.begin(), entries.end());
    entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
    return entries;
}

std::vector<IdentifierValue> identifier_values(const PatientFields& fields) {
    std::vector<IdentifierValue> values;
    const auto put = [&values](IdentifierKind kind, const std::string& value) {
        if (!value.empty()) values.push_back({kind, value});
    };
    put(IdentifierKind::name, fields.family);
    put(IdentifierKind::name, fields.given);
    put(IdentifierKind::name, fields.middle);
    for (const auto& phone : fields.phones) put(IdentifierKind::phone, phone);
    for (const auto& email : fields.emails) put(IdentifierKind::email, email);
    for (const auto& number : fields.identifiers) put(IdentifierKind::number, number.value);
    if (is_whole_date(fields.birth_date)) put(IdentifierKind::date, fields.birth_date); // a year alone names nobody
    return values;
}

Result<std::string> encode(const PatientFields& fields) {
    if (fields.identifiers.size() > patient_identifiers_max)
        return Error{Errc::full, "a patient has too many identifiers"};
    json value;
    for (const auto& [key, member] : texts) {
        if (!(fields.*member).empty()) value[key] = fields.*member;
    }
    if (!fields.phones.empty()) value["phones"] = fields.phones;
    if (!fields.emails.empty()) value["emails"] = fields.emails;
    if (fields.deceased) value["deceased"] = true;
    if (fields.text_assumed) value["text_assumed"] = true;
    auto& numbers = value["identifiers"] = json::array();
    for (const auto& number : fields.identifiers)
        numbers.push_back({{"name_space", number.name_space}, {"type", number.type}, {"value", number.value}});
    std::string text = base::dump_json(value);
    if (text.size() > patient_bytes_max) return Error{Errc::full, "a patient's fields are longer than their bound"};
    return text;
}

Result<PatientFields> decode_patient(std::string_view text) {
    const auto value = base::parse_json(text, patient_bytes_max, depth_max);
    if (!value) return Error{Errc::corrupt, "a patient's sealed fields are not JSON"};
    try {
        return from_json(*value);
    } catch (const json::exception&) {
        return Error{Errc::corrupt, "a patient's sealed fields are not as written"};
    }
}

} // namespace clinic::records
