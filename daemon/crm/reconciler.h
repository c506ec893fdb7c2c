// Where all that is told of GHL meets, by polling or by webhook: each fact counts once, in whatever order they come.
//   Rules:   of two facts about one thing the later updated counts, of those the later read; what was deleted stays
//            deleted; content that is known changes nothing; our own echoes differ in nothing and so do nothing.
//   Errors:  those of the store; a fact that breaks a rule, or is of a new thing beyond objects_max, is answered
//            `refused`.
//   Threads: the store's writer thread.
//   Source:  design, "From a message to GHL", step 5 and 6; docs/crm.md.
#pragma once

#include "daemon/crm/again.h"
#include "daemon/crm/bookings.h"
#include "daemon/crm/doubts.h"
#include "daemon/crm/matcher.h"
#include "daemon/crm/own_cases.h"
#include "daemon/crm/walks.h"
#include "daemon/release/releaser.h"
#include "sync/envelope/frame.h"

namespace clinic::crm {

struct ReconcilerOptions {
    std::string location;              // GHL's; empty: nothing is missed that no list shows
    envelope::WriteRules::Reads reads; // the words that are kept of a lead: what is none of them is refused
    int slots_at_once = 1;             // how many the clinic sees at a time
    int compare_hour = no_hour;        // see Walks
    std::chrono::milliseconds index_lag{60'000};
    int probes_per_day = 5'000;
    int again_a_round = crm::again_a_round;    // of the bookings to come, and of the differences
    envelope::WriteRules::Pipeline pipeline{}; // of patients' cases
};

class Reconciler {
public:
    Reconciler(ReconcilerOptions options, release::Releaser& releaser)
        : options_{std::move(options)}, releaser_{releaser}, bookings_{releaser, options_.index_lag},
          again_{options_.again_a_round}, comparison_{options_.index_lag, options_.pipeline, bookings_},
          walks_{comparison_, options_.compare_hour}, doubts_{options_.location, options_.reads},
          allowance_{options_.probes_per_day} {}

    Result<envelope::FactTaken> take(records::Transaction& txn, const envelope::CrmFact& fact);
    Result<envelope::Matched> match(records::Transaction& txn, const envelope::MatchProbe& probe);
    Result<envelope::PollTerms> polled(records::Transaction& txn, const envelope::CrmPolled& polled);
    Result<envelope::WalkTerms> walk(records::Transaction& txn, const envelope::CrmWalk& done);

private:
    Result<void> effect(records::Transaction& txn, const Object& now, const std::optional<Object>& before);
    Result<void> deleted_there(records::Transaction& txn, const envelope::CrmWalk& done);
    Result<void> contact_changed(records::Transaction& txn, const Object& now, const std::optional<Object>& before);
    Result<std::vector<records::PatientId>> patients_of(records::Transaction& txn, const Object& contact);
    Result<bool> wants_probe(records::Transaction& txn, const Object& contact);

    ReconcilerOptions options_;
    release::Releaser& releaser_;
    BookingCheck bookings_;
    Again again_;
    Comparison comparison_;
    std::int64_t compared_after_ = 0; // of those that differ in a booking
    Walks walks_;
    Doubts doubts_;
    Allowance allowance_;
};

// Identifiers of contacts may be asked about: not in `off` and `deid`, nor while the basis cannot be trusted.
Result<bool> may_probe(records::Session& session, const release::Releaser& releaser);

} // namespace clinic::crm
