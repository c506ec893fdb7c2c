#include "daemon/egress/gate.h"

#include <algorithm>

#include "daemon/audit/trail.h"
#include "daemon/egress/said.h"
#include "daemon/outbox/dead_letters.h"
#include "daemon/records/patients.h"
#include "sync/envelope/crm_reads.h"

namespace clinic::egress {
namespace {

using envelope::Answer;
using envelope::Attempt;
using envelope::Field;
using outbox::Ledger;
using outbox::Links;
using outbox::Outbox;

constexpr unsigned turns_to_the_oldest = 4;             // one of so many, while something fresh waits beside a backlog
constexpr std::chrono::milliseconds ready_after{5'000}; // until an attempt that was held for it is tried again
constexpr const char* dry_code = "dry_run";
constexpr const char* linked_code = "linked";
constexpr int dead_a_lease = 100; // given up before the next lease, where there are too many

Judged say(std::int64_t line, Answer answer, const char* code, bool blocked = false) {
    return {.verdict = {.attempt = line, .answer = answer, .code = code}, .blocked = blocked};
}

void add(std::vector<std::string>& ids, std::string_view id) {
    if (!id.empty()) ids.emplace_back(id);
}

// The ids that the store issued or recorded for this very lease.
Result<release::Allowed> allowed_ids(records::Transaction& txn, const std::vector<outbox::Leased>& lease) {
    release::Allowed allowed;
    for (const auto& one : lease)
        for (const Field field : {Field::pid, Field::aid, Field::old}) add(allowed.ids, one.envelope.text(field));
    const auto contacts = Links::contacts_of(txn, lease.front()); // of one subject: the same
    CLINIC_TRY(contacts);
    for (const auto& contact : *contacts) add(allowed.ids, contact);
    add(allowed.ids, lease.front().object);
    add(allowed.ids, lease.front().left_at);
    if (const auto slot = lease.front().envelope.slot())
        for (const auto quarter : {slot->first, slot->second}) add(allowed.ids, envelope::quarter_time(quarter));
    return allowed;
}

// The opportunity or the booking is another one than when the lease was handed out, or there is one now; or the contact
// that it was to be made for is not the patient's any more.
bool is_another_object(const Attempt& attempt, const outbox::Leased& lease) {
    using envelope::Route;
    if (attempt.route == Route::case_create || attempt.route == Route::booking_create)
        return !lease.object.empty() || !lease.left_at.empty() || lease.forgotten;
    if (attempt.route != Route::case_update && attempt.route != Route::booking_update &&
        attempt.route != Route::case_read && attempt.route != Route::booking_read)
        return false;
    return std::string_view{attempt.path}.substr(attempt.path.rfind('/') + 1) != lease.object;
}

// The contact has been left since the lease was handed out. Where there was none, its create is looked at by itself.
Result<bool> was_left(records::Session& session, const outbox::Leased& lease, const outbox::Addressed& then) {
    const auto now = Links::addressed(session, lease);
    CLINIC_TRY(now);
    if (lease.envelope.kind() == envelope::Kind::contact_merge) return *now != then;
    return !then.contact.empty() && now->contact != then.contact;
}

// What one contact has answered says nothing of the next: it is still to be said there.
envelope::Settle again_elsewhere(envelope::Settle outcome) {
    outcome.outcome = envelope::Outcome::retry;
    outcome.code = linked_code;
    outcome.counts_against = false;
    outcome.contact.clear(); // nor is it the patient's: whose word the link is, has the last one
    return outcome;
}

// Of what is read by its id: one that GHL has shown, or a contact that somebody is linked to.
Result<bool> is_known(records::Transaction& txn, envelope::CrmKind kind, std::string_view path) {
    const auto id = path.substr(path.rfind('/') + 1);
    const auto seen = crm::find(txn, kind, id);
    CLINIC_TRY(seen);
    if (*seen || kind != envelope::CrmKind::contact) return seen->has_value();
    const auto linked = Links::patients_of(txn, id);
    CLINIC_TRY(linked);
    return !linked->empty();
}

std::optional<envelope::CrmKind> kind_read(envelope::Route route) {
    switch (route) {
    case envelope::Route::contact_read: return envelope::CrmKind::contact;
    case envelope::Route::case_read: return envelope::CrmKind::opportunity;
    case envelope::Route::booking_read: return envelope::CrmKind::appointment;
    default: return std::nullopt;
    }
}

} // namespace

Gate::Gate(GateOptions options, const records::IdentifierIndex& identifiers, release::Releaser& releaser)
    : options_{std::move(options)}, identifiers_{identifiers}, releaser_{releaser},
      reconciler_{{.location = options_.rules.location,
                   .reads = options_.rules.reads,
                   .slots_at_once = options_.slots_at_once,
                   .compare_hour = options_.dry_run ? crm::no_hour : options_.compare_hour,
                   .index_lag = options_.index_lag,
                   .pipeline = options_.rules.pipeline},
                  releaser} {}

Result<envelope::Lease> Gate::lease(records::Transaction& txn, envelope::Destination destination,
                                    envelope::Least least) {
    // No request could pass: it waits for the settings.
    if (options_.rules.location.empty() || !options_.rules.fields.complete()) return envelope::Lease{};
    CLINIC_TRY(keep_dead_within_bound(txn));
    const auto policy = releaser_.policy(txn);
    CLINIC_TRY(policy);
    auto lease = Outbox::lease(txn, destination, policy->unlinked == release::Unlinked::shell,
                               options_.index_lag + options_.late,
                               {.least = least, .oldest_first = turns_++ % turns_to_the_oldest == 0});
    CLINIC_TRY(lease);
    return lease->has_value() ? std::move(**lease) : envelope::Lease{};
}

// Policy oldest_discarded: what is given up here is told again by the daily job, where it still holds.
Result<void> Gate::keep_dead_within_bound(records::Transaction& txn) {
    auto patients = outbox::DeadLetters::keep_bound(txn, dead_a_lease);
    CLINIC_TRY(patients);
    if (patients->empty()) return {};
    const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::job,
                                                  .action = audit::Action::release,
                                                  .purpose = audit::Purpose::operations,
                                                  .detail = "dead_over_bound",
                                                  .subjects = std::move(*patients)});
    return entry ? Result<void>{} : entry.error();
}

Result<Judged> Gate::judge(records::Transaction& txn, const Attempt& attempt, const outbox::Addressed& to) {
    if (attempt.lease == 0) return judge_read(txn, attempt);
    const auto lease = Outbox::leased(txn, attempt.lease);
    if (!lease && lease.error().code == Errc::not_found) return say(0, Answer::no, "lease_unknown");
    CLINIC_TRY(lease);
    const records::PatientId subject = lease->front().patient;
    std::vector<std::optional<release::Because>> because;
    for (const auto& one : *lease) {
        const auto still = releaser_.still_allowed(txn, one, attempt.route == envelope::Route::booking_create);
        CLINIC_TRY(still);
        because.push_back(*still);
    }
    if (std::ranges::any_of(because, [](const auto& one) { return one.has_value(); }))
        return not_allowed(txn, attempt, *lease, because);
    const auto left = was_left(txn, lease->front(), to);
    CLINIC_TRY(left);
    if (*left) return linked_meanwhile(txn, attempt, subject);
    if (attempt.route == envelope::Route::contact_create) {
        const auto contact = Links::contact(txn, subject);
        CLINIC_TRY(contact);
        if (!contact->empty()) return linked_meanwhile(txn, attempt, subject);
    }
    if (is_another_object(attempt, lease->front())) return linked_meanwhile(txn, attempt, subject);
    const auto allowed = allowed_ids(txn, *lease);
    CLINIC_TRY(allowed);
    if (const auto clean = release::last_check(identifiers_, options_.rules, attempt, *allowed); !clean)
        return clean.error().code == Errc::timeout ? not_ready(txn, attempt, *lease)
                                                   : caught(txn, attempt, *lease, clean.error());
    return allow(txn, attempt, *lease, *allowed);
}

Result<Judged> Gate::allow(records::Transaction& txn, const Attempt& attempt, const Leased& lease,
                           const release::Allowed& allowed) const {
    const records::PatientId subject = lease.front().patient;
    const std::string said = said_by(options_.rules, attempt, lease, allowed.ids);
    if (options_.dry_run) {
        const auto line = Ledger::open_line(txn, subject, attempt, "dry_run", said);
        CLINIC_TRY(line);
        return say(*line, Answer::dry, dry_code);
    }
    CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::egress,
                                          .action = audit::Action::disclose,
                                          .purpose = audit::Purpose::release,
                                          .detail = "ghl_request",
                                          .subjects = {subject}}));
    const auto line = Ledger::open_line(txn, subject, attempt, "open", said);
    CLINIC_TRY(line);
    return say(*line, Answer::go, "");
}

// What serves no envelope: is the location there, what has it, is our token good, what time is it; and the reads of the
// polling.
Result<Judged> Gate::judge_read(records::Transaction& txn, const Attempt& attempt) {
    if (!envelope::may_serve_none(attempt.route)) return say(0, Answer::no, "no_lease");
    if (const auto kind = kind_read(attempt.route)) {
        const auto known = is_known(txn, *kind, attempt.path);
        CLINIC_TRY(known);
        if (!*known) return say(0, Answer::no, "not_known");
    }
    if (!envelope::check_request(options_.rules, attempt.route, attempt.path, attempt.body))
        return say(0, Answer::no, "write_set");
    const auto line =
        envelope::is_poll_read(attempt.route)
            ? polls_.open(txn, attempt, options_.dry_run)
            : Ledger::open_line(txn, std::nullopt, attempt, options_.dry_run ? Literal{"dry_run"} : "open");
    CLINIC_TRY(line);
    return options_.dry_run ? say(*line, Answer::dry, dry_code) : say(*line, Answer::go, "");
}

// A contact has come or was left since the lease was handed out, or an object has changed: the same envelope goes
// there, by another lease.
Result<Judged> Gate::linked_meanwhile(records::Transaction& txn, const Attempt& attempt, records::PatientId subject) {
    const auto line = Ledger::open_line(txn, subject, attempt, "held");
    CLINIC_TRY(line);
    CLINIC_TRY(Outbox::release_leases(txn, attempt.lease));
    return say(*line, Answer::hold, linked_code);
}

// What of it may still go does so by itself, under the next lease.
Result<Judged> Gate::not_allowed(records::Transaction& txn, const Attempt& attempt, const Leased& lease,
                                 const std::vector<std::optional<release::Because>>& because) {
    const auto line = Ledger::open_line(txn, lease.front().patient, attempt, "held");
    CLINIC_TRY(line);
    auto why = release::Because::clock_untrusted;
    for (std::size_t i = 0; i < lease.size(); ++i) {
        if (!because[i]) {
            CLINIC_TRY(Outbox::put_off(txn, lease[i].row, {}, ""));
        } else if (*because[i] == release::Because::clock_untrusted) {
            CLINIC_TRY(Outbox::park(txn, lease[i].row, "clock"));
        } else {
            why = *because[i];
            CLINIC_TRY(Outbox::withdraw_lease(txn, lease[i].row, release::name(why).c_str()));
        }
    }
    return say(*line, why == release::Because::clock_untrusted ? Answer::hold : Answer::no, release::name(why).c_str());
}

// The identifiers of a large store are read for some seconds after its start.
Result<Judged> Gate::not_ready(records::Transaction& txn, const Attempt& attempt, const Leased& lease) {
    const auto line = Ledger::open_line(txn, lease.front().patient, attempt, "held");
    CLINIC_TRY(line);
    for (const auto& one : lease) CLINIC_TRY(Outbox::put_off(txn, one.row, ready_after, "starting"));
    return say(*line, Answer::hold, "starting");
}

Result<Judged> Gate::caught(records::Transaction& txn, const Attempt& attempt, const Leased& lease, const Error& why) {
    const bool identifier = why.code == Errc::conflict;
    const records::PatientId subject = lease.front().patient;
    const auto line = Ledger::open_line(txn, subject, attempt, "blocked");
    CLINIC_TRY(line);
    CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::egress,
                                          .action = audit::Action::block,
                                          .purpose = audit::Purpose::security,
                                          .detail = identifier ? Literal{"identifier"} : Literal{"write_set"},
                                          .subjects = {subject}}));
    // Of two in one request one may be clean: each goes by itself then, and is judged so.
    const bool apart = identifier && lease.size() > 1;
    for (const auto& one : lease)
        CLINIC_TRY(apart ? Outbox::put_off(txn, one.row, {}, "blocked")
                         : Outbox::kill(txn, one.row, identifier ? "blocked" : "write_set"));
    return say(*line, Answer::no, identifier ? "blocked" : "write_set", true);
}

// Nothing was sent, so nothing is delivered: it waits for the day that the dry run ends.
Result<envelope::Settled> Gate::settle_dry(records::Transaction& txn, const envelope::Settle& outcome) {
    const auto lease = Outbox::leased(txn, outcome.lease);
    const auto settled = Outbox::settle_steps(txn, outcome);
    if (!settled || (!lease && lease.error().code == Errc::not_found)) return settled;
    CLINIC_TRY(lease);
    for (const auto& one : *lease) CLINIC_TRY(Outbox::park(txn, one.row, dry_code));
    return envelope::Settled{};
}

Result<envelope::Settled> Gate::settle_reads(records::Transaction& txn, const envelope::Settle& outcome) {
    auto others = outcome;
    std::erase_if(others.steps, [this](const envelope::StepOutcome& step) { return polls_.close(step); });
    return Outbox::settle_steps(txn, others);
}

Result<void> Gate::end_read(records::Transaction& txn, std::int64_t line) {
    const envelope::StepOutcome unknown{.attempt = line, .result = envelope::StepOutcome::Result::unknown};
    return polls_.close(unknown) ? Result<void>{} : Ledger::close_line(txn, unknown);
}

Result<void> Gate::begin(records::Transaction& txn) const {
    return options_.dry_run ? Result<void>{} : Outbox::unpark(txn, dry_code);
}

Result<envelope::Settled> Gate::settle(records::Transaction& txn, const envelope::Settle& outcome,
                                       const outbox::Addressed& to) {
    if (options_.dry_run && outcome.outcome == envelope::Outcome::delivered) return settle_dry(txn, outcome);
    const auto lease = Outbox::leased(txn, outcome.lease);
    if (!lease && lease.error().code != Errc::not_found) return lease.error();
    const auto left = lease ? was_left(txn, lease->front(), to) : Result<bool>{false};
    CLINIC_TRY(left);
    if (*left) return Outbox::settle(txn, again_elsewhere(outcome));
    if (outcome.code == name(outbox::DeadClass::object_gone)) return settle_gone(txn, outcome);
    if (outcome.contact.empty()) return Outbox::settle(txn, outcome);
    const auto subject = Outbox::patient_of(txn, outcome.lease);
    if (!subject && subject.error().code != Errc::not_found) return subject.error();
    const auto settled = Outbox::settle(txn, outcome);
    CLINIC_TRY(settled);
    if (!settled->known || !subject) return *settled;
    // A contact that was made for somebody who has been merged meanwhile: the survivor must hear of it.
    const auto facts = records::patient_facts(txn, *subject);
    CLINIC_TRY(facts);
    if (facts->merged_into) CLINIC_TRY(releaser_.merged(txn, *facts->merged_into, *subject));
    return *settled;
}

// A booking that was written to, looked for, and is not there: as if GHL had told us that it was deleted, which the
// polling may never see, and then the next appointment at its time would be bound to it. Until its letter is dead it is
// only not found.
Result<envelope::Settled> Gate::settle_gone(records::Transaction& txn, const envelope::Settle& outcome) {
    const auto lease = Outbox::leased(txn, outcome.lease);
    const auto settled = Outbox::settle(txn, outcome);
    if (!settled || !lease || lease->empty()) return settled;
    const auto& about = lease->front();
    const auto dead = Outbox::is_dead(txn, about.row);
    CLINIC_TRY(dead);
    const bool is_booking = about.envelope.kind() == envelope::Kind::booking_state;
    if (!*dead || !is_booking || about.object.empty() || !about.left_at.empty()) return settled;
    const auto told = reconciler_.take(txn, {.id = about.object,
                                             .kind = envelope::CrmKind::appointment,
                                             .updated_ms = 0,
                                             .read_ms = txn.now().micros / 1'000,
                                             .said = {}});
    CLINIC_TRY(told);
    return settled;
}

} // namespace clinic::egress
