#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "crypto/base/json.h"
#include "sync/envelope/closed_object.h"
#include "sync/envelope/crm_reads.h"
#include "sync/envelope/frame.h"
#include "sync/envelope/names.h"

namespace clinic::envelope {
namespace {

constexpr std::string_view contacts = "/contacts/";
constexpr std::string_view tags_end = "/tags";
constexpr std::string_view appointments_end = "/appointments";
constexpr std::string_view opportunities = "/opportunities/";
constexpr std::string_view bookings = "/calendars/events/appointments";
constexpr int cases_max = 20; // of one contact in one pipeline
constexpr std::size_t fields_max = 6;
constexpr int search_page_max = 10;

bool is_pid(std::string_view text) {
    return is_pseudonym(text, 'p');
}

bool is_time(std::string_view text) {
    return TimeBucket::parse(text).has_value();
}

template <class Enum>
bool is_word_or_none(std::string_view text) {
    return text == "none" || value_of<Enum>(text).has_value();
}

// The rule for the value of a configured field; null for an id that is none of ours.
TextRule rule_of(const WriteRules& rules, std::string_view id) {
    const auto& fields = rules.fields;
    if (id.empty()) return nullptr;
    if (id == fields.pid) return is_pid;
    if (id == fields.stage) return is_word_or_none<Stage>;
    if (id == fields.appt_status) return is_word_or_none<ApptStatus>;
    if (id == fields.last || id == fields.next || id == fields.appt_when) return is_time;
    return nullptr;
}

bool is_any(std::string_view) {
    return true;
}

// `customFields`: each a configured id once, with a value of its list. Answers the marker, or empty.
std::string read_fields(ObjectReader& body, const WriteRules& rules) {
    std::string marker;
    std::set<std::string> ids;
    body.objects("customFields", fields_max, [&](ObjectReader& field) {
        const std::string id = field.text("id", is_any);
        const TextRule rule = rule_of(rules, id);
        field.require(rule != nullptr, "a custom field is not one of the configured ones");
        const char* key = field.has("fieldValue") ? "fieldValue" : "field_value"; // v3, and the dated versions
        const std::string value = field.text(key, rule != nullptr ? rule : is_any);
        field.require(ids.insert(id).second, "a custom field twice");
        if (id == rules.fields.pid) marker = value;
    });
    body.require(!ids.empty(), "no custom field");
    return marker;
}

std::size_t read_tags(ObjectReader& body, const WriteRules& rules) {
    std::set<std::string> seen;
    for (const std::string& tag : body.texts("tags", vocabulary.size())) {
        const bool ours = std::ranges::any_of(
            vocabulary, [&](const char* word) { return tag_of(*Word::parse(word), rules.tag_prefix) == tag; });
        body.require(ours, "a tag is not of the approved vocabulary");
        body.require(seen.insert(tag).second, "a tag twice");
    }
    return seen.size();
}

void check_create(ObjectReader& body, const WriteRules& rules) {
    body.exactly("locationId", rules.location);
    const std::string first_name = body.text("firstName", is_pid);
    body.exactly("source", "clinic-edge");
    body.require(body.boolean("dnd"), "a shell without do-not-disturb");
    if (body.has("tags")) read_tags(body, rules);
    body.require(read_fields(body, rules) == first_name, "a shell whose marker is not its name");
}

void check_search(ObjectReader& body, const WriteRules& rules) {
    body.exactly("locationId", rules.location);
    body.integer("page", 1, 1);
    body.integer("pageLimit", 1, search_page_max);
    int filters = 0;
    body.objects("filters", 1, [&](ObjectReader& filter) {
        ++filters;
        filter.require(!rules.fields.pid.empty(), "no field for the marker is configured");
        filter.exactly("field", "customFields." + rules.fields.pid);
        filter.exactly("operator", "eq");
        filter.text("value", is_pid);
    });
    body.require(filters == 1, "a search without its filter");
}

// A field of ours, as `clinicctl ghl prepare` makes it: text takes every word that we write.
void check_field(ObjectReader& body) {
    body.text("name", [](std::string_view name) {
        return std::ranges::any_of(field_parts, [&](Part part) { return field_name(part) == name; });
    });
    body.exactly("dataType", "TEXT");
    body.exactly("model", "contact");
}

// Where the pipeline has a stage for that word it is named, else the stage stays as it is.
void read_stage(ObjectReader& body, const WriteRules& rules) {
    body.exactly("pipelineId", rules.pipeline.id);
    if (!body.has("pipelineStageId")) return;
    const std::string stage = body.text("pipelineStageId", is_contact_id);
    body.require(std::ranges::find(rules.pipeline.stages, stage) != rules.pipeline.stages.end(),
                 "a stage that is not configured");
}

void check_case(ObjectReader& body, const WriteRules& rules, bool is_new) {
    body.require(!rules.pipeline.id.empty(), "no pipeline is configured");
    read_stage(body, rules);
    body.choice<Case>("status");
    if (!is_new) return;
    body.exactly("locationId", rules.location);
    body.text("contactId", is_contact_id);
    body.text("name", is_pid);
}

bool is_quarter_time(std::string_view text) {
    const auto ms = ms_of(text);
    return ms >= 0 && ms % quarter_ms == 0 && iso_ms(ms) == text;
}

// Nobody is notified by what we write, and GHL is not to judge whether the clinic's own slot is free.
void check_booking(ObjectReader& body, const WriteRules& rules, bool is_new) {
    body.require(rules.bookings, "bookings are not configured");
    body.choice<Booking>("appointmentStatus");
    body.require(!body.boolean("toNotify"), "a booking that notifies");
    if (is_new || body.has("startTime")) {
        body.require(!rules.booking_calendar.empty(), "no calendar for bookings is configured");
        const auto from = ms_of(body.text("startTime", is_quarter_time));
        const auto until = ms_of(body.text("endTime", is_quarter_time));
        body.require(from < until && until - from <= slot_quarters_max * quarter_ms, "a booking of no length");
        body.require(body.boolean("ignoreFreeSlotValidation"), "a booking that asks for a free slot");
    }
    if (!is_new) return;
    body.exactly("calendarId", rules.booking_calendar);
    body.exactly("locationId", rules.location);
    body.text("contactId", is_contact_id);
    body.text("title", [](std::string_view text) { return is_pseudonym(text, 'a'); });
}

// The contact of a search, whichever API's names it has.
bool is_case_search(const WriteRules& rules, std::string_view path) {
    if (rules.pipeline.id.empty()) return false;
    for (const std::string_view key : {"&contact_id=", "&contactId="}) {
        const auto at = path.find(key);
        if (at == std::string_view::npos) continue;
        const auto from = path.substr(at + key.size());
        const auto contact = from.substr(0, from.find('&'));
        auto ours = case_search_path(rules, contact);
        if (key == "&contactId=")
            for (const auto& [dated, here] :
                 {std::pair{"location_id", "locationId"}, std::pair{"contact_id", "contactId"},
                  std::pair{"pipeline_id", "pipelineId"}})
                ours.replace(ours.find(dated), std::string_view{dated}.size(), here);
        return is_contact_id(contact) && path == ours;
    }
    return false;
}

bool id_between(std::string_view path, std::string_view before, std::string_view after) {
    return path.size() > before.size() + after.size() && path.starts_with(before) && path.ends_with(after) &&
           is_contact_id(path.substr(before.size(), path.size() - before.size() - after.size()));
}

// Printable, no space, no escape: nothing of ours needs one, and nothing can hide in one.
bool is_plain(std::string_view body) {
    return std::ranges::all_of(body, [](char c) { return c > ' ' && c < 0x7F && c != '\\'; });
}

bool of_location(const WriteRules& rules, std::string_view path, std::string_view before, std::string_view after) {
    return is_contact_id(rules.location) && path == std::string{before} + rules.location + std::string{after};
}

bool path_holds(const WriteRules& rules, Route route, std::string_view path) {
    switch (route) {
    case Route::fields_read:
    case Route::field_create: return of_location(rules, path, "/locations/", "/customFields");
    case Route::tags_read: return of_location(rules, path, "/locations/", "/tags");
    case Route::pipelines_read: return of_location(rules, path, "/opportunities/pipelines?locationId=", "");
    case Route::calendars_read: return of_location(rules, path, "/calendars/?locationId=", "");
    case Route::location_read: return of_location(rules, path, "/locations/", "");
    case Route::contact_create: return path == contacts;
    case Route::contact_search: return path == "/contacts/search";
    case Route::contact_read:
    case Route::contact_fields: return id_between(path, contacts, "");
    case Route::tags_add:
    case Route::tags_remove: return id_between(path, contacts, tags_end);
    case Route::case_create: return path == opportunities;
    case Route::case_read:
    case Route::case_update: return id_between(path, opportunities, "");
    case Route::case_search: return is_case_search(rules, path);
    case Route::booking_create: return path == bookings;
    case Route::booking_update: return id_between(path, std::string{bookings} + "/", "");
    case Route::booking_read:
        return (rules.bookings || !rules.reads.calendars.empty()) && id_between(path, std::string{bookings} + "/", "");
    case Route::booking_search: return rules.bookings && id_between(path, contacts, appointments_end);
    case Route::contacts_changed:
    case Route::opportunities_page:
    case Route::calendar_events: break;
    }
    return false;
}

void check_body(ObjectReader& body, const WriteRules& rules, Route route) {
    switch (route) {
    case Route::contact_create: return check_create(body, rules);
    case Route::contact_search: return check_search(body, rules);
    case Route::contact_fields:
        read_fields(body, rules);
        if (body.has("dnd")) body.require(body.boolean("dnd"), "do-not-disturb is set, and never taken back");
        break;
    case Route::tags_add:
    case Route::tags_remove: body.require(read_tags(body, rules) > 0, "no tag"); break;
    case Route::field_create: return check_field(body);
    case Route::case_create: return check_case(body, rules, true);
    case Route::case_update: return check_case(body, rules, false);
    case Route::booking_create: return check_booking(body, rules, true);
    case Route::booking_update: return check_booking(body, rules, false);
    case Route::case_search:
    case Route::case_read:
    case Route::booking_search:
    case Route::booking_read:
    case Route::location_read:
    case Route::contacts_changed:
    case Route::opportunities_page:
    case Route::calendar_events:
    case Route::fields_read:
    case Route::tags_read:
    case Route::pipelines_read:
    case Route::calendars_read:
    case Route::contact_read: body.refuse("a read has no body"); break;
    }
}

} // namespace

const char* method(Route route) {
    switch (route) {
    case Route::location_read:
    case Route::calendar_events:
    case Route::fields_read:
    case Route::tags_read:
    case Route::pipelines_read:
    case Route::calendars_read:
    case Route::case_search:
    case Route::case_read:
    case Route::booking_search:
    case Route::booking_read:
    case Route::contact_read: return "GET";
    case Route::case_update:
    case Route::booking_update:
    case Route::contact_fields: return "PUT";
    case Route::tags_remove: return "DELETE";
    case Route::contact_create:
    case Route::contact_search:
    case Route::case_create:
    case Route::booking_create:
    case Route::field_create:
    case Route::tags_add:
    case Route::contacts_changed:
    case Route::opportunities_page: return "POST";
    }
    return "";
}

bool serves_none(Route route) {
    switch (route) {
    case Route::location_read:
    case Route::fields_read:
    case Route::field_create:
    case Route::tags_read:
    case Route::pipelines_read:
    case Route::calendars_read:
    case Route::contacts_changed:
    case Route::opportunities_page:
    case Route::calendar_events: return true;
    case Route::contact_create:
    case Route::contact_search:
    case Route::contact_fields:
    case Route::contact_read:
    case Route::tags_add:
    case Route::tags_remove:
    case Route::case_create:
    case Route::case_update:
    case Route::case_search:
    case Route::booking_create:
    case Route::booking_update:
    case Route::booking_search:
    case Route::case_read:
    case Route::booking_read: break;
    }
    return false;
}

bool reads_one(Route route) {
    return route == Route::contact_read || route == Route::case_read || route == Route::booking_read;
}

bool may_serve_none(Route route) {
    return serves_none(route) || reads_one(route);
}

std::string field_name(Part part) {
    return std::string{"ce_"} + name(part);
}

std::string location_name(Part part) {
    return std::ranges::find(field_parts, part) != field_parts.end() ? field_name(part) : name(part);
}

std::vector<std::string> field_words(Part part) {
    std::vector<std::string> words;
    const auto take = [&](const auto& table) {
        for (const char* word : table)
            if (std::ranges::find(words, word) == words.end()) words.emplace_back(word);
    };
    if (part != Part::pid) words.emplace_back("none");
    if (part == Part::stage) take(Names<Stage>::table);
    if (part == Part::appt_status) take(Names<ApptStatus>::table);
    if (part == Part::last || part == Part::next || part == Part::appt_when) take(Names<Bucket>::table);
    return words;
}

const std::string& WriteRules::Fields::of(Part part) const {
    switch (part) {
    case Part::stage: return stage;
    case Part::last: return last;
    case Part::next: return next;
    case Part::appt_status: return appt_status;
    case Part::appt_when: return appt_when;
    case Part::pid:
    case Part::pipeline:
    case Part::calendar: break;
    }
    return pid;
}

bool WriteRules::Fields::complete() const {
    return std::ranges::all_of(field_parts, [&](Part part) { return !of(part).empty(); });
}

std::string tag_of(Word word, std::string_view prefix) {
    std::string tag{word.text()};
    std::ranges::replace(tag, '_', '-');
    return std::string{prefix} + tag;
}

bool is_contact_id(std::string_view text) {
    static constexpr auto words = std::to_array<std::string_view>({"search", "upsert", "bulk", "lookup", "business"});
    return !text.empty() && text.size() <= 64 && only(text, "_-", true, true, true) &&
           std::ranges::find(words, text) == words.end();
}

std::string case_search_path(const WriteRules& rules, std::string_view contact) {
    return "/opportunities/search?location_id=" + rules.location + "&contact_id=" + std::string{contact} +
           "&pipeline_id=" + rules.pipeline.id + "&limit=" + std::to_string(cases_max);
}

std::string booking_search_path(std::string_view contact) {
    return std::string{contacts} + std::string{contact} + std::string{appointments_end};
}

std::string quarter_time(std::int64_t quarter) {
    return iso_ms(quarter * quarter_ms);
}

Result<void> check_request(const WriteRules& rules, Route route, std::string_view path, std::string_view body) {
    if (is_poll_read(route))
        return is_allowed_read(rules, route, path, body)
                   ? Result<void>{}
                   : Error{Errc::refused, "the read is not one of those of the polling"};
    if (!path_holds(rules, route, path)) return Error{Errc::refused, "the path is not one of the write set"};
    if (std::string_view{method(route)} == "GET")
        return body.empty() ? Result<void>{} : Error{Errc::refused, "a read has no body"};
    if (!is_plain(body)) return Error{Errc::refused, "the body holds a space, an escape or more than ASCII"};
    const auto parsed = base::parse_json(body, attempt_body_bytes_max, 3);
    if (!parsed) return Error{Errc::refused, parsed.error().what};
    ObjectReader reader{*parsed};
    check_body(reader, rules, route);
    return reader.done();
}

} // namespace clinic::envelope
