#include "sync/channel/ghl/requests.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/envelope/names.h"

namespace clinic::ghl {
namespace {

using nlohmann::json;

constexpr const char* bookings = "/calendars/events/appointments";
constexpr int search_page = 10; // our own marker: one contact, or a few after a create that was repeated

std::string contact_path(std::string_view contact) {
    return "/contacts/" + std::string{contact};
}

json tag_list(const WriteRules& rules, const Tags& tags) {
    json out = json::array();
    for (const auto& word : tags) out.push_back(envelope::tag_of(word, rules.tag_prefix));
    return out;
}

json field_list(const std::vector<FieldValue>& fields) {
    json out = json::array();
    for (const auto& [id, value] : fields) out.push_back({{"id", id}, {"field_value", value}});
    return out;
}

Call tag_call(Route route, const WriteRules& rules, std::string_view contact, const Tags& tags) {
    return {route, contact_path(contact) + "/tags", base::dump_json({{"tags", tag_list(rules, tags)}})};
}

json case_body(const WriteRules& rules, const envelope::MetadataEnvelope& state) {
    json body{{"pipelineId", rules.pipeline.id}, {"status", state.text(envelope::Field::outcome)}};
    const auto stage = envelope::value_of<envelope::Stage>(state.text(envelope::Field::stage));
    if (stage && !rules.pipeline.of(*stage).empty()) body["pipelineStageId"] = rules.pipeline.of(*stage);
    return body;
}

// Nobody is notified by it, and no workflow runs; the clinic's own slot needs no leave of GHL's.
json booking_body(const envelope::MetadataEnvelope& state) {
    json body{{"appointmentStatus", state.text(envelope::Field::booking)}, {"toNotify", false}};
    if (const auto slot = state.slot()) {
        body["startTime"] = envelope::quarter_time(slot->first);
        body["endTime"] = envelope::quarter_time(slot->second);
        body["ignoreFreeSlotValidation"] = true;
    }
    return body;
}

} // namespace

Call read_location(const WriteRules& rules) {
    return {Route::location_read, "/locations/" + rules.location, ""};
}

Call read_fields(const WriteRules& rules) {
    return {Route::fields_read, "/locations/" + rules.location + "/customFields", ""};
}

// Text: the description of GHL's API has no place for the words of a list.
Call create_field(const WriteRules& rules, envelope::Part part) {
    const json body{{"name", envelope::field_name(part)}, {"dataType", "TEXT"}, {"model", "contact"}};
    return {Route::field_create, "/locations/" + rules.location + "/customFields", base::dump_json(body)};
}

Call read_tags(const WriteRules& rules) {
    return {Route::tags_read, "/locations/" + rules.location + "/tags", ""};
}

Call read_pipelines(const WriteRules& rules) {
    return {Route::pipelines_read, "/opportunities/pipelines?locationId=" + rules.location, ""};
}

Call read_calendars(const WriteRules& rules) {
    return {Route::calendars_read, "/calendars/?locationId=" + rules.location, ""};
}

Call search_marker(const WriteRules& rules, std::string_view pid) {
    const json filter{{"field", "customFields." + rules.fields.pid}, {"operator", "eq"}, {"value", pid}};
    const json body{
        {"locationId", rules.location}, {"page", 1}, {"pageLimit", search_page}, {"filters", json::array({filter})}};
    return {Route::contact_search, "/contacts/search", base::dump_json(body)};
}

Call create_shell(const WriteRules& rules, std::string_view pid, const Tags& tags,
                  const std::vector<FieldValue>& fields) {
    std::vector<FieldValue> all{{rules.fields.pid, std::string{pid}}};
    all.insert(all.end(), fields.begin(), fields.end());
    json body{{"locationId", rules.location},
              {"firstName", pid},
              {"source", "clinic-edge"},
              {"dnd", true},
              {"customFields", field_list(all)}};
    if (!tags.empty()) body["tags"] = tag_list(rules, tags);
    return {Route::contact_create, "/contacts/", base::dump_json(body)};
}

Call read_contact(std::string_view contact) {
    return {Route::contact_read, contact_path(contact), ""};
}

Call put_fields(std::string_view contact, const std::vector<FieldValue>& fields, Dnd dnd) {
    json body{{"customFields", field_list(fields)}};
    if (dnd == Dnd::set) body["dnd"] = true;
    return {Route::contact_fields, contact_path(contact), base::dump_json(body)};
}

Call add_tags(const WriteRules& rules, std::string_view contact, const Tags& tags) {
    return tag_call(Route::tags_add, rules, contact, tags);
}

Call remove_tags(const WriteRules& rules, std::string_view contact, const Tags& tags) {
    return tag_call(Route::tags_remove, rules, contact, tags);
}

Call search_case(const WriteRules& rules, std::string_view contact) {
    return {Route::case_search, envelope::case_search_path(rules, contact), ""};
}

Call create_case(const WriteRules& rules, std::string_view contact, const envelope::MetadataEnvelope& state) {
    auto body = case_body(rules, state);
    body["locationId"] = rules.location;
    body["contactId"] = contact;
    body["name"] = state.text(envelope::Field::pid);
    return {Route::case_create, "/opportunities/", base::dump_json(body)};
}

Call put_case(const WriteRules& rules, std::string_view opportunity, const envelope::MetadataEnvelope& state) {
    return {Route::case_update, "/opportunities/" + std::string{opportunity}, base::dump_json(case_body(rules, state))};
}

Call read_case(std::string_view opportunity) {
    return {Route::case_read, "/opportunities/" + std::string{opportunity}, ""};
}

Call read_booking(std::string_view booking) {
    return {Route::booking_read, std::string{bookings} + "/" + std::string{booking}, ""};
}

Call search_bookings(std::string_view contact) {
    return {Route::booking_search, envelope::booking_search_path(contact), ""};
}

Call create_booking(const WriteRules& rules, std::string_view contact, const envelope::MetadataEnvelope& state) {
    auto body = booking_body(state);
    body["locationId"] = rules.location;
    body["calendarId"] = rules.booking_calendar;
    body["contactId"] = contact;
    body["title"] = state.text(envelope::Field::aid);
    return {Route::booking_create, bookings, base::dump_json(body)};
}

Call put_booking(std::string_view booking, const envelope::MetadataEnvelope& state) {
    return {Route::booking_update, std::string{bookings} + "/" + std::string{booking},
            base::dump_json(booking_body(state))};
}

} // namespace clinic::ghl
