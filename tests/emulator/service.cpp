#include "tests/emulator/service.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "crypto/base/json.h"
#include "tests/emulator/events.h"
#include "tests/emulator/handlers.h"

namespace clinic::emulator {

struct Route {
    const char* method;
    const char* pattern; // {} stands for one id
    const char* version;
    bool is_write;
    Answer (*handler)(World&, const Call&);
};

namespace {

constexpr std::size_t body_bytes_max = 1U << 20U;
constexpr int body_depth_max = 12;
constexpr const char* dated_a = "2021-07-28";
constexpr const char* dated_b = "2021-04-15"; // calendars

constexpr std::array<Route, 28> routes{{
    {"GET", "/locations/{}", dated_a, false, get_location},
    {"GET", "/locations/{}/customFields", dated_a, false, get_custom_fields},
    {"POST", "/locations/{}/customFields", dated_a, true, create_custom_field},
    {"GET", "/locations/{}/tags", dated_a, false, get_location_tags},
    {"POST", "/locations/{}/tags", dated_a, true, create_location_tag},
    {"POST", "/contacts/", dated_a, true, create_contact},
    {"POST", "/contacts/upsert", dated_a, true, upsert_contact},
    {"POST", "/contacts/search", dated_a, false, search_contacts},
    {"GET", "/contacts/{}", dated_a, false, get_contact},
    {"PUT", "/contacts/{}", dated_a, true, update_contact},
    {"DELETE", "/contacts/{}", dated_a, true, delete_contact},
    {"POST", "/contacts/{}/tags", dated_a, true, add_tags},
    {"DELETE", "/contacts/{}/tags", dated_a, true, remove_tags},
    {"GET", "/contacts/{}/appointments", dated_a, false, contact_appointments},
    {"GET", "/opportunities/pipelines", dated_a, false, get_pipelines},
    {"POST", "/opportunities/", dated_a, true, create_opportunity},
    {"POST", "/opportunities/search", dated_a, false, search_opportunities},
    {"GET", "/calendars/events", dated_b, false, calendar_events},
    {"GET", "/opportunities/search", dated_a, false, find_opportunities},
    {"GET", "/opportunities/{}", dated_a, false, get_opportunity},
    {"PUT", "/opportunities/{}", dated_a, true, update_opportunity},
    {"PUT", "/opportunities/{}/status", dated_a, true, update_opportunity_status},
    {"DELETE", "/opportunities/{}", dated_a, true, delete_opportunity},
    {"GET", "/calendars/", dated_b, false, get_calendars},
    {"POST", "/calendars/events/appointments", dated_b, true, create_appointment},
    {"GET", "/calendars/events/appointments/{}", dated_b, false, get_appointment},
    {"PUT", "/calendars/events/appointments/{}", dated_b, true, update_appointment},
    {"DELETE", "/calendars/events/{}", dated_b, true, delete_event},
}};

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    std::vector<std::string> ids;
    while (!pattern.empty() && !path.empty()) {
        if (!pattern.starts_with("{}")) {
            if (pattern.front() != path.front()) return std::nullopt;
            pattern.remove_prefix(1);
            path.remove_prefix(1);
            continue;
        }
        const std::string_view id = path.substr(0, path.find('/'));
        if (id.empty()) return std::nullopt;
        ids.emplace_back(id);
        pattern.remove_prefix(2);
        path.remove_prefix(id.size());
    }
    if (!pattern.empty() || !path.empty()) return std::nullopt;
    return ids;
}

const Route* route_of(const Request& request) {
    for (const Route& route : routes)
        if (request.method == route.method && match(route.pattern, request.path())) return &route;
    return nullptr;
}

std::optional<Answer> wrong_version(const Request& request, const char* version) {
    const std::string_view given = request.header("Version");
    if (given == version || given == "v3") return std::nullopt;
    return refusal(401, given.empty() ? "version header was not found." : "version header is invalid");
}

Answer too_many(bool says_when) {
    Answer answer = refusal(429, "Too Many Requests");
    if (says_when) answer.headers.emplace_back("Retry-After", "1");
    return answer;
}

Answer contended(unsigned turn) {
    static constexpr std::array<std::pair<int, const char*>, 4> forms{{{408, "Request Timeout"},
                                                                       {409, "The resource is being updated."},
                                                                       {423, "The resource is locked."},
                                                                       {425, "Too Early"}}};
    const auto& [status, words] = forms.at(turn % forms.size());
    return refusal(status, words);
}

// Where a request does not say, any coding will do (RFC 9110, 12.5.3).
bool takes_gzip(const Request& request) {
    const std::string_view accepted = request.header("Accept-Encoding");
    return accepted.empty() || accepted.find("gzip") != std::string_view::npos ||
           accepted.find('*') != std::string_view::npos;
}

Asks asked_by(const Request& request, const Route* route) {
    if (route != nullptr && route->handler == create_contact) return Asks::contact;
    return (route != nullptr && route->is_write) || request.path() == "/oauth/token" ? Asks::write : Asks::read;
}

Answer bodiless(int status) {
    Answer empty;
    empty.status = status;
    empty.content_type = "text/plain";
    return empty;
}

Answer server_error(unsigned turn) {
    static constexpr std::array<int, 4> statuses{500, 502, 503, 504};
    const int status = statuses.at(turn % statuses.size());
    return status == 500 ? refusal(500, "Internal server error") : bodiless(status);
}

Answer html_page(int status = 502) {
    Answer answer;
    answer.status = status;
    answer.content_type = "text/html; charset=UTF-8";
    answer.body = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
                  "<body><h1>Bad gateway</h1><p>The web server reported a bad gateway error.</p></body></html>\n";
    return answer;
}

// Somebody's name, number or address in every place that an error has.
Answer person_in_error(unsigned turn, const std::string& person) {
    Answer answer;
    switch (turn % 4) {
    case 0:
        answer = json_answer(400, {{"statusCode", 400},
                                   {"message", "This location does not allow duplicated contacts: " + person},
                                   {"meta", {{"contactName", person}, {"matchingField", person}}}});
        break;
    case 1: answer = unprocessable({"firstName " + person + " is not valid", person}); break;
    case 2:
        answer = html_page();
        answer.body += "<!-- " + person + " --><p>Contact " + person + "</p>\n";
        break;
    default: answer = refusal(400, "Contact with id " + person + " not found"); break;
    }
    answer.headers.emplace_back("X-Contact-Name", person);
    return answer;
}

Json with_named_fields(const Json& contact, const std::vector<CustomField>& fields) {
    Json out = contact;
    out["fields"] = Json::object();
    for (const Json& item : contact["customFields"])
        if (const CustomField* field = find_field(fields, item["id"].get_ref<const std::string&>()))
            out["fields"][field->name] = item["value"];
    return out;
}

Json list(const std::vector<const Json*>& documents) {
    Json out = Json::array();
    for (const Json* document : documents) out.push_back(*document);
    return out;
}

} // namespace

Service::Service(World world, const ServiceOptions& options, Lines requests, Lines answers)
    : world_{std::move(world)}, token_{options.token}, heard_{options.heard}, grants_{options.location},
      requests_{std::move(requests)}, answers_{std::move(answers)} {}

Result<std::unique_ptr<Service>> Service::open(const ServiceOptions& options, const Clock& clock) {
    auto world = World::open(clock, options.location, options.fields, options.state);
    if (!world) return world.error();
    auto requests = Lines::open(options.requests);
    if (!requests) return requests.error();
    auto answers = Lines::open(options.answers);
    if (!answers) return answers.error();
    std::unique_ptr<Service> made{new Service{std::move(*world), options, std::move(*requests), std::move(*answers)}};
    made->world_.changed = [owner = made.get()](Kind kind, const Json* before, const Json* after) {
        if (owner->webhooks_)
            for (auto& [type, fields] : events_of(kind, before, after)) owner->tell(type, std::move(fields));
    };
    return made;
}

Answer Service::by_hand(const std::string& method, const std::string& target, const Json& body) {
    const Request request = by_hand_request(method, target, body);
    const std::lock_guard hold{lock_};
    return handle(request, route_of(request));
}

Request Service::by_hand_request(const std::string& method, const std::string& target, const Json& body) const {
    Request request{method, target, {{"Authorization", "Bearer " + token_}, {"Version", "v3"}}, ""};
    request.headers.emplace_back("Content-Type", "application/json");
    if (!body.is_null()) request.body = body.dump();
    return request;
}

Answer Service::answer(const Request& request) {
    const bool controls = request.path().starts_with("/_");
    if (heard_ && !controls) heard_(request);
    const std::lock_guard hold{lock_};
    if (controls) return control(request);
    Answer answer = decide(request);
    answer.headers.emplace_back("X-RateLimit-Limit-Daily", std::to_string(throttle_.per_day));
    answer.headers.emplace_back("X-RateLimit-Daily-Remaining", std::to_string(throttle_.daily_remaining()));
    answer.headers.emplace_back("X-RateLimit-Interval-Milliseconds", std::to_string(Throttle::window_ms));
    answer.headers.emplace_back("X-RateLimit-Max", std::to_string(throttle_.per_window));
    answer.headers.emplace_back("X-RateLimit-Remaining", std::to_string(throttle_.remaining()));
    record(request, answer);
    answer.gzip = answer.gzip || (gzip_ && takes_gzip(request));
    return answer;
}

Answer Service::decide(const Request& request) {
    const Route* route = route_of(request);
    if (!throttle_.take(world_.now_ms())) return too_many(false);
    if (const auto fault = faults_.take(asked_by(request, route))) return faulty(*fault, request, route);
    return handle(request, route);
}

Answer Service::faulty(Fault fault, const Request& request, const Route* route) {
    switch (fault) {
    case Fault::server_error: return server_error(server_errors_++);
    case Fault::html_body: return html_page();
    case Fault::token_expired: return refusal(401, "Invalid token: access token is invalid");
    case Fault::rate_limited: return too_many(throttled_++ % 2 == 0);
    case Fault::person_in_error: return person_in_error(people_in_errors_++, person_);
    case Fault::scope_lost: return refusal(401, "The token is not authorized for this scope.");
    case Fault::forbidden: return refusal(403, "The token does not have access to this location.");
    case Fault::message_as_text: return refusal(422, "Unprocessable Entity");
    case Fault::silent_429: return bodiless(429);
    case Fault::html_429: return html_page(429);
    case Fault::accepted_and_dropped: return dropped(request, route);
    case Fault::contended: return contended(contended_++);
    case Fault::dated_429: return dated_429();
    case Fault::duplicate_400: return duplicate_400(request, route);
    case Fault::gzip_unasked:
    case Fault::timeout_said:
    case Fault::timeout_after_effect:
    case Fault::created_422:
    case Fault::slow: break;
    }
    Answer answer = handle(request, route);
    if (fault == Fault::slow) answer.delay = std::chrono::milliseconds{slow_ms_};
    if (fault == Fault::timeout_after_effect) answer.withheld = true;
    if (fault == Fault::gzip_unasked) answer.gzip = true;
    if (fault == Fault::timeout_said && answer.status < 300) return refusal(408, "Request Timeout");
    if (fault == Fault::created_422 && answer.status < 300) return unprocessable({"Unprocessable Entity"});
    return answer;
}

// What the path names is as it was, whatever the answer says.
Answer Service::dropped(const Request& request, const Route* route) {
    const auto ids = route == nullptr ? std::nullopt : match(route->pattern, request.path());
    const Kind kind = request.path().starts_with("/opportunities/") ? Kind::opportunity
                      : request.path().starts_with("/calendars/")   ? Kind::appointment
                                                                    : Kind::contact;
    const Json* found = ids && !ids->empty() ? world_.find(kind, ids->front()) : nullptr;
    const Json before = found == nullptr ? Json{} : *found;
    const auto quiet = std::exchange(world_.changed, {});
    Answer answer = handle(request, route);
    if (!before.is_null()) world_.put(kind, before, 0);
    world_.changed = quiet;
    return answer;
}

Answer Service::dated_429() {
    Answer answer = too_many(false);
    const auto now = world_.now_ms();
    answer.headers.emplace_back("Date", http_date(now));
    answer.headers.emplace_back("Retry-After", http_date(now + std::int64_t{1'000} * retry_after_s_));
    return answer;
}

// A contact of the same name, or else the oldest, of whom nothing was asked.
Answer Service::duplicate_400(const Request& request, const Route* route) {
    const auto body = base::parse_json(request.body, body_bytes_max, body_depth_max);
    const auto all = world_.all(Kind::contact);
    if (!body || !body->is_object() || all.empty()) return handle(request, route);
    const auto same = std::find_if(all.begin(), all.end(), [&](const Json* one) {
        return one->value("firstName", "") == body->value("firstName", "");
    });
    return duplicate_of(same == all.end() ? *all.front() : **same, "phone");
}

std::optional<Answer> Service::unauthorised(const Request& request) const {
    constexpr std::string_view scheme = "Bearer ";
    const std::string_view given = request.header("Authorization");
    const auto bearer = given.starts_with(scheme) ? given.substr(scheme.size()) : std::string_view{};
    if (bearer == token_ || grants_.knows(bearer, world_.now_ms())) return std::nullopt;
    return refusal(401, bearer.starts_with("pit-") ? "Invalid Private Integration token" : "Invalid JWT");
}

Answer Service::handle(const Request& request, const Route* route) {
    if (request.method == "POST" && request.path() == "/oauth/token") return grants_.token(request, world_.now_ms());
    if (request.method == "POST" && request.path() == "/oauth/reconnect") {
        const auto body = base::parse_json(request.body, body_bytes_max, body_depth_max);
        return body && body->is_object() ? grants_.reconnect(*body) : refusal(400, "Unexpected token in JSON");
    }
    if (auto refused = unauthorised(request)) return *refused;
    if (route == nullptr) return refusal(404, "Cannot " + request.method + " " + std::string{request.path()});
    if (auto refused = wrong_version(request, route->version)) return *refused;
    Json body = Json::object();
    if (!request.body.empty()) {
        auto parsed = base::parse_json(request.body, body_bytes_max, body_depth_max);
        if (!parsed || !parsed->is_object()) return refusal(400, "Unexpected token in JSON");
        if (!request.header("Content-Type").starts_with("application/json"))
            return refusal(400, "Content-Type must be application/json");
        body = std::move(*parsed);
    }
    return route->handler(world_, {request, body, *match(route->pattern, request.path())});
}

Answer Service::control(const Request& request) {
    if (request.method == "GET" && request.path() == "/_state") return control_state();
    const bool is_post = request.method == "POST";
    using Control = Answer (Service::*)(const Json&);
    static constexpr std::array<std::pair<const char*, Control>, 6> controls{{
        {"/_faults", &Service::control_faults},
        {"/_seed", &Service::control_seed},
        {"/_oauth", &Service::control_oauth},
        {"/_fields", &Service::control_fields},
        {"/_webhooks", &Service::control_webhooks},
        {"/_by_hand", &Service::control_by_hand},
    }};
    const auto* found =
        std::find_if(controls.begin(), controls.end(), [&](const auto& one) { return request.path() == one.first; });
    if (!is_post || found == controls.end())
        return refusal(404, "Cannot " + request.method + " " + std::string{request.path()});
    const auto body = base::parse_json(request.body, 16U * body_bytes_max, body_depth_max);
    if (!body || !body->is_object()) return refusal(400, "not a JSON object");
    return (this->*found->second)(*body);
}

Answer Service::control_faults(const Json& body) {
    static constexpr int count_max = 1'000'000;
    if (body.value("fault", Json{}) == "none") return faults_ = {}, json_answer(200, {{"waiting", 0}}); // all are over
    if (body.contains("fault") && body["fault"].is_string()) {
        const auto fault = fault_named(body["fault"].get_ref<const std::string&>());
        const Json count = body.value("count", Json(1));
        if (!fault) return refusal(400, "unknown fault");
        if (!count.is_number_integer() || count < 1 || count > count_max) return refusal(400, "count: 1 to 1000000");
        if (body.contains("text") && body["text"].is_string()) person_ = body["text"];
        faults_.queue(*fault, count);
        return json_answer(200, {{"queued", name(*fault)}, {"waiting", faults_.waiting()}});
    }
    if (!body.contains("knob") || !body.contains("value") || !body["value"].is_number_integer())
        return refusal(400, "neither a fault nor a knob");
    const Json& value = body["value"];
    if (value < 0 || value > count_max) return refusal(400, "value: 0 to 1000000");
    if (body["knob"] == "index_lag_ms")
        world_.index_lag_ms = value;
    else if (body["knob"] == "rate_per_10s")
        throttle_.per_window = value;
    else if (body["knob"] == "rate_per_day")
        throttle_.per_day = value;
    else if (body["knob"] == "slow_ms")
        slow_ms_ = value;
    else if (body["knob"] == "retry_after_s")
        retry_after_s_ = value;
    else if (body["knob"] == "gzip")
        gzip_ = value != 0;
    else if (body["knob"] == "shows_deleted")
        world_.shows_deleted = value != 0;
    else if (body["knob"] == "oauth_life_s")
        grants_.life_s = value;
    else
        return refusal(400, "unknown knob");
    return json_answer(200, {{"knob", body["knob"]}, {"value", value}});
}

Answer Service::control_seed(const Json& body) {
    if (!body.contains("contacts") || !body["contacts"].is_array()) return refusal(400, "contacts: an array");
    Json ids = Json::array();
    Answer last;
    const auto quiet = std::exchange(world_.changed, {}); // they were there before
    for (const Json& contact : body["contacts"]) {
        last = contact.is_object() ? seed_contact(world_, contact) : refusal(400, "each contact is an object");
        if (last.status != 201) break;
        ids.push_back(Json::parse(last.body)["id"]);
    }
    world_.changed = quiet;
    if (last.status >= 300) return last;
    return json_answer(201, {{"contacts", ids}});
}

// {"do": "allow" | "forget_access" | "uninstall"}; "allow" answers with the code that the browser is sent back with.
Answer Service::control_oauth(const Json& body) {
    const std::string what = body.value("do", "");
    const Json where{{"locationId", world_.location()}};
    if (what == "allow") {
        Json fields = where;
        fields.update({{"installType", "Location"},
                       {"userId", "CEuser00000000000001"},
                       {"planId", "CEplan00000000000001"},
                       {"isWhitelabelCompany", false},
                       {"whitelabelDetails", Json::object()},
                       {"companyName", "Demo agency"}});
        tell("INSTALL", fields);
        return json_answer(200, {{"code", grants_.new_code()}});
    }
    if (what == "forget_access") return grants_.forget_access(), json_answer(200, Json::object());
    if (what == "uninstall") return grants_.uninstall(), tell("UNINSTALL", where), json_answer(200, Json::object());
    return refusal(400, "do: allow, forget_access, uninstall");
}

// {"name": "ce_stage", "do": "remove" | "retype" | "shorten"}: what people do to a custom field in GHL.
Answer Service::control_fields(const Json& body) {
    const std::string name = body.value("name", ""), what = body.value("do", "");
    const auto& fields = world_.fields();
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.name == name; });
    if (found == fields.end()) return refusal(400, "no such field");
    Json field{{"id", found->id}, {"name", name}, {"dataType", found->data_type}, {"options", found->options}};
    if (what == "remove")
        field["gone"] = true;
    else if (what == "retype")
        field["dataType"] = "NUMERICAL", field["options"] = Json::array();
    else if (what == "shorten" && !found->options.empty())
        field["options"].erase(field["options"].size() - 1);
    else
        return refusal(400, "do: remove, retype, shorten");
    world_.put_field(field);
    return json_answer(200, field);
}

// {"ports": […], "authority": FILE, …}: from now on each change is told there; without ports to nobody. Answers with
// the public key of the signatures.
Answer Service::control_webhooks(const Json& body) {
    DeliveryOptions how;
    how.ports = body.value("ports", std::vector<int>{});
    how.authority = body.value("authority", "");
    how.path = body.value("path", how.path);
    how.again_after = std::chrono::milliseconds{body.value("again_after_ms", how.again_after.count())};
    how.jitter = std::chrono::milliseconds{body.value("jitter_ms", how.jitter.count())};
    how.twice = body.value("twice", false);
    how.senders = 4;
    webhooks_app_ = body.value("app", app_id);
    webhooks_.reset();
    if (!how.ports.empty()) webhooks_ = std::make_unique<Webhooks>(how, webhook_key_);
    return json_answer(200, {{"public_key", webhook_key_.public_key()}});
}

// {"method", "path", "body"?}
Answer Service::control_by_hand(const Json& body) {
    const Json given = body.value("body", Json{});
    const Request request = by_hand_request(body.value("method", ""), body.value("path", ""), given);
    return handle(request, route_of(request));
}

void Service::tell(const std::string& type, Json fields) {
    if (!webhooks_) return;
    fields.update(webhook(type, webhooks_app_, world_.location(), random_id(), world_.now_ms()));
    webhooks_->send(base::dump_json(fields));
}

Answer Service::control_state() const {
    Json contacts = Json::array();
    for (const Json* contact : world_.all(Kind::contact))
        contacts.push_back(with_named_fields(*contact, world_.fields()));
    return json_answer(200, {{"contacts", contacts},
                             {"opportunities", list(world_.all(Kind::opportunity))},
                             {"appointments", list(world_.all(Kind::appointment))},
                             {"tags", list(world_.all(Kind::tag))}});
}

void Service::record(const Request& request, const Answer& answer) {
    Json headers = Json::object();
    for (const auto& [name, value] : request.headers)
        headers[name] = headers.contains(name) ? headers[name].get<std::string>() + ", " + value : value;
    Json line{{"method", request.method}, {"path", request.target}, {"headers", headers}};
    line["status"] = answer.withheld ? 0 : answer.status;
    put_body(line, request.body);
    requests_.write(line);
    Json reply{{"method", request.method}, {"path", request.target}, {"status", answer.withheld ? 0 : answer.status}};
    reply["content_type"] = answer.content_type;
    put_body(reply, answer.body);
    answers_.write(reply);
}

} // namespace clinic::emulator
