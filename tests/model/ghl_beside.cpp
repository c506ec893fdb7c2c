// What people do in GHL with what is beside a contact: opportunities and bookings of ours, and bookings of theirs at
// the time of an appointment of the clinic's.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "daemon/records/patients.h"
#include "sync/envelope/crm_reads.h"
#include "sync/envelope/frame.h"
#include "tests/emulator/handlers.h"
#include "tests/model/program.h"

namespace clinic::model {

using namespace std::chrono_literals;

std::string Program::contact_of(const Patient& patient) {
    std::string out;
    box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
        const auto found = records::find_by_index(txn, "number_any", patient.number);
        CLINIC_TRY(found);
        if (found->size() != 1) return {};
        const auto contact = outbox::Links::contact(txn, found->front());
        CLINIC_TRY(contact);
        out = *contact;
        return {};
    });
    return out;
}

void Program::user_case() {
    std::vector<Json> ours;
    const auto all = box.ghl_state()["opportunities"];
    for (const auto& one : all)
        if (one["name"] != by_somebody) ours.push_back(one);
    if (ours.empty()) return;
    const Json one = any(ours);
    const std::string id = one["id"], path = "/opportunities/" + id;
    static constexpr std::array ends{"won", "lost", "abandoned"};
    const int what = below(100);
    Json body;
    if (what < 45)
        body["pipelineStageId"] = emulator::stage_ids[below(4)];
    else if (what < 75)
        body["status"] = any(ends);
    else if (what < 88)
        body["status"] = "open";
    if (body.is_null()) {
        if (deletes_case(one)) webhook("OpportunityDelete", {{"id", id}});
        return;
    }
    const auto done = box.by_hand("PUT", path, body);
    if (done.status >= 300) return;
    touched_[id] = box.true_time();
    webhook("OpportunityUpdate", Json::parse(done.body)["opportunity"]);
}

bool Program::deletes_case(const Json& opportunity) {
    const std::string id = opportunity["id"];
    if (box.by_hand("DELETE", "/opportunities/" + id, nullptr).status >= 300) return false;
    std::erase(opportunities_, id);
    deleted_cases_.insert(id);
    if (opportunity["name"] == by_somebody) return true;
    touched_[id] = box.true_time();
    cases_gone_.insert(opportunity["contactId"]);
    return true;
}

bool Program::deletes_booking(const Json& booking) {
    const std::string id = booking["id"];
    if (box.by_hand("DELETE", "/calendars/events/" + id, Json::object()).status >= 300) return false;
    std::erase(bookings_, id);
    bookings_gone_[id] = booking["contactId"];
    deleted_bookings_.insert(id);
    return true;
}

void Program::user_deletes_unheard() {
    const auto state = box.ghl_state();
    const auto &cases = state["opportunities"], &bookings = state["appointments"];
    const int what = below(3);
    if (what == 0) {
        if (!leads_.empty()) deletes_contact(any(leads_));
    } else if (what == 1 && !cases.empty()) {
        deletes_case(any(cases));
    } else if (what == 2 && !bookings.empty()) {
        deletes_booking(any(bookings));
    }
}

void Program::note_booking(const std::string& id, const std::string& status) {
    touched_[id] = box.true_time();
    if (status == "new" || status == "confirmed")
        called_off_.erase(id);
    else
        called_off_.insert(id);
}

// It stays as long as it was, or half an hour.
bool Program::user_moves(const std::string& booking, const std::string& start) {
    const std::string path = "/calendars/events/appointments/" + booking;
    const auto now = box.by_hand("GET", path, nullptr);
    Json body{{"startTime", start}, {"ignoreFreeSlotValidation", true}};
    if (now.status == 200 && Json::parse(now.body)["event"].contains("endTime"))
        body["endTime"] = envelope::quarter_time(envelope::ms_of(start) * 1'000 / quarter_us + 2);
    const bool done = box.by_hand("PUT", path, body).status < 300;
    if (done) touched_[booking] = box.true_time();
    return done;
}

// Moved, or of another status.
bool Program::user_changes(const Json& booking, bool moves) {
    const std::string id = booking["id"];
    static constexpr std::array words{"confirmed", "confirmed", "new", "cancelled", "cancelled", "showed", "noshow"};
    if (moves) return user_moves(id, box.quarter_after(1h * (1 + below(60))));
    const std::string status = any(words);
    if (box.by_hand("PUT", "/calendars/events/appointments/" + id, {{"appointmentStatus", status}}).status >= 300)
        return false;
    note_booking(id, status);
    return true;
}

void Program::user_booking() {
    const auto all = box.ghl_state()["appointments"];
    if (all.empty()) return;
    const Json one = any(all);
    const std::string id = one["id"];
    const int what = below(100);
    if (what >= 90) {
        if (deletes_booking(one)) webhook("AppointmentDelete", {{"id", id}});
        return;
    }
    if (!user_changes(one, what < 25)) return;
    const auto now = box.by_hand("GET", "/calendars/events/appointments/" + id, nullptr);
    webhook("AppointmentUpdate", Json::parse(now.body)["event"]);
}

void Program::user_changes_booking_unheard() {
    const auto all = box.ghl_state()["appointments"];
    if (!all.empty()) user_changes(any(all), chance(30));
}

// At the time of an appointment, by somebody who does not look, or who knows of it before the clinic has entered it.
void Program::user_books_over() {
    const Patient* one = someone();
    if (one == nullptr || one->visits.empty()) return;
    const auto contact = contact_of(*one);
    if (contact.empty()) return;
    const auto& visit = any(one->visits).second;
    if (visit.start < box.true_time()) return;
    const auto made = box.book_by_hand(contact, envelope::quarter_time(first_quarter(visit.start)), true);
    if (made.status >= 300) return;
    bookings_.push_back(Json::parse(made.body)["id"]);
    const auto now = box.by_hand("GET", "/calendars/events/appointments/" + bookings_.back(), nullptr);
    webhook("AppointmentCreate", Json::parse(now.body)["event"]);
}

void Program::user_beside() {
    if (box.tells_cases() && (!box.tells_bookings() || chance(45))) return user_case();
    chance(40) ? user_books_over() : user_booking();
}

} // namespace clinic::model
