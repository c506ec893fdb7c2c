#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tests/emulator/handlers.h"
#include "tests/emulator/shape.h"

namespace clinic::emulator {
namespace {

// What create and update share. `gender`, `companyName` and `locationId` exist on create alone.
constexpr std::array<Property, 21> create_shape{{
    {"locationId", Type::text, true},
    {"firstName", Type::nullable_text},
    {"lastName", Type::nullable_text},
    {"name", Type::nullable_text},
    {"email", Type::nullable_text},
    {"phone", Type::nullable_text},
    {"address1", Type::nullable_text},
    {"city", Type::nullable_text},
    {"state", Type::nullable_text},
    {"postalCode", Type::text},
    {"website", Type::nullable_text},
    {"timezone", Type::nullable_text},
    {"dnd", Type::flag},
    {"dndSettings", Type::object},
    {"inboundDndSettings", Type::object},
    {"tags", Type::texts},
    {"customFields", Type::list},
    {"source", Type::nullable_text},
    {"dateOfBirth", Type::nullable_any},
    {"country", Type::text},
    {"assignedTo", Type::nullable_text},
}};
constexpr std::array<Property, 2> create_only{{{"gender", Type::text}, {"companyName", Type::nullable_text}}};

// Of a channel that is not to be disturbed: its name in the dated versions, and in v3.
constexpr std::array<std::pair<const char*, const char*>, 6> channels{
    {{"Call", "call"}, {"Email", "email"}, {"SMS", "sms"}, {"WhatsApp", "whatsApp"}, {"GMB", "gmb"}, {"FB", "fb"}}};

std::vector<Property> shape_of_create() {
    std::vector<Property> shape{create_shape.begin(), create_shape.end()};
    shape.insert(shape.end(), create_only.begin(), create_only.end());
    return shape;
}

std::vector<Property> shape_of_update() {
    return {create_shape.begin() + 1, create_shape.end()};
}

std::vector<std::string> dnd_complaints(const Json& body, bool in_v3) {
    static constexpr std::array<const char*, 3> words{"active", "inactive", "permanent"};
    static constexpr std::array<Property, 3> setting{
        {{"status", Type::text, true, words}, {"message", Type::text}, {"code", Type::text}}};
    std::vector<std::string> out;
    if (!body.contains("dndSettings")) return out;
    for (const auto& [channel, value] : body["dndSettings"].items()) {
        const std::string at = "dndSettings." + channel;
        const bool known = std::any_of(channels.begin(), channels.end(),
                                       [&](const auto& one) { return channel == (in_v3 ? one.second : one.first); });
        if (!known)
            out.push_back("dndSettings.property " + channel + " should not exist");
        else if (!value.is_object())
            out.push_back(at + " must be an object");
        else
            for (const std::string& fault : complaints(value, setting)) out.push_back(at + "." + fault);
    }
    return out;
}

std::vector<std::string> contact_complaints(const Json& body, const std::vector<Property>& shape, bool in_v3) {
    auto faults = complaints(body, shape);
    if (faults.empty()) faults = dnd_complaints(body, in_v3);
    return faults;
}

// They are kept by their dated names.
Json dated_channels(Json settings) {
    for (const auto& [dated, here] : channels)
        if (settings.contains(here)) {
            settings[dated] = settings[here];
            settings.erase(here);
        }
    return settings;
}

Json normal_tags(const Json& tags) {
    Json out = Json::array();
    for (const Json& tag : tags) {
        const Json name = lower(tag.get_ref<const std::string&>());
        if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
    return out;
}

std::string digits(const Json& contact, const char* key) {
    std::string out;
    if (contact.contains(key))
        for (const char c : contact[key].get_ref<const std::string&>())
            if (c >= '0' && c <= '9') out.push_back(c);
    return out;
}

std::string text_of(const Json& contact, const char* key) {
    return contact.contains(key) ? contact[key].get<std::string>() : std::string{};
}

// Live, `name` is split at its first space.
void split_name(Json& contact) {
    if (!contact.contains("name")) return;
    const std::string name = contact["name"];
    const auto space = name.find(' ');
    contact["firstName"] = name.substr(0, space);
    if (space != std::string::npos) contact["lastName"] = name.substr(space + 1);
}

void derive(Json& contact) {
    for (const auto& [from, to] : {std::pair{"firstName", "firstNameLowerCase"},
                                   std::pair{"lastName", "lastNameLowerCase"}, std::pair{"email", "emailLowerCase"}}) {
        if (contact.contains(from))
            contact[to] = lower(text_of(contact, from));
        else
            contact.erase(to);
    }
    contact["name"] = full_name(contact);
    contact["fullNameLowerCase"] = lower(full_name(contact));
}

std::optional<Answer> duplicate(const World& world, const Json& contact) {
    const std::string email = lower(text_of(contact, "email"));
    const std::string phone = digits(contact, "phone");
    if (email.empty() && phone.empty()) return std::nullopt;
    for (const Json* other : world.all(Kind::contact)) {
        if ((*other)["id"] == contact["id"]) continue;
        const bool by_email = !email.empty() && lower(text_of(*other, "email")) == email;
        const bool by_phone = !phone.empty() && digits(*other, "phone") == phone;
        if (!by_email && !by_phone) continue;
        return duplicate_of(*other, by_email ? "email" : "phone");
    }
    return std::nullopt;
}

// Takes the body's properties over; `tags` replaces the whole set.
std::optional<Answer> apply(const World& world, const Json& body, Json& contact) {
    for (const auto& [key, value] : body.items()) {
        if (key == "customFields" || key == "tags" || key == "locationId") continue;
        if (value.is_null())
            contact.erase(key);
        else
            contact[key] = key == "dndSettings" ? dated_channels(value) : value;
    }
    if (body.contains("name") && !body["name"].is_null()) split_name(contact);
    if (body.contains("tags")) contact["tags"] = normal_tags(body["tags"]);
    if (body.contains("customFields"))
        if (auto refused = merge_fields(world.fields(), body["customFields"], contact["customFields"])) return refused;
    derive(contact);
    contact["dateUpdated"] = world.now_iso();
    return duplicate(world, contact);
}

void store(World& world, const Json& contact) {
    world.put(Kind::contact, contact, world.index_lag_ms);
    register_tags(world, contact["tags"]);
}

Json blank_contact(const World& world) {
    return {{"id", random_id()},
            {"locationId", world.location()},
            {"type", "lead"},
            {"dnd", false},
            {"tags", Json::array()},
            {"customFields", Json::array()},
            {"dateAdded", world.now_iso()},
            {"dateUpdated", world.now_iso()}};
}

// The additional ones are read alone: no request may name them.
bool has_email(const Json& contact, const std::string& email) {
    const Json others = contact.value("additionalEmails", Json::array());
    return lower(text_of(contact, "email")) == email || std::find(others.begin(), others.end(), email) != others.end();
}

constexpr std::array<Property, 1> tags_shape{{{"tags", Type::texts, true}}};

} // namespace

Answer no_contact(std::string_view id) {
    return refusal(400, "Contact with id " + std::string{id} + " not found");
}

Answer duplicate_of(const Json& contact, const char* field) {
    return json_answer(
        400, {{"statusCode", 400},
              {"message", "This location does not allow duplicated contacts."},
              {"meta", {{"contactId", contact["id"]}, {"contactName", full_name(contact)}, {"matchingField", field}}},
              {"traceId", random_id(24)}});
}

Json contact_shown(const Call& call, Json contact) {
    if (!call.in_v3() || !contact.contains("dndSettings")) return contact;
    for (const auto& [dated, here] : channels)
        if (contact["dndSettings"].contains(dated)) {
            contact["dndSettings"][here] = contact["dndSettings"][dated];
            contact["dndSettings"].erase(dated);
        }
    return contact;
}

std::string full_name(const Json& contact) {
    const std::string first = text_of(contact, "firstName");
    const std::string last = text_of(contact, "lastName");
    return first + (first.empty() || last.empty() ? "" : " ") + last;
}

Answer create_contact(World& world, const Call& call) {
    if (const auto faults = contact_complaints(call.body, shape_of_create(), call.in_v3()); !faults.empty())
        return unprocessable(faults);
    if (auto refused = wrong_location(world, call.body["locationId"].get_ref<const std::string&>())) return *refused;
    Json contact = blank_contact(world);
    if (auto refused = apply(world, call.body, contact)) return *refused;
    store(world, contact);
    return json_answer(201, {{"contact", contact_shown(call, contact)}, {"traceId", random_id(24)}});
}

// By e-mail, also one that is not the first, or by phone. Where the two are of two contacts the first is taken and the
// phone is dropped, and nothing says so; neither does it of `gender`. This location allows no duplicates: what asks for
// one asks in vain.
Answer upsert_contact(World& world, const Call& call) {
    auto shape = shape_of_create();
    shape.push_back({"createNewIfDuplicateAllowed", Type::flag});
    if (const auto faults = contact_complaints(call.body, shape, call.in_v3()); !faults.empty())
        return unprocessable(faults);
    if (auto refused = wrong_location(world, call.body["locationId"].get_ref<const std::string&>())) return *refused;
    Json body = call.body;
    for (const char* dropped : {"gender", "createNewIfDuplicateAllowed"}) body.erase(dropped);
    const std::string email = lower(text_of(body, "email")), phone = digits(body, "phone");
    if (email.empty() && phone.empty()) return refusal(400, "email or phone is required");
    const Json *by_email = nullptr, *by_phone = nullptr;
    for (const Json* one : world.all(Kind::contact)) {
        if (!email.empty() && has_email(*one, email)) by_email = one;
        if (!phone.empty() && digits(*one, "phone") == phone) by_phone = one;
    }
    if (by_email != nullptr && by_phone != nullptr && by_email != by_phone) body.erase("phone");
    const Json* found = by_email != nullptr ? by_email : by_phone;
    Json contact = found != nullptr ? *found : blank_contact(world);
    if (auto refused = apply(world, body, contact)) return *refused;
    store(world, contact);
    return json_answer(
        200, {{"new", found == nullptr}, {"contact", contact_shown(call, contact)}, {"traceId", random_id(24)}});
}

Answer get_contact(World& world, const Call& call) {
    const Json* contact = world.shown(Kind::contact, call.ids[0]);
    if (contact == nullptr) return no_contact(call.ids[0]);
    return json_answer(200, {{"contact", contact_shown(call, *contact)}, {"traceId", random_id(24)}});
}

Answer update_contact(World& world, const Call& call) {
    if (const auto faults = contact_complaints(call.body, shape_of_update(), call.in_v3()); !faults.empty())
        return unprocessable(faults);
    const Json* found = world.find(Kind::contact, call.ids[0]);
    if (found == nullptr) return no_contact(call.ids[0]);
    Json contact = *found;
    if (auto refused = apply(world, call.body, contact)) return *refused;
    store(world, contact);
    // The misspelling is the live service's; v3 has mended it here, and not in a deletion.
    return json_answer(200, {{call.in_v3() ? "succeeded" : "succeded", true},
                             {"contact", contact_shown(call, contact)},
                             {"traceId", random_id(24)}});
}

Answer delete_contact(World& world, const Call& call) {
    if (world.find(Kind::contact, call.ids[0]) == nullptr) return no_contact(call.ids[0]);
    world.erase(Kind::contact, call.ids[0], world.index_lag_ms);
    return json_answer(200, {{"succeded", true}, {"traceId", random_id(24)}});
}

Answer add_tags(World& world, const Call& call) {
    if (const auto faults = complaints(call.body, tags_shape); !faults.empty()) return unprocessable(faults);
    const Json* found = world.find(Kind::contact, call.ids[0]);
    if (found == nullptr) return no_contact(call.ids[0]);
    Json contact = *found;
    Json added = Json::array();
    for (const Json& tag : normal_tags(call.body["tags"])) {
        if (std::find(contact["tags"].begin(), contact["tags"].end(), tag) != contact["tags"].end()) continue;
        contact["tags"].push_back(tag);
        added.push_back(tag);
    }
    contact["dateUpdated"] = world.now_iso();
    store(world, contact);
    return json_answer(201, {{"tags", contact["tags"]}, {"tagsAdded", added}, {"traceId", random_id(24)}});
}

Answer remove_tags(World& world, const Call& call) {
    if (const auto faults = complaints(call.body, tags_shape); !faults.empty()) return unprocessable(faults);
    const Json* found = world.find(Kind::contact, call.ids[0]);
    if (found == nullptr) return no_contact(call.ids[0]);
    Json contact = *found;
    Json removed = Json::array();
    for (const Json& tag : normal_tags(call.body["tags"])) {
        const auto at = std::find(contact["tags"].begin(), contact["tags"].end(), tag);
        if (at == contact["tags"].end()) continue;
        contact["tags"].erase(at);
        removed.push_back(tag);
    }
    contact["dateUpdated"] = world.now_iso();
    store(world, contact);
    return json_answer(200, {{"tags", contact["tags"]}, {"tagsRemoved", removed}, {"traceId", random_id(24)}});
}

Answer contact_appointments(World& world, const Call& call) {
    if (world.find(Kind::contact, call.ids[0]) == nullptr) return no_contact(call.ids[0]);
    Json events = Json::array();
    for (const Json* appointment : world.indexed(Kind::appointment)) {
        if ((*appointment)["contactId"] != call.ids[0]) continue;
        events.push_back(*appointment);
        for (const char* key : {"isRecurring", "rrule", "meetingLocationType"}) events.back().erase(key);
    }
    return json_answer(200, {{"events", events}, {"traceId", random_id(24)}});
}

Answer seed_contact(World& world, const Json& given) {
    Json body = given;
    Json contact = blank_contact(world);
    if (body.contains("additionalEmails")) contact["additionalEmails"] = body["additionalEmails"];
    body.erase("additionalEmails");
    for (const char* name : {"id", "dateAdded"}) {
        if (!body.contains(name)) continue;
        if (!body[name].is_string()) return unprocessable({std::string{name} + " must be a string"});
        contact[name] = body[name];
        body.erase(name);
    }
    body["locationId"] = world.location();
    if (const auto faults = contact_complaints(body, shape_of_create(), false); !faults.empty())
        return unprocessable(faults);
    if (auto refused = apply(world, body, contact)) return *refused;
    world.put(Kind::contact, contact, 0);
    register_tags(world, contact["tags"]);
    return json_answer(201, {{"id", contact["id"]}});
}

} // namespace clinic::emulator
