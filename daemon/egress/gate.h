// What clinicd answers on egress.sock: leases, verdicts before each byte, settlements. No socket here.
//   Threads: the store's writer thread (all take its transaction).
//   Source:  design, "From a message to GHL", steps 4 and 7; docs/egress.md.
#pragma once

#include <optional>

#include "daemon/crm/reconciler.h"
#include "daemon/egress/poll_reads.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/identifier_index.h"
#include "daemon/records/store.h"
#include "daemon/release/last_check.h"
#include "daemon/release/releaser.h"
#include "sync/envelope/frame.h"

namespace clinic::egress {

struct GateOptions {
    envelope::WriteRules rules;                  // without a location: GHL is not set up, and nothing is leased
    std::chrono::milliseconds index_lag{60'000}; // GHL's search index may hide a new contact this long
    // A request whose answer we did not wait for may take effect this much later: what is left of a call that outlives
    // a restart of ours, and the far side's own time. docs/ghl.md, "A create of unknown outcome".
    std::chrono::milliseconds late{120'000};
    bool dry_run = false;  // the ledger is written as ever, and nothing is sent
    int slots_at_once = 1; // see crm::ReconcilerOptions
    int compare_hour = crm::no_hour;
};

// A verdict, and whether a person must hear of it.
struct Judged {
    envelope::Verdict verdict;
    bool blocked = false; // the last check found an identifier of the store
};

class Gate {
public:
    Gate(GateOptions options, const records::IdentifierIndex& identifiers, release::Releaser& releaser);

    // Before the first lease: what a dry run had put aside goes out, unless there is still one.
    Result<void> begin(records::Transaction& txn) const;
    // Of four turns three go to what is fresh, where something waits for longer; the fourth to the oldest.
    Result<envelope::Lease> lease(records::Transaction& txn, envelope::Destination destination,
                                  envelope::Least least = envelope::Least::any);
    // `to`: where its lease was handed out to. What goes on or was answered at a contact that has been left since, by a
    // person's word or a merge, is due again, for the one of now.
    Result<Judged> judge(records::Transaction& txn, const envelope::Attempt& attempt, const outbox::Addressed& to);
    Result<envelope::Settled> settle(records::Transaction& txn, const envelope::Settle& outcome,
                                     const outbox::Addressed& to);
    // Of steps that serve no lease; and of one whose asker has gone, so that nobody knows what became of it.
    Result<envelope::Settled> settle_reads(records::Transaction& txn, const envelope::Settle& outcome);
    Result<void> end_read(records::Transaction& txn, std::int64_t line);
    Result<void> write_polls(records::Transaction& txn) { return polls_.write(txn); } // what was only counted so far
    crm::Reconciler& reconciler() { return reconciler_; }                             // of all that is told of GHL

private:
    static Result<envelope::Settled> settle_dry(records::Transaction& txn, const envelope::Settle& outcome);
    Result<envelope::Settled> settle_gone(records::Transaction& txn, const envelope::Settle& outcome);
    static Result<void> keep_dead_within_bound(records::Transaction& txn);
    using Leased = std::vector<outbox::Leased>; // all that one lease is about: one, or both states of a subject
    Result<Judged> allow(records::Transaction& txn, const envelope::Attempt& attempt, const Leased& lease,
                         const release::Allowed& allowed) const;
    Result<Judged> judge_read(records::Transaction& txn, const envelope::Attempt& attempt);
    static Result<Judged> linked_meanwhile(records::Transaction& txn, const envelope::Attempt& attempt,
                                           records::PatientId subject);
    static Result<Judged> not_allowed(records::Transaction& txn, const envelope::Attempt& attempt, const Leased& lease,
                                      const std::vector<std::optional<release::Because>>& because);
    static Result<Judged> not_ready(records::Transaction& txn, const envelope::Attempt& attempt, const Leased& lease);
    Result<Judged> caught(records::Transaction& txn, const envelope::Attempt& attempt, const Leased& lease,
                          const Error& why);

    GateOptions options_;
    const records::IdentifierIndex& identifiers_;
    release::Releaser& releaser_;
    crm::Reconciler reconciler_;
    PollReads polls_;
    unsigned turns_ = 0;
};

} // namespace clinic::egress
