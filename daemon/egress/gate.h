// What clinicd answers on egress.sock: leases, verdicts before each byte, settlements. No socket here.
//   Threads: the store's writer thread (all take its transaction).
//   Source:  design, "From a message to GHL", steps 4 and 7; docs/egress.md.
#pragma once

#include <optional>

#include "daemon/outbox/outbox.h"
#include "daemon/records/identifier_index.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"
#include "sync/envelope/frame.h"

namespace clinic::egress {

struct GateOptions {
    envelope::WriteRules rules;                  // without a location: GHL is not set up, and nothing is leased
    std::chrono::milliseconds index_lag{60'000}; // GHL's search index may hide a new contact this long
    // A request whose answer we did not wait for may take effect this much later: what is left of a call that outlives
    // a restart of ours, and the far side's own time. docs/ghl.md, "A create of unknown outcome".
    std::chrono::milliseconds late{120'000};
};

// A verdict, and whether a person must hear of it.
struct Judged {
    envelope::Verdict verdict;
    bool blocked = false; // the last check found an identifier of the store
};

class Gate {
public:
    Gate(GateOptions options, const records::IdentifierIndex& identifiers, release::Releaser& releaser);

    // Of four turns three go to what is fresh, where something waits for longer; the fourth to the oldest.
    Result<envelope::Lease> lease(records::Transaction& txn, envelope::Destination destination,
                                  envelope::Least least = envelope::Least::any);
    Result<Judged> judge(records::Transaction& txn, const envelope::Attempt& attempt);
    Result<envelope::Settled> settle(records::Transaction& txn, const envelope::Settle& outcome);

private:
    Result<Judged> judge_read(records::Transaction& txn, const envelope::Attempt& attempt);
    static Result<Judged> linked_meanwhile(records::Transaction& txn, const envelope::Attempt& attempt,
                                           records::PatientId subject);
    Result<Judged> not_allowed(records::Transaction& txn, const envelope::Attempt& attempt, records::PatientId subject,
                               release::Because because);
    static Result<Judged> not_ready(records::Transaction& txn, const envelope::Attempt& attempt,
                                    records::PatientId subject);
    Result<Judged> caught(records::Transaction& txn, const envelope::Attempt& attempt, records::PatientId subject,
                          const Error& why);

    GateOptions options_;
    const records::IdentifierIndex& identifiers_;
    release::Releaser& releaser_;
    unsigned turns_ = 0;
};

} // namespace clinic::egress
