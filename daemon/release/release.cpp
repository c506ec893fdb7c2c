#include "daemon/release/release.h"

#include <algorithm>
#include <utility>

#include "daemon/audit/trail.h"

namespace clinic::release {
namespace {

using envelope::Destination;
using envelope::Field;
using envelope::Kind;
using envelope::MetadataEnvelope;
using outbox::LastSaid;
using outbox::Links;
using outbox::Outbox;
using records::ConsentScope;
using records::PatientFacts;

constexpr int revision_max = 9'999; // the schema's; a later one keeps saying so

envelope::Scope scope_of(ConsentScope scope) {
    switch (scope) {
    case ConsentScope::crm_sync: return envelope::Scope::crm_sync;
    case ConsentScope::reminders: return envelope::Scope::reminders;
    case ConsentScope::marketing: return envelope::Scope::marketing;
    }
    return envelope::Scope::crm_sync;
}

envelope::Grant grant_of(records::ConsentState state) {
    switch (state) {
    case records::ConsentState::granted: return envelope::Grant::granted;
    case records::ConsentState::revoked: return envelope::Grant::revoked;
    case records::ConsentState::expired: return envelope::Grant::expired;
    }
    return envelope::Grant::revoked;
}

} // namespace

Result<LastSaid> Release::last_said(Kind kind, std::optional<envelope::Scope> scope) {
    return Outbox::last_said(txn_, Destination::crm, patient_, kind, scope);
}

Result<bool> Release::has_said_something() {
    for (const Kind kind : {Kind::contact_state, Kind::appt_state}) {
        auto said = last_said(kind);
        if (!said) return said.error();
        if (!said->is_empty()) return true;
    }
    return Links::may_hold_a_shell(txn_, patient_);
}

Result<bool> Release::ever_said_something() {
    auto said = has_said_something();
    if (!said || *said) return said;
    auto suppression = last_said(Kind::contact_suppress);
    if (!suppression) return suppression.error();
    return suppression->waits();
}

Result<void> Release::tell(const PatientFacts& facts) {
    CLINIC_TRY(say(contact_state(*decision_.contact)));
    if (!decision_.appointment) return tell_gone_appointment();
    auto news = appointment_is_news(facts, *decision_.appointment);
    if (!news) return news.error();
    return *news ? tell_appointment(*decision_.appointment) : Result<void>{};
}

Result<void> Release::tell_bookings(const PatientFacts& facts, Timestamp now, const FindBooking& find) {
    const auto states = bookings_of(facts, now);
    CLINIC_TRY(bookings_.tell(states, find, policy_.site));
    if (changed_) {
        const bool was_told = std::ranges::find(states, *changed_, &BookingState::appointment) != states.end();
        return was_told ? Result<void>{} : bookings_.tell_by_itself(*changed_, find, policy_.site);
    }
    CLINIC_TRY(bookings_.tell_beyond(facts, find, policy_.site));
    return bookings_.drop_past();
}

Result<void> Release::tell_consent(const records::ConsentFacts& consent, Timestamp now) {
    const bool over = consent.expires_at && *consent.expires_at <= now;
    const auto state =
        over && consent.state == records::ConsentState::granted ? records::ConsentState::expired : consent.state;
    MetadataEnvelope envelope{Kind::consent_state};
    envelope.put(Field::scope, scope_of(consent.scope))
        .put(Field::state, grant_of(state))
        .put_revision(std::clamp(consent.revision, 1, revision_max));
    return say(std::move(envelope), scope_of(consent.scope));
}

Result<void> Release::stop() {
    auto said = has_said_something();
    if (!said) return said.error();
    if (decision_.suppress && *said) {
        CLINIC_TRY(Outbox::withdraw(txn_, patient_, name(decision_.because)));
        CLINIC_TRY(suppress(*decision_.suppress));
    }
    if (decision_.suppress) {
        return take_back_beside();
    }
    auto waits = something_waits();
    if (!waits) return waits.error();
    if (!*waits) return {};
    did_anything_ = true;
    return Outbox::withdraw(txn_, patient_, name(decision_.because));
}

Result<void> Release::take_back_beside() {
    CLINIC_TRY(bookings_.take_back());
    return cases_.take_back();
}

Result<void> Release::close_left() {
    CLINIC_TRY(bookings_.close_left());
    return cases_.close_left();
}

Result<bool> Release::something_stands_beside() {
    auto stands = bookings_.something_stands();
    return !stands || *stands ? stands : cases_.something_stands();
}

Result<void> Release::suppress(envelope::Reason reason) {
    MetadataEnvelope envelope{Kind::contact_suppress};
    envelope.put(Field::reason, reason);
    return say(std::move(envelope));
}

Result<void> Release::tell_merge(const envelope::Pseudonym& old) {
    MetadataEnvelope envelope{Kind::contact_merge};
    envelope.put(Field::old, old);
    return say(std::move(envelope));
}

Result<void> Release::note() {
    auto entry = audit::Trail::append(txn_, {.actor = audit::Actor::job,
                                             .action = audit::Action::release,
                                             .purpose = audit::Purpose::release,
                                             .detail = name(decision_.because),
                                             .subjects = {patient_}});
    return entry ? Result<void>{} : entry.error();
}

MetadataEnvelope Release::contact_state(const ContactState& state) {
    MetadataEnvelope envelope{Kind::contact_state};
    envelope.put(Field::stage, state.stage)
        .put(Field::tags, state.tags)
        .put(Field::channel, state.channel)
        .put(Field::last, state.last)
        .put(Field::next, state.next);
    return envelope;
}

MetadataEnvelope Release::appt_state(const ApptState& state, const envelope::Pseudonym& aid) const {
    MetadataEnvelope envelope{Kind::appt_state};
    envelope.put(Field::aid, aid).put(Field::status, state.status).put(Field::when, state.when);
    if (policy_.basis != Basis::deid) envelope.put(Field::visit, state.visit);
    return envelope;
}

Result<void> Release::tell_appointment(const ApptState& state) {
    auto aid = Links::aid(txn_, Destination::crm, patient_, state.appointment);
    if (!aid) return aid.error();
    return say(appt_state(state, *aid));
}

Result<void> Release::tell_gone_appointment() {
    if (!changed_) return {};
    auto said = last_said(Kind::appt_state);
    if (!said) return said.error();
    if (said->is_empty()) return {};
    auto aid = Links::aid(txn_, Destination::crm, patient_, *changed_);
    if (!aid) return aid.error();
    if (said->newest().find(aid->text()) == std::string::npos) return {};
    return say(appt_state({*changed_, envelope::ApptStatus::cancelled, envelope::Visit::other, {}}, *aid));
}

Result<bool> Release::appointment_is_news(const PatientFacts& facts, const ApptState& state) {
    const auto stored = std::ranges::find(facts.appointments, state.appointment, &records::AppointmentFacts::id);
    if (stored == facts.appointments.end()) return false;
    const bool to_come = records::is_open(stored->status) && state.when != envelope::TimeBucket{envelope::Bucket::past};
    if (to_come || changed_ == state.appointment) return true;
    auto said = last_said(Kind::appt_state);
    if (!said) return said.error();
    return !said->is_empty();
}

SayBeside Release::saying() {
    return [this](MetadataEnvelope envelope, std::int64_t number) {
        return say(std::move(envelope), std::nullopt, number);
    };
}

Result<bool> Release::something_waits() {
    for (const Kind kind : {Kind::contact_state, Kind::appt_state, Kind::contact_suppress, Kind::contact_merge}) {
        auto said = last_said(kind);
        if (!said) return said.error();
        if (said->waits()) return true;
    }
    for (const auto scope : {envelope::Scope::crm_sync, envelope::Scope::reminders, envelope::Scope::marketing}) {
        auto said = last_said(Kind::consent_state, scope);
        if (!said) return said.error();
        if (said->waits()) return true;
    }
    const auto booking_waits = bookings_.something_waits();
    if (!booking_waits || *booking_waits) return booking_waits;
    return cases_.something_waits();
}

Result<void> Release::say(MetadataEnvelope envelope, std::optional<envelope::Scope> scope,
                          std::optional<std::int64_t> number) {
    auto pid = Links::pid(txn_, Destination::crm, patient_);
    if (!pid) return pid.error();
    envelope.put(Field::pid, *pid).put_site(policy_.site);
    if (hear_ != nullptr) {
        (*hear_)(envelope, number);
        return {};
    }
    auto said =
        number ? Outbox::last_said_of(txn_, patient_, envelope.kind(), *number) : last_said(envelope.kind(), scope);
    if (!said) return said.error();
    const bool held = said->newest() == envelope.content();
    if (held && !(said->unsure && !said->waits())) return {};
    auto sequence = Links::next_sequence(txn_, Destination::crm, patient_);
    if (!sequence) return sequence.error();
    envelope.put(Field::mid, envelope::Pseudonym::random('m')).put_sequence(*sequence);
    const auto parked = decision_.clock_holds ? std::optional<std::string_view>{"clock"} : std::nullopt;
    auto row = Outbox::push(txn_, Destination::crm, patient_, envelope, parked, coalesce_, number);
    if (!row) return row.error();
    did_anything_ = true;
    return {};
}

} // namespace clinic::release
