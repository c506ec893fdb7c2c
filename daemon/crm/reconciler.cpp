#include "daemon/crm/reconciler.h"

#include "daemon/crm/matcher.h"
#include "daemon/crm/slots.h"
#include "daemon/crm/states.h"
#include "sync/envelope/crm_strip.h"

namespace clinic::crm {
namespace {

using envelope::CrmContact;
using envelope::CrmFact;
using envelope::CrmKind;
using envelope::FactTaken;
using envelope::Taken;
using outbox::Links;
using records::PatientId;
using records::Transaction;

bool is_later(const CrmFact& fact, const CrmFact& known) {
    return std::pair{fact.updated_ms, fact.read_ms} > std::pair{known.updated_ms, known.read_ms};
}

} // namespace

Result<bool> may_probe(records::Session& session, const release::Releaser& releaser) {
    const auto policy = releaser.policy(session);
    CLINIC_TRY(policy);
    if (policy->has_expiry() && !releaser.clock_trusted()) return false;
    const auto basis = policy->effective(session.now());
    return basis != release::Basis::off && basis != release::Basis::deid;
}

Result<FactTaken> Reconciler::take(Transaction& txn, const CrmFact& fact) {
    // clinic-syncd has taken away what is not configured; a word that is none of ours is not kept here either.
    if (!envelope::is_configured(fact, options_.reads)) return FactTaken{Taken::refused};
    auto before = find(txn, fact.kind, fact.id);
    CLINIC_TRY(before);
    if (*before) {
        CrmFact& known = (*before)->fact;
        if (is_read_ahead(known.read_ms, txn.now())) known.read_ms = 0;
        if (known.deleted()) return FactTaken{fact.deleted() ? Taken::known : Taken::after_delete};
        // A deletion needs no order: nothing that is deleted comes back under its id.
        const bool same = fact.said == known.said && fact.updated_ms == known.updated_ms;
        if (!fact.deleted() && !same && !is_later(fact, known))
            return FactTaken{fact.said == known.said ? Taken::known : Taken::stale};
        if (same) {
            if (is_later(fact, known)) {
                CLINIC_TRY(touch(txn, (*before)->row, fact.read_ms));
                known.read_ms = fact.read_ms;
                CLINIC_TRY(comparison_.compare(txn, **before));
            }
            // It may have come before its identifiers might be asked about, or their probe was lost.
            const auto probe = wants_probe(txn, **before);
            CLINIC_TRY(probe);
            return FactTaken{Taken::known, *probe};
        }
    }
    const auto row = put(txn, *before, fact);
    // What is known already goes on to be looked after; that there is no room for more is on the page.
    if (!row && row.error().code == Errc::full && !*before) {
        const auto full = is_full(txn);
        CLINIC_TRY(full);
        if (*full) return FactTaken{Taken::refused};
    }
    CLINIC_TRY(row);
    auto now = object_at(txn, *row);
    CLINIC_TRY(now);
    CLINIC_TRY(comparison_.compare(txn, **now)); // as it is, before anything is done about it
    CLINIC_TRY(effect(txn, **now, *before));
    const auto probe = wants_probe(txn, **now);
    CLINIC_TRY(probe);
    return FactTaken{Taken::stored, *probe};
}

Result<void> Reconciler::effect(Transaction& txn, const Object& now, const std::optional<Object>& before) {
    switch (now.fact.kind) {
    case CrmKind::contact: return contact_changed(txn, now, before);
    case CrmKind::appointment:
        CLINIC_TRY(bookings_.check(txn, now, true));
        return check_slot(txn, now, options_.slots_at_once);
    case CrmKind::opportunity: return OwnCases{releaser_, options_.pipeline}.changed(txn, now);
    case CrmKind::location:
        if (!before || before->fact.said == now.fact.said) break;
        return record(txn, now.row, Field::zone, std::get<envelope::CrmLocation>(before->fact.said).zone,
                      now.fact.deleted() ? "none" : std::get<envelope::CrmLocation>(now.fact.said).zone,
                      Settled::by_rule);
    }
    return {};
}

// Who is linked to it; else whose marker it carries, where we do not know whether a create of ours has happened.
Result<std::vector<PatientId>> Reconciler::patients_of(Transaction& txn, const Object& contact) {
    auto linked = Links::patients_of(txn, contact.fact.id);
    CLINIC_TRY(linked);
    const auto* said = std::get_if<CrmContact>(&contact.fact.said);
    if (!linked->empty() || said == nullptr || said->pid.empty()) return linked;
    const auto marked = Links::patient_by_pid(txn, said->pid);
    CLINIC_TRY(marked);
    if (!*marked) return linked;
    const auto known = Links::contact(txn, **marked);
    CLINIC_TRY(known);
    const auto unsure = Links::create_is_unsure(txn, **marked);
    CLINIC_TRY(unsure);
    if (!known->empty() || !*unsure) {
        CLINIC_TRY(record(txn, contact.row, Field::marker, known->empty() ? "not linked" : "another contact",
                          "carries the marker", Settled::open));
        return linked;
    }
    CLINIC_TRY(Links::set_contact(txn, **marked, contact.fact.id, outbox::Made::by_us));
    return std::vector{**marked};
}

Result<void> Reconciler::contact_changed(Transaction& txn, const Object& now, const std::optional<Object>& before) {
    const auto patients = patients_of(txn, now);
    CLINIC_TRY(patients);
    if (now.fact.deleted()) {
        CLINIC_TRY(withdraw_offer(txn, now.row));
        CLINIC_TRY(set_matching(txn, now.row, Matching::none, now.probed_ms));
        return patients->empty()
                   ? Result<void>{}
                   : record(txn, now.row, Field::contact_deleted, "linked to a patient", "deleted", Settled::open);
    }
    const States states{releaser_};
    for (const PatientId patient : *patients) {
        CLINIC_TRY(states.restrict(txn, now, before, patient));
        CLINIC_TRY(states.compare(txn, now, patient));
    }
    return {};
}

// Asked about once for each time that GHL changed it; not where a person is asked, or has said it.
Result<bool> Reconciler::wants_probe(Transaction& txn, const Object& contact) {
    const auto* said = std::get_if<CrmContact>(&contact.fact.said);
    if (said == nullptr || !said->pid.empty()) return false;
    if (was_asked_about(contact) || !allowance_.has_any(txn.monotonic())) return false;
    const auto linked = Links::patients_of(txn, contact.fact.id);
    CLINIC_TRY(linked);
    return linked->empty() ? may_probe(txn, releaser_) : Result<bool>{false};
}

Result<envelope::Matched> Reconciler::match(Transaction& txn, const envelope::MatchProbe& probe) {
    return Matcher{releaser_, allowance_}.match(txn, probe);
}

Result<envelope::WalkTerms> Reconciler::walk(Transaction& txn, const envelope::CrmWalk& done) {
    const auto deleted = doubts_.looked(txn, done);
    CLINIC_TRY(deleted);
    if (*deleted) CLINIC_TRY(deleted_there(txn, done));
    // Between two steps of a comparison nothing else is read, and before one that a person has asked for.
    const auto open = Walks::under_way(txn);
    CLINIC_TRY(open);
    if (done.walk == 0 && (!*open || (*open)->nightly)) {
        auto doubted = doubts_.next(txn);
        if (!doubted || doubted->step != envelope::WalkStep::rest) return doubted;
    }
    return walks_.step(txn, done, releaser_.clock_trusted());
}

// As if GHL had told us that it was deleted, but of a patient's contact: that is gone until it is seen again.
Result<void> Reconciler::deleted_there(Transaction& txn, const envelope::CrmWalk& done) {
    if (done.kind == CrmKind::contact) {
        const auto linked = Links::patients_of(txn, done.looked);
        CLINIC_TRY(linked);
        if (!linked->empty()) return gone(txn, done.looked);
    }
    const auto told = take(
        txn, {.id = done.looked, .kind = done.kind, .updated_ms = 0, .read_ms = txn.now().micros / 1'000, .said = {}});
    return told ? Result<void>{} : told.error();
}

Result<envelope::PollTerms> Reconciler::polled(Transaction& txn, const envelope::CrmPolled& polled) {
    if (polled.code.empty()) {
        const auto again = again_.next(txn);
        CLINIC_TRY(again);
        CLINIC_TRY(bookings_.check_again(txn, again->bookings));
        CLINIC_TRY(comparison_.compare_bookings_again(txn, compared_after_));
        CLINIC_TRY(check_slots(txn, again->slots, options_.slots_at_once));
        if (releaser_.clock_trusted()) CLINIC_TRY(purge_settled(txn));
    }
    CLINIC_TRY(doubts_.heard(txn, polled));
    const auto probing = may_probe(txn, releaser_);
    CLINIC_TRY(probing);
    return envelope::PollTerms{*probing};
}

} // namespace clinic::crm
