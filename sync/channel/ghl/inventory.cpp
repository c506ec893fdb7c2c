#include "sync/channel/ghl/inventory.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace clinic::ghl {
namespace {

using envelope::Lack;
using envelope::Part;
using nlohmann::json;

constexpr std::size_t name_bytes_max = 64;
constexpr std::string_view of_contact = "contact.";

std::string text_of(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end() || !found->is_string()) return {};
    return found->get_ref<const std::string&>().substr(0, name_bytes_max);
}

std::string id_of(const json& object, const char* key = "id") {
    auto id = text_of(object, key);
    return envelope::is_contact_id(id) ? id : std::string{};
}

const json* list_in(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_array() ? &*found : nullptr;
}

std::vector<std::string> texts(const json* list) {
    std::vector<std::string> all;
    if (list == nullptr) return all;
    for (const json& one : *list)
        if (one.is_string()) all.push_back(one.get_ref<const std::string&>().substr(0, name_bytes_max));
    return all;
}

CustomField field_of(const json& one) {
    std::string key = text_of(one, "fieldKey");
    if (key.starts_with(of_contact)) key = key.substr(of_contact.size());
    return {id_of(one), key.empty() ? text_of(one, "name") : key, text_of(one, "dataType"),
            texts(list_in(one, "picklistOptions"))};
}

std::vector<Named> named(const json* list) {
    std::vector<Named> all;
    if (list == nullptr) return all;
    for (const json& one : *list)
        if (auto id = id_of(one); !id.empty()) all.push_back({std::move(id), text_of(one, "name")});
    return all;
}

// A contact's answers have `tags` too, as bare texts: those are not a location's.
std::optional<std::vector<std::string>> location_tags(const json* list) {
    if (list == nullptr) return std::nullopt;
    std::vector<std::string> all;
    for (const json& one : *list) {
        if (!one.is_object()) return std::nullopt;
        all.push_back(text_of(one, "name"));
    }
    return all;
}

bool is_text(const std::string& type) {
    return type == "TEXT" || type == "LARGE_TEXT";
}

bool is_list(const std::string& type) {
    return type == "SINGLE_OPTIONS" || type == "RADIO";
}

template <class All>
bool has_id(const All& all, const std::string& id) {
    return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.id == id; });
}

// The configured one: it is there, and has each configured stage.
std::optional<Lack> pipeline_lack(const envelope::WriteRules::Pipeline& ours, const std::vector<Pipeline>& there) {
    const auto found = std::find_if(there.begin(), there.end(), [&](const auto& one) { return one.id == ours.id; });
    if (found == there.end()) return Lack::missing;
    const bool all = std::all_of(ours.stages.begin(), ours.stages.end(), [&](const std::string& stage) {
        return stage.empty() || has_id(found->stages, stage);
    });
    return all ? std::nullopt : std::optional{Lack::options};
}

} // namespace

Listed read_listed(const json& body) {
    Listed out;
    if (const auto* fields = list_in(body, "customFields")) {
        out.fields.emplace();
        for (const json& one : *fields)
            if (auto field = field_of(one); !field.id.empty()) out.fields->push_back(std::move(field));
    }
    out.tags = location_tags(list_in(body, "tags"));
    if (const auto* pipelines = list_in(body, "pipelines")) {
        out.pipelines.emplace();
        for (const json& one : *pipelines)
            if (auto id = id_of(one); !id.empty())
                out.pipelines->push_back({std::move(id), text_of(one, "name"), named(list_in(one, "stages"))});
    }
    if (const auto* calendars = list_in(body, "calendars")) out.calendars = named(calendars);
    if (const auto created = body.find("customField"); created != body.end()) out.created = id_of(*created);
    return out;
}

const CustomField* ours(const Inventory& there, Part part) {
    if (!there.fields) return nullptr;
    const auto name = envelope::field_name(part);
    const auto found = std::find_if(there.fields->begin(), there.fields->end(),
                                    [&](const CustomField& field) { return field.name == name; });
    return found == there.fields->end() ? nullptr : &*found;
}

std::optional<Lack> lack_of(const CustomField& field, Part part) {
    if (is_text(field.type)) return std::nullopt;
    const auto words = envelope::field_words(part);
    if (words.empty() || !is_list(field.type)) return Lack::retyped;
    const bool all = std::all_of(words.begin(), words.end(), [&](const std::string& word) {
        return std::find(field.options.begin(), field.options.end(), word) != field.options.end();
    });
    return all ? std::nullopt : std::optional{Lack::options};
}

std::vector<envelope::LocationFault> faults_of(const envelope::WriteRules& rules, const Inventory& there) {
    std::vector<envelope::LocationFault> faults;
    for (const Part part : envelope::field_parts) {
        const auto& id = rules.fields.of(part);
        if (id.empty()) {
            faults.push_back({part, Lack::unset});
        } else if (there.fields) {
            const auto found = std::find_if(there.fields->begin(), there.fields->end(),
                                            [&](const CustomField& field) { return field.id == id; });
            const auto lack = found == there.fields->end() ? Lack::missing : lack_of(*found, part);
            if (lack) faults.push_back({part, *lack});
        }
    }
    if (rules.pipeline.id.empty() || !there.pipelines) return faults;
    if (const auto lack = pipeline_lack(rules.pipeline, *there.pipelines)) faults.push_back({Part::pipeline, *lack});
    return faults;
}

} // namespace clinic::ghl
