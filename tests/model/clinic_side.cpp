// What the clinic does.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "daemon/records/consents.h"
#include "daemon/records/patients.h"
#include "sync/envelope/crm_reads.h"
#include "tests/fakes/hl7_time.h"
#include "tests/model/program.h"

namespace clinic::model {
namespace {

using namespace std::chrono_literals;
using records::ConsentScope;
using records::ConsentState;

constexpr std::array families{"Quillfeather", "Brackenbury", "Vandersloot", "Thistlewood", "Ormsgrove", "Winterbourne"};
constexpr std::array givens{"Ottoline", "Percival", "Isolde", "Barnaby", "Clementine", "Leopold"};
constexpr std::array<int, 6> days_ahead{1, 5, 20, 60, 130, 260};
constexpr std::array scopes{ConsentScope::crm_sync, ConsentScope::reminders, ConsentScope::marketing};
constexpr std::size_t people_max = 12;

std::vector<std::string> open_visits(const Patient& patient) {
    std::vector<std::string> open;
    for (const auto& [key, visit] : patient.visits)
        if (visit.open()) open.push_back(key);
    return open;
}

} // namespace

std::string Program::header(const std::string& type) {
    box.pass(1s); // a message says its time in seconds
    return "MSH|^~\\&|PMS|CLINIC|BOX|EDGE|" + fakes::hl7_time(box.true_time()) + "||" + type + "|C" +
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
    message += "EVN|" + event + "|" + fakes::hl7_time(box.true_time()) + "\r";
    say(message + person(patient) + more);
}

void Program::siu(const std::string& event, const Patient& patient, const std::string& key, const std::string& word) {
    const std::string when = fakes::hl7_time(patient.visits.at(key).start);
    const std::string length = patient.visits.at(key).says_end ? "30|min" : "|";
    say(header("SIU^" + event) + "SCH|P" + key + "|F" + key + "|||||CHECKUP||" + length + "|^^^" + when +
        "||||||||||||||" + word + "\r" + person(patient) + "RGS|1\rAIS|1||VISIT|" + when + "\r");
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
    Timestamp start = box.true_time() + ahead + 1min * keys_;
    if (box.tells_bookings() && chance(25)) {
        const auto theirs = booked_in_ghl(patient);
        if (theirs > box.true_time()) start = theirs + 1min * below(12);
    }
    patient.visits[key] = {at_a_free_quarter(patient, start), "booked", keys_ % 3 != 0};
    siu("S12", patient, key, "Booked");
}

// Where GHL's people have booked something for their contact.
Timestamp Program::booked_in_ghl(const Patient& patient) {
    const auto contact = contact_of(patient);
    const auto all = box.ghl_state()["appointments"];
    for (const auto& one : all)
        if (!contact.empty() && one["contactId"] == contact && one["title"] == by_people)
            return Timestamp{envelope::ms_of(one["startTime"].get<std::string>()) * 1'000};
    return {};
}

// A patient has one appointment at a time.
Timestamp Program::at_a_free_quarter(const Patient& patient, Timestamp start) const {
    const auto is_taken = [&](const auto& one) { return first_quarter(one.second.start) == first_quarter(start); };
    while (box.tells_bookings() && std::ranges::any_of(patient.visits, is_taken)) start = start + 15min;
    return start;
}

void Program::change_a_visit(Patient& patient) {
    const auto open = open_visits(patient);
    if (open.empty()) return;
    const auto& key = any(open);
    auto& visit = patient.visits.at(key);
    switch (below(3)) {
    case 0:
        visit.start = at_a_free_quarter(patient, box.true_time() + 24h * any(days_ahead) + 1min * ++keys_);
        visit.status = "rescheduled";
        return siu("S13", patient, key, "Booked");
    case 1: visit.status = "confirmed"; return siu("S14", patient, key, "Confirmed");
    default: visit.status = "arrived"; return siu("S14", patient, key, "Arrived");
    }
}

void Program::end_a_visit(Patient& patient) {
    const auto open = open_visits(patient);
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
    for (const auto& [key, visit] : prior->visits)
        if (at_a_free_quarter(*survivor, visit.start) != visit.start) return;
    prior->merged = true;
    survivor->was_merged = true;
    survivor->stopped_in_ghl = survivor->stopped_in_ghl || prior->stopped_in_ghl;
    survivor->refused_reminders = survivor->refused_reminders || prior->refused_reminders;
    survivor->lifted_in_ghl = survivor->lifted_in_ghl || prior->lifted_in_ghl;
    survivor->visits.insert(prior->visits.begin(), prior->visits.end());
    for (const auto& [scope, said] : prior->said) {
        const auto own = survivor->said.find(scope);
        if (own == survivor->said.end() || own->second.given_at < said.given_at) survivor->said[scope] = said;
    }
    adt("A40", *survivor, "MRG|" + prior->number + "^^^CLINIC^MR\r");
}

void Program::consent(Patient& patient) {
    const auto scope = any(scopes);
    Consent said{.granted = chance(scope == ConsentScope::crm_sync ? 65 : 60), .expires = {}, .given_at = {}};
    if (said.granted && chance(30)) said.expires = box.true_time() + 1h * (2 + below(40));
    box.pass(1s);
    // By a clock that is behind what is known, it counts from there.
    const auto before = patient.said.find(records::name(scope));
    const bool behind = before != patient.said.end() && before->second.given_at > box.clock.now();
    said.given_at = behind ? before->second.given_at + base::Micros{1} : box.clock.now();
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
    patient.refused_reminders |= scope == ConsentScope::reminders && !said.granted;
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
        if (const auto contact = contact_of(one); !contact.empty()) given_back_.insert(contact);
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

} // namespace clinic::model
