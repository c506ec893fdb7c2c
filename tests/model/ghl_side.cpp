// What people do in GHL, and what its webhooks tell of it.
#include <array>
#include <nlohmann/json.hpp>

#include "sync/channel/mqtt/relay_link.h"
#include "sync/relay/webhook.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/webhooks.h"
#include "tests/model/program.h"

namespace clinic::model {

using namespace std::chrono_literals;

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
    for (auto& one : patients_) (on ? one.stopped_in_ghl : one.lifted_in_ghl) = true; // whose it is, the box says
    webhook("ContactDndUpdate", now);
}

bool Program::deletes_contact(const std::string& contact) {
    if (box.by_hand("DELETE", "/contacts/" + contact, nullptr).status != 200) return false;
    deleted_.insert(contact);
    own_tags_.erase(contact);
    return true;
}

void Program::user_deletes(const std::string& contact) {
    if (deletes_contact(contact)) webhook("ContactDelete", {{"id", contact}});
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
        const auto start = box.quarter_after(1h * (1 + below(60)));
        const auto made = box.book_by_hand(contact, start);
        if (made.status >= 300) return;
        bookings_.push_back(Json::parse(made.body)["id"]);
    } else if (what == 1) {
        const auto start = box.quarter_after(1h * (1 + below(60)));
        const auto& id = any(bookings_);
        user_moves(id, start);
    } else {
        const auto& id = any(bookings_);
        const std::string status = chance(60) ? "cancelled" : "showed";
        if (box.by_hand("PUT", "/calendars/events/appointments/" + id, {{"appointmentStatus", status}}).status < 300)
            note_booking(id, status);
    }
    const auto now = box.by_hand("GET", "/calendars/events/appointments/" + bookings_.back(), nullptr);
    if (now.status == 200) webhook("AppointmentUpdate", Json::parse(now.body)["event"]);
}

void Program::user_opportunity(const std::string& contact) {
    if (opportunities_.empty() || chance(40)) {
        const auto made = box.open_opportunity_by_hand(contact);
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
    if (box.options.beside != Beside::nothing && chance(40)) return user_beside();
    const int what = below(100);
    if (contact.empty() || what < 14) return user_makes_a_lead();
    if (what < 38) return user_fields(contact);
    if (what < 58) return user_tags(contact);
    if (what < 74) return user_stops(contact);
    if (what < 78) return user_deletes(contact);
    if (what < 90) return user_books(contact);
    user_opportunity(contact);
}

} // namespace clinic::model
