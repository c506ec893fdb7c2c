// The endpoints. Each takes a call that passed token, version and routing, and answers as the live service does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/emulator/exchange.h"
#include "tests/emulator/world.h"

namespace clinic::emulator {

struct Call {
    const Request& request;
    const Json& body;             // an object; empty where there is no body
    std::vector<std::string> ids; // what stood for {…} in the path

    bool in_v3() const { return request.header("Version") == "v3"; }
};

// GHL's neighbours of the calls we make.
inline constexpr const char* pipeline_id = "CEpipeline0000000001";
inline constexpr const char* calendar_id = "CEcalendar0000000001";
inline constexpr const char* stage_ids[] = {
    "8f9d3b7e-1c55-4f0a-9a1e-000000000001", "8f9d3b7e-1c55-4f0a-9a1e-000000000002",
    "8f9d3b7e-1c55-4f0a-9a1e-000000000003", "8f9d3b7e-1c55-4f0a-9a1e-000000000004"};

Answer get_location(World& world, const Call& call);
Answer get_custom_fields(World& world, const Call& call);
Answer create_custom_field(World& world, const Call& call);
Answer get_location_tags(World& world, const Call& call);
Answer create_location_tag(World& world, const Call& call);

Answer create_contact(World& world, const Call& call);
Answer upsert_contact(World& world, const Call& call);
Answer get_contact(World& world, const Call& call);
Answer update_contact(World& world, const Call& call);
Answer delete_contact(World& world, const Call& call);
Answer add_tags(World& world, const Call& call);
Answer remove_tags(World& world, const Call& call);
Answer contact_appointments(World& world, const Call& call);
Answer search_contacts(World& world, const Call& call);
// A contact that was there before us: the create body, more freely. The answer is its id, or why not.
Answer seed_contact(World& world, const Json& given);

Answer get_pipelines(World& world, const Call& call);
Answer create_opportunity(World& world, const Call& call);
Answer find_opportunities(World& world, const Call& call); // over the index, which lags behind
Answer get_opportunity(World& world, const Call& call);
Answer update_opportunity(World& world, const Call& call);
Answer update_opportunity_status(World& world, const Call& call);
Answer delete_opportunity(World& world, const Call& call);

Answer get_calendars(World& world, const Call& call);
Answer create_appointment(World& world, const Call& call);
Answer get_appointment(World& world, const Call& call);
Answer update_appointment(World& world, const Call& call);
Answer delete_event(World& world, const Call& call);

// What a client reads that polls (polling.cpp).
Answer search_opportunities(World& world, const Call& call);
Answer calendar_events(World& world, const Call& call);
std::optional<Answer> check_sort(const Json& body);
void put_in_order(std::vector<const Json*>& hits, const Json& body); // by `sort`; without it they stay

// Shared by the endpoints.
Json contact_shown(const Call& call, Json contact);                               // as that generation shows it
std::optional<Answer> wrong_location(const World& world, std::string_view given); // 403
Answer no_contact(std::string_view id);                                           // 400, as seen live
Answer duplicate_of(const Json& contact, const char* field);                      // 400, with its name
void register_tags(World& world, const Json& tags);
std::string full_name(const Json& contact);

} // namespace clinic::emulator
