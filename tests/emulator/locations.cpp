#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tests/emulator/handlers.h"
#include "tests/emulator/shape.h"

namespace clinic::emulator {

std::optional<Answer> wrong_location(const World& world, std::string_view given) {
    if (given == world.location()) return std::nullopt;
    return refusal(403, "The token does not have access to this location.");
}

void register_tags(World& world, const Json& tags) {
    const auto known = world.all(Kind::tag);
    std::vector<std::string> fresh;
    for (const Json& tag : tags) {
        const bool is_known =
            std::any_of(known.begin(), known.end(), [&](const Json* one) { return (*one)["name"] == tag; });
        if (!is_known) fresh.push_back(tag);
    }
    for (const std::string& name : fresh)
        world.put(Kind::tag, {{"id", random_id()}, {"name", name}, {"locationId", world.location()}}, 0);
}

Answer get_location(World& world, const Call& call) {
    if (auto refused = wrong_location(world, call.ids[0])) return *refused;
    const Json settings{{"allowDuplicateContact", false},
                        {"allowDuplicateOpportunity", false},
                        {"allowFacebookNameMerge", false},
                        {"disableContactTimezone", false}};
    return json_answer(200, {{"location",
                              {{"id", world.location()},
                               {"companyId", "CEcompany00000000001"},
                               {"name", "Demo clinic"},
                               {"country", "US"},
                               {"timezone", "America/New_York"},
                               {"settings", settings}}},
                             {"traceId", random_id(24)}});
}

Answer get_custom_fields(World& world, const Call& call) {
    if (auto refused = wrong_location(world, call.ids[0])) return *refused;
    Json list = Json::array();
    int position = 0;
    if (call.request.query("model") != "opportunity")
        for (const CustomField& field : world.fields())
            list.push_back(described(field, world.location(), position += 50));
    return json_answer(200, {{"customFields", list}, {"traceId", random_id(24)}});
}

Answer create_custom_field(World& world, const Call& call) {
    static constexpr std::array<const char*, 12> types{"TEXT",     "LARGE_TEXT",   "NUMERICAL",      "PHONE",
                                                       "MONETORY", "CHECKBOX",     "SINGLE_OPTIONS", "MULTIPLE_OPTIONS",
                                                       "DATE",     "TEXTBOX_LIST", "FILE_UPLOAD",    "RADIO"};
    static constexpr std::array<const char*, 2> models{"contact", "opportunity"};
    static constexpr std::array<Property, 5> shape{{{"name", Type::text, true},
                                                    {"dataType", Type::text, true, types},
                                                    {"placeholder", Type::text},
                                                    {"position", Type::number},
                                                    {"model", Type::text, false, models}}};
    if (auto refused = wrong_location(world, call.ids[0])) return *refused;
    if (const auto faults = complaints(call.body, shape); !faults.empty()) return unprocessable(faults);
    const std::string name = lower(call.body["name"].get<std::string>());
    for (const CustomField& field : world.fields())
        if (field.name == name) return refusal(400, "Custom field with this name already exists.");
    const Json field{{"id", random_id()}, {"name", name}, {"dataType", call.body["dataType"]}};
    world.put_field(field);
    return json_answer(
        201, {{"customField", described(world.fields().back(), world.location(), 50)}, {"traceId", random_id(24)}});
}

Answer get_location_tags(World& world, const Call& call) {
    if (auto refused = wrong_location(world, call.ids[0])) return *refused;
    Json list = Json::array();
    for (const Json* tag : world.all(Kind::tag)) list.push_back(*tag);
    return json_answer(200, {{"tags", list}, {"traceId", random_id(24)}});
}

Answer create_location_tag(World& world, const Call& call) {
    static constexpr std::array<Property, 1> shape{{{"name", Type::text, true}}};
    if (auto refused = wrong_location(world, call.ids[0])) return *refused;
    if (const auto faults = complaints(call.body, shape); !faults.empty()) return unprocessable(faults);
    const std::string name = lower(call.body["name"].get<std::string>());
    for (const Json* tag : world.all(Kind::tag))
        if ((*tag)["name"] == name) return refusal(400, "The tag name is already exist.");
    const Json tag{{"id", random_id()}, {"name", name}, {"locationId", world.location()}};
    world.put(Kind::tag, tag, 0);
    return json_answer(200, {{"tag", tag}, {"traceId", random_id(24)}});
}

} // namespace clinic::emulator
