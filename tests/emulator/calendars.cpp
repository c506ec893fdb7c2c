#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tests/emulator/handlers.h"
#include "tests/emulator/shape.h"

namespace clinic::emulator {
namespace {

// The last two are v3's alone.
constexpr std::array<const char*, 8> states{"new",    "confirmed", "cancelled", "showed",
                                            "noshow", "invalid",   "completed", "active"};
constexpr std::size_t dated_states = 6;
constexpr std::array<const char*, 7> meetings{"custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"};

// An update takes all of these; a create takes the two below as well, and needs three of the first.
constexpr std::array<Property, 15> update_shape{{{"title", Type::text},
                                                 {"meetingLocationType", Type::text, false, meetings},
                                                 {"meetingLocationId", Type::text},
                                                 {"overrideLocationConfig", Type::flag},
                                                 {"appointmentStatus", Type::text, false, states},
                                                 {"assignedUserId", Type::text},
                                                 {"description", Type::text},
                                                 {"address", Type::text},
                                                 {"ignoreDateRange", Type::flag},
                                                 {"toNotify", Type::flag},
                                                 {"ignoreFreeSlotValidation", Type::flag},
                                                 {"rrule", Type::text},
                                                 {"calendarId", Type::text},
                                                 {"startTime", Type::text},
                                                 {"endTime", Type::text}}};

std::vector<Property> shape_of_update(const Call& call) {
    std::vector<Property> shape{update_shape.begin(), update_shape.end()};
    for (Property& property : shape)
        if (property.words.data() == states.data() && !call.in_v3())
            property.words = property.words.first(dated_states);
    return shape;
}

std::vector<Property> shape_of_create(const Call& call) {
    auto shape = shape_of_update(call);
    for (Property& property : shape) {
        const std::string_view name = property.name;
        property.required = name == "calendarId" || name == "startTime";
    }
    shape.push_back({"locationId", Type::text, true});
    shape.push_back({"contactId", Type::text, true});
    return shape;
}

Answer no_appointment(const std::string& id) {
    return refusal(400, "Appointment with id " + id + " not found");
}

// Create and update answer without dates; in v3 with them.
Answer flat(const Call& call, Json appointment) {
    if (!call.in_v3())
        for (const char* date : {"dateAdded", "dateUpdated"}) appointment.erase(date);
    return json_answer(200, appointment);
}

bool overlaps(const World& world, const Json& appointment) {
    const auto all = world.all(Kind::appointment);
    return std::any_of(all.begin(), all.end(), [&](const Json* other) {
        return (*other)["id"] != appointment["id"] && (*other)["startTime"] == appointment["startTime"] &&
               (*other)["appointmentStatus"] != "cancelled";
    });
}

std::optional<Answer> apply(const World& world, const Json& body, Json& appointment) {
    if (body.contains("calendarId") && body["calendarId"] != calendar_id) return refusal(400, "Calendar not found");
    for (const char* key : {"title", "appointmentStatus", "assignedUserId", "address", "calendarId", "startTime",
                            "endTime", "locationId", "contactId", "meetingLocationType", "rrule"})
        if (body.contains(key)) appointment[key] = body[key];
    const bool moves = body.contains("startTime") && !body.value("ignoreFreeSlotValidation", false);
    if (moves && overlaps(world, appointment))
        return refusal(400, "The slot you have selected is no longer available.");
    return std::nullopt;
}

} // namespace

Answer get_calendars(World& world, const Call& call) {
    if (auto refused = wrong_location(world, call.request.query("locationId"))) return *refused;
    const Json calendar{
        {"id", calendar_id}, {"name", "Front desk"}, {"locationId", world.location()}, {"isActive", true}};
    return json_answer(200, {{"calendars", Json::array({calendar})}, {"traceId", random_id(24)}});
}

Answer create_appointment(World& world, const Call& call) {
    if (const auto faults = complaints(call.body, shape_of_create(call)); !faults.empty()) return unprocessable(faults);
    if (auto refused = wrong_location(world, call.body["locationId"].get_ref<const std::string&>())) return *refused;
    const std::string contact_id = call.body["contactId"];
    const Json* contact = world.find(Kind::contact, contact_id);
    if (contact == nullptr) return no_contact(contact_id);
    // Without a title the calendar's template fills in the contact's name.
    Json appointment{{"id", random_id()},    {"title", full_name(*contact)}, {"appointmentStatus", "confirmed"},
                     {"isRecurring", false}, {"dateAdded", world.now_iso()}, {"dateUpdated", world.now_iso()}};
    if (auto refused = apply(world, call.body, appointment)) return *refused;
    world.put(Kind::appointment, appointment, world.index_lag_ms);
    return flat(call, appointment);
}

Answer get_appointment(World& world, const Call& call) {
    const Json* found = world.shown(Kind::appointment, call.ids[0]);
    if (found == nullptr) return no_appointment(call.ids[0]);
    Json event = *found;
    event["groupId"] = "";
    event["users"] = Json::array();
    if (!event.contains("assignedUserId")) event["assignedUserId"] = "";
    if (!event.contains("endTime")) event["endTime"] = event["startTime"];
    return json_answer(200, {{"event", event}, {"traceId", random_id(24)}});
}

Answer update_appointment(World& world, const Call& call) {
    if (const auto faults = complaints(call.body, shape_of_update(call)); !faults.empty()) return unprocessable(faults);
    const Json* found = world.find(Kind::appointment, call.ids[0]);
    if (found == nullptr) return no_appointment(call.ids[0]);
    Json appointment = *found;
    appointment["dateUpdated"] = world.now_iso();
    if (auto refused = apply(world, call.body, appointment)) return *refused;
    world.put(Kind::appointment, appointment, world.index_lag_ms);
    return flat(call, appointment);
}

Answer delete_event(World& world, const Call& call) {
    if (world.find(Kind::appointment, call.ids[0]) == nullptr) return no_appointment(call.ids[0]);
    world.erase(Kind::appointment, call.ids[0], world.index_lag_ms);
    return json_answer(201, {{"succeeded", true}});
}

} // namespace clinic::emulator
