#include "sync/channel/ghl/answer.h"

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeParser.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/envelope/crm_strip.h"

namespace clinic::ghl {
namespace {

using nlohmann::json;

constexpr int depth_max = 16;
constexpr std::int64_t retry_after_seconds_max = 3'600;

const json* member(const json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::string id_of(const json* value) {
    if (value == nullptr || !value->is_string()) return {};
    const auto& text = value->get_ref<const std::string&>();
    return envelope::is_contact_id(text) ? text : std::string{};
}

// `message` is a string or a list of strings.
bool says(const json& body, std::string_view word) {
    const auto* message = member(body, "message");
    if (message == nullptr) return false;
    const auto one_says = [&](const json& text) {
        return text.is_string() && text.get_ref<const std::string&>().find(word) != std::string::npos;
    };
    if (message->is_array()) return std::any_of(message->begin(), message->end(), one_says);
    return one_says(*message);
}

bool is_marked(const json& contact, std::string_view field, std::string_view marker) {
    const auto* fields = member(contact, "customFields");
    if (fields == nullptr || !fields->is_array()) return false;
    return std::any_of(fields->begin(), fields->end(), [&](const json& one) {
        const auto* id = member(one, "id");
        const auto* value = member(one, "value");
        return id != nullptr && value != nullptr && *id == field && *value == marker;
    });
}

std::vector<std::string> marked_contacts(const json* contacts, std::string_view field, std::string_view marker) {
    std::vector<std::string> out;
    if (contacts == nullptr || !contacts->is_array()) return out;
    for (const auto& contact : *contacts)
        if (auto id = id_of(member(contact, "id"));
            !id.empty() && is_marked(contact, field, marker) && !envelope::is_deleted(contact))
            out.push_back(std::move(id));
    std::sort(out.begin(), out.end());
    return out;
}

// An opportunity or a booking that GHL shows as over.
bool has_ended(const json& one) {
    const auto *status = member(one, "status"), *booked = member(one, "appointmentStatus");
    return booked != nullptr ? *booked == "cancelled" || *booked == "invalid" : status != nullptr && *status != "open";
}

// Those that stand before those that have ended: of two with one marker the first is taken.
std::vector<std::string> those_of(const json& body, const Sought& sought) {
    std::vector<std::pair<bool, std::string>> found;
    const auto* list = member(body, sought.list);
    if (list == nullptr || !list->is_array()) return {};
    for (const auto& one : *list) {
        const auto *key = member(one, sought.key), *contact = member(one, "contactId");
        // GHL's description of a contact's bookings does not say that they name the contact: the path does.
        const bool theirs = contact == nullptr ? sought.contact_in_path : *contact == sought.contact;
        const bool ours = key != nullptr && *key == sought.value && theirs && !envelope::is_deleted(one);
        if (auto id = id_of(member(one, "id")); ours && !id.empty()) found.emplace_back(has_ended(one), std::move(id));
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> out;
    out.reserve(found.size());
    for (auto& [ended, id] : found) out.push_back(std::move(id));
    return out;
}

// `{"opportunity":{"id":…}}`; a booking stands there by itself.
std::string made_beside(const json& body) {
    const auto* opportunity = member(body, "opportunity");
    return id_of(member(opportunity == nullptr ? body : *opportunity, "id"));
}

bool has_tag(const json* tags, const std::string& tag) {
    return tags != nullptr && tags->is_array() && std::find(tags->begin(), tags->end(), json(tag)) != tags->end();
}

bool holds(const json& contact, const Expected& expected) {
    const auto* tags = member(contact, "tags");
    const auto* dnd = member(contact, "dnd");
    return (!expected.dnd || (dnd != nullptr && *dnd == true)) &&
           std::all_of(expected.fields.begin(), expected.fields.end(),
                       [&](const auto& field) { return is_marked(contact, field.first, field.second); }) &&
           std::all_of(expected.tags.begin(), expected.tags.end(),
                       [&](const std::string& tag) { return has_tag(tags, tag); }) &&
           std::none_of(expected.no_tags.begin(), expected.no_tags.end(),
                        [&](const std::string& tag) { return has_tag(tags, tag); });
}

// Whether an opportunity or a booking that is read back has that status; nothing: it is neither.
std::optional<bool> has_status(const json& body, const std::string& status) {
    for (const auto& [object, key] : {std::pair{"opportunity", "status"}, std::pair{"event", "appointmentStatus"}})
        if (const auto* shown = member(body, object)) {
            const auto* is = member(*shown, key);
            return is != nullptr && *is == status;
        }
    return std::nullopt;
}

Judgement of_status(const Exchange& exchange) {
    const int status = exchange.status;
    const auto http = [&] { return "http_" + std::to_string(status); };
    if (status == 401) return {Meaning::denied, exchange.answer.scope_fault ? "scope" : "unauthorized"};
    if (status == 403) return {Meaning::denied, "forbidden"};
    if (status == 429) return {Meaning::passing, "throttled"};
    if (status >= 500) return {Meaning::passing, http()};
    if (status == 408 || status == 409 || status == 423 || status == 425) return {Meaning::passing, http()};
    if (status < 200 || (status >= 300 && status < 400)) return {Meaning::passing, http()};
    // A proxy's or a portal's page says nothing about our request, whatever its number.
    if (!exchange.answer.json) return {Meaning::passing, "not_json"};
    if (status < 300) return {Meaning::ok, ""};
    if (status == 400 && !exchange.answer.duplicate_of.empty()) return {Meaning::duplicate, "duplicate"};
    if (status == 400 && exchange.answer.taken) return {Meaning::duplicate, "duplicate"};
    return {Meaning::about_body, http()};
}

} // namespace

Answer read_answer(std::string_view body, std::string_view marker_field, std::string_view marker,
                   const Expected* expected, const Sought* sought) {
    Answer out;
    const auto parsed = base::parse_json(body, body_bytes_max, depth_max);
    if (!parsed || !parsed->is_object()) return out;
    out.json = true;
    out.scope_fault = says(*parsed, "scope");
    out.absent = says(*parsed, "not found");
    if (const auto* contact = member(*parsed, "contact")) {
        out.contact = id_of(member(*contact, "id"));
        if (expected != nullptr && contact->is_object()) out.as_expected = holds(*contact, *expected);
    }
    if (expected != nullptr && !expected->status.empty()) out.as_expected = has_status(*parsed, expected->status);
    if (const auto* meta = member(*parsed, "meta")) out.duplicate_of = id_of(member(*meta, "contactId"));
    out.object = made_beside(*parsed);
    out.taken = says(*parsed, "duplicate opportunity");
    if (sought != nullptr) out.objects = those_of(*parsed, *sought);
    out.listed = read_listed(*parsed);
    if (!marker.empty()) out.marked = marked_contacts(member(*parsed, "contacts"), marker_field, marker);
    return out;
}

Judgement judge(const Exchange& exchange) {
    if (exchange.result == Exchange::Result::answered && *exchange.failure == '\0') return of_status(exchange);
    return {exchange.needs_someone ? Meaning::denied : Meaning::passing, exchange.failure};
}

base::Micros retry_after(std::string_view text, std::int64_t now_seconds) {
    std::int64_t seconds = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (failed != std::errc{} || end != text.data() + text.size()) {
        Poco::DateTime at;
        int zone = 0;
        if (text.size() > 64 ||
            !Poco::DateTimeParser::tryParse(Poco::DateTimeFormat::HTTP_FORMAT, std::string{text}, at, zone))
            return {};
        seconds = at.timestamp().epochTime() - now_seconds;
    }
    return std::chrono::seconds{std::clamp<std::int64_t>(seconds, 0, retry_after_seconds_max)};
}

} // namespace clinic::ghl
