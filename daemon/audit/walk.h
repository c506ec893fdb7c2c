// A walk over the whole chain, which proves it and names what is missing.
//   Bounds:  gaps_max gaps; what is beyond becomes one with the last of them.
//   Threads: one.
//   Source:  docs/audit.md, "Verifying".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/seal.h"
#include "daemon/records/store.h"

namespace clinic::audit {

struct Link;

inline constexpr std::size_t gaps_max = 1'000;

// Links that are missing, or that nothing proves any more: from `first` to `last`.
struct Gap {
    std::int64_t first = 0, last = 0;
    std::int64_t said_by = 0; // the number of the link that says so; 0: none does, so it is damage or a forgery
    Timestamp said_at{};
};

struct Verified {
    std::int64_t entries = 0;
    std::string head; // hexadecimal hash of the newest link
    std::vector<Gap> gaps;
    const Gap* unsaid() const; // the first that no link says; null: each is said, or there is none
};

// Each gap that lies within one of `said` is said by it.
void mark_said(std::vector<Gap>& gaps, const std::vector<Gap>& said);

// In slices, each in a snapshot of its own: links that are added meanwhile are walked too.
class Walk {
public:
    // At most `links_max` links further. True: it has come to the end of the chain.
    Result<bool> go_on(records::Session& session, int links_max);
    Verified verified() const;

private:
    void take(const Link& link, bool is_proven);
    Result<void> look_at_the_end(records::Session& session);
    void end_gap(std::int64_t last);

    std::int64_t newest_ = 0, entries_ = 0;
    std::optional<crypto::Digest> hash_; // as it is stored, of the newest link so far
    std::int64_t gap_from_ = 0;          // 0: the newest link so far is proven
    std::vector<Gap> gaps_, said_;
};

// The whole walk, while the store is in use.
Result<Verified> walk_through(records::Store& store);

} // namespace clinic::audit
