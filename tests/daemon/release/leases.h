// Generated leases over every kind, field and word, and the requests that clinic-syncd's own code makes of them.
#pragma once

#include <string>
#include <vector>

#include "daemon/release/last_check.h"
#include "sync/channel/ghl/plan.h"
#include "tests/daemon/release/people.h"

namespace clinic::release::testing {

inline constexpr std::string_view id_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

class Leases {
public:
    explicit Leases(std::uint64_t seed) : any_{seed} {}

    envelope::Lease next() {
        using envelope::Field;
        using envelope::Kind;
        envelope::MetadataEnvelope out{one(Kind::contact_merge)};
        out.put(Field::mid, envelope::Pseudonym::random('m')).put_site(envelope::random_site());
        out.put(Field::pid, envelope::Pseudonym::random('p'))
            .put_sequence(static_cast<std::int64_t>(any_.one_of(1U << 30U)));
        switch (out.kind()) {
        case Kind::contact_state:
            out.put(Field::stage, one(envelope::Stage::archived)).put(Field::tags, words());
            out.put(Field::channel, one(envelope::Channel::none)).put(Field::last, time()).put(Field::next, time());
            break;
        case Kind::appt_state: put_visit(out); break;
        case Kind::consent_state:
            out.put(Field::scope, one(envelope::Scope::marketing)).put(Field::state, one(envelope::Grant::expired));
            out.put_revision(1 + static_cast<int>(any_.one_of(9'999)));
            break;
        case Kind::contact_suppress: out.put(Field::reason, one(envelope::Reason::restricted)); break;
        case Kind::contact_merge: out.put(Field::old, envelope::Pseudonym::random('p')); break;
        case Kind::case_state:
            out.put(Field::stage, one(envelope::Stage::archived)).put(Field::outcome, one(envelope::Case::abandoned));
            break;
        case Kind::booking_state:
            out.put(Field::aid, envelope::Pseudonym::random('a')).put(Field::booking, one(envelope::Booking::invalid));
            put_slot(out);
            break;
        }
        return lease_of(std::move(out));
    }

private:
    void put_slot(envelope::MetadataEnvelope& out) {
        const auto from = static_cast<std::int64_t>(any_.one_of(envelope::quarter_max - envelope::slot_quarters_max));
        if (any_.one_of(4) != 0) out.put_slot(from, from + 1 + static_cast<std::int64_t>(any_.one_of(40)));
    }
    void put_visit(envelope::MetadataEnvelope& out) {
        out.put(envelope::Field::aid, envelope::Pseudonym::random('a'))
            .put(envelope::Field::status, one(envelope::ApptStatus::rescheduled));
        out.put(envelope::Field::visit, one(envelope::Visit::other)).put(envelope::Field::when, time());
    }
    // The same subject's other state, as it goes along.
    envelope::MetadataEnvelope visit_of(const envelope::MetadataEnvelope& state) {
        envelope::MetadataEnvelope out{envelope::Kind::appt_state};
        out.put(envelope::Field::mid, envelope::Pseudonym::random('m'))
            .put(envelope::Field::pid, *envelope::Pseudonym::parse(state.text(envelope::Field::pid), 'p'));
        put_visit(out);
        return out;
    }
    template <class Enum>
    Enum one(Enum last) {
        return static_cast<Enum>(any_.one_of(static_cast<std::size_t>(last) + 1));
    }
    envelope::TimeBucket time() {
        if (any_.one_of(8) == 0) return *envelope::TimeBucket::year(2000 + static_cast<int>(any_.one_of(100)));
        return one(envelope::Bucket::m6_plus);
    }
    std::vector<envelope::Word> words() {
        std::vector<envelope::Word> out;
        for (const char* word : envelope::vocabulary)
            if (any_.one_of(2) == 0) out.push_back(*envelope::Word::parse(word));
        return out;
    }
    std::string contact() { return any_.from(id_alphabet, 18 + any_.one_of(8)); }

    envelope::Lease lease_of(envelope::MetadataEnvelope envelope) {
        envelope::Lease lease{.lease = 1, .envelope = std::move(envelope)};
        const auto kind = lease.envelope->kind();
        lease.create = ghl::may_create(kind) && any_.one_of(3) == 0;
        if (!lease.create) lease.contact = contact();
        if (envelope::is_beside(kind) && any_.one_of(2) == 0) lease.object = contact();
        if (kind == envelope::Kind::contact_merge) lease.old_contact = any_.one_of(4) == 0 ? lease.contact : contact();
        if (any_.one_of(2) == 0) lease.prior_tags = words();
        if (kind == envelope::Kind::contact_state && any_.one_of(2) == 0) lease.also = visit_of(*lease.envelope);
        return lease;
    }

    People any_;
};

// What the store issued or recorded for this lease.
inline Allowed allowed_of(const envelope::Lease& lease) {
    Allowed allowed;
    for (const auto* one : {&lease.envelope, &lease.also})
        for (const auto field : {envelope::Field::pid, envelope::Field::aid, envelope::Field::old})
            if (*one && !(*one)->text(field).empty()) allowed.ids.emplace_back((*one)->text(field));
    for (const auto& contact : {lease.contact, lease.old_contact, lease.object})
        if (!contact.empty()) allowed.ids.push_back(contact);
    if (const auto slot = lease.envelope->slot())
        for (const auto quarter : {slot->first, slot->second}) allowed.ids.push_back(envelope::quarter_time(quarter));
    return allowed;
}

// What is beside the contact: looked for and made, or written and read back where its id is known.
inline std::vector<ghl::Call> calls_beside(const envelope::WriteRules& rules, const envelope::Lease& lease) {
    const auto& state = *lease.envelope;
    if (state.kind() == envelope::Kind::case_state) {
        if (!lease.object.empty()) return {ghl::put_case(rules, lease.object, state), ghl::read_case(lease.object)};
        return {ghl::search_case(rules, lease.contact), ghl::create_case(rules, lease.contact, state)};
    }
    if (!lease.object.empty()) return {ghl::put_booking(lease.object, state), ghl::read_booking(lease.object)};
    std::vector<ghl::Call> calls{ghl::search_bookings(lease.contact)};
    if (state.slot()) calls.push_back(ghl::create_booking(rules, lease.contact, state));
    return calls;
}

inline std::vector<envelope::Attempt> attempts_of(const envelope::WriteRules& rules, const envelope::Lease& lease) {
    std::vector<ghl::Call> calls{ghl::search_marker(rules, lease.envelope->text(envelope::Field::pid))};
    if (envelope::is_beside(lease.envelope->kind())) {
        calls = calls_beside(rules, lease);
    } else if (lease.create) {
        calls.push_back(ghl::shell(rules, lease));
    } else {
        const auto writes = ghl::writes(rules, lease, lease.contact);
        calls.insert(calls.end(), writes.begin(), writes.end());
    }
    std::vector<envelope::Attempt> attempts;
    for (const auto& call : calls) attempts.push_back({lease.lease, call.route, call.path, call.body});
    return attempts;
}

} // namespace clinic::release::testing
