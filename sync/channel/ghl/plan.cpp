#include "sync/channel/ghl/plan.h"

#include <algorithm>
#include <cassert>
#include <initializer_list>

namespace clinic::ghl {
namespace {

using envelope::Field;
using envelope::Kind;
using envelope::MetadataEnvelope;
using envelope::Word;

Word word(const char* text) {
    const auto found = Word::parse(text);
    assert(found);
    return *found;
}

bool holds(const Tags& tags, const Word& wanted) {
    return std::find(tags.begin(), tags.end(), wanted) != tags.end();
}

Tags without(const Tags& tags, const Tags& gone) {
    Tags out;
    for (const auto& one : tags)
        if (!holds(gone, one)) out.push_back(one);
    return out;
}

Tags whole_vocabulary() {
    Tags out;
    for (const char* text : envelope::vocabulary) out.push_back(word(text));
    return out;
}

std::vector<FieldValue> present(const MetadataEnvelope& envelope,
                                std::initializer_list<std::pair<Field, const std::string*>> map) {
    std::vector<FieldValue> out;
    for (const auto& [field, id] : map)
        if (const auto value = envelope.text(field); !value.empty()) out.emplace_back(*id, value);
    return out;
}

std::vector<FieldValue> archived(const WriteRules::Fields& ids) {
    return {{ids.stage, "archived"},
            {ids.last, "none"},
            {ids.next, "none"},
            {ids.appt_status, "none"},
            {ids.appt_when, "none"}};
}

Wanted contact_state(const WriteRules& rules, const envelope::Lease& lease, const MetadataEnvelope& envelope) {
    const auto& ids = rules.fields;
    Wanted out;
    out.fields = present(envelope, {{Field::stage, &ids.stage}, {Field::last, &ids.last}, {Field::next, &ids.next}});
    out.add = envelope.tags();
    // The envelope names every word that holds. What GHL has from us is not always known: then all others go, but a
    // do-not-contact that we never set is somebody's word over there.
    Tags held = lease.prior_tags ? *lease.prior_tags : whole_vocabulary();
    if (!lease.prior_tags && !lease.may_lift) held = without(held, {word("do_not_contact")});
    out.remove = without(held, out.add);
    return out;
}

Wanted consent_state(const envelope::Lease& lease) {
    const auto scope = lease.envelope->text(Field::scope);
    const bool granted = lease.envelope->text(Field::state) == envelope::name(envelope::Grant::granted);
    Wanted out;
    if (scope == envelope::name(envelope::Scope::reminders))
        (granted ? out.remove : out.add) = {word("do_not_contact")};
    if (scope == envelope::name(envelope::Scope::marketing))
        (granted ? out.add : out.remove) = {word("review_ok"), word("referral_ok")};
    return out;
}

Wanted suppressed(const WriteRules& rules) {
    const Tags stays{word("do_not_contact")};
    return {archived(rules.fields), stays, without(whole_vocabulary(), stays), Dnd::set};
}

// The link moved with the survivor: the contact stays, and from now on answers to the survivor's pseudonym.
bool has_moved(const envelope::Lease& lease) {
    return lease.old_contact == lease.contact;
}

std::vector<Call> merge(const WriteRules& rules, const envelope::Lease& lease, const Wanted& say) {
    if (lease.old_contact.empty()) return {};
    if (has_moved(lease)) return {put_fields(lease.contact, say.fields)};
    return {put_fields(lease.old_contact, say.fields, say.dnd), remove_tags(rules, lease.old_contact, say.remove)};
}

Wanted merged(const WriteRules& rules, const envelope::Lease& lease) {
    if (!has_moved(lease)) return {archived(rules.fields), {}, whole_vocabulary(), Dnd::set};
    return {{{rules.fields.pid, std::string{lease.envelope->text(Field::pid)}}}, {}, {}, Dnd::as_it_is};
}

Wanted wanted_of(const WriteRules& rules, const envelope::Lease& lease, const MetadataEnvelope& envelope) {
    const auto& ids = rules.fields;
    switch (envelope.kind()) {
    case Kind::contact_state: return contact_state(rules, lease, envelope);
    case Kind::appt_state:
        return {present(envelope, {{Field::status, &ids.appt_status}, {Field::when, &ids.appt_when}}),
                {},
                {},
                Dnd::as_it_is};
    case Kind::consent_state: return consent_state(lease);
    case Kind::contact_suppress: return suppressed(rules);
    case Kind::contact_merge: return merged(rules, lease);
    case Kind::case_state:
    case Kind::booking_state: break;
    }
    return {};
}

bool lifts_do_not_contact(const WriteRules& rules, const envelope::Lease& lease) {
    const auto say = wanted(rules, lease);
    return !lease.contact.empty() && std::ranges::find(say.remove, word("do_not_contact")) != say.remove.end();
}

} // namespace

Wanted wanted(const WriteRules& rules, const envelope::Lease& lease) {
    auto out = wanted_of(rules, lease, *lease.envelope);
    if (!lease.also) return out;
    // The two states of a subject have no field in common, and one of them alone has tags.
    auto other = wanted_of(rules, lease, *lease.also);
    out.fields.insert(out.fields.end(), other.fields.begin(), other.fields.end());
    if (lease.also->kind() == Kind::contact_state) {
        out.add = std::move(other.add);
        out.remove = std::move(other.remove);
    }
    return out;
}

Expected expected(const WriteRules& rules, const envelope::Lease& lease) {
    const auto say = wanted(rules, lease);
    Expected out{say.fields, {}, {}, say.dnd == Dnd::set};
    for (const auto& word : say.add) out.tags.push_back(envelope::tag_of(word, rules.tag_prefix));
    for (const auto& word : say.remove) out.no_tags.push_back(envelope::tag_of(word, rules.tag_prefix));
    return out;
}

const std::string& written_to(const envelope::Lease& lease, const std::string& contact) {
    return lease.envelope->kind() == Kind::contact_merge ? lease.old_contact : contact;
}

bool always_read_back(const WriteRules& rules, const envelope::Lease& lease) {
    const auto kind = lease.envelope->kind();
    if (kind == Kind::case_state) return lease.envelope->text(Field::stage) == name(envelope::Stage::archived);
    if (kind == Kind::booking_state) return !envelope::wants_object(*lease.envelope);
    // Nothing else tells of a do-not-contact that was not set, or not lifted: the comparison takes it for a person's.
    if (kind == Kind::contact_state || lease.also) return lifts_do_not_contact(rules, lease);
    if (kind == Kind::consent_state) return lease.envelope->text(Field::scope) == name(envelope::Scope::reminders);
    return kind == Kind::contact_suppress || kind == Kind::contact_merge;
}

bool may_create(Kind kind) {
    return kind == Kind::contact_state || kind == Kind::appt_state || kind == Kind::consent_state;
}

Call shell(const WriteRules& rules, const envelope::Lease& lease) {
    const auto first = wanted(rules, lease);
    return create_shell(rules, lease.envelope->text(Field::pid), first.add, first.fields);
}

std::vector<Call> writes(const WriteRules& rules, const envelope::Lease& lease, std::string_view contact) {
    auto say = wanted(rules, lease);
    if (lease.envelope->kind() == Kind::contact_merge) return merge(rules, lease, say);
    if (lease.prior_tags) say.add = without(say.add, *lease.prior_tags); // what GHL holds of us is not said again
    std::vector<Call> out;
    if (!say.fields.empty()) out.push_back(put_fields(contact, say.fields, say.dnd));
    if (!say.add.empty()) out.push_back(add_tags(rules, contact, say.add));
    if (!say.remove.empty()) out.push_back(remove_tags(rules, contact, say.remove));
    return out;
}

} // namespace clinic::ghl
