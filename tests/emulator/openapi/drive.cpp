// ghl-openapi-drive FOLDER: makes every call to an emulator of its own and leaves what was asked and answered there.
//   client-*.jsonl, v3-*.jsonl: clinic-syncd's calls, by its own client, in the dated versions and in v3; every one
//   must be right. grant-*.jsonl: with an OAuth grant. other-*.jsonl, v3-other-*.jsonl: the neighbours, and calls that
//   are wrong on purpose, for the shape of the refusals.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "sync/channel/ghl/dialect.h"
#include "sync/channel/ghl/ghl_client.h"
#include "sync/channel/ghl/requests.h"
#include "sync/envelope/crm_reads.h"
#include "tests/emulator/certificate.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/https_client.h"
#include "tests/emulator/oauth.h"

namespace {

using namespace clinic;
using emulator::Json;

constexpr const char* token = "pit-0b1c2d3e-0000-4000-8000-000000000001";

struct Bench {
    std::filesystem::path folder;
    emulator::Certificate certificate;
    base::SystemClock clock;
    std::unique_ptr<emulator::Emulator> emulator;

    bool start(const std::string& name) {
        emulator::Options options;
        options.certificate = certificate.certificate;
        options.key = certificate.key;
        options.service.token = token;
        options.service.requests = folder / (name + "-requests.jsonl");
        options.service.answers = folder / (name + "-answers.jsonl");
        std::filesystem::remove(options.service.requests);
        std::filesystem::remove(options.service.answers);
        auto started = emulator::Emulator::start(options, clock);
        if (!started) return false;
        emulator = std::move(*started);
        emulator::HttpsClient client{emulator->port(), certificate.authority};
        return client.post("/_faults", R"({"knob":"index_lag_ms","value":0})").status == 200;
    }
    std::string fault(const char* name) {
        emulator::HttpsClient client{emulator->port(), certificate.authority};
        return client.post("/_faults", Json{{"fault", name}}.dump()).body;
    }
};

envelope::WriteRules rules() {
    envelope::WriteRules out;
    out.location = "CEdemoLocation000001";
    out.fields = {emulator::field_ce_pid,  emulator::field_ce_stage,       emulator::field_ce_last,
                  emulator::field_ce_next, emulator::field_ce_appt_status, emulator::field_ce_appt_when};
    return out;
}

ghl::Exchange ask(ghl::GhlClient& client, const ghl::Call& call, const ghl::GhlClient::Marker& marker = {}) {
    return client.send(client.spoken(call), marker, {});
}

// A field that people took away is made anew.
bool drive_field(const Bench& bench, ghl::GhlClient& client, const envelope::WriteRules& set) {
    emulator::HttpsClient person{bench.emulator->port(), bench.certificate.authority};
    if (person.post("/_fields", R"({"name":"ce_appt_when","do":"remove"})").status != 200) return false;
    return ask(client, ghl::create_field(set, envelope::Part::appt_when), {}).status == 201;
}

// An opportunity of that contact's, from its opening to its end.
bool drive_case(ghl::GhlClient& client, envelope::WriteRules set, const std::string& contact) {
    set.pipeline.id = emulator::pipeline_id;
    set.pipeline.stages = {"", emulator::stage_ids[0], "", "", "", "", emulator::stage_ids[3]};
    envelope::MetadataEnvelope state{envelope::Kind::case_state};
    state.put(envelope::Field::pid, envelope::Pseudonym::random('p'));
    state.put(envelope::Field::stage, envelope::Stage::new_).put(envelope::Field::outcome, envelope::Case::open);
    const auto made = ask(client, ghl::create_case(set, contact, state), {});
    ghl::GhlClient::Marker marker;
    marker.sought = {"opportunities", "name", std::string{state.text(envelope::Field::pid)}, contact};
    const auto found = ask(client, ghl::search_case(set, contact), marker);
    state.put(envelope::Field::stage, envelope::Stage::archived)
        .put(envelope::Field::outcome, envelope::Case::abandoned);
    return made.status == 201 && found.answer.objects == std::vector{made.answer.object} &&
           ask(client, ghl::put_case(set, made.answer.object, state), {}).status == 200 &&
           ask(client, ghl::read_case(made.answer.object), {}).status == 200;
}

// A booking of that contact's, made, moved and called off.
bool drive_booking(ghl::GhlClient& client, envelope::WriteRules set, const std::string& contact) {
    set.booking_calendar = emulator::calendar_id;
    envelope::MetadataEnvelope state{envelope::Kind::booking_state};
    state.put(envelope::Field::aid, envelope::Pseudonym::random('a'));
    state.put(envelope::Field::booking, envelope::Booking::new_).put_slot(1'994'728, 1'994'730);
    const auto made = ask(client, ghl::create_booking(set, contact, state), {});
    ghl::GhlClient::Marker marker;
    marker.sought = {"events", "title", std::string{state.text(envelope::Field::aid)}, contact};
    const auto found = ask(client, ghl::search_bookings(contact), marker);
    envelope::MetadataEnvelope over{envelope::Kind::booking_state};
    over.put(envelope::Field::booking, envelope::Booking::cancelled);
    state.put_slot(1'994'732, 1'994'734);
    return made.status == 200 && found.answer.objects == std::vector{made.answer.object} &&
           ask(client, ghl::put_booking(made.answer.object, state), {}).status == 200 &&
           ask(client, ghl::put_booking(made.answer.object, over), {}).status == 200 &&
           ask(client, ghl::read_booking(made.answer.object), {}).status == 200;
}

// Every call of the write set, as clinic-syncd makes it. True: all were answered as they should be.
bool drive_client(Bench& bench, const char* name, bool in_v3) {
    if (!bench.start(name)) return false;
    ghl::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = static_cast<std::uint16_t>(bench.emulator->port());
    options.ca = bench.certificate.authority;
    options.token_file = bench.folder / "token";
    for (int i = 0; in_v3 && i < static_cast<int>(ghl::module_names.size()); ++i)
        if (!options.dialects.speak(static_cast<ghl::Module>(i), "v3")) return false;
    const auto client = ghl::GhlClient::make(options, bench.clock);
    if (!client) return false;
    const auto set = rules();
    const ghl::GhlClient::Marker marker{set.fields.pid, envelope::Pseudonym::random('p').text(), {}};
    const ghl::Tags tags{*envelope::Word::parse("new_patient"), *envelope::Word::parse("recall_due")};
    const std::vector<ghl::FieldValue> state{
        {set.fields.stage, "new"}, {set.fields.last, "none"}, {set.fields.next, "d3_7"}};
    const std::vector<ghl::FieldValue> visit{{set.fields.appt_status, "booked"}, {set.fields.appt_when, "d3_7"}};
    const auto status = [&](const ghl::Call& call) { return ask(**client, call, marker).status; };

    const auto created = ask(**client, ghl::create_shell(set, marker.value, tags, state), marker);
    const auto found = ask(**client, ghl::search_marker(set, marker.value), marker);
    const std::string contact = created.answer.contact;
    return created.status == 201 && found.answer.marked == std::vector{contact} &&
           status({envelope::Route::contacts_changed, "/contacts/search",
                   envelope::changed_contacts_body(set, 0, 1, 100)}) == 200 &&
           status({envelope::Route::opportunities_page, "/opportunities/search",
                   envelope::opportunities_body(set, 1, 100)}) == 200 &&
           status({envelope::Route::calendar_events,
                   envelope::calendar_events_path(set, emulator::calendar_id, 1'795'219'200'000, 1'795'305'600'000),
                   ""}) == 200 &&
           status(ghl::read_location(set)) == 200 && status(ghl::read_fields(set)) == 200 &&
           status(ghl::read_tags(set)) == 200 && status(ghl::read_pipelines(set)) == 200 &&
           status(ghl::read_calendars(set)) == 200 && status(ghl::read_contact(contact)) == 200 &&
           status(ghl::put_fields(contact, visit)) == 200 && status(ghl::add_tags(set, contact, tags)) == 201 &&
           status(ghl::remove_tags(set, contact, tags)) == 200 && drive_field(bench, **client, set) &&
           drive_case(**client, set, contact) && drive_booking(**client, set, contact);
}

// An authorization: a code, a renewal after GHL has forgotten the token, and a reconnection after the app was removed
// and allowed again. True: each let the client in.
bool drive_grant(Bench& bench) {
    if (!bench.start("grant")) return false;
    emulator::HttpsClient person{bench.emulator->port(), bench.certificate.authority};
    const auto does = [&](const char* what) {
        return Json::parse(person.post("/_oauth", Json{{"do", what}}.dump()).body);
    };
    ghl::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = static_cast<std::uint16_t>(bench.emulator->port());
    options.ca = bench.certificate.authority;
    options.oauth = ghl::GrantOptions{emulator::app_id, bench.folder / "secret", emulator::redirect, rules().location};
    if (!base::write_durable(bench.folder / "secret", base::as_bytes(emulator::app_secret), 0600)) return false;
    const auto client =
        ghl::GhlClient::make(options, bench.clock,
                             lane::SealedFile{bench.folder / "grant.sealed",
                                              crypto::KeySlot::from_key(crypto::SecureBytes::random(32)), "drive"});
    if (!client || !(*client)->authorize(does("allow").value("code", ""), {})) return false;
    const auto reads = [&] {
        auto said = (*client)->send(ghl::read_location(rules()), {}, {});
        if (said.another_token) said = (*client)->send(ghl::read_location(rules()), {}, {});
        return said.status == 200;
    };
    bool good = reads();
    does("forget_access");
    good = reads() && good;
    does("uninstall");
    does("allow");
    return reads() && good;
}

struct Other {
    const char* method;
    std::string path;
    Json body;
    int status;
};

// `contact` holds the name Ada Example and an e-mail address; `opportunity` and `event` are its own.
std::vector<Other> other_calls(const std::string& contact, const std::string& opportunity, const std::string& event) {
    const std::string here = "/locations/CEdemoLocation000001";
    const Json filter{{"field", "tags"}, {"operator", "eq"}, {"value", "ce-new-patient"}};
    return {
        {"GET", here + "/customFields?model=contact", nullptr, 200},
        {"GET", here + "/tags", nullptr, 200},
        {"POST", here + "/tags", {{"name", "ce-lapsed-12m"}}, 200},
        {"GET", "/contacts/" + contact, nullptr, 200},
        {"PUT", "/contacts/" + contact, {{"dnd", true}, {"tags", {"one"}}}, 200},
        {"GET", "/contacts/" + contact + "/appointments", nullptr, 200},
        {"POST",
         "/contacts/search",
         {{"locationId", "CEdemoLocation000001"},
          {"pageLimit", 5},
          {"filters", {{{"group", "OR"}, {"filters", {filter}}}}}},
         200},
        {"GET", "/opportunities/pipelines?locationId=CEdemoLocation000001", nullptr, 200},
        {"GET", "/opportunities/" + opportunity, nullptr, 200},
        {"PUT", "/opportunities/" + opportunity, {{"pipelineStageId", emulator::stage_ids[1]}}, 200},
        {"PUT", "/opportunities/" + opportunity + "/status", {{"status", "won"}}, 200},
        {"GET", "/calendars/events/appointments/" + event, nullptr, 200},
        {"PUT", "/calendars/events/appointments/" + event, {{"appointmentStatus", "showed"}, {"toNotify", false}}, 200},
        {"POST", "/contacts/", {{"locationId", "CEdemoLocation000001"}, {"email", "ada@example.test"}}, 400},
        {"POST", "/contacts/", {{"locationId", "CEdemoLocation000001"}, {"mrn", "4711"}}, 422},
        {"POST", "/contacts/search", Json::object(), 422},
        {"POST",
         "/contacts/search",
         {{"locationId", "CEdemoLocation000001"},
          {"pageLimit", 5},
          {"filters", {{{"field", "x"}, {"operator", "eq"}, {"value", 1}}}}},
         400},
        {"PUT", "/contacts/" + contact, {{"locationId", "CEdemoLocation000001"}}, 422},
        {"PUT", "/contacts/nobody", {{"dnd", true}}, 400},
        {"DELETE", "/contacts/" + contact + "/tags", Json::object(), 422},
        {"PUT", "/opportunities/nobody", {{"status", "won"}}, 400},
        {"DELETE", "/opportunities/" + opportunity, nullptr, 200},
        {"DELETE", "/opportunities/" + opportunity, nullptr, 400},
        {"PUT", "/calendars/events/appointments/" + event, {{"appointmentStatus", "arrived"}}, 422},
        {"DELETE", "/calendars/events/" + event, Json::object(), 201},
        {"DELETE", "/contacts/" + contact, nullptr, 200},
    };
}

emulator::Reply send(emulator::HttpsClient& client, bool in_v3, const char* method, const std::string& path,
                     const Json& body) {
    const bool is_calendar = path.starts_with("/calendars");
    emulator::Headers headers{{"Authorization", std::string{"Bearer "} + token},
                              {"Version", in_v3         ? "v3"
                                          : is_calendar ? "2021-04-15"
                                                        : "2021-07-28"}};
    if (!body.is_null()) headers["Content-Type"] = "application/json";
    return client.send(method, path, headers, body.is_null() ? "" : body.dump());
}

bool drive_others(Bench& bench, const char* name, bool in_v3) {
    if (!bench.start(name)) return false;
    emulator::HttpsClient client{bench.emulator->port(), bench.certificate.authority};
    const Json seeded = Json::parse(client
                                        .post("/_seed", R"({"contacts":[{"firstName":"Ada","lastName":"Example",
        "email":"ada@example.test","customFields":[{"id":"CEstage000000000000B","field_value":"new"}]}]})")
                                        .body);
    const std::string contact = seeded["contacts"][0];
    const auto opportunity = send(client, in_v3, "POST", "/opportunities/",
                                  {{"pipelineId", emulator::pipeline_id},
                                   {"locationId", "CEdemoLocation000001"},
                                   {"name", "p_1"},
                                   {"status", "open"},
                                   {"contactId", contact}});
    const auto event = send(client, in_v3, "POST", "/calendars/events/appointments",
                            {{"calendarId", emulator::calendar_id},
                             {"locationId", "CEdemoLocation000001"},
                             {"contactId", contact},
                             {"startTime", "2026-11-22T09:00:00-05:00"},
                             {"title", "Appointment"}});
    if (opportunity.status != 201 || event.status != 200) return false;
    bool good = true;
    for (const Other& call :
         other_calls(contact, Json::parse(opportunity.body)["opportunity"]["id"], Json::parse(event.body)["id"])) {
        const auto reply = send(client, in_v3, call.method, call.path, call.body);
        if (reply.status == call.status) continue;
        std::fprintf(stderr, "%s %s: %d, not %d\n", call.method, call.path.c_str(), reply.status, call.status);
        good = false;
    }
    for (const char* fault : {"token-expired", "422-but-created"}) {
        bench.fault(fault);
        send(client, in_v3, "POST", "/contacts/", {{"locationId", "CEdemoLocation000001"}});
    }
    return good;
}

} // namespace

int main(int count, char** values) {
    if (count != 2) {
        std::fputs("usage: ghl-openapi-drive FOLDER\n", stderr);
        return 2;
    }
    Bench bench;
    bench.folder = values[1];
    std::filesystem::create_directories(bench.folder);
    auto certificate = emulator::make_certificate(bench.folder);
    if (!certificate || !base::write_durable(bench.folder / "token", base::as_bytes(token), 0600)) return EXIT_FAILURE;
    bench.certificate = std::move(*certificate);
    const bool client = drive_client(bench, "client", false) && drive_client(bench, "v3", true);
    const bool grant = drive_grant(bench);
    if (!grant) std::fputs("an authorization did not let the client in\n", stderr);
    const bool others = drive_others(bench, "other", false) && drive_others(bench, "v3-other", true);
    if (!client) std::fputs("a call of the client was not answered as it should be\n", stderr);
    return client && grant && others ? EXIT_SUCCESS : EXIT_FAILURE;
}
