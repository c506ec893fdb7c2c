// Leases as clinicd hands them out, for the tests of the GHL channel.
#pragma once

#include <initializer_list>
#include <string>

#include "sync/channel/ghl/requests.h"

namespace clinic::ghl {

inline const WriteRules& rules() {
    static const WriteRules one{.location = "loc1", .fields = {"fPid", "fStage", "fLast", "fNext", "fStatus", "fWhen"}};
    return one;
}

inline Tags words(std::initializer_list<const char*> texts) {
    Tags out;
    for (const char* text : texts) out.push_back(*envelope::Word::parse(text));
    return out;
}

inline envelope::MetadataEnvelope common(envelope::Kind kind) {
    envelope::MetadataEnvelope out{kind};
    out.put(envelope::Field::mid, envelope::Pseudonym::random('m')).put_site("s_0123456789");
    out.put(envelope::Field::pid, envelope::Pseudonym::random('p')).put_sequence(3);
    return out;
}

inline envelope::Lease leased(envelope::MetadataEnvelope envelope) {
    return {.lease = 11, .envelope = std::move(envelope), .contact = "c1"};
}

inline envelope::Lease contact_state(std::initializer_list<const char*> tags) {
    auto out = common(envelope::Kind::contact_state);
    out.put(envelope::Field::stage, envelope::Stage::recall_due).put(envelope::Field::tags, words(tags));
    out.put(envelope::Field::channel, envelope::Channel::sms);
    out.put(envelope::Field::last, envelope::Bucket::past).put(envelope::Field::next, envelope::Bucket::none);
    return leased(std::move(out));
}

inline envelope::Lease appt_state() {
    auto out = common(envelope::Kind::appt_state);
    out.put(envelope::Field::aid, envelope::Pseudonym::random('a'))
        .put(envelope::Field::status, envelope::ApptStatus::confirmed);
    out.put(envelope::Field::visit, envelope::Visit::first).put(envelope::Field::when, envelope::Bucket::d3_7);
    return leased(std::move(out));
}

// Both states of one subject.
inline envelope::Lease both_states(std::initializer_list<const char*> tags) {
    auto lease = contact_state(tags);
    lease.also = appt_state().envelope;
    lease.also->put(envelope::Field::pid, *envelope::Pseudonym::parse(lease.envelope->text(envelope::Field::pid), 'p'));
    return lease;
}

inline envelope::Lease consent_state(envelope::Scope scope, envelope::Grant state) {
    auto out = common(envelope::Kind::consent_state);
    out.put(envelope::Field::scope, scope).put(envelope::Field::state, state).put_revision(1);
    return leased(std::move(out));
}

inline envelope::Lease suppress() {
    auto out = common(envelope::Kind::contact_suppress);
    out.put(envelope::Field::reason, envelope::Reason::revoked);
    return leased(std::move(out));
}

inline envelope::Lease merge(std::string contact, std::string old) {
    auto out = common(envelope::Kind::contact_merge);
    out.put(envelope::Field::old, envelope::Pseudonym::random('p'));
    auto lease = leased(std::move(out));
    lease.contact = std::move(contact);
    lease.old_contact = std::move(old);
    return lease;
}

// No contact yet, and the policy makes one.
inline envelope::Lease to_create(envelope::Lease lease) {
    lease.contact.clear();
    lease.create = true;
    return lease;
}

} // namespace clinic::ghl
