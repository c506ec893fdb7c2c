// POST /contacts/search: over the index, which lags behind the contacts.
//   Source: facts/ghl-api §3.1 and §5 no. 9 and 10.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tests/emulator/handlers.h"
#include "tests/emulator/shape.h"

namespace clinic::emulator {
namespace {

constexpr std::int64_t page_limit_max = 100; // what is used widely; the live maximum is not known
constexpr int filter_depth_max = 3;
constexpr std::string_view custom_prefix = "customFields.";

constexpr std::array<const char*, 22> searchable{"id",
                                                 "firstName",
                                                 "lastName",
                                                 "firstNameLowerCase",
                                                 "lastNameLowerCase",
                                                 "fullNameLowerCase",
                                                 "name",
                                                 "email",
                                                 "phone",
                                                 "tags",
                                                 "dateAdded",
                                                 "dateUpdated",
                                                 "source",
                                                 "country",
                                                 "city",
                                                 "state",
                                                 "postalCode",
                                                 "companyName",
                                                 "website",
                                                 "dnd",
                                                 "businessName",
                                                 "assignedTo"};

// The value a filter's field names in a contact; null when the contact has none.
Json value_of(const Json& contact, const std::string& field) {
    if (!field.starts_with(custom_prefix)) return contact.contains(field) ? contact[field] : Json{};
    const std::string id = field.substr(custom_prefix.size());
    for (const Json& item : contact["customFields"])
        if (item["id"] == id) return item["value"];
    return {};
}

bool field_known(const World& world, const std::string& field) {
    if (field.starts_with(custom_prefix))
        return find_field(world.fields(), std::string_view{field}.substr(custom_prefix.size())) != nullptr;
    return std::find(searchable.begin(), searchable.end(), field) != searchable.end();
}

// Equality; a list on either side means any of it.
bool equals(const Json& held, const Json& wanted) {
    if (held.is_array())
        return std::any_of(held.begin(), held.end(), [&](const Json& one) { return equals(one, wanted); });
    if (wanted.is_array())
        return std::any_of(wanted.begin(), wanted.end(), [&](const Json& one) { return equals(held, one); });
    return held == wanted;
}

bool contains(const Json& held, const Json& wanted) {
    if (held.is_array() || !held.is_string() || !wanted.is_string()) return equals(held, wanted);
    return lower(held.get<std::string>()).find(lower(wanted.get<std::string>())) != std::string::npos;
}

bool in_range(const Json& held, const Json& range) {
    if (held.is_null() || !range.is_object()) return false;
    return (!range.contains("gt") || held > range["gt"]) && (!range.contains("gte") || held >= range["gte"]) &&
           (!range.contains("lt") || held < range["lt"]) && (!range.contains("lte") || held <= range["lte"]);
}

bool matches_filter(const Json& contact, const Json& filter) {
    const Json held = value_of(contact, filter["field"]);
    const std::string operation = filter["operator"];
    if (operation == "exists") return !held.is_null();
    if (operation == "not_exists") return held.is_null();
    const Json& wanted = filter["value"];
    if (operation == "eq") return equals(held, wanted);
    if (operation == "not_eq") return !equals(held, wanted);
    if (operation == "contains") return contains(held, wanted);
    if (operation == "not_contains") return !contains(held, wanted);
    return in_range(held, wanted);
}

bool matches(const Json& contact, const Json& filter) {
    if (!filter.contains("group")) return matches_filter(contact, filter);
    const auto& inner = filter["filters"];
    const auto holds = [&](const Json& one) { return matches(contact, one); };
    return filter["group"] == "OR" ? std::any_of(inner.begin(), inner.end(), holds)
                                   : std::all_of(inner.begin(), inner.end(), holds);
}

std::optional<Answer> check_filter(const World& world, const Json& filter, int depth);

std::optional<Answer> check_group(const World& world, const Json& filter, int depth) {
    static constexpr std::array<const char*, 2> groups{"AND", "OR"};
    static constexpr std::array<Property, 2> shape{
        {{"group", Type::text, true, groups}, {"filters", Type::list, true}}};
    if (depth >= filter_depth_max) return refusal(400, "Filters are nested too deep");
    if (const auto faults = complaints(filter, shape); !faults.empty()) return unprocessable(faults);
    for (const Json& inner : filter["filters"])
        if (auto refused = check_filter(world, inner, depth + 1)) return refused;
    return std::nullopt;
}

std::optional<Answer> check_filter(const World& world, const Json& filter, int depth) {
    static constexpr std::array<const char*, 7> operators{"eq",     "not_eq",     "contains", "not_contains",
                                                          "exists", "not_exists", "range"};
    static constexpr std::array<Property, 3> shape{
        {{"field", Type::text, true}, {"operator", Type::text, true, operators}, {"value", Type::nullable_any}}};
    if (!filter.is_object()) return unprocessable({"each value in filters must be an object"});
    if (filter.contains("group")) return check_group(world, filter, depth);
    if (const auto faults = complaints(filter, shape); !faults.empty()) return unprocessable(faults);
    const std::string field = filter["field"];
    if (!field_known(world, field)) return refusal(400, "Invalid field " + field);
    const bool needs_value = !filter["operator"].get_ref<const std::string&>().ends_with("exists");
    if (needs_value && !filter.contains("value")) return unprocessable({"value should not be empty"});
    return std::nullopt;
}

std::optional<Answer> check_search(const World& world, const Json& body) {
    static constexpr std::array<Property, 7> shape{{{"locationId", Type::text, true},
                                                    {"pageLimit", Type::positive, true},
                                                    {"page", Type::positive},
                                                    {"searchAfter", Type::list},
                                                    {"query", Type::text},
                                                    {"filters", Type::list},
                                                    {"sort", Type::list}}};
    if (const auto faults = complaints(body, shape); !faults.empty()) return unprocessable(faults);
    if (body["pageLimit"] > page_limit_max)
        return unprocessable({"pageLimit must not be greater than " + std::to_string(page_limit_max)});
    if (auto refused = wrong_location(world, body["locationId"].get_ref<const std::string&>())) return refused;
    if (auto refused = check_sort(body)) return refused;
    if (!body.contains("filters")) return std::nullopt;
    for (const Json& filter : body["filters"])
        if (auto refused = check_filter(world, filter, 0)) return refused;
    return std::nullopt;
}

bool matches_query(const Json& contact, const std::string& query) {
    const std::string wanted = lower(query);
    for (const char* key : {"fullNameLowerCase", "emailLowerCase", "phone"})
        if (contact.contains(key) && contact[key].get<std::string>().find(wanted) != std::string::npos) return true;
    return false;
}

bool found_by(const Json& contact, const Json& body) {
    if (body.contains("query") && !matches_query(contact, body["query"])) return false;
    if (!body.contains("filters")) return true;
    return std::all_of(body["filters"].begin(), body["filters"].end(),
                       [&](const Json& filter) { return matches(contact, filter); });
}

Json sort_key(const Json& contact) {
    return {contact["dateAdded"], contact["id"]};
}

// Where the page starts: by number, or behind the last contact of the page before.
std::size_t first_of_page(const std::vector<const Json*>& hits, const Json& body) {
    if (body.contains("searchAfter") && !body["searchAfter"].empty()) {
        const auto at = std::find_if(hits.begin(), hits.end(),
                                     [&](const Json* hit) { return sort_key(*hit) == body["searchAfter"]; });
        return at == hits.end() ? 0 : static_cast<std::size_t>(at - hits.begin()) + 1;
    }
    const auto page = body.contains("page") ? body["page"].get<std::size_t>() : std::size_t{1};
    return (page - 1) * body["pageLimit"].get<std::size_t>();
}

} // namespace

Answer search_contacts(World& world, const Call& call) {
    if (auto refused = check_search(world, call.body)) return *refused;
    std::vector<const Json*> hits;
    for (const Json* contact : world.indexed(Kind::contact))
        if (found_by(*contact, call.body)) hits.push_back(contact);
    std::reverse(hits.begin(), hits.end()); // newest first
    put_in_order(hits, call.body);
    Json page = Json::array();
    const auto limit = call.body["pageLimit"].get<std::size_t>();
    for (std::size_t i = first_of_page(hits, call.body); i < hits.size() && page.size() < limit; ++i) {
        page.push_back(contact_shown(call, *hits[i]));
        page.back()["searchAfter"] = sort_key(*hits[i]);
    }
    return json_answer(200, {{"contacts", page}, {"total", hits.size()}, {"traceId", random_id(24)}});
}

} // namespace clinic::emulator
