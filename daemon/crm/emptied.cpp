#include "daemon/crm/emptied.h"

#include <algorithm>

namespace clinic::crm {
namespace {

using envelope::Destination;
using envelope::Kind;
using outbox::Ledger;
using outbox::Outbox;
using records::PatientId;
using records::Session;

// All in whose name the contact of one of them may have been emptied: a chain of merges ends with one person.
Result<std::vector<PatientId>> family_of(Session& session, PatientId prior) {
    const auto survivor = survivor_behind(session, prior);
    CLINIC_TRY(survivor);
    if (!*survivor) return std::vector<PatientId>{};
    auto all = records::merged_into(session, **survivor);
    CLINIC_TRY(all);
    all->push_back(**survivor);
    return all;
}

Result<std::optional<Timestamp>> newest_merge(Session& session, PatientId prior) {
    const auto family = family_of(session, prior);
    CLINIC_TRY(family);
    std::optional<Timestamp> newest;
    for (const PatientId one : *family) {
        const auto at = Ledger::newest_write(session, one, Kind::contact_merge);
        CLINIC_TRY(at);
        newest = std::max(newest, *at);
    }
    return newest;
}

} // namespace

Result<std::optional<PatientId>> survivor_behind(Session& session, PatientId patient) {
    const auto facts = records::patient_facts(session, patient);
    if (!facts && facts.error().code == Errc::not_found) return std::optional<PatientId>{};
    CLINIC_TRY(facts);
    return facts->merged_into;
}

Result<bool> is_to_be_empty(Session& session, PatientId patient, const std::vector<PatientId>& linked) {
    if (linked.size() != 1) return false;
    const auto survivor = survivor_behind(session, patient);
    CLINIC_TRY(survivor);
    if (!*survivor) return false;
    for (const Kind kind : {Kind::contact_state, Kind::appt_state, Kind::contact_suppress}) {
        const auto said = Outbox::last_said(session, Destination::crm, patient, kind);
        CLINIC_TRY(said);
        if (!said->is_empty()) return true;
    }
    return outbox::Links::is_ours(session, patient);
}

Result<bool> a_merge_waits(Session& session, PatientId prior) {
    const auto family = family_of(session, prior);
    CLINIC_TRY(family);
    for (const PatientId one : *family) {
        const auto merge = Outbox::last_said(session, Destination::crm, one, Kind::contact_merge);
        CLINIC_TRY(merge);
        if (merge->waits()) return true;
    }
    return false;
}

Result<std::optional<PatientId>> marked_before(Session& session, const envelope::CrmContact& theirs,
                                               PatientId patient) {
    const auto named = outbox::Links::patient_by_pid(session, theirs.pid);
    CLINIC_TRY(named);
    if (!*named) return *named;
    const auto survivor = survivor_behind(session, **named);
    CLINIC_TRY(survivor);
    if (*survivor != patient) return std::optional<PatientId>{};
    const auto own = outbox::Links::contact(session, **named);
    CLINIC_TRY(own);
    return own->empty() ? *named : std::optional<PatientId>{};
}

Result<std::optional<Timestamp>> newest_write(Session& session, PatientId patient) {
    const auto own = Ledger::newest_write(session, patient);
    CLINIC_TRY(own);
    const auto merge = newest_merge(session, patient);
    CLINIC_TRY(merge);
    return std::max(*own, *merge);
}

Result<bool> merge_wrote_since(Session& session, PatientId prior, Timestamp since) {
    const auto merge = newest_merge(session, prior);
    CLINIC_TRY(merge);
    return *merge && **merge >= since;
}

} // namespace clinic::crm
