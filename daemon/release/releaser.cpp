#include "daemon/release/releaser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/audit/trail.h"
#include "daemon/outbox/beside.h"
#include "daemon/records/consents.h"
#include "daemon/release/release.h"

namespace clinic::release {
namespace {

using envelope::Destination;
using envelope::Field;
using envelope::Kind;
using envelope::MetadataEnvelope;
using outbox::Links;
using outbox::Outbox;
using records::ConsentScope;
using records::PatientFacts;
using records::PatientId;
using records::Transaction;

constexpr Literal policy_setting = "policy";
constexpr int merge_chain_max = 16; // A into B into C …: longer is a loop, which the records refuse

// A person and all that were merged into them: what GHL holds of each is to be emptied.
Result<std::vector<PatientId>> family_of(Transaction& txn, PatientId survivor) {
    auto people = records::merged_into(txn, survivor);
    CLINIC_TRY(people);
    people->push_back(survivor);
    return people;
}

// A contact of somebody who was merged into them is still to be emptied: by a merge, or by a suppression of theirs.
Result<bool> a_contact_is_left(Transaction& txn, const std::vector<PatientId>& family, PatientId survivor) {
    for (const PatientId one : family) {
        const auto merge = Outbox::last_said(txn, Destination::crm, one, Kind::contact_merge);
        CLINIC_TRY(merge);
        const auto suppression = Outbox::last_said(txn, Destination::crm, one, Kind::contact_suppress);
        CLINIC_TRY(suppression);
        if (merge->waits() || (one != survivor && suppression->waits())) return true;
    }
    return false;
}

// Whoever a chain of merges leads to.
Result<PatientFacts> survivor_facts(records::Session& session, PatientId patient) {
    auto facts = records::patient_facts(session, patient);
    for (int hops = 0; facts && facts->merged_into && hops < merge_chain_max; ++hops) {
        facts = records::patient_facts(session, *facts->merged_into);
    }
    return facts;
}

// A contact that was the prior's may say anything of their appointments, and of the survivor's nothing was ever said.
std::optional<records::AppointmentId> newest_appointment(const PatientFacts& facts) {
    const auto newest = std::ranges::max_element(facts.appointments, {}, &records::AppointmentFacts::start);
    return newest == facts.appointments.end() ? std::nullopt : std::optional{newest->id};
}

bool is_told(const Decision& decision) {
    return decision.contact.has_value();
}

bool names(const std::vector<envelope::Word>& tags, std::string_view word) {
    return std::ranges::any_of(tags, [&](const envelope::Word& tag) { return tag.text() == word; });
}

// A state that is on its way says something that may not be said any more: a consent for just that has ended.
bool says_too_much(const MetadataEnvelope& waiting, const ContactState& now) {
    const auto then = waiting.tags();
    for (const char* word : {"review_ok", "referral_ok"}) {
        if (names(then, word) && !names(now.tags, word)) return true;
    }
    return names(now.tags, "do_not_contact") && !names(then, "do_not_contact");
}

// Marketing that is granted beside reminders that are not, or of somebody inactive: the state of the contact does not
// name its words, and a consent told besides must not set them.
bool is_withheld(ConsentScope scope, const ContactState& now) {
    return scope == ConsentScope::marketing && !names(now.tags, "review_ok");
}

// The survivor has the prior's contact already: nothing is emptied, and what is written there says whose it is.
Result<bool> only_says_whose(Transaction& txn, const outbox::Leased& merge) {
    const auto own = Links::contact(txn, merge.patient);
    CLINIC_TRY(own);
    const auto all = Links::contacts_of(txn, merge);
    CLINIC_TRY(all);
    return !own->empty() && all->size() == 1;
}

// Taking back is allowed but where nothing at all may leave: a merge archives the old contact.
std::optional<Because> taking_back_allowed(const Policy& policy, const PatientFacts& facts, const Decision& decision) {
    if (policy.basis == Basis::deid) return Because::deid_needs_contactless;
    if (policy.basis == Basis::off || facts.test_traffic) return Because::basis_off;
    return decision.clock_holds ? std::optional{Because::clock_untrusted} : std::nullopt;
}

// A case as the settings are now, and unless it was deleted in GHL.
Result<std::optional<Because>> case_allowed(Transaction& txn, const outbox::Leased& lease, const CaseOptions& options) {
    if (!options.told) return std::optional{Because::not_configured};
    if (ends_case(lease.envelope)) return std::optional<Because>{};
    const auto number = outbox::Beside::known(txn, lease.patient, Kind::case_state);
    CLINIC_TRY(number);
    if (!*number) return std::optional<Because>{}; // the contact was another's: the request is looked at below
    const auto one = outbox::Beside::at(txn, lease.patient, **number);
    CLINIC_TRY(one);
    return one->held == outbox::Held::no ? std::nullopt : std::optional{Because::held_in_ghl};
}

// A booking that stands, or is moved: as the settings are now, and not against GHL's word.
Result<std::optional<Because>> booking_allowed(Transaction& txn, const outbox::Leased& lease,
                                               const BookingOptions& options, bool makes) {
    if (!options.told || (lease.envelope.slot() && !options.create)) return std::optional{Because::not_configured};
    const auto number = outbox::Beside::number_in(txn, lease.patient, lease.envelope);
    CLINIC_TRY(number);
    const auto one = outbox::Beside::at(txn, lease.patient, *number);
    if (!one && one.error().code == Errc::not_found) return std::optional<Because>{}; // an earlier contact's
    CLINIC_TRY(one);
    if (makes && lease.envelope.slot() && is_past(*lease.envelope.slot(), txn.now()))
        return std::optional{Because::over};
    return one->held == outbox::Held::no ? std::optional<Because>{} : std::optional{Because::held_in_ghl};
}

// A "granted" that has ended since, or is withheld.
bool grants_too_much(const MetadataEnvelope& waiting, const PatientFacts& facts, const ContactState& state,
                     Timestamp now) {
    if (waiting.kind() != Kind::consent_state || waiting.text(Field::state) != "granted") return false;
    for (const auto scope : {ConsentScope::crm_sync, ConsentScope::reminders, ConsentScope::marketing}) {
        if (waiting.text(Field::scope) == name(scope))
            return consent_at(facts, scope, now) != records::ConsentState::granted || is_withheld(scope, state);
    }
    return true;
}

} // namespace

Releaser::Releaser(const Clock& clock, outbox::Coalesce coalesce) : clock_{clock}, coalesce_{coalesce} {}

Result<Policy> Releaser::policy(records::Session& session) const {
    const auto since = session.setting_since(policy_setting);
    {
        const std::lock_guard lock{policy_lock_};
        if (since && since == policy_since_) return policy_;
    }
    auto stored = records::setting(session, policy_setting);
    if (!stored) return stored.error();
    if (!*stored) return Policy{};
    const std::lock_guard lock{policy_lock_};
    policy_since_ = since;
    if (policy_text_ == **stored) return policy_;
    policy_since_.reset();
    auto policy = decode_policy(**stored);
    CLINIC_TRY(policy);
    policy_text_ = **stored;
    policy_ = *policy;
    policy_since_ = since;
    return policy;
}

Result<void> Releaser::set_policy(records::Transaction& txn, const Policy& policy) {
    auto before = this->policy(txn);
    Policy next = policy;
    if (next.site.empty() && before) next.site = before->site;
    if (next.site.empty()) next.site = envelope::random_site();
    return records::set_setting(txn, policy_setting, encode(next));
}

Result<void> Releaser::changed(Transaction& txn, PatientId patient, std::optional<records::AppointmentId> appointment) {
    auto did = release(txn, patient, appointment, Note::always);
    return did ? Result<void>{} : did.error();
}

Result<bool> Releaser::release(Transaction& txn, PatientId patient, std::optional<records::AppointmentId> appointment,
                               Note note) {
    auto facts = records::patient_facts(txn, patient);
    if (!facts) return facts.error();
    auto policy = this->policy(txn);
    if (!policy) return policy.error();
    Decision decision = decide(*facts, *policy, moment(), appointment);
    Release release{txn, patient, *policy, decision, coalesce_, case_options_, booking_options_};
    release.because_of(appointment);
    CLINIC_TRY(tell_or_stop(release, *facts, decision, booking_options_.told));
    if (note == Note::always || release.did_anything()) CLINIC_TRY(release.note());
    return release.did_anything();
}

Result<void> Releaser::tell_or_stop(Release& release, const PatientFacts& facts, Decision& decision,
                                    bool with_bookings) const {
    if (is_told(decision) && facts.status == records::PatientStatus::inactive) {
        auto said = release.has_said_something();
        if (!said) return said.error();
        if (!*said) { // nobody there knows of them: nothing to tell
            decision.because = Because::inactive_unknown;
            decision.contact.reset();
        }
    }
    // Before anything new is made of the same.
    if (is_told(decision) || decision.because == Because::inactive_unknown) CLINIC_TRY(release.close_left());
    if (is_told(decision)) {
        CLINIC_TRY(release.tell(facts));
        CLINIC_TRY(release.cases().tell(decision.contact->stage));
        if (with_bookings) CLINIC_TRY(release.tell_bookings(facts, moment().now, find_booking_));
    } else if (decision.because != Because::inactive_unknown && decision.because != Because::erased) {
        CLINIC_TRY(release.stop());
    }
    return {};
}

Result<Settings> Releaser::settings(records::Session& session) const {
    const auto policy = this->policy(session);
    CLINIC_TRY(policy);
    return Settings{*policy, case_options_, booking_options_};
}

Result<Decision> Releaser::rehearse(Transaction& txn, PatientId patient, const Settings& settings, const Hear& hear) {
    const auto facts = records::patient_facts(txn, patient);
    CLINIC_TRY(facts);
    Decision decision = decide(*facts, settings.policy, moment(), std::nullopt);
    Result<void> said;
    const auto undone = txn.apart([&]() -> Result<void> {
        Release release{txn, patient, settings.policy, decision, coalesce_, settings.cases, settings.bookings};
        release.rehearse(hear);
        said = tell_or_stop(release, *facts, decision, settings.bookings.told);
        return Error{Errc::conflict, "a rehearsal is undone"};
    });
    CLINIC_TRY(undone);
    CLINIC_TRY(said);
    return decision;
}

Result<void> Releaser::consent_changed(Transaction& txn, PatientId patient, ConsentScope scope) {
    CLINIC_TRY(changed(txn, patient, std::nullopt));
    if (scope == ConsentScope::crm_sync) return {}; // it opens or closes everything, and is not told itself
    auto facts = records::patient_facts(txn, patient);
    if (!facts) return facts.error();
    auto policy = this->policy(txn);
    if (!policy) return policy.error();
    const Decision decision = decide(*facts, *policy, moment(), std::nullopt);
    const auto consent = std::ranges::find(facts->consents, scope, &records::ConsentFacts::scope);
    if (!is_told(decision) || consent == facts->consents.end()) return {};
    Release release{txn, patient, *policy, decision, coalesce_, case_options_, booking_options_};
    if (facts->status == records::PatientStatus::inactive) {
        auto said = release.has_said_something();
        if (!said) return said.error();
        if (!*said) return {};
    }
    if (consent_at(*facts, scope, moment().now) == records::ConsentState::granted &&
        is_withheld(scope, *decision.contact))
        return {};
    return release.tell_consent(*consent, moment().now);
}

Result<void> Releaser::say_again(Transaction& txn, PatientId patient) {
    CLINIC_TRY(Outbox::doubt(txn, patient));
    auto facts = records::patient_facts(txn, patient);
    if (!facts) return facts.error();
    if (facts->merged_into) return empty_again(txn, patient);
    auto policy = this->policy(txn);
    if (!policy) return policy.error();
    const Decision decision = decide(*facts, *policy, moment(), std::nullopt);
    Release release{txn, patient, *policy, decision, coalesce_, case_options_, booking_options_};
    auto taken_back = release.last_said(Kind::contact_suppress);
    if (!taken_back) return taken_back.error();
    CLINIC_TRY(release.cases().doubt());
    if (!decision.suppress || taken_back->is_empty()) return changed(txn, patient, std::nullopt);
    CLINIC_TRY(release.suppress(*decision.suppress));
    CLINIC_TRY(release.cases().take_back());
    return release.note();
}

Result<void> Releaser::empty_again(Transaction& txn, PatientId prior) {
    auto facts = survivor_facts(txn, prior);
    CLINIC_TRY(facts);
    const auto policy = this->policy(txn);
    CLINIC_TRY(policy);
    const Decision decision = decide(*facts, *policy, moment(), std::nullopt);
    Decision for_prior;
    for_prior.because = Because::merged;
    for_prior.clock_holds = decision.clock_holds;
    Release of_prior{txn, prior, *policy, for_prior, coalesce_, case_options_, booking_options_};
    CLINIC_TRY(of_prior.cases().doubt());
    CLINIC_TRY(of_prior.take_back_beside());
    if (is_told(decision)) {
        const auto old = Links::pid(txn, Destination::crm, prior);
        CLINIC_TRY(old);
        Release of_survivor{txn, facts->id, *policy, decision, coalesce_, case_options_, booking_options_};
        CLINIC_TRY(of_survivor.tell_merge(*old));
    } else if (decision.suppress) {
        CLINIC_TRY(of_prior.suppress(*decision.suppress));
    }
    return of_prior.note();
}

Result<std::optional<records::AppointmentId>> Releaser::found_booking(Transaction& txn, PatientId patient,
                                                                      const FoundBooking& found) {
    using None = std::optional<records::AppointmentId>;
    const auto facts = records::patient_facts(txn, patient);
    CLINIC_TRY(facts);
    const auto policy = this->policy(txn);
    CLINIC_TRY(policy);
    if (facts->merged_into || facts->test_traffic || policy->site.empty()) return None{};
    for (const BookingState& state : bookings_of(*facts, moment().now)) {
        if (state.from != found.as.from_quarter || state.status == envelope::Booking::cancelled) continue;
        const auto number = outbox::Beside::known(txn, patient, Kind::booking_state, state.appointment);
        CLINIC_TRY(number);
        if (*number) {
            const auto one = outbox::Beside::at(txn, patient, **number);
            CLINIC_TRY(one);
            if (one->unsure_since) return None{}; // ours may be just this one: the look-up tells
            if (!one->object.empty()) continue;
        }
        CLINIC_TRY(Bookings(txn, patient, booking_options_, {}).bind(state, found, policy->site));
        return None{state.appointment};
    }
    return None{};
}

Result<void> Releaser::say_booking_again(Transaction& txn, PatientId patient, std::int64_t number) {
    const auto one = outbox::Beside::at(txn, patient, number);
    CLINIC_TRY(one);
    CLINIC_TRY(Outbox::doubt_of(txn, patient, Kind::booking_state, number));
    return changed(txn, patient, one->appointment);
}

Result<void> Releaser::contact_left(Transaction& txn, PatientId patient) {
    const auto facts = records::patient_facts(txn, patient);
    CLINIC_TRY(facts);
    const auto policy = this->policy(txn);
    CLINIC_TRY(policy);
    const Decision decision = decide(*facts, *policy, moment(), std::nullopt);
    Release release{txn, patient, *policy, decision, coalesce_, case_options_, booking_options_};
    CLINIC_TRY(release.close_left());
    return release.did_anything() ? release.note() : Result<void>{};
}

Result<void> Releaser::merged(Transaction& txn, PatientId survivor, PatientId prior) {
    auto facts = survivor_facts(txn, survivor);
    if (!facts) return facts.error();
    auto policy = this->policy(txn);
    if (!policy) return policy.error();
    const Decision decision = decide(*facts, *policy, moment(), std::nullopt);
    Decision for_prior;
    for_prior.because = Because::merged;
    for_prior.clock_holds = decision.clock_holds;
    Release of_prior{txn, prior, *policy, for_prior, coalesce_, case_options_, booking_options_};
    Release of_survivor{txn, facts->id, *policy, decision, coalesce_, case_options_, booking_options_};

    auto said = of_prior.ever_said_something();
    if (!said) return said.error();
    auto unsure = Links::create_is_unsure(txn, prior);
    if (!unsure) return unsure.error();
    auto old = Links::pid(txn, Destination::crm, prior);
    if (!old) return old.error();
    const auto emptying = of_prior.last_said(Kind::contact_suppress);
    CLINIC_TRY(emptying);
    // What empties their contact goes on, unless the merge does.
    if (!emptying->waits() || is_told(decision)) CLINIC_TRY(of_prior.stop());
    auto contacts = Links::merge(txn, facts->id, prior);
    if (!contacts) return contacts.error();
    const bool prior_had_contact = *contacts == outbox::Merged::moved || *contacts == outbox::Merged::both;
    if (*contacts == outbox::Merged::both) CLINIC_TRY(of_prior.take_back_beside());
    if (*contacts != outbox::Merged::moved) CLINIC_TRY(of_prior.close_left());
    if (prior_had_contact && is_told(decision)) CLINIC_TRY(of_survivor.tell_merge(*old));
    if (prior_had_contact && *said && decision.suppress) {
        Release& holder = *contacts == outbox::Merged::moved ? of_survivor : of_prior;
        CLINIC_TRY(holder.suppress(*decision.suppress));
    }
    // A contact of the prior's may still come to light: it is looked for, and what is found is merged, or emptied.
    const bool may_be_told = is_told(decision) || decision.suppress;
    if (!prior_had_contact && *unsure && may_be_told)
        CLINIC_TRY(of_prior.suppress(decision.suppress.value_or(envelope::Reason::restricted)));
    CLINIC_TRY(of_prior.note());
    return changed(txn, facts->id, *contacts == outbox::Merged::moved ? newest_appointment(*facts) : std::nullopt);
}

// What each of them has beside the contact: nobody else looks at those who were merged any more. True: some of it
// stands still.
Result<bool> Releaser::take_back_beside(Transaction& txn, const std::vector<PatientId>& family, const Policy& policy,
                                        const Decision& decision) {
    bool stands = false;
    for (const PatientId one : family) {
        Release release{txn, one, policy, decision, coalesce_, case_options_, booking_options_};
        if (decision.suppress) CLINIC_TRY(release.take_back_beside());
        const auto still = release.something_stands_beside();
        CLINIC_TRY(still);
        stands = stands || *still;
    }
    return stands;
}

Result<TakenBack> Releaser::take_back(Transaction& txn, PatientId patient) {
    auto facts = survivor_facts(txn, patient);
    if (!facts) return facts.error();
    auto policy = this->policy(txn);
    if (!policy) return policy.error();
    Decision decision = decide(*facts, *policy, moment(), std::nullopt);
    const bool closed = policy->basis == Basis::off || policy->basis == Basis::deid || facts->test_traffic;
    decision.because = Because::erased;
    decision.suppress = closed ? std::nullopt : std::optional{envelope::Reason::erased};
    Release release{txn, facts->id, *policy, decision, coalesce_, case_options_, booking_options_};
    auto said = release.ever_said_something();
    if (!said) return said.error();
    const auto family = family_of(txn, facts->id);
    CLINIC_TRY(family);
    const auto left = a_contact_is_left(txn, *family, facts->id);
    CLINIC_TRY(left);
    CLINIC_TRY(release.stop());
    const auto beside = take_back_beside(txn, *family, *policy, decision);
    CLINIC_TRY(beside);
    if (release.did_anything()) CLINIC_TRY(release.note());
    if (!*said && !*left && !*beside) return TakenBack::done;
    return closed ? TakenBack::not_allowed : TakenBack::waits;
}

Result<void> Releaser::erase(Transaction& txn, const records::Disclosure& why, PatientId patient) {
    return records::erase_patient(txn, why, patient, [&](PatientId one) { return Outbox::erase(txn, one); });
}

Result<std::optional<Because>> Releaser::still_allowed(Transaction& txn, const outbox::Leased& lease, bool makes) {
    const MetadataEnvelope& waiting = lease.envelope;
    auto facts = records::patient_facts(txn, lease.patient);
    if (!facts) return facts.error();
    auto policy = this->policy(txn);
    if (!policy) return policy.error();
    const Decision decision = decide(*facts, *policy, moment(), std::nullopt);

    if (waiting.kind() == Kind::case_state) {
        auto still = case_allowed(txn, lease, case_options_);
        if (!still || *still) return still;
    }
    if (waiting.kind() == Kind::booking_state && !booking_options_.told) return std::optional{Because::not_configured};
    bool takes_back = waiting.kind() == Kind::contact_suppress;
    if (waiting.kind() == Kind::contact_merge) {
        const auto says = only_says_whose(txn, lease);
        if (!says) return says.error();
        takes_back = !*says;
    }
    if (takes_back || ends_case(waiting) || calls_off(waiting)) return taking_back_allowed(*policy, *facts, decision);
    if (!decision.may_leave) return std::optional{decision.because};
    if (waiting.kind() == Kind::booking_state) return booking_allowed(txn, lease, booking_options_, makes);
    const bool too_much = waiting.kind() == Kind::contact_state
                              ? says_too_much(waiting, *decision.contact)
                              : grants_too_much(waiting, *facts, *decision.contact, moment().now);
    if (too_much) return std::optional{Because::consent_expired};
    return std::optional<Because>{};
}

Result<std::optional<PatientId>> Releaser::re_release(Transaction& txn, std::optional<PatientId> after, int rows_max) {
    auto patients = records::active_patients(txn, after, rows_max);
    if (!patients) return patients.error();
    for (const PatientId patient : *patients) {
        auto did = release(txn, patient, std::nullopt, Note::when_something_left);
        if (!did) return did.error();
    }
    if (patients->size() < static_cast<std::size_t>(rows_max)) return std::optional<PatientId>{};
    return std::optional{patients->back()};
}

Result<int> Releaser::expire_consents_due(Transaction& txn, int rows_max) {
    const auto [now, trusted] = moment();
    if (!trusted) return 0;
    CLINIC_TRY(records::pass_over_replaced(txn, now));
    auto patients = records::consents_due(txn, now, rows_max);
    if (!patients) return patients.error();
    for (const PatientId patient : *patients) {
        auto before = records::patient_facts(txn, patient);
        if (!before) return before.error();
        CLINIC_TRY(records::expire_consents(txn, patient, now));
        for (const auto& consent : before->consents) {
            const bool ends =
                consent.state == records::ConsentState::granted && consent.expires_at && *consent.expires_at <= now;
            if (ends) CLINIC_TRY(consent_changed(txn, patient, consent.scope));
        }
    }
    return static_cast<int>(patients->size());
}

} // namespace clinic::release
