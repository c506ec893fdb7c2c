// The full comparison as it goes: first all contacts of GHL are read, a page at a time, then each link is looked at. A
// contact that no page showed is read by itself; what GHL says twice that it does not have is gone (Doubts).
//   Rules:   one at a time; where it stands is stored with each step, so that a restart goes on from there.
//   Bounds:  100 links a transaction; the newest 50 are kept.
//   Errors:  those of the store.
//   Threads: the store's.
//   Source:  docs/crm.md, "The full comparison"; docs/egress.md, "crm_walk".
#pragma once

#include "daemon/crm/comparison.h"

namespace clinic::crm {

struct Walk {
    std::int64_t number = 0;
    bool nightly = false;
    Timestamp asked_at{};
    std::optional<Timestamp> started_at, ended_at;
    std::int64_t reached_ms = 0;
    bool read = false;     // all pages were
    std::int64_t link = 0; // those up to there were looked at
    std::int64_t compared = 0, requests = 0;
};

inline constexpr int no_hour = -1;

class Walks {
public:
    // `nightly_hour`: of the clinic's day, from which on one begins by itself; `no_hour`: none does.
    Walks(Comparison comparison, int nightly_hour) : comparison_{std::move(comparison)}, nightly_hour_{nightly_hour} {}

    // `may_begin`: by the hour, where the clock is trusted.
    Result<envelope::WalkTerms> step(records::Transaction& txn, const envelope::CrmWalk& done, bool may_begin);

    static Result<std::optional<Walk>> under_way(records::Session& session);
    static Result<std::optional<Walk>> newest_ended(records::Session& session);
    // The one under way, where there is one: a person's word makes a nightly one theirs, which waits for no hour.
    static Result<Walk> ask(records::Transaction& txn, bool nightly);

private:
    Result<bool> is_due(records::Transaction& txn) const;
    Result<envelope::WalkTerms> look(records::Transaction& txn, Walk walk, const envelope::CrmWalk& done) const;
    static Result<void> keep(records::Transaction& txn, const Walk& walk);

    Comparison comparison_;
    int nightly_hour_;
    std::int64_t looked_after_ = 0; // of what is looked at outside of a walk
};

} // namespace clinic::crm
