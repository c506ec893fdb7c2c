#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/emulator/handlers.h"
#include "tests/emulator/shape.h"

namespace clinic::emulator {
namespace {

// `all` stands in the description's list, but is a search value and never a state.
constexpr std::array<const char*, 4> states{"open", "won", "lost", "abandoned"};

constexpr std::array<Property, 9> create_shape{{{"pipelineId", Type::text, true},
                                                {"locationId", Type::text, true},
                                                {"name", Type::text, true},
                                                {"status", Type::text, true, states},
                                                {"contactId", Type::text, true},
                                                {"pipelineStageId", Type::text},
                                                {"monetaryValue", Type::number},
                                                {"assignedTo", Type::text},
                                                {"customFields", Type::list}}};
constexpr std::array<Property, 7> update_shape{{{"pipelineId", Type::text},
                                                {"name", Type::text},
                                                {"pipelineStageId", Type::text},
                                                {"status", Type::text, false, states},
                                                {"monetaryValue", Type::number},
                                                {"assignedTo", Type::text},
                                                {"customFields", Type::list}}};

Answer no_opportunity(const std::string& id) {
    return refusal(400, "Opportunity with id " + id + " not found");
}

std::optional<Answer> wrong_place(const Json& body) {
    if (body.contains("pipelineId") && body["pipelineId"] != pipeline_id) return refusal(400, "Pipeline not found");
    if (!body.contains("pipelineStageId")) return std::nullopt;
    const std::string stage = body["pipelineStageId"];
    if (std::find(std::begin(stage_ids), std::end(stage_ids), stage) != std::end(stage_ids)) return std::nullopt;
    return refusal(400, "Pipeline stage not found");
}

bool has_open_one(const World& world, const Json& contact) {
    const auto all = world.all(Kind::opportunity);
    return std::any_of(all.begin(), all.end(),
                       [&](const Json* one) { return (*one)["contactId"] == contact && (*one)["status"] == "open"; });
}

// The opportunity echoes its contact, name and all.
Json with_contact(const World& world, const Json& opportunity) {
    Json out = opportunity;
    const Json* contact = world.find(Kind::contact, opportunity["contactId"].get_ref<const std::string&>());
    if (contact == nullptr) return out;
    out["contact"] = {{"id", (*contact)["id"]}, {"name", full_name(*contact)}, {"tags", (*contact)["tags"]}};
    for (const char* key : {"email", "phone", "companyName"})
        if (contact->contains(key)) out["contact"][key] = (*contact)[key];
    return out;
}

Answer shown(const World& world, int status, const Json& opportunity) {
    return json_answer(status, {{"opportunity", with_contact(world, opportunity)}, {"traceId", random_id(24)}});
}

void apply(const World& world, const Json& body, Json& opportunity) {
    if (body.contains("status") && body["status"] != opportunity.value("status", "")) {
        opportunity["status"] = body["status"];
        opportunity["lastStatusChangeAt"] = world.now_iso();
    }
    if (body.contains("pipelineStageId") && body["pipelineStageId"] != opportunity.value("pipelineStageId", "")) {
        opportunity["pipelineStageId"] = body["pipelineStageId"];
        opportunity["lastStageChangeAt"] = world.now_iso();
    }
    for (const char* key :
         {"pipelineId", "name", "monetaryValue", "assignedTo", "contactId", "locationId", "lostReasonId"})
        if (body.contains(key)) opportunity[key] = body[key];
    opportunity["updatedAt"] = world.now_iso();
}

// There are no custom fields of opportunities in this location.
std::optional<Answer> wrong_fields(const Json& body) {
    if (!body.contains("customFields")) return std::nullopt;
    Json none = Json::array();
    return merge_fields({}, body["customFields"], none);
}

} // namespace

Answer get_pipelines(World& world, const Call& call) {
    if (auto refused = wrong_location(world, call.request.query("locationId"))) return *refused;
    static constexpr std::array<const char*, 4> names{"New", "Active", "Recall", "Closed"};
    Json stages = Json::array();
    for (std::size_t i = 0; i < names.size(); ++i)
        stages.push_back({{"id", stage_ids[i]}, {"name", names.at(i)}, {"position", i}});
    const Json pipeline{{"id", pipeline_id},    {"name", "Care"},         {"stages", stages},
                        {"showInFunnel", true}, {"showInPieChart", true}, {"locationId", world.location()}};
    return json_answer(200, {{"pipelines", Json::array({pipeline})}, {"traceId", random_id(24)}});
}

Answer create_opportunity(World& world, const Call& call) {
    const Json& body = call.body;
    if (const auto faults = complaints(body, create_shape); !faults.empty()) return unprocessable(faults);
    if (auto refused = wrong_location(world, body["locationId"].get_ref<const std::string&>())) return *refused;
    if (auto refused = wrong_place(body)) return *refused;
    if (auto refused = wrong_fields(body)) return *refused;
    const std::string contact = body["contactId"];
    if (world.find(Kind::contact, contact) == nullptr) return no_contact(contact);
    if (body["status"] == "open" && has_open_one(world, contact))
        return refusal(400, "Can not create duplicate opportunity for the contact.");
    Json opportunity{{"id", random_id()},
                     {"monetaryValue", 0},
                     {"pipelineStageId", stage_ids[0]},
                     {"source", "public api"},
                     {"createdAt", world.now_iso()},
                     {"lastStageChangeAt", world.now_iso()},
                     {"customFields", Json::array()},
                     {"followers", Json::array()}};
    apply(world, body, opportunity);
    world.put(Kind::opportunity, opportunity, world.index_lag_ms);
    return shown(world, 201, opportunity);
}

// Each generation has its own names in the query, and refuses the other's.
Answer find_opportunities(World& world, const Call& call) {
    static constexpr std::array<std::array<const char*, 3>, 2> names{
        {{"location_id", "contact_id", "pipeline_id"}, {"locationId", "contactId", "pipelineId"}}};
    static constexpr std::size_t limit_max = 100, limit_unsaid = 20;
    const bool is_v3 = call.request.header("Version") == "v3";
    const auto& [location, contact, pipeline] = names.at(is_v3 ? 1 : 0);
    for (const char* other : names.at(is_v3 ? 0 : 1))
        if (!call.request.query(other).empty())
            return unprocessable({"property " + std::string{other} + " should not exist"});
    if (auto refused = wrong_location(world, call.request.query(location))) return *refused;
    const std::string said = call.request.query("limit");
    const auto limit = said.empty() ? limit_unsaid : static_cast<std::size_t>(std::strtoul(said.c_str(), nullptr, 10));
    if (limit == 0 || limit > limit_max) return unprocessable({"limit must be a number from 1 to 100"});
    Json list = Json::array();
    std::size_t total = 0;
    for (const Json* one : world.indexed(Kind::opportunity)) {
        const auto is_as = [&](const char* name, const char* key) {
            const std::string wanted = call.request.query(name);
            return wanted.empty() || (*one)[key] == wanted;
        };
        if (!is_as(contact, "contactId") || !is_as(pipeline, "pipelineId")) continue;
        if (++total <= limit) list.push_back(with_contact(world, *one));
    }
    return json_answer(
        200, {{"opportunities", list}, {"meta", {{"total", total}, {"currentPage", 1}}}, {"traceId", random_id(24)}});
}

Answer get_opportunity(World& world, const Call& call) {
    const Json* found = world.shown(Kind::opportunity, call.ids[0]);
    return found == nullptr ? no_opportunity(call.ids[0]) : shown(world, 200, *found);
}

Answer update_opportunity(World& world, const Call& call) {
    if (const auto faults = complaints(call.body, update_shape); !faults.empty()) return unprocessable(faults);
    if (auto refused = wrong_place(call.body)) return *refused;
    if (auto refused = wrong_fields(call.body)) return *refused;
    const Json* found = world.find(Kind::opportunity, call.ids[0]);
    if (found == nullptr) return no_opportunity(call.ids[0]);
    Json opportunity = *found;
    apply(world, call.body, opportunity);
    world.put(Kind::opportunity, opportunity, world.index_lag_ms);
    return shown(world, 200, opportunity);
}

Answer update_opportunity_status(World& world, const Call& call) {
    static constexpr std::array<Property, 2> shape{
        {{"status", Type::text, true, states}, {"lostReasonId", Type::text}}};
    if (const auto faults = complaints(call.body, shape); !faults.empty()) return unprocessable(faults);
    const Json* found = world.find(Kind::opportunity, call.ids[0]);
    if (found == nullptr) return no_opportunity(call.ids[0]);
    Json opportunity = *found;
    apply(world, call.body, opportunity);
    world.put(Kind::opportunity, opportunity, world.index_lag_ms);
    return json_answer(200, {{"succeded", true}, {"traceId", random_id(24)}});
}

Answer delete_opportunity(World& world, const Call& call) {
    if (world.find(Kind::opportunity, call.ids[0]) == nullptr) return no_opportunity(call.ids[0]);
    world.erase(Kind::opportunity, call.ids[0], world.index_lag_ms);
    return json_answer(200, {{"succeded", true}, {"traceId", random_id(24)}});
}

} // namespace clinic::emulator
