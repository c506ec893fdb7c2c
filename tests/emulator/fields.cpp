#include "tests/emulator/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"

namespace clinic::emulator {
namespace {

constexpr std::size_t fields_file_bytes_max = 1U << 20U;

// The buckets of an envelope, and the years that stand for them where nothing finer may leave.
std::vector<std::string> time_buckets() {
    std::vector<std::string> options{"none", "past", "d0_2", "d3_7", "d8_30", "m1_3", "m3_6", "m6_plus"};
    for (int year = 2000; year < 2100; ++year) options.push_back("y" + std::to_string(year));
    return options;
}

bool option_allowed(const CustomField& field, const Json& value) {
    if (!value.is_string()) return false;
    const auto& text = value.get_ref<const std::string&>();
    return text.empty() || std::find(field.options.begin(), field.options.end(), text) != field.options.end();
}

bool is_numeric(const CustomField& field) {
    return field.data_type == "NUMERICAL" || field.data_type == "MONETORY";
}
bool is_single(const CustomField& field) {
    return field.data_type == "SINGLE_OPTIONS" || field.data_type == "RADIO";
}
bool is_multiple(const CustomField& field) {
    return field.data_type == "MULTIPLE_OPTIONS" || field.data_type == "CHECKBOX";
}

bool has_type(const CustomField& field, const Json& value) {
    if (is_numeric(field)) return value.is_number();
    if (is_multiple(field)) return value.is_array();
    if (field.data_type == "FILE_UPLOAD") return value.is_object();
    return value.is_string();
}

bool is_option(const CustomField& field, const Json& value) {
    if (is_single(field)) return option_allowed(field, value);
    if (!is_multiple(field)) return true;
    return std::all_of(value.begin(), value.end(), [&](const Json& item) { return option_allowed(field, item); });
}

const CustomField* find_by_key(const std::vector<CustomField>& fields, std::string_view key) {
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.name == key; });
    return found == fields.end() ? nullptr : &*found;
}

// Shape of one entry: {id|key, field_value}. `fieldValue` is taken as well with the dated versions.
std::vector<std::string> entry_complaints(const Json& entry, const std::string& at) {
    if (!entry.is_object()) return {at + " must be an object"};
    std::vector<std::string> out;
    for (const auto& [key, value] : entry.items())
        if (key != "id" && key != "key" && key != "field_value" && key != "fieldValue")
            out.push_back(at + ".property " + key + " should not exist");
    for (const char* name : {"id", "key"})
        if (entry.contains(name) && !entry[name].is_string()) out.push_back(at + "." + name + " must be a string");
    if (!entry.contains("id") && !entry.contains("key")) out.push_back(at + ".id should not be empty");
    if (entry.contains("field_value") == entry.contains("fieldValue"))
        out.push_back(at + ".field_value should not be empty");
    return out;
}

void set_value(Json& stored, const std::string& id, const Json& value) {
    const auto found = std::find_if(stored.begin(), stored.end(), [&](const Json& item) { return item["id"] == id; });
    const bool clears = value.is_string() && value.get_ref<const std::string&>().empty();
    if (found != stored.end() && clears)
        stored.erase(found);
    else if (found != stored.end())
        (*found)["value"] = value;
    else if (!clears)
        stored.push_back({{"id", id}, {"value", value}});
}

std::optional<Answer> merge_entry(const std::vector<CustomField>& fields, const Json& entry, const std::string& at,
                                  Json& stored) {
    if (const auto faults = entry_complaints(entry, at); !faults.empty()) return unprocessable(faults);
    const bool by_id = entry.contains("id");
    const std::string name = entry[by_id ? "id" : "key"].get<std::string>();
    const CustomField* field = by_id ? find_field(fields, name) : find_by_key(fields, name);
    if (field == nullptr) return refusal(400, "Custom field " + name + " not found");
    const Json& value = entry.contains("field_value") ? entry["field_value"] : entry["fieldValue"];
    if (!has_type(*field, value))
        return unprocessable({at + ".field_value has an invalid type for " + field->data_type});
    if (!is_option(*field, value)) return refusal(400, "Invalid option for custom field " + field->name);
    set_value(stored, field->id, value);
    return std::nullopt;
}

} // namespace

std::vector<CustomField> default_fields() {
    return {
        {field_ce_pid, "ce_pid", "TEXT", {}},
        {field_ce_stage,
         "ce_stage",
         "SINGLE_OPTIONS",
         {"none", "lead", "new", "active", "recall_due", "lapsed", "inactive", "archived"}},
        {field_ce_last, "ce_last", "SINGLE_OPTIONS", time_buckets()},
        {field_ce_next, "ce_next", "SINGLE_OPTIONS", time_buckets()},
        {field_ce_appt_status,
         "ce_appt_status",
         "SINGLE_OPTIONS",
         {"none", "requested", "booked", "confirmed", "arrived", "completed", "cancelled", "no_show", "rescheduled"}},
        {field_ce_appt_when, "ce_appt_when", "SINGLE_OPTIONS", time_buckets()},
    };
}

Result<std::vector<CustomField>> read_fields(const std::filesystem::path& file) {
    const auto text = base::read_text(file, fields_file_bytes_max);
    if (!text) return text.error();
    const auto parsed = base::parse_json(*text, fields_file_bytes_max, 4);
    if (!parsed) return parsed.error();
    const Error wrong{Errc::malformed, "fields file: not an array of {id, name, dataType, options}"};
    if (!parsed->is_array()) return wrong;
    std::vector<CustomField> fields;
    for (const Json& item : *parsed) {
        if (!item.is_object() || !item.contains("id") || !item.contains("name") || !item.contains("dataType"))
            return wrong;
        for (const char* name : {"id", "name", "dataType"})
            if (!item[name].is_string()) return wrong;
        CustomField field{item["id"], item["name"], item["dataType"], {}};
        if (item.contains("options")) {
            if (!item["options"].is_array()) return wrong;
            for (const Json& option : item["options"]) {
                if (!option.is_string()) return wrong;
                field.options.push_back(option);
            }
        }
        fields.push_back(std::move(field));
    }
    return fields;
}

std::string fields_as_json(const std::vector<CustomField>& fields) {
    Json out = Json::object();
    for (const CustomField& field : fields) out[field.name] = field.id;
    return base::dump_json(out);
}

const CustomField* find_field(const std::vector<CustomField>& fields, std::string_view id) {
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.id == id; });
    return found == fields.end() ? nullptr : &*found;
}

Json described(const CustomField& field, std::string_view location, int position) {
    Json out{{"id", field.id},         {"name", field.name},          {"fieldKey", "contact." + field.name},
             {"placeholder", ""},      {"dataType", field.data_type}, {"position", position},
             {"locationId", location}, {"model", "contact"}};
    if (!field.options.empty()) {
        out["picklistOptions"] = field.options;
        out["isAllowedCustomOption"] = false;
    }
    return out;
}

std::optional<Answer> merge_fields(const std::vector<CustomField>& fields, const Json& given, Json& stored) {
    Json merged = stored;
    for (std::size_t i = 0; i < given.size(); ++i)
        if (auto refused = merge_entry(fields, given[i], "customFields." + std::to_string(i), merged)) return refused;
    stored = std::move(merged);
    return std::nullopt;
}

} // namespace clinic::emulator
