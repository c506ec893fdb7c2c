#include <nlohmann/json.hpp>
#include <set>

#include "crypto/base/json.h"
#include "sync/envelope/closed_object.h"
#include "sync/envelope/frame.h"
#include "sync/envelope/frame_crm.h"
#include "sync/envelope/names.h"

namespace clinic::envelope {
namespace {

constexpr int wait_ms_max = 20'000;
constexpr int retry_after_ms_max = 86'400'000;
constexpr std::size_t path_bytes_max = 256;
constexpr std::size_t steps_max = 16;
constexpr std::int64_t clock_offset_s_max = 4'000'000'000;

bool is_path(std::string_view text) {
    return text.size() <= path_bytes_max && text.starts_with('/') && only(text, "/_-?=&", true, true, true);
}

bool is_body(std::string_view text) {
    return text.size() <= attempt_body_bytes_max;
}

bool is_contact_or_empty(std::string_view text) {
    return text.empty() || is_contact_id(text);
}

ObjectWriter frame(const char* name) {
    ObjectWriter writer;
    writer.integer("v", 1).text("frame", name);
    return writer;
}

std::string write(const LeaseRequest& request) {
    ObjectWriter writer = frame("lease");
    writer.text("destination", name(request.destination)).integer("wait_ms", request.wait_ms);
    if (request.least != Least::any) writer.text("least", name_of(request.least));
    return writer.str();
}

LeaseRequest read_lease(ObjectReader& reader) {
    LeaseRequest request{.destination = reader.choice<Destination>("destination"),
                         .wait_ms = reader.small("wait_ms", 0, wait_ms_max)};
    if (reader.has("least")) request.least = reader.choice<Least>("least");
    return request;
}

std::string write(const Attempt& attempt) {
    return frame("attempt")
        .integer("lease", attempt.lease)
        .text("route", name(attempt.route))
        .text("path", attempt.path)
        .text("body", attempt.body)
        .str();
}

Attempt read_attempt(ObjectReader& reader) {
    Attempt attempt{.lease = reader.integer("lease", 0, integer_max),
                    .route = reader.choice<Route>("route"),
                    .path = reader.text("path", is_path),
                    .body = reader.text("body", is_body)};
    const bool may_ask = attempt.route == Route::pipelines_read || attempt.route == Route::calendars_read ||
                         attempt.route == Route::calendar_events || attempt.route == Route::case_search;
    reader.require(may_ask || attempt.path.find_first_of("?=&") == std::string::npos, "a query where there is none");
    const bool serves_one = attempt.lease > 0;
    reader.require(serves_one ? !serves_none(attempt.route) : may_serve_none(attempt.route),
                   "a lease stands with what serves one, and only there");
    return attempt;
}

std::string write(const StepOutcome& step) {
    return ObjectWriter{}
        .integer("attempt", step.attempt)
        .text("result", name_of(step.result))
        .integer("status", step.status)
        .str();
}

StepOutcome read_step(ObjectReader& reader) {
    StepOutcome step{.attempt = reader.integer("attempt", 1, integer_max),
                     .result = reader.choice<StepOutcome::Result>("result"),
                     .status = reader.small("status", 0, 599)};
    const bool answered = step.result == StepOutcome::Result::answered;
    reader.require(answered ? step.status >= 100 : step.status == 0, "a status stands with an answer alone");
    return step;
}

std::string write(const Settle& settle) {
    std::vector<std::string> steps;
    for (const StepOutcome& step : settle.steps) steps.push_back(write(step));
    ObjectWriter writer = frame("settle");
    writer.integer("lease", settle.lease)
        .text("outcome", name_of(settle.outcome))
        .text("code", settle.code)
        .integer("retry_after_ms", settle.retry_after_ms)
        .boolean("counts_against", settle.counts_against)
        .text("contact", settle.contact);
    if (!settle.object.empty()) writer.text("object", settle.object);
    writer.list("steps", steps);
    if (settle.next) writer.text("next", name(*settle.next));
    return writer.str();
}

Settle read_settle(ObjectReader& reader) {
    Settle settle{.lease = reader.integer("lease", 0, integer_max),
                  .outcome = reader.choice<Outcome>("outcome"),
                  .code = reader.text("code", is_code),
                  .retry_after_ms = reader.small("retry_after_ms", 0, retry_after_ms_max),
                  .counts_against = reader.boolean("counts_against"),
                  .contact = reader.text("contact", is_contact_or_empty)};
    if (reader.has("object")) settle.object = reader.text("object", is_contact_id);
    reader.objects("steps", steps_max, [&](ObjectReader& step) { settle.steps.push_back(read_step(step)); });
    if (reader.has("next")) settle.next = reader.choice<Destination>("next");
    std::set<std::int64_t> attempts;
    for (const StepOutcome& step : settle.steps) attempts.insert(step.attempt);
    reader.require(attempts.size() == settle.steps.size(), "an attempt twice in one settle");
    reader.require(settle.outcome == Outcome::retry || settle.retry_after_ms == 0, "a time to retry without a retry");
    reader.require(settle.outcome != Outcome::delivered || !settle.counts_against, "a delivery that counts against");
    reader.require(settle.lease > 0 || (settle.contact.empty() && settle.object.empty()), "a contact without a lease");
    reader.require(settle.lease > 0 || !settle.next, "a next lease without one that ends");
    return settle;
}

std::string write_webhooks(const Webhooks& all) {
    return ObjectWriter{}
        .boolean("up", all.up)
        .integer("told", all.told)
        .integer("looked", all.looked)
        .integer("refused", all.refused)
        .integer("bad", all.bad)
        .integer("newest_ms", all.newest_ms)
        .integer("fault_ms", all.fault_ms)
        .str();
}

Webhooks read_webhooks(ObjectReader& reader) {
    return {.up = reader.boolean("up"),
            .told = reader.integer("told", 0, integer_max),
            .looked = reader.integer("looked", 0, integer_max),
            .refused = reader.integer("refused", 0, integer_max),
            .bad = reader.integer("bad", 0, integer_max),
            .newest_ms = reader.integer("newest_ms", 0, integer_max),
            .fault_ms = reader.integer("fault_ms", 0, integer_max)};
}

std::string write(const TimeState& state) {
    ObjectWriter writer = frame("time_state");
    writer.boolean("kernel_synchronised", state.kernel_synchronised);
    if (state.https_offset_s) writer.integer("https_offset_s", *state.https_offset_s);
    writer.text("crm", name_of(state.crm))
        .text("crm_code", state.crm_code)
        .text("mqtt", name_of(state.mqtt))
        .text("mqtt_code", state.mqtt_code);
    if (state.read_backs.read > 0)
        writer.integer("read_back", state.read_backs.read).integer("differing", state.read_backs.differing);
    if (state.requests) writer.integer("day_max", state.requests->max).integer("day_left", state.requests->left);
    if (state.webhooks) writer.written("webhooks", write_webhooks(*state.webhooks));
    if (state.location.empty()) return writer.str();
    std::vector<std::string> faults;
    for (const auto& [part, lack] : state.location)
        faults.push_back(ObjectWriter{}.text("part", name_of(part)).text("lack", name_of(lack)).str());
    return writer.list("location", faults).str();
}

TimeState read_time_state(ObjectReader& reader) {
    TimeState state;
    state.kernel_synchronised = reader.boolean("kernel_synchronised");
    if (reader.has("https_offset_s"))
        state.https_offset_s = reader.integer("https_offset_s", -clock_offset_s_max, clock_offset_s_max);
    state.crm = reader.choice<LaneState>("crm");
    state.crm_code = reader.text("crm_code", is_code);
    state.mqtt = reader.choice<LaneState>("mqtt");
    state.mqtt_code = reader.text("mqtt_code", is_code);
    if (reader.has("read_back")) {
        state.read_backs.read = reader.small("read_back", 1, read_backs_max);
        state.read_backs.differing = reader.small("differing", 0, state.read_backs.read);
    }
    if (reader.has("day_max")) {
        const auto max = reader.integer("day_max", 1, requests_of_day_max);
        state.requests = RequestsOfDay{max, reader.integer("day_left", 0, max)};
    }
    if (reader.has("webhooks"))
        reader.object("webhooks", [&](ObjectReader& inner) { state.webhooks = read_webhooks(inner); });
    if (!reader.has("location")) return state;
    reader.objects("location", location_faults_max, [&](ObjectReader& one) {
        state.location.push_back({one.choice<Part>("part"), one.choice<Lack>("lack")});
    });
    const std::set<LocationFault> each{state.location.begin(), state.location.end()};
    reader.require(!each.empty() && each.size() == state.location.size(), "no fault of the location, or one twice");
    return state;
}

std::string write(const DeviceRequest&) {
    return frame("device").str();
}

std::string write(const DeviceAck& ack) {
    return frame("device_ack").integer("event", ack.event).str();
}

DeviceAck read_device_ack(ObjectReader& reader) {
    return {.event = reader.integer("event", 0, integer_max)};
}

bool is_any(std::string_view) {
    return true;
}

Request read_request(ObjectReader& reader) {
    reader.integer("v", 1, 1);
    const std::string frame = reader.text("frame", is_any);
    if (frame == "lease") return read_lease(reader);
    if (frame == "attempt") return read_attempt(reader);
    if (frame == "settle") return read_settle(reader);
    if (frame == "time_state") return read_time_state(reader);
    if (frame == "device_ack") return read_device_ack(reader);
    if (frame == "crm_fact") return read_crm_fact(reader);
    if (frame == "match_probe") return read_match_probe(reader);
    if (frame == "crm_polled") return read_crm_polled(reader);
    if (frame == "crm_walk") return read_crm_walk(reader);
    reader.require(frame == "device", "the frame is not a request that is known");
    return DeviceRequest{};
}

} // namespace

std::string encode(const Request& request) {
    return std::visit([](const auto& one) { return write(one); }, request);
}

Result<Request> decode_request(std::string_view bytes) {
    auto parsed = base::parse_json(bytes, frame_bytes_max, 3);
    if (!parsed) return Error{Errc::refused, parsed.error().what};
    ObjectReader reader{*parsed};
    Request request = read_request(reader);
    CLINIC_TRY(reader.done());
    return request;
}

} // namespace clinic::envelope
