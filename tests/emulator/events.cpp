#include "tests/emulator/events.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

namespace clinic::emulator {
namespace {

using Events = std::vector<std::pair<std::string, Json>>;

constexpr std::array contact_fields{"id",          "address1",   "city",        "state", "postalCode",  "country",
                                    "companyName", "source",     "dateAdded",   "dnd",   "dateOfBirth", "email",
                                    "name",        "firstName",  "lastName",    "phone", "tags",        "website",
                                    "attachments", "assignedTo", "customFields"};
constexpr std::array opportunity_fields{"id",         "assignedTo",      "contactId", "monetaryValue", "name",
                                        "pipelineId", "pipelineStageId", "source",    "status"};

Json some_of(const Json& object, std::span<const char* const> names) {
    Json out = Json::object();
    for (const char* name : names)
        if (object.contains(name)) out[name] = object[name];
    return out;
}

bool differ(const Json& before, const Json& after, const char* key) {
    return before.value(key, Json{}) != after.value(key, Json{});
}

// What is changed by a person at the tags or by a stop has a type of its own; the rest is an update.
bool differ_otherwise(Json before, Json after) {
    for (const char* key : {"tags", "dnd", "dndSettings", "dateUpdated"}) before.erase(key), after.erase(key);
    return before != after;
}

Events of_contact(const Json* before, const Json* after) {
    const Json fields = some_of(after != nullptr ? *after : *before, contact_fields);
    if (before == nullptr) return {{"ContactCreate", fields}};
    if (after == nullptr) return {{"ContactDelete", fields}};
    Events out;
    if (differ_otherwise(*before, *after)) out.emplace_back("ContactUpdate", fields);
    if (differ(*before, *after, "tags")) out.emplace_back("ContactTagUpdate", fields);
    if (differ(*before, *after, "dnd") || differ(*before, *after, "dndSettings")) {
        out.emplace_back("ContactDndUpdate", fields);
        if (after->contains("dndSettings")) out.back().second["dndSettings"] = (*after)["dndSettings"];
    }
    return out;
}

Events of_opportunity(const Json* before, const Json* after) {
    const Json& object = after != nullptr ? *after : *before;
    Json fields = some_of(object, opportunity_fields);
    fields["dateAdded"] = object.value("createdAt", "");
    Events out;
    if (before == nullptr) out.emplace_back("OpportunityCreate", fields);
    if (after == nullptr) out.emplace_back("OpportunityDelete", fields);
    if (before != nullptr && after != nullptr)
        for (const auto& [key, type] :
             {std::pair{"pipelineStageId", "OpportunityStageUpdate"}, std::pair{"status", "OpportunityStatusUpdate"},
              std::pair{"assignedTo", "OpportunityAssignedToUpdate"},
              std::pair{"monetaryValue", "OpportunityMonetaryValueUpdate"}})
            if (differ(*before, *after, key)) out.emplace_back(type, fields);
    out.emplace_back("OpportunityUpdate", fields);
    return out;
}

Events of_appointment(const Json* before, const Json* after) {
    const char* type = before == nullptr  ? "AppointmentCreate"
                       : after == nullptr ? "AppointmentDelete"
                                          : "AppointmentUpdate";
    return {{type, {{"appointment", after != nullptr ? *after : *before}}}};
}

} // namespace

std::vector<std::pair<std::string, Json>> events_of(Kind kind, const Json* before, const Json* after) {
    switch (kind) {
    case Kind::contact: return of_contact(before, after);
    case Kind::opportunity: return of_opportunity(before, after);
    case Kind::appointment: return of_appointment(before, after);
    case Kind::tag:
    case Kind::custom_field: break;
    }
    return {};
}

} // namespace clinic::emulator
