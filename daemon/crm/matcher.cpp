#include "daemon/crm/matcher.h"

#include <algorithm>
#include <chrono>
#include <ratio>

#include "daemon/audit/trail.h"
#include "daemon/crm/linking.h"
#include "daemon/crm/reconciler.h"
#include "daemon/records/patients.h"

namespace clinic::crm {
namespace {

using envelope::Match;
using envelope::Matched;
using envelope::MatchProbe;
using records::PatientId;
using records::Transaction;

constexpr std::size_t offered_max = 20; // more have one number: it is a switchboard's, and nobody chooses among them

Result<void> add(std::vector<PatientId>& all, Transaction& txn, Literal kind, const std::string& value) {
    if (value.empty()) return {};
    const auto found = records::find_by_index(txn, kind, value);
    CLINIC_TRY(found);
    all.insert(all.end(), found->begin(), found->end());
    return {};
}

// Each once; test traffic and those who are erased are nobody.
Result<std::vector<PatientId>> people(Transaction& txn, const MatchProbe& probe) {
    std::vector<PatientId> all, out;
    CLINIC_TRY(add(all, txn, "phone", probe.phone));
    CLINIC_TRY(add(all, txn, "phone", probe.national));
    CLINIC_TRY(add(all, txn, "email", probe.email));
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    for (const PatientId one : all) {
        const auto facts = records::patient_facts(txn, one);
        if (!facts && facts.error().code == Errc::not_found) continue;
        CLINIC_TRY(facts);
        const auto apart = is_kept_apart(txn, probe.contact, one);
        CLINIC_TRY(apart);
        const bool real =
            facts->status == records::PatientStatus::active || facts->status == records::PatientStatus::inactive;
        if (real && !facts->test_traffic && !*apart) out.push_back(one);
    }
    return out;
}

// Or may have one: linked to another meanwhile, nobody would look for what a create without an answer has made.
Result<bool> has_a_contact(Transaction& txn, PatientId patient) {
    const auto contact = outbox::Links::contact(txn, patient);
    CLINIC_TRY(contact);
    if (!contact->empty()) return true;
    return outbox::Links::create_is_unsure(txn, patient);
}

Result<void> note(Transaction& txn, audit::Action action, Literal detail, std::vector<PatientId> subjects) {
    const auto noted = audit::Trail::append(txn, {.actor = audit::Actor::egress,
                                                  .action = action,
                                                  .purpose = audit::Purpose::release,
                                                  .detail = detail,
                                                  .subjects = std::move(subjects)});
    return noted ? Result<void>{} : noted.error();
}

} // namespace

bool Allowance::has_any(base::Micros now) {
    const double days = std::chrono::duration<double, std::ratio<86'400>>(now - looked_at_.value_or(now)).count();
    left_ = std::min<double>(per_day_, left_ + days * per_day_);
    looked_at_ = now;
    return left_ >= 1;
}

Result<Matched> Matcher::match(Transaction& txn, const MatchProbe& probe) {
    const auto allowed = may_probe(txn, releaser_);
    CLINIC_TRY(allowed);
    if (!*allowed) return Matched{Match::refused};
    const auto contact = find(txn, envelope::CrmKind::contact, probe.contact);
    CLINIC_TRY(contact);
    if (!*contact || (*contact)->fact.deleted() || (*contact)->matching == Matching::kept_apart)
        return Matched{Match::refused};
    const auto linked = outbox::Links::patients_of(txn, probe.contact);
    CLINIC_TRY(linked);
    if (!linked->empty()) return Matched{Match::linked};
    if (was_asked_about(**contact)) return Matched{Match::refused}; // else whoever asks could try number after number
    if (!allowance_.has_any(txn.monotonic())) return Matched{Match::refused};
    allowance_.take();
    const auto found = people(txn, probe);
    CLINIC_TRY(found);
    const std::int64_t row = (*contact)->row, seen = (*contact)->fact.updated_ms;
    if (found->empty() || found->size() > offered_max) {
        CLINIC_TRY(set_matching(txn, row, Matching::none, seen));
        CLINIC_TRY(note(txn, audit::Action::read, "crm_nobody", {}));
        return Matched{Match::none};
    }
    if (found->size() == 1) {
        const auto held = has_a_contact(txn, found->front());
        CLINIC_TRY(held);
        if (!*held) {
            CLINIC_TRY(set_matching(txn, row, Matching::none, seen));
            CLINIC_TRY(note(txn, audit::Action::update, "crm_linked", {found->front()}));
            CLINIC_TRY(Linking{releaser_}.link(txn, **contact, found->front()));
            return Matched{Match::linked};
        }
    }
    CLINIC_TRY(set_matching(txn, row, Matching::choice, seen));
    CLINIC_TRY(note(txn, audit::Action::read, "crm_choice", *found));
    CLINIC_TRY(offer(txn, row, *found));
    return Matched{Match::choice};
}

} // namespace clinic::crm
