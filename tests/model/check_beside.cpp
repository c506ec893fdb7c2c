// What GHL holds beside the contacts: opportunities and bookings, by the model's own words for them.
#include <algorithm>
#include <array>

#include "daemon/crm/comparison.h"
#include "daemon/records/patients.h"
#include "sync/envelope/crm_reads.h"
#include "tests/emulator/handlers.h"
#include "tests/model/check.h"

namespace clinic::model {

using outbox::Links;

namespace {

constexpr int hops_max = 16;

std::int64_t quarter(const nlohmann::json& booking, const char* key) {
    return envelope::ms_of(booking.value(key, "")) * 1'000 / quarter_us;
}

bool is_open(const nlohmann::json& booking) {
    return booking["appointmentStatus"] != "cancelled" && booking["appointmentStatus"] != "invalid";
}

// The stage of the pipeline for a contact's; empty: none.
std::string stage_for(const std::string& stage) {
    if (stage == "new") return emulator::stage_ids[0];
    return stage == "active" ? emulator::stage_ids[1] : "";
}

} // namespace

void Check::beside() {
    cases();
    bookings();
}

bool Check::is_theirs(const std::string& id) const {
    const auto touched = program_.touched_.find(id);
    if (touched == program_.touched_.end()) return false;
    const auto all = box_.heard();
    return std::ranges::none_of(all, [&](const Box::Heard& heard) {
        return heard.method == "PUT" && heard.target.ends_with("/" + id) && heard.at > touched->second;
    });
}

// Whoever that pseudonym is of now, or was merged into.
const Check::Known* Check::owner_of_case(const std::string& name) {
    std::optional<records::PatientId> owner;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        const auto named = Links::patient_by_pid(session, name);
        CLINIC_TRY(named);
        owner = *named;
        for (int hops = 0; owner && hops < hops_max; ++hops) {
            const auto facts = records::patient_facts(session, *owner);
            CLINIC_TRY(facts);
            if (!facts->merged_into) break;
            owner = facts->merged_into;
        }
        return {};
    });
    if (!read) say("whose an opportunity is cannot be read");
    const auto found = std::ranges::find_if(there_, [&](const auto& one) { return owner && one.second.id == *owner; });
    return found == there_.end() ? nullptr : &found->second;
}

void Check::cases() {
    std::map<std::string, std::vector<const Json*>> of; // by the contact of who is told
    for (const auto& one : state_["opportunities"]) {
        const std::string contact = one["contactId"], name = one["name"];
        if (name == by_somebody || !contacts_.contains(contact)) continue; // one of a deleted contact is nobody's
        if (!box_.tells_cases()) say("an opportunity was made without a pipeline");
        const auto* owner = owner_of_case(name);
        if (owner != nullptr && owner->told && owner->contact == contact)
            of[contact].push_back(&one);
        else
            ended_case(one);
    }
    if (!box_.tells_cases()) return;
    for (const auto& [patient, known] : there_)
        if (known.told) case_of(*patient, known, of[known.contact]);
}

void Check::case_of(const Patient& patient, const Known& known, const std::vector<const Json*>& shown) {
    const bool was_deleted = program_.cases_gone_.contains(known.contact);
    if (shown.size() > 1) say(patient.number + ": has " + std::to_string(shown.size()) + " opportunities");
    if (shown.empty() && patient.active && !was_deleted) say(patient.number + ": has no opportunity");
    const auto stage = stage_for(model::shown(patient, box_.true_time()).stage);
    for (const auto* one : shown) {
        const std::string status = one->at("status"), is = one->value("pipelineStageId", "");
        if (status != (patient.active ? "open" : "lost"))
            say(patient.number + ": the opportunity is " + status + ": " + one->at("id").get<std::string>());
        if (!stage.empty() && is != stage)
            say(patient.number + ": the opportunity is in the stage " + is + ": " + one->at("id").get<std::string>());
    }
}

void Check::ended_case(const Json& opportunity) {
    const std::string id = opportunity["id"];
    if (opportunity["status"] != "abandoned" && !is_theirs(id))
        say("an opportunity of nobody who may be told is " + opportunity["status"].get<std::string>() + ": " + id);
}

std::optional<records::AppointmentId> Check::appointment_of(const std::string& title) {
    std::optional<records::AppointmentId> out;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        const auto named = Links::appointment_by_aid(session, title);
        CLINIC_TRY(named);
        out = *named;
        return {};
    });
    if (!read) say("whose a booking is cannot be read");
    return out;
}

void Check::bookings() {
    std::map<base::Uuid, std::vector<const Json*>> of; // by the appointment
    for (const auto& one : state_["appointments"]) {
        if (one["title"] == by_people || !contacts_.contains(one["contactId"].get<std::string>())) continue;
        if (!box_.makes_bookings()) say("a booking was made that the settings have not");
        const auto appointment = appointment_of(one["title"]);
        const auto is_theirs = [&](const auto& person) {
            return person.second.told && person.second.contact == one["contactId"] && appointment &&
                   std::ranges::count(person.second.facts.appointments, *appointment, &records::AppointmentFacts::id) >
                       0;
        };
        if (std::ranges::any_of(there_, is_theirs))
            of[appointment->uuid].push_back(&one);
        else
            called_off(one);
    }
    if (!box_.tells_bookings()) return;
    differing_bookings();
    for (const auto& [patient, known] : there_)
        for (const auto& [key, visit] : patient->visits) {
            const auto stored = std::ranges::find_if(known.facts.appointments, [&](const auto& one) {
                return one.start && one.start->micros / 1'000'000 == visit.start.micros / 1'000'000;
            });
            if (stored == known.facts.appointments.end()) {
                say(patient->number + ": an appointment is not in the records");
            } else if (known.told) {
                booking_of(*patient, known, visit, of[stored->id.uuid]);
            }
        }
}

// What the comparison says of bookings is what a person is still asked about: all else was put right.
void Check::differing_bookings() {
    std::size_t differing = 0, asked = 0;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        const auto found = crm::differing(session, crm::Differs::booking, 0, 1'000);
        CLINIC_TRY(found);
        differing = found->size();
        const auto open = crm::open_conflicts(session, 1'000);
        CLINIC_TRY(open);
        for (const auto& one : *open) asked += crm::is_of_bookings(one.field) ? 1U : 0U;
        return {};
    });
    if (!read || differing > asked)
        say("bookings of " + std::to_string(differing) + " contacts differ, and a person is asked about " +
            std::to_string(asked));
}

// What has begun is told as it was while it was to come; a day later nothing is said of it any more.
void Check::booking_of(const Patient& patient, const Known& known, const Visit& visit,
                       const std::vector<const Json*>& ours) {
    const auto now = box_.true_time();
    const auto open = std::ranges::count_if(ours, [](const Json* one) { return is_open(*one); });
    if (open > 1) say(patient.number + ": an appointment has " + std::to_string(open) + " bookings");
    std::vector<const Json*> theirs;
    for (const auto& one : state_["appointments"])
        if (one["title"] == by_people && one["contactId"] == known.contact && is_open(one) &&
            quarter(one, "startTime") == first_quarter(visit.start))
            theirs.push_back(&one);
    const Json* held = nullptr;
    for (const auto* one : ours)
        if (held == nullptr || program_.called_off_.contains(one->at("id"))) held = one;
    if (is_held(known, held)) return;
    const bool to_come = visit.start.micros + visit_us > now.micros;
    const bool set_up = is_set_up(visit, now) && patient.active;
    if (box_.makes_bookings() && set_up && open == 0 && theirs.empty())
        say(patient.number + ": an appointment has no booking: " + base::rfc3339(visit.start));
    for (const auto* one : ours)
        if (to_come && (is_open(*one) || set_up)) shows(patient.number, visit, *one);
    // One that stood at that time before, and that people have moved or deleted, may be the one that it is bound to.
    const bool was_another =
        std::ranges::any_of(state_["appointments"],
                            [&](const Json& one) {
                                return one["title"] == by_people && one["contactId"] == known.contact &&
                                       quarter(one, "startTime") != first_quarter(visit.start) &&
                                       program_.touched_.contains(one["id"]);
                            }) ||
        std::ranges::any_of(program_.bookings_gone_, [&](const auto& one) { return one.second == known.contact; });
    const bool is_theirs_alone = theirs.size() == 1 && to_come && open == 0 && !is_out_of_the_window(*theirs.front());
    if (is_theirs_alone && visit.status != "cancelled" && patient.active && !was_another)
        shows(patient.number, visit, *theirs.front());
}

void Check::shows(const std::string& who, const Visit& visit, const Json& booking) {
    const std::string id = booking["id"], status = booking["appointmentStatus"], wanted = booking_word(visit);
    if (program_.called_off_.contains(id)) return;
    if (status != wanted && !(wanted == "new" && status == "confirmed"))
        say(who + ": the booking " + id + " is " + status + ", and the visit is " + visit.status);
    if (!box_.makes_bookings() || (wanted != "new" && wanted != "confirmed")) return; // what is over is not moved
    if (quarter(booking, "startTime") != first_quarter(visit.start))
        say(who + ": the booking " + id + " begins at " + booking["startTime"].get<std::string>() + ", the visit at " +
            base::rfc3339(visit.start));
    else if ((visit.says_end || booking["title"] != by_people) && booking.contains("endTime") &&
             quarter(booking, "endTime") != end_quarter(visit.start))
        say(who + ": the booking " + id + " ends at " + booking["endTime"].get<std::string>());
}

// A person's word in GHL counts until another person has decided: nothing is set up beside it.
bool Check::is_held(const Known& known, const Json* ours) const {
    if (ours != nullptr) return program_.called_off_.contains(ours->at("id"));
    const auto is_of_theirs = [&](const Json& one) {
        return one["contactId"] == known.contact && one["title"] == by_people &&
               program_.called_off_.contains(one["id"]);
    };
    return std::ranges::any_of(state_["appointments"], is_of_theirs) ||
           std::ranges::any_of(program_.bookings_gone_, [&](const auto& one) { return one.second == known.contact; });
}

// Of nobody who may be told: what is to come is cancelled, unless GHL's people have set it up again.
void Check::called_off(const Json& booking) {
    const std::string id = booking["id"];
    const bool to_come = quarter(booking, "endTime") * quarter_us > box_.true_time().micros;
    if (to_come && is_open(booking) && !is_theirs(id))
        say("a booking of nobody who may be told is " + booking["appointmentStatus"].get<std::string>() + ": " + id);
}

} // namespace clinic::model
