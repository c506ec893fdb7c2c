#include "daemon/crm/states.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/audit/trail.h"
#include "daemon/crm/emptied.h"
#include "daemon/records/consents.h"

namespace clinic::crm {
namespace {

using envelope::CrmContact;
using envelope::Destination;
using envelope::Kind;
using envelope::Word;
using outbox::Outbox;
using outbox::Stop;
using records::PatientId;
using records::Transaction;

constexpr base::Micros a_day = std::chrono::hours{24};
constexpr base::Micros clocks_differ = std::chrono::minutes{5}; // GHL's and ours, at the most

// What consents say is told by envelopes of their own, and by `restrict`.
bool is_of_consent(const Word& word) {
    const std::string_view text = word.text();
    return text == "do_not_contact" || text == "review_ok" || text == "referral_ok";
}

bool has_stop(const std::vector<Word>& words) {
    return std::ranges::any_of(words,
                               [](const Word& word) { return word.text() == std::string_view{"do_not_contact"}; });
}

std::string listed(const std::vector<Word>& words) {
    std::string out;
    for (const Word& word : words)
        if (!is_of_consent(word)) out += (out.empty() ? "" : " ") + std::string{word.text()};
    return out.empty() ? "none" : out;
}

std::string shown(const std::string& theirs) {
    return theirs.empty() ? "other" : theirs;
}

// The said envelope's own words; nothing where nothing was said, or nothing is sure.
std::optional<nlohmann::json> words_of(const outbox::LastSaid& said, bool& sure) {
    sure = sure && !said.unsure && !said.waits();
    if (said.content.empty() || said.unsure || said.waits()) return std::nullopt;
    const auto parsed = base::parse_json(said.content, envelope::envelope_bytes_max, 3);
    return parsed ? std::optional{*parsed} : std::nullopt;
}

void add(std::vector<Difference>& out, Field field, const std::string& ours, const std::string& theirs) {
    if (ours != theirs && !(ours == "none" && theirs.empty())) out.push_back({field, ours, shown(theirs)});
}

// A suppression, whatever has become of its envelope, refused reminders; and of one who was merged, what emptied their
// contact.
Result<bool> wrote_stop_since(Transaction& txn, PatientId patient, Stop how, Timestamp since) {
    const auto said = Outbox::wrote_stop_since(txn, patient, how, since);
    if (!said || *said) return said;
    const auto suppressed = outbox::Ledger::newest_write(txn, patient, Kind::contact_suppress);
    CLINIC_TRY(suppressed);
    if (*suppressed && **suppressed >= since) return true;
    // `since` is a time of GHL's, and our clock may have been wrong when we wrote.
    return how == Stop::tag ? outbox::Ledger::suppression_may_stand(txn, patient)
                            : merge_wrote_since(txn, patient, since);
}

bool says_stop(const CrmContact& contact) {
    return contact.dnd || has_stop(contact.tags);
}

// Set since it was seen before: each of the two for itself, because the shells that we make have do-not-disturb from
// the start. Of a shell that is seen for the first time it says nothing; the tag does.
std::vector<Stop> stops_since(const CrmContact* before, const CrmContact& now, bool ours) {
    std::vector<Stop> out;
    if (has_stop(now.tags) && (before == nullptr || !has_stop(before->tags))) out.push_back(Stop::tag);
    if (now.dnd && (before == nullptr ? !ours : !before->dnd)) out.push_back(Stop::do_not_disturb);
    return out;
}

} // namespace

Result<bool> is_older_than_our_write(Transaction& txn, const Object& object, PatientId patient,
                                     std::optional<Kind> kind) {
    const auto newest = outbox::Ledger::newest_write(txn, patient, kind);
    CLINIC_TRY(newest);
    return *newest && object.fact.updated_ms * 1'000 < (*newest)->micros;
}

Result<bool> record_to_write_again(Transaction& txn, std::int64_t object, const Difference& found) {
    const auto times = recorded_since(txn, object, found.field, txn.now() - a_day);
    CLINIC_TRY(times);
    const bool by_rule = *times < written_again_max;
    CLINIC_TRY(record(txn, object, found.field, found.ours, found.theirs, by_rule ? Settled::by_rule : Settled::open));
    return by_rule;
}

Result<Compared> compared(Transaction& txn, const CrmContact& theirs, PatientId patient) {
    Compared out;
    const auto state = Outbox::last_said(txn, Destination::crm, patient, Kind::contact_state);
    CLINIC_TRY(state);
    if (const auto ours = words_of(*state, out.sure)) {
        add(out.differences, Field::stage, ours->value("stage", ""), theirs.stage);
        add(out.differences, Field::last, ours->value("last", ""), theirs.last);
        add(out.differences, Field::next, ours->value("next", ""), theirs.next);
        if (listed(state->tags) != listed(theirs.tags))
            out.differences.push_back({Field::tags, listed(state->tags), listed(theirs.tags)});
        else if (has_stop(state->tags) && !has_stop(theirs.tags)) // ours to keep, whoever takes it away there
            out.differences.push_back({Field::tags, "do_not_contact", "none"});
    }
    const auto visit = Outbox::last_said(txn, Destination::crm, patient, Kind::appt_state);
    CLINIC_TRY(visit);
    if (const auto ours = words_of(*visit, out.sure)) {
        add(out.differences, Field::appt_status, ours->value("status", ""), theirs.appt_status);
        add(out.differences, Field::appt_when, ours->value("when", ""), theirs.appt_when);
    }
    return out;
}

Result<void> States::compare(Transaction& txn, const Object& contact, PatientId patient) const {
    const auto* theirs = std::get_if<CrmContact>(&contact.fact.said);
    if (theirs == nullptr) return {};
    const auto survivor = survivor_behind(txn, patient);
    CLINIC_TRY(survivor);
    if (*survivor) return {}; // nothing is said of them any more: the comparison alone looks at it
    const auto older = is_older_than_our_write(txn, contact, patient);
    CLINIC_TRY(older);
    if (*older) return {};
    const auto found = compared(txn, *theirs, patient);
    CLINIC_TRY(found);
    bool write_again = false;
    for (const auto& one : found->differences) {
        const auto by_rule = record_to_write_again(txn, contact.row, one);
        CLINIC_TRY(by_rule);
        write_again = write_again || *by_rule;
    }
    if (!write_again) return {};
    CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::egress,
                                          .action = audit::Action::update,
                                          .purpose = audit::Purpose::release,
                                          .detail = "crm_differs",
                                          .subjects = {patient}}));
    CLINIC_TRY(Outbox::doubt(txn, patient));
    return releaser_.changed(txn, patient, std::nullopt);
}

// A shell is made with do-not-disturb, and suppressions and consents of ours write it: those are our own, and come back
// as anything that we write.
Result<void> States::restrict(Transaction& txn, const Object& contact, const std::optional<Object>& seen,
                              PatientId patient) const {
    const auto* theirs = std::get_if<CrmContact>(&contact.fact.said);
    const auto* before = seen ? std::get_if<CrmContact>(&seen->fact.said) : nullptr;
    if (theirs == nullptr) return {};
    if (before != nullptr && says_stop(*before) && !says_stop(*theirs))
        return record(txn, contact.row, Field::do_not_disturb, "kept as the clinic's consents say", "cleared",
                      Settled::by_rule);
    const auto ours = outbox::Links::is_ours(txn, patient);
    CLINIC_TRY(ours);
    const Timestamp since{before != nullptr ? seen->fact.updated_ms * 1'000 : 0};
    bool theirs_to_say = false;
    for (const Stop how : stops_since(before, *theirs, *ours)) {
        const auto written = wrote_stop_since(txn, patient, how, since - clocks_differ);
        CLINIC_TRY(written);
        theirs_to_say = theirs_to_say || !*written;
    }
    if (!theirs_to_say) return {};
    const Timestamp at{std::min(contact.fact.updated_ms * 1'000, txn.now().micros)};
    return end_consents(txn, patient, contact.fact.updated_ms == 0 ? txn.now() : at);
}

// Of one who was merged, those of whom they are now.
Result<void> States::end_consents(Transaction& txn, PatientId linked, Timestamp at) const {
    const auto survivor = survivor_behind(txn, linked);
    CLINIC_TRY(survivor);
    const PatientId patient = survivor->value_or(linked);
    const auto facts = records::patient_facts(txn, patient);
    CLINIC_TRY(facts);
    std::vector<records::ConsentScope> ended;
    for (const auto scope : {records::ConsentScope::reminders, records::ConsentScope::marketing}) {
        const bool over = std::ranges::any_of(facts->consents, [&](const auto& consent) {
            return consent.scope == scope && consent.state == records::ConsentState::revoked;
        });
        if (!over) ended.push_back(scope);
    }
    if (ended.empty()) return {};
    CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::egress,
                                          .action = audit::Action::update,
                                          .purpose = audit::Purpose::release,
                                          .detail = "crm_do_not_disturb",
                                          .subjects = {patient}}));
    for (const auto scope : ended) {
        CLINIC_TRY(records::record_consent(txn, patient, {scope, records::ConsentState::revoked, at, std::nullopt},
                                           {"ghl", txn.now()}));
        CLINIC_TRY(releaser_.consent_changed(txn, patient, scope));
    }
    return {};
}

} // namespace clinic::crm
