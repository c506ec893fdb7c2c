#include "tests/model/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "daemon/crm/objects.h"
#include "daemon/records/consents.h"
#include "daemon/records/patients.h"
#include "sync/channel/mqtt/relay_link.h"
#include "sync/relay/webhook.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/webhooks.h"
#include "tests/model/check.h"
#include "tests/model/seeded_random.h"

namespace clinic::model {
namespace {

using namespace std::chrono_literals;
using emulator::Fault;
using records::ConsentScope;
using records::ConsentState;

constexpr std::array families{"Quillfeather", "Brackenbury", "Vandersloot", "Thistlewood", "Ormsgrove", "Winterbourne"};
constexpr std::array givens{"Ottoline", "Percival", "Isolde", "Barnaby", "Clementine", "Leopold"};
constexpr std::array<int, 6> days_ahead{1, 5, 20, 60, 130, 260};
constexpr std::array scopes{ConsentScope::crm_sync, ConsentScope::reminders, ConsentScope::marketing};
constexpr int steps = 70;
constexpr std::size_t people_max = 12;

std::uint64_t seeded(std::uint64_t seed) {
    seed_random(seed);
    return seed;
}

std::string hl7_time(Timestamp at) {
    const std::time_t seconds = at.micros / 1'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[24];
    return {text, std::strftime(text, sizeof text, "%Y%m%d%H%M%S+0000", &parts)};
}

} // namespace

Program::Program(std::uint64_t seed, Weakness weakness) : random_{seeded(seed)} {
    box.weakness = weakness;
    box.weak_now = [this] { return !calm_ && chance(12); };
    box.meanwhile = [this](Instant instant) { meanwhile(instant); };
    box.knob("index_lag_ms", below(3) == 0 ? 30'000 : 300);
}

void Program::note(const std::string& what) const {
    if (!story_) return;
    std::printf("%s (box %+lld s) %s\n", base::rfc3339(box.truth.now()).c_str(),
                static_cast<long long>((box.clock.now() - box.truth.now()).count() / 1'000'000), what.c_str());
}

void Program::tell_story() {
    story_ = true;
    box.heard_one = [this](const Box::Heard& heard) {
        if (heard.method != "GET" && !heard.target.ends_with("/search"))
            note("  GHL gets " + heard.method + " " + heard.target + " " + heard.body);
        if (heard.target == "/contacts/search" && heard.body.find("dateUpdated") == std::string::npos)
            note("  GHL gets a look-up " + heard.body);
    };
}

// ---- the clinic -------------------------------------------------------------------------------------------------

std::string Program::header(const std::string& type) {
    box.pass(1s); // a message says its time in seconds
    return "MSH|^~\\&|PMS|CLINIC|BOX|EDGE|" + hl7_time(box.true_time()) + "||" + type + "|C" +
           std::to_string(++control_) + "|P|2.5.1\r";
}

std::string Program::person(const Patient& patient) {
    return "PID|1||" + patient.number + "^^^CLINIC^MR||" + patient.family + "^" + patient.given +
           "||19800102|F|||12 Elm Street^^Salem^OR^97301||^PRN^CP^^^503^" + patient.phone + "\r";
}

// Taken, and often said twice; where the box was killed meanwhile, the sender says it again.
void Program::say(const std::string& message) {
    note("clinic: " + message.substr(message.find("||") + 2, 7) + message.substr(message.find("PID|") + 4, 40) +
         (message.find("MRG|") == std::string::npos ? "" : message.substr(message.find("MRG|"))));
    const int times = chance(8) ? 2 : 1;
    for (int i = 0; i < times; ++i)
        if (const auto code = box.clinicd->take(message); code != "AA")
            wrong_.push_back("a message was not taken: " + code);
    ++counts.changes;
}

void Program::adt(const std::string& event, const Patient& patient, const std::string& more) {
    std::string message = header("ADT^" + event);
    message += "EVN|" + event + "|" + hl7_time(box.true_time()) + "\r";
    say(message + person(patient) + more);
}

void Program::siu(const std::string& event, const Patient& patient, const std::string& key, const std::string& word) {
    const std::string when = hl7_time(patient.visits.at(key).start);
    say(header("SIU^" + event) + "SCH|P" + key + "|F" + key + "|||||CHECKUP|||30|min|^^30^" + when + "|||||||||||||" +
        word + "\r" + person(patient) + "RGS|1\rAIS|1||VISIT|" + when + "\r");
}

Patient* Program::someone() {
    std::vector<Patient*> there;
    for (auto& one : patients_)
        if (one.is_there()) there.push_back(&one);
    return there.empty() ? nullptr : any(there);
}

void Program::register_someone() {
    Patient one;
    const int n = ++people_;
    one.number = "MR70012" + std::to_string(3450 + n);
    one.family = families.at(static_cast<std::size_t>(n) % families.size());
    one.given = givens.at(static_cast<std::size_t>(n / 2) % givens.size());
    one.phone = "555" + std::to_string(1200 + (chance(15) && n > 1 ? n - 1 : n)); // now and then a family's
    patients_.push_back(one);
    adt("A28", one);
}

void Program::correct(Patient& patient) {
    if (chance(25)) {
        patient.active = !patient.active;
        return adt(patient.active ? "A31" : "A29", patient);
    }
    patient.given = any(givens);
    adt("A08", patient);
}

void Program::book(Patient& patient) {
    if (patient.visits.size() >= 4) return change_a_visit(patient);
    const std::string key = "A" + std::to_string(++keys_);
    const bool today = chance(40);
    const auto ahead = today ? base::Micros{1h * (1 + below(5))} : base::Micros{24h * any(days_ahead)};
    patient.visits[key] = {box.true_time() + ahead + 1min * keys_, "booked"};
    siu("S12", patient, key, "Booked");
}

void Program::change_a_visit(Patient& patient) {
    std::vector<std::string> open;
    for (const auto& [key, visit] : patient.visits)
        if (visit.open()) open.push_back(key);
    if (open.empty()) return;
    const auto& key = any(open);
    auto& visit = patient.visits.at(key);
    switch (below(3)) {
    case 0:
        visit.start = box.true_time() + 24h * any(days_ahead) + 1min * ++keys_;
        visit.status = "rescheduled";
        return siu("S13", patient, key, "Booked");
    case 1: visit.status = "confirmed"; return siu("S14", patient, key, "Confirmed");
    default: visit.status = "arrived"; return siu("S14", patient, key, "Arrived");
    }
}

void Program::end_a_visit(Patient& patient) {
    std::vector<std::string> open;
    for (const auto& [key, visit] : patient.visits)
        if (visit.open()) open.push_back(key);
    if (open.empty()) return;
    const auto& key = any(open);
    auto& visit = patient.visits.at(key);
    switch (below(3)) {
    case 0: visit.status = "cancelled"; return siu("S15", patient, key, "Cancelled");
    case 1: visit.status = "no_show"; return siu("S26", patient, key, "Noshow");
    default: visit.status = "completed"; return siu("S14", patient, key, "Complete");
    }
}

void Program::merge() {
    Patient *survivor = someone(), *prior = someone();
    if (survivor == nullptr || survivor == prior || !survivor->active || !prior->active) return;
    if (survivor->visits.size() + prior->visits.size() > 6) return;
    prior->merged = true;
    survivor->was_merged = true;
    survivor->stopped_in_ghl = survivor->stopped_in_ghl || prior->stopped_in_ghl;
    survivor->visits.insert(prior->visits.begin(), prior->visits.end());
    adt("A40", *survivor, "MRG|" + prior->number + "^^^CLINIC^MR\r");
}

void Program::consent(Patient& patient) {
    const auto scope = any(scopes);
    Consent said{.granted = chance(scope == ConsentScope::crm_sync ? 65 : 60), .expires = {}};
    if (said.granted && chance(30)) said.expires = box.true_time() + 1h * (2 + below(40));
    box.pass(1s);
    box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
        const auto found = records::find_by_index(txn, "number_any", patient.number);
        CLINIC_TRY(found);
        if (found->size() != 1) return wrong_.push_back("a patient is not found by their number"), Result<void>{};
        const auto state = said.granted ? ConsentState::granted : ConsentState::revoked;
        CLINIC_TRY(records::record_consent(txn, found->front(), {scope, state, box.clock.now(), said.expires},
                                           {"clinicctl", box.clock.now()}));
        return box.clinicd->releaser.consent_changed(txn, found->front(), scope);
    });
    note("clinic: consent of " + patient.number + " to " + records::name(scope) +
         (said.granted ? " given" : " taken back") + (said.expires ? " until " + base::rfc3339(*said.expires) : ""));
    patient.said[records::name(scope)] = said;
    ++counts.changes;
}

void Program::begin_erasing(Patient& patient) {
    if (patients_.size() < 4) return;
    patient.erasing = true;
    ++counts.changes;
    go_on_erasing();
}

void Program::go_on_erasing() {
    for (auto& one : patients_) {
        if (!one.erasing || one.erased) continue;
        const auto answer =
            box.ask("erase", {{"number", one.number}, {"reason", "asked in writing"}, {"word", "erase"}});
        note("clinic: erases " + one.number + " " + (answer.data ? answer.data->dump() : "refused"));
        one.erased = answer.data && answer.data->value("state", "") == "erased";
    }
}

void Program::clinic_does() {
    const int what = below(100);
    Patient* one = someone();
    if (one == nullptr || (what < 16 && patients_.size() < people_max)) return register_someone();
    if (what < 26) return correct(*one);
    if (what < 46) return book(*one);
    if (what < 58) return change_a_visit(*one);
    if (what < 70) return end_a_visit(*one);
    if (what < 76) return merge();
    if (what < 96) return consent(*one);
    if (what < 98) return begin_erasing(*one);
    return go_on_erasing();
}

// ---- GHL --------------------------------------------------------------------------------------------------------

std::string Program::some_contact() {
    const auto contacts = box.ghl_state()["contacts"];
    return contacts.empty() ? "" : contacts[static_cast<std::size_t>(below(static_cast<int>(contacts.size())))]["id"];
}

// As the live service: signed by nobody here, but in the form that clinic-relay takes; some are lost, some come twice,
// and each takes its time.
void Program::webhook(const std::string& type, const Json& object) {
    ++counts.webhooks;
    note("GHL: " + type + " " + object.value("id", "") + " dnd " + (object.value("dnd", false) ? "on" : "off") + " " +
         object.value("tags", Json::array()).dump() + " " + object.value("customFields", Json::array()).dump());
    const auto now_ms = box.true_time().micros / 1'000;
    Json body = Json::object();
    if (type.starts_with("Appointment"))
        body["appointment"] = object;
    else
        body = object;
    body.update(emulator::webhook(type, "CEapp", box.rules.location, "w" + std::to_string(counts.webhooks), now_ms));
    const auto read = relay::Webhook::read(body.dump());
    const auto fact = read ? read->fact(box.rules) : Result<std::optional<envelope::CrmFact>>{read.error()};
    if (!fact || !*fact) return wrong_.push_back("a webhook is not understood: " + type);
    if (chance(25)) return ++counts.lost_webhooks, void();
    for (int i = chance(20) ? 2 : 1; i > 0; --i)
        under_way_.emplace(box.true_time() + 1s * below(chance(10) ? 4'000 : 40), **fact);
}

void Program::deliver_webhooks() {
    while (!under_way_.empty() && under_way_.begin()->first <= box.true_time()) {
        const auto fact = under_way_.begin()->second;
        under_way_.erase(under_way_.begin());
        if (!mqtt::is_reason_to_look(fact)) {
            // It stays with the broker while clinicd cannot be asked.
            if (!box.tell(fact)) under_way_.emplace(box.true_time() + 5s, fact);
            if (box.weakness == Weakness::blind) under_way_.clear();
        } else if (box.weakness != Weakness::blind && box.syncd->lane.up()) {
            box.syncd->poller.look(fact.kind);
            box.syncd->poller.look_now({});
        }
    }
}

void Program::user_fields(const std::string& contact) {
    static constexpr std::array stages{"lead", "new", "active", "lapsed", "inactive", "whatever"};
    Json fields = Json::array();
    fields.push_back({{"id", emulator::field_ce_stage}, {"field_value", any(stages)}});
    if (chance(40)) fields.push_back({{"id", emulator::field_ce_next}, {"field_value", "m1_3"}});
    if (chance(30)) fields.push_back({{"id", emulator::field_ce_appt_status}, {"field_value", ""}});
    const auto done = box.by_hand("PUT", "/contacts/" + contact, {{"customFields", fields}});
    if (done.status != 200) return;
    touched_[contact] = box.true_time();
    webhook("ContactUpdate", Json::parse(done.body)["contact"]);
}

void Program::user_tags(const std::string& contact) {
    static constexpr std::array words{"ce-recall-due", "ce-new-patient", "ce-returning", "ce-review-ok"};
    static constexpr std::array own{"vip", "spring", "call back"};
    const bool add = chance(60), ours = chance(50);
    const std::string tag = ours ? any(words) : any(own);
    const auto done = box.by_hand(add ? "POST" : "DELETE", "/contacts/" + contact + "/tags", {{"tags", {tag}}});
    if (done.status >= 300) return;
    if (ours) touched_[contact] = box.true_time();
    if (!ours && add) own_tags_[contact].insert(tag);
    if (!ours && !add) own_tags_[contact].erase(tag);
    const auto now = box.by_hand("GET", "/contacts/" + contact, nullptr);
    webhook("ContactTagUpdate", Json::parse(now.body)["contact"]);
}

void Program::user_stops(const std::string& contact) {
    const bool on = chance(60), by_tag = chance(30);
    const auto done = by_tag ? box.by_hand(on ? "POST" : "DELETE", "/contacts/" + contact + "/tags",
                                           {{"tags", {"ce-do-not-contact"}}})
                             : box.by_hand("PUT", "/contacts/" + contact, {{"dnd", on}});
    if (done.status >= 300) return;
    touched_[contact] = box.true_time();
    const auto now = Json::parse(box.by_hand("GET", "/contacts/" + contact, nullptr).body)["contact"];
    for (auto& one : patients_) one.stopped_in_ghl = one.stopped_in_ghl || on; // whose it is, the box says
    webhook("ContactDndUpdate", now);
}

void Program::user_deletes(const std::string& contact) {
    if (box.by_hand("DELETE", "/contacts/" + contact, nullptr).status != 200) return;
    deleted_.insert(contact);
    own_tags_.erase(contact);
    webhook("ContactDelete", {{"id", contact}});
}

// Somebody who wrote to the clinic: often nobody it knows, now and then a patient.
void Program::user_makes_a_lead() {
    Json body{{"locationId", box.rules.location},
              {"firstName", "Wilhelmina"},
              {"lastName", "Stranger"},
              {"tags", {"spring"}},
              {"source", "website"}};
    Patient* one = someone();
    if (one != nullptr && chance(50))
        body["phone"] = "+1503" + one->phone;
    else
        body["phone"] = "+1503556" + std::to_string(1000 + below(9'000));
    const auto made = box.by_hand("POST", "/contacts/", body);
    if (made.status != 201) return;
    const auto contact = Json::parse(made.body)["contact"];
    leads_.insert(contact["id"].get<std::string>());
    own_tags_[contact["id"]] = {"spring"};
    webhook("ContactCreate", contact);
}

void Program::user_books(const std::string& contact) {
    const int what = below(3);
    if (bookings_.empty() || what == 0) {
        const auto start =
            emulator::iso_time((box.true_time() + 1h * (1 + below(60))).micros / 1'000 / 900'000 * 900'000);
        const auto made = box.by_hand("POST", "/calendars/events/appointments",
                                      {{"calendarId", emulator::calendar_id},
                                       {"locationId", box.rules.location},
                                       {"contactId", contact},
                                       {"startTime", start},
                                       {"title", "Appointment"}});
        if (made.status >= 300) return;
        bookings_.push_back(Json::parse(made.body)["id"]);
    } else if (what == 1) {
        const auto start =
            emulator::iso_time((box.true_time() + 1h * (1 + below(60))).micros / 1'000 / 900'000 * 900'000);
        box.by_hand("PUT", "/calendars/events/appointments/" + any(bookings_), {{"startTime", start}});
    } else {
        box.by_hand("PUT", "/calendars/events/appointments/" + any(bookings_),
                    {{"appointmentStatus", chance(60) ? "cancelled" : "showed"}});
    }
    const auto now = box.by_hand("GET", "/calendars/events/appointments/" + bookings_.back(), nullptr);
    webhook("AppointmentUpdate", Json::parse(now.body)["event"]);
}

void Program::user_opportunity(const std::string& contact) {
    if (opportunities_.empty() || chance(40)) {
        const auto made = box.by_hand("POST", "/opportunities/",
                                      {{"pipelineId", emulator::pipeline_id},
                                       {"locationId", box.rules.location},
                                       {"name", "Somebody"},
                                       {"pipelineStageId", emulator::stage_ids[0]},
                                       {"status", "open"},
                                       {"contactId", contact}});
        if (made.status >= 300) return;
        opportunities_.push_back(Json::parse(made.body)["opportunity"]["id"]);
    } else {
        box.by_hand("PUT", "/opportunities/" + any(opportunities_),
                    {{"pipelineStageId", emulator::stage_ids[below(4)]}, {"status", chance(50) ? "won" : "open"}});
    }
    const auto now = box.by_hand("GET", "/opportunities/" + opportunities_.back(), nullptr);
    webhook("OpportunityUpdate", Json::parse(now.body)["opportunity"]);
}

void Program::ghl_does() {
    box.truth.advance(10ms); // GHL's times are in milliseconds: no two changes in one
    box.clock.advance(10ms);
    ++counts.in_ghl;
    const auto contact = some_contact();
    const int what = below(100);
    if (contact.empty() || what < 14) return user_makes_a_lead();
    if (what < 38) return user_fields(contact);
    if (what < 58) return user_tags(contact);
    if (what < 74) return user_stops(contact);
    if (what < 78) return user_deletes(contact);
    if (what < 90) return user_books(contact);
    user_opportunity(contact);
}

// ---- what goes wrong --------------------------------------------------------------------------------------------

void Program::something_fails() {
    static constexpr std::array kinds{
        Fault::timeout_after_effect, Fault::created_422,          Fault::server_error, Fault::html_body,
        Fault::token_expired,        Fault::rate_limited,         Fault::silent_429,   Fault::html_429,
        Fault::message_as_text,      Fault::accepted_and_dropped, Fault::forbidden,    Fault::scope_lost};
    const auto kind = any(kinds);
    const bool storm = kind == Fault::rate_limited || kind == Fault::server_error;
    note(std::string{"fault: "} + emulator::name(kind));
    box.fault(kind, storm ? 1 + below(6) : 1);
    ++counts.faults;
}

void Program::clock_steps() {
    ++counts.clock_steps;
    if (chance(50)) return box.set_clock_right(), box.synchronised = true, void();
    const auto by = 1min * (below(181) - 90);
    set_back_ = set_back_ || by < 0min;
    box.step_clock(by);
    box.synchronised = chance(50); // the kernel may not have noticed
}

// Anything may happen between two requests of one delivery.
void Program::meanwhile(Instant instant) {
    if (story_ && !calm_) note("    instant " + std::to_string(static_cast<int>(instant)));
    if (calm_ || inside_ || !chance(6)) return;
    inside_ = true;
    switch (below(6)) {
    case 0:
    case 1: clinic_does(); break;
    case 2:
    case 3: ghl_does(); break;
    case 4:
        note("clinicd is killed");
        box.kill_clinicd();
        break;
    default:
        note("clinic-syncd is killed");
        box.kill_syncd();
        break;
    }
    inside_ = false;
}

void Program::cycle(base::Micros span, bool keep_house) {
    box.pass(span);
    deliver_webhooks();
    for (int i = 0; i < 3; ++i) {
        box.turn();
        box.pass(20s);
    }
    box.poll();
    if (keep_house && box.clinicd->health.clock_trusted()) (void)box.clinicd->housekeeping.look(false);
}

void Program::run() {
    for (int i = 0; i < steps; ++i) {
        const int how_long = below(100);
        box.pass(how_long < 70   ? 1s * (1 + below(20))
                 : how_long < 92 ? 1s * (20 + below(300))
                                 : 1min * (10 + below(90)));
        deliver_webhooks();
        for (int n = 1 + below(3); n > 0; --n) chance(62) ? clinic_does() : ghl_does();
        if (chance(22)) something_fails();
        if (chance(7)) clock_steps();
        if (chance(5)) note("clinicd is killed at rest"), box.kill_clinicd();
        if (chance(5)) box.kill_syncd();
        box.turn();
        if (chance(45)) {
            const auto round = box.poll();
            note("  polled: " + round.code + " " + std::to_string(round.requests));
        }
        if (chance(10) && box.clinicd->health.clock_trusted()) (void)box.clinicd->housekeeping.look(chance(20));
    }
}

// As an operator does who reads what the comparison says. True: there was something to do.
bool Program::repair() {
    bool any = false;
    for (const char* kind : {"fields", "tags", "do_not_disturb", "gone", "orphan"}) {
        const auto answer = box.ask("sync-repair", {{"kind", kind}});
        if (!answer.data) wrong_.push_back("a repair is refused");
        any = any || (answer.data && answer.data->value("put_again", 0) > 0);
    }
    const auto retried = box.ask("sync-dead-retry", {{"all", true}});
    go_on_erasing();
    const bool erases = std::ranges::any_of(patients_, [](const auto& one) { return one.erasing && !one.erased; });
    return any || erases || (retried.data && retried.data->value("retried", 0) > 0);
}

// A consent, or the hours that an appointment counts as today's: what is right changes while it is looked at.
bool Program::something_ends_now() const {
    const Timestamp now = box.true_time();
    const auto is_near = [&](Timestamp at) { return at > now - 30min && at < now + 30min; };
    return std::ranges::any_of(patients_, [&](const Patient& patient) {
        return std::ranges::any_of(
                   patient.said, [&](const auto& one) { return one.second.expires && is_near(*one.second.expires); }) ||
               std::ranges::any_of(patient.visits,
                                   [&](const auto& one) { return is_near(one.second.start + base::Micros{grace_us}); });
    });
}

void Program::quiet() {
    calm_ = true;
    box.ghl->service().answer({"POST", "/_faults", {}, R"({"fault":"none"})"});
    box.set_clock_right();
    box.synchronised = true;
    box.start_syncd();
    note("quiet");
    for (int i = 0; i < 20; ++i) cycle(3min, i % 5 == 0);
    for (int i = 0; i < 26; ++i) {
        cycle(1h, true);
        go_on_erasing();
    }
    for (int i = 0; i < 6; ++i) {
        box.compare();
        if (!repair() && i > 1) break;
        for (int n = 0; n < 6; ++n) cycle(3min, false);
    }
    box.compare();
    constexpr std::int64_t day_us = 86'400'000'000, late = day_us - 3'600'000'000;
    if (const auto of_day = box.true_time().micros % day_us; of_day > late)
        cycle(base::Micros{day_us - of_day} + 5min, false);
    while (something_ends_now()) cycle(10min, true);
    (void)box.clinicd->housekeeping.look(true); // as a midnight would: what has aged by now is told
    for (int n = 0; n < 3; ++n) cycle(3min, false);
}

// A patient who may be told, and whose contact is as it was meant.
std::optional<std::pair<records::PatientId, std::string>> Program::someone_told() {
    std::optional<std::pair<records::PatientId, std::string>> out;
    for (const auto& one : patients_) {
        if (out || !one.is_there() || !one.active || one.was_merged) continue;
        box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
            const auto found = records::find_by_index(txn, "number_any", one.number);
            CLINIC_TRY(found);
            const auto facts = records::patient_facts(txn, found->front());
            CLINIC_TRY(facts);
            const auto sync = release::consent_at(*facts, ConsentScope::crm_sync, txn.now());
            const auto contact = outbox::Links::contact(txn, found->front());
            CLINIC_TRY(contact);
            if (!contact->empty() && (!sync || sync == ConsentState::granted)) out.emplace(found->front(), *contact);
            return {};
        });
    }
    return out;
}

int Program::recorded(const std::string& contact, crm::Field field) {
    int out = 0;
    box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
        const auto object = crm::find(txn, envelope::CrmKind::contact, contact);
        CLINIC_TRY(object);
        if (!*object) return {};
        const auto count = crm::recorded_since(txn, (*object)->row, field, txn.now() - 1h);
        CLINIC_TRY(count);
        out = *count;
        return {};
    });
    return out;
}

void Program::calm_hour() {
    const auto one = someone_told();
    if (!one) return;
    const auto& [patient, contact] = *one;
    const auto change = [&](const Json& body) {
        box.pass(5s);
        box.by_hand("PUT", "/contacts/" + contact, body);
        cycle(3min, false);
    };
    Json field;
    field["id"] = emulator::field_ce_stage;
    field["field_value"] = "lapsed";
    change({{"customFields", Json::array({field})}});
    if (recorded(contact, crm::Field::stage) == 0) wrong_.push_back("a field that GHL changed is not recorded");
    change({{"dnd", false}});
    change({{"dnd", true}});
    box.clinicd->write([&, patient = patient](records::Transaction& txn) -> Result<void> {
        const auto facts = records::patient_facts(txn, patient);
        CLINIC_TRY(facts);
        for (const auto scope : {ConsentScope::reminders, ConsentScope::marketing})
            if (release::consent_at(*facts, scope, txn.now()) != ConsentState::revoked)
                wrong_.push_back(std::string{"do-not-disturb in GHL has not ended the consent to "} +
                                 records::name(scope));
        return {};
    });
    for (auto& any_of_them : patients_) any_of_them.stopped_in_ghl = true;
    cycle(3min, false);
    box.by_hand("DELETE", "/contacts/" + contact, nullptr);
    own_tags_.erase(contact);
    box.tell({.id = contact,
              .kind = envelope::CrmKind::contact,
              .read_ms = box.true_time().micros / 1'000,
              .said = std::monostate{}});
    if (recorded(contact, crm::Field::contact_deleted) == 0)
        wrong_.push_back("a contact that GHL deleted is not recorded");
    quiet();
}

const std::vector<std::string>& Program::wrong() {
    Check{*this}.all();
    return wrong_;
}

} // namespace clinic::model
