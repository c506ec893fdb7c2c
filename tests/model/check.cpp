#include "tests/model/check.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/seal.h"
#include "daemon/audit/trail.h"
#include "daemon/crm/comparison.h"
#include "daemon/records/patients.h"
#include "sync/envelope/crm_reads.h"
#include "sync/envelope/crm_strip.h"
#include "tests/emulator/exchange.h"

namespace clinic::model {

using outbox::Links;

namespace {

using records::ConsentScope;
using records::ConsentState;

std::set<std::string> our_tags(const nlohmann::json& contact) {
    std::set<std::string> out;
    for (const std::string tag : contact["tags"])
        if (tag.starts_with("ce-")) out.insert(tag);
    return out;
}

std::set<std::string> other_tags(const nlohmann::json& contact) {
    std::set<std::string> out;
    for (const std::string tag : contact["tags"])
        if (!tag.starts_with("ce-")) out.insert(tag);
    return out;
}

std::string field(const nlohmann::json& contact, const char* name) {
    return contact["fields"].value(name, "");
}

bool is_none(const std::string& value) {
    return value.empty() || value == "none";
}

std::string joined(const std::set<std::string>& all) {
    std::string out;
    for (const auto& one : all) out += (out.empty() ? "" : " ") + one;
    return "[" + out + "]";
}

std::string listed(const std::set<std::pair<std::string, std::string>>& all) {
    std::string out;
    for (const auto& [status, when] : all) out += " '" + status + "' '" + when + "'";
    return out;
}

std::string digest(const Box::Heard& heard) {
    const std::string head = heard.method + " " + heard.target + "\n";
    return crypto::hex(crypto::digest(base::as_bytes(head), base::as_bytes(heard.body)));
}

} // namespace

Check::Known Check::known(const Patient& patient) {
    Known out;
    const auto done = box_.clinicd->store->write([&](records::Transaction& txn) -> Result<void> {
        const auto found = records::find_by_index(txn, "number_any", patient.number);
        CLINIC_TRY(found);
        if (found->size() != 1) return {};
        out.found = true;
        out.id = found->front();
        auto facts = records::patient_facts(txn, out.id);
        CLINIC_TRY(facts);
        out.facts = std::move(*facts);
        const auto pid = Links::pid(txn, envelope::Destination::crm, out.id);
        CLINIC_TRY(pid);
        out.pid = pid->text();
        const auto contact = Links::contact(txn, out.id);
        CLINIC_TRY(contact);
        out.contact = *contact;
        return {};
    });
    if (!done) say(patient.number + ": cannot be read: " + done.error().what.c_str());
    return out;
}

void Check::all() {
    state_ = box_.ghl_state();
    for (const auto& contact : state_["contacts"]) contacts_[contact["id"]] = &contact;
    books();
    chain();
    ledger();
    nobody_is_named();
    people();
    of_the_merged();
    every_contact();
    beside();
    what_was_seen();
    what_was_deleted();
}

void Check::books() {
    outbox::Books books;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        auto found = outbox::Outbox::books(session, envelope::Destination::crm);
        CLINIC_TRY(found);
        books = *found;
        return {};
    });
    if (!read || !books.balanced()) say("the books do not balance");
    if (books.pending + books.leased + books.dead > 0)
        say("not all is done: pending " + std::to_string(books.pending) + ", leased " + std::to_string(books.leased) +
            ", dead " + std::to_string(books.dead) + ", last code " + books.last_code);
}

void Check::chain() {
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        const auto verified = audit::Trail::verify(session);
        return verified ? Result<void>{} : verified.error();
    });
    if (!read) say("the audit chain does not verify");
}

// What GHL received is in the ledger, request by request; and what the ledger calls answered was received.
void Check::ledger() {
    std::map<std::string, int> asked, answered;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        for (std::int64_t after = 0;;) {
            const auto lines = outbox::Ledger::lines(session, after, 500);
            CLINIC_TRY(lines);
            if (lines->empty()) return {};
            for (const auto& line : *lines) {
                after = line.attempt;
                if (envelope::is_poll_read(line.route)) continue; // counted in a line a day: poll_reads_test
                if (line.result == "answered" || line.result == "unknown" || line.result == "open")
                    ++asked[line.digest];
                if (line.result == "answered") ++answered[line.digest];
            }
        }
    });
    if (!read) say("the ledger cannot be read");
    std::map<std::string, int> received;
    for (const auto& heard : box_.heard()) {
        if (is_poll(heard) || is_of_grant(heard)) continue;
        const auto of = digest(heard);
        if (++received[of] == asked[of] + 1)
            say("GHL received what the ledger has not: " + heard.method + " " + heard.target);
    }
    for (const auto& [of, count] : answered)
        if (count > received[of]) say("the ledger calls answered what GHL never received");
}

void Check::nobody_is_named() {
    for (const auto& heard : box_.heard()) {
        const std::string all = emulator::lower(heard.target + "\n" + heard.body);
        for (const auto& patient : program_.patients_)
            for (const auto& value : {patient.number, patient.family, patient.phone, patient.given})
                if (all.find(emulator::lower(value)) != std::string::npos && value != patient.phone)
                    say("a request names somebody: " + heard.method + " " + heard.target);
                else if (all.find("503" + value) != std::string::npos)
                    say("a request has somebody's number");
    }
}

void Check::people() {
    for (const auto& patient : program_.patients_) one_of(patient);
}

void Check::one_of(const Patient& patient) {
    if (patient.merged) return; // of_the_merged
    if (patient.erasing) {
        if (!patient.erased) say(patient.number + ": is not erased");
        if (known(patient).found) say(patient.number + ": is erased, and found");
        return;
    }
    there_.emplace_back(&patient, known(patient));
    auto& have = there_.back().second;
    if (!have.found) return say(patient.number + ": is not in the records");
    consents(patient, have);
    const auto at = contacts_.find(have.contact);
    if (!have.contact.empty() && at == contacts_.end())
        return say(patient.number + ": is linked to a contact that is not there");
    if (!have.contact.empty()) linked_[have.contact] = have.pid;
    const auto sync = release::consent_at(have.facts, ConsentScope::crm_sync, box_.true_time());
    const bool allowed = !sync || sync == ConsentState::granted;
    const bool was_emptied = at != contacts_.end() && field(*at->second, "ce_stage") == "archived";
    // Of somebody inactive nothing is said after they were taken back: release.md, `inactive_unknown`.
    if (allowed && was_emptied && !patient.active) return emptied(patient.number, *at->second);
    if ((!allowed || !patient.active) && at != contacts_.end() && is_untouched(*at->second)) return;
    if (!allowed && at != contacts_.end()) return emptied(patient.number, *at->second);
    if (!allowed) return;
    have.told = at != contacts_.end();
    if (have.told) return told(patient, have, *at->second);
    if (patient.active) say(patient.number + ": may be told, and has no contact");
}

// The clinic's newest word, and what GHL's people ended.
void Check::consents(const Patient& patient, const Known& known) {
    for (const auto scope : {ConsentScope::crm_sync, ConsentScope::reminders, ConsentScope::marketing}) {
        const auto said = patient.said.find(records::name(scope));
        const auto now = release::consent_at(known.facts, scope, box_.true_time());
        std::optional<ConsentState> wanted;
        if (said != patient.said.end())
            wanted = !said->second.granted                                               ? ConsentState::revoked
                     : said->second.expires && *said->second.expires <= box_.true_time() ? ConsentState::expired
                                                                                         : ConsentState::granted;
        // By GHL's people; or, where the clock was set back (crm.md), by the tag of refused reminders, also of those
        // that are granted again, or by what is left of a suppression whose do-not-disturb somebody there took away.
        const bool by_our_tag =
            program_.set_back_ &&
            ((scope == ConsentScope::marketing && patient.refused_reminders) || patient.lifted_in_ghl);
        const bool may_be_ended =
            scope != ConsentScope::crm_sync && now == ConsentState::revoked && (patient.stopped_in_ghl || by_our_tag);
        if (now != wanted && !may_be_ended)
            say(patient.number + ": consent to " + records::name(scope) + " is " +
                (now ? std::to_string(static_cast<int>(*now)) : "none") + ", not " +
                (wanted ? std::to_string(static_cast<int>(*wanted)) : "none"));
    }
}

// A contact of somebody's own, to which nothing of ours was ever written: whatever it shows of ours, GHL's people put
// it there.
bool Check::is_untouched(const Json& contact) const {
    const std::string id = contact["id"], own = "/contacts/" + id;
    return program_.leads_.contains(id) && std::ranges::none_of(box_.heard(), [&](const Box::Heard& heard) {
               return heard.method != "GET" && heard.target.starts_with(own);
           });
}

void Check::told(const Patient& patient, const Known& known, const Json& contact) {
    const auto now = box_.true_time();
    const Shown wanted = shown(patient, now);
    const auto differs = [&](const char* name, const std::string& is, const std::string& should) {
        if (is != should && !(is_none(is) && is_none(should)))
            say(patient.number + ": " + name + " is '" + is + "', not '" + should + "'");
    };
    differs("ce_stage", field(contact, "ce_stage"), wanted.stage);
    differs("ce_last", field(contact, "ce_last"), wanted.last);
    differs("ce_next", field(contact, "ce_next"), wanted.next);
    const std::pair appointment{field(contact, "ce_appt_status"), field(contact, "ce_appt_when")};
    if (std::ranges::none_of(wanted.appointment, [&](const auto& one) {
            return (one.first == appointment.first || (is_none(one.first) && is_none(appointment.first))) &&
                   (one.second == appointment.second || (is_none(one.second) && is_none(appointment.second)));
        }))
        say(patient.number + ": the appointment is '" + appointment.first + "' '" + appointment.second + "', not" +
            listed(wanted.appointment));
    auto tags = wanted.stage_tags;
    const auto reminders = release::consent_at(known.facts, ConsentScope::reminders, now);
    if (reminders && reminders != ConsentState::granted)
        tags.insert("ce-do-not-contact");
    else if (release::consent_at(known.facts, ConsentScope::marketing, now) == ConsentState::granted &&
             wanted.stage != "inactive")
        tags.insert({"ce-review-ok", "ce-referral-ok"});
    auto shown_tags = our_tags(contact);
    // A word of marketing that GHL's people put there or took away is not compared (crm.md, "The full comparison").
    if (program_.touched_.contains(contact["id"])) {
        tags.erase("ce-review-ok");
        shown_tags.erase("ce-review-ok");
    }
    if (shown_tags != tags) say(patient.number + ": tags are " + joined(our_tags(contact)) + ", not " + joined(tags));
    const auto marker = field(contact, "ce_pid");
    const bool lead = program_.leads_.contains(contact["id"]);
    if (marker != known.pid && !(lead && marker.empty()))
        say(patient.number + ": the contact carries another's marker");
}

// What GHL's people put there afterwards is theirs, but for the stop: that is said again.
void Check::emptied(const std::string& who, const Json& contact) {
    if (!contact["dnd"]) say(who + ": must not be told, and may be disturbed: " + contact["id"].get<std::string>());
    if (is_filled_again(contact["id"])) return;
    if (field(contact, "ce_stage") != "archived")
        say(who + ": must not be told, and is '" + field(contact, "ce_stage") +
            "': " + contact["id"].get<std::string>());
    for (const char* name : {"ce_last", "ce_next", "ce_appt_status", "ce_appt_when"})
        if (!is_none(field(contact, name)))
            say(who + ": must not be told, and " + name + " is '" + field(contact, name) + "'");
    auto tags = our_tags(contact);
    tags.erase("ce-do-not-contact");
    if (!tags.empty()) say(who + ": must not be told, and has the tags " + joined(tags));
}

// After our newest write to it.
bool Check::is_filled_again(const std::string& contact) const {
    const auto touched = program_.touched_.find(contact);
    const auto all = box_.heard();
    const auto last = std::find_if(all.rbegin(), all.rend(), [&](const Box::Heard& heard) {
        return heard.method == "PUT" && heard.target == "/contacts/" + contact &&
               heard.body.find(emulator::field_ce_stage) != std::string::npos; // not that of a marker alone
    });
    return touched != program_.touched_.end() && last != all.rend() && last->at < touched->second;
}

// What GHL's people have filled in again, or GHL has dropped, of a contact that was emptied: it is shown as an orphan,
// or as a second one, and left to a person (docs/crm.md, "The full comparison").
bool Check::is_a_persons(const std::string& contact) const {
    const bool emptied = std::ranges::any_of(box_.heard(), [&](const Box::Heard& heard) {
        return heard.method == "PUT" && heard.target == "/contacts/" + contact &&
               heard.body.find("archived") != std::string::npos;
    });
    bool shown = false;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        const auto object = crm::find(session, envelope::CrmKind::contact, contact);
        CLINIC_TRY(object);
        for (const auto kind : {crm::Differs::orphan, crm::Differs::twice}) {
            const auto all = crm::differing(session, kind, 0, 100);
            CLINIC_TRY(all);
            for (const auto& one : *all) shown = shown || (*object && one.row == (*object)->row);
        }
        return {};
    });
    return emptied && read && (shown || is_filled_again(contact));
}

// A contact that somebody kept who was merged says nothing any more, whether it carries a marker or not.
void Check::of_the_merged() {
    std::vector<std::string> theirs;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        const auto links = Links::after(session, 0, 1'000);
        CLINIC_TRY(links);
        for (const auto& link : *links) {
            const auto facts = records::patient_facts(session, link.patient);
            CLINIC_TRY(facts);
            const auto contact = Links::contact(session, link.patient);
            CLINIC_TRY(contact);
            if (facts->merged_into) theirs.push_back(*contact);
        }
        return {};
    });
    if (!read) say("the links cannot be read");
    for (const auto& id : theirs) {
        const auto at = contacts_.find(id);
        if (at == contacts_.end())
            say("somebody who was merged is linked to a contact that is not there");
        else if (!linked_.contains(id) && !is_untouched(*at->second))
            emptied("the contact " + id + " of somebody who was merged", *at->second);
    }
}

// Each that carries a marker is somebody's who is there, once, or is empty.
void Check::every_contact() {
    std::set<std::string> seen;
    for (const auto& [id, contact] : contacts_) {
        const auto marker = field(*contact, "ce_pid");
        const auto linked = linked_.find(id);
        if (linked == linked_.end() && !marker.empty() && !is_a_persons(id))
            emptied("the contact " + id + " of nobody who is there", *contact);
        if (linked == linked_.end() && marker.empty() && !program_.leads_.contains(id))
            say("a contact of nobody's: " + id);
        if (linked != linked_.end() && !seen.insert(linked->second).second) say("somebody has two contacts");
        const auto own = program_.own_tags_.find(id);
        const std::set<std::string> wanted = own == program_.own_tags_.end() ? std::set<std::string>{} : own->second;
        if (other_tags(*contact) != wanted)
            say("GHL's own tags of " + id + " are " + joined(other_tags(*contact)) + ", not " + joined(wanted));
    }
    for (const auto& heard : box_.heard())
        for (const auto& lead : program_.leads_)
            if (!linked_.contains(lead) && !program_.given_back_.contains(lead) && contacts_.contains(lead) &&
                heard.method != "GET" && heard.target.find(lead) != std::string::npos &&
                field(*contacts_.at(lead), "ce_stage") != "archived")
                say("a lead that is nobody's was written to");
}

// A contact that is gone, or of somebody who was erased: what was kept of it, and of its bookings, went with it.
bool Check::is_nobodys_any_more(const std::string& contact) {
    const auto at = contacts_.find(contact);
    if (at == contacts_.end()) return true;
    bool known = true;
    const auto done = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        const auto patient = Links::patient_by_pid(session, field(*at->second, "ce_pid"));
        CLINIC_TRY(patient);
        known = patient->has_value();
        return {};
    });
    // One that GHL's people had made, and that was linked, has no mark of ours but that it was emptied.
    const bool was_ours = !field(*at->second, "ce_pid").empty() || field(*at->second, "ce_stage") == "archived";
    return done && !known && was_ours && !linked_.contains(contact);
}

// A booking of a day that no round reads.
bool Check::is_out_of_the_window(const Json& object) const {
    if (!object.contains("startTime")) return false;
    const Timestamp start{envelope::ms_of(object["startTime"].get<std::string>()) * 1'000}, now = box_.true_time();
    return start < now - std::chrono::hours{24} || start > now + std::chrono::hours{24 * 89};
}

// GHL's things are kept as they are there.
void Check::what_was_seen() {
    using envelope::CrmKind;
    const std::vector<std::pair<CrmKind, const Json*>> all{{CrmKind::contact, &state_["contacts"]},
                                                           {CrmKind::appointment, &state_["appointments"]},
                                                           {CrmKind::opportunity, &state_["opportunities"]}};
    for (const auto& [kind, list] : all)
        for (const auto& one : *list) {
            const auto wanted = envelope::strip(kind, one, box_.rules, 1);
            if (!wanted || is_out_of_the_window(one)) continue;
            const auto known = seen(kind, wanted->id);
            const std::string what = std::string{envelope::name(kind)} + " " + wanted->id;
            if (!known && is_nobodys_any_more(kind == CrmKind::contact ? wanted->id : one.value("contactId", "")))
                continue;
            if (!known)
                say("not seen: the " + what);
            else if (known->fact.said != wanted->said)
                say("seen otherwise than it is: the " + what + ": " + envelope::content_of(known->fact) + " and not " +
                    envelope::content_of(*wanted));
        }
}

std::optional<crm::Object> Check::seen(envelope::CrmKind kind, const std::string& id) {
    std::optional<crm::Object> out;
    const auto read = box_.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        auto found = crm::find(session, kind, id);
        CLINIC_TRY(found);
        out = std::move(*found);
        return {};
    });
    if (!read) say("what was seen of GHL cannot be read");
    return out;
}

// One that stands, is to come, and of a day that a round reads.
bool Check::is_looked_for(const envelope::CrmAppointment& booked) const {
    using envelope::Booking;
    const auto now = box_.true_time();
    return (booked.status == Booking::new_ || booked.status == Booking::confirmed) &&
           booked.until_quarter * quarter_us > now.micros &&
           Timestamp{booked.from_quarter * quarter_us} < now + std::chrono::hours{24 * 89};
}

// What GHL's people have deleted is shown no more, whether a webhook told of it or not.
void Check::what_was_deleted() {
    using envelope::CrmKind;
    for (const auto& [kind, ids] :
         {std::pair{CrmKind::contact, &program_.deleted_}, std::pair{CrmKind::opportunity, &program_.deleted_cases_},
          std::pair{CrmKind::appointment, &program_.deleted_bookings_}})
        for (const auto& id : *ids) {
            const auto known = seen(kind, id);
            if (!known || known->fact.deleted() || linked_.contains(id)) continue;
            if (const auto* booked = std::get_if<envelope::CrmAppointment>(&known->fact.said);
                booked != nullptr && !is_looked_for(*booked))
                continue;
            say(std::string{"deleted in GHL, and still shown: the "} + envelope::name(kind) + " " + id);
        }
}

} // namespace clinic::model
