// What a client reads that polls: contacts in the order of their changes, opportunities page by page, the bookings of a
// calendar.
//   Source: facts/ghl-api §3.1, §3.3, §3.4.
#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sync/envelope/crm_reads.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/shape.h"

namespace clinic::emulator {
namespace {

constexpr std::int64_t page_max = 100;

std::int64_t milliseconds(std::string_view text) {
    std::int64_t value = -1;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc{} && end == text.data() + text.size() ? value : -1;
}

std::int64_t time_of(const Json& object, const char* key) {
    return object.contains(key) ? envelope::ms_of(object[key].get_ref<const std::string&>()) : -1;
}

std::optional<Answer> check_opportunity_search(const World& world, const Json& body) {
    static constexpr std::array<Property, 6> shape{{{"locationId", Type::text, true},
                                                    {"query", Type::text},
                                                    {"limit", Type::positive, true},
                                                    {"page", Type::positive, true},
                                                    {"searchAfter", Type::list, true},
                                                    {"additionalDetails", Type::object, true}}};
    static constexpr std::array<Property, 4> details{{{"notes", Type::flag, true},
                                                      {"tasks", Type::flag, true},
                                                      {"calendarEvents", Type::flag, true},
                                                      {"unReadConversations", Type::flag, true}}};
    if (const auto faults = complaints(body, shape); !faults.empty()) return unprocessable(faults);
    if (const auto faults = complaints(body["additionalDetails"], details); !faults.empty())
        return unprocessable(faults);
    if (!body.contains("query")) return unprocessable({"query must be a string"}); // it may be empty
    if (body["limit"] > page_max) return unprocessable({"limit must not be greater than 100"});
    return wrong_location(world, body["locationId"].get_ref<const std::string&>());
}

} // namespace

std::optional<Answer> check_sort(const Json& body) {
    static constexpr std::array<const char*, 2> directions{"asc", "desc"};
    static constexpr std::array<Property, 2> shape{
        {{"field", Type::text, true}, {"direction", Type::text, true, directions}}};
    if (!body.contains("sort")) return std::nullopt;
    for (const Json& one : body["sort"]) {
        if (const auto faults = complaints(one, shape); !faults.empty()) return unprocessable(faults);
        if (one["field"] != "dateUpdated" && one["field"] != "dateAdded") return refusal(400, "Invalid sort field");
    }
    return std::nullopt;
}

void put_in_order(std::vector<const Json*>& hits, const Json& body) {
    if (!body.contains("sort") || body["sort"].empty()) return;
    const std::string field = body["sort"][0]["field"];
    const bool upwards = body["sort"][0]["direction"] == "asc";
    std::stable_sort(hits.begin(), hits.end(), [&](const Json* one, const Json* other) {
        return upwards ? (*one)[field] < (*other)[field] : (*other)[field] < (*one)[field];
    });
}

Answer search_opportunities(World& world, const Call& call) {
    if (auto refused = check_opportunity_search(world, call.body)) return *refused;
    const auto all = world.all_shown(Kind::opportunity);
    const auto limit = call.body["limit"].get<std::size_t>(), page = call.body["page"].get<std::size_t>();
    Json list = Json::array();
    for (std::size_t i = (page - 1) * limit; i < all.size() && list.size() < limit; ++i) {
        Json one = *all[i];
        const Json* contact = world.find(Kind::contact, one["contactId"].get_ref<const std::string&>());
        if (contact != nullptr) one["contact"] = {{"id", (*contact)["id"]}, {"name", full_name(*contact)}};
        list.push_back(std::move(one));
    }
    return json_answer(200, {{"opportunities", list}, {"total", all.size()}, {"traceId", random_id(24)}});
}

Answer calendar_events(World& world, const Call& call) {
    if (auto refused = wrong_location(world, call.request.query("locationId"))) return *refused;
    const auto from = milliseconds(call.request.query("startTime")),
               until = milliseconds(call.request.query("endTime"));
    if (from < 0 || until < 0) return unprocessable({"startTime and endTime must be numeric strings"});
    const std::string calendar{call.request.query("calendarId")};
    if (calendar.empty()) return unprocessable({"either of calendarId, userId or groupId is required"});
    Json list = Json::array();
    for (const Json* one : world.all_shown(Kind::appointment)) {
        const auto begins = time_of(*one, "startTime");
        if (one->value("calendarId", "") == calendar && begins >= from && begins < until) list.push_back(*one);
    }
    return json_answer(200, {{"events", list}, {"traceId", random_id(24)}});
}

} // namespace clinic::emulator
