// The audit chain: every access to patient data, who, what, when, why; each entry hashes the one before it.
//   Hash:    BLAKE2b-256 over (previous hash | the entry's canonical bytes), docs/audit.md; subjects are ids, never
//   names. Threads: the store's (all take its session). Source:  45 CFR 164.312(b); design, invariant 4.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "daemon/audit/walk.h"
#include "daemon/records/store.h"

namespace clinic::audit {

enum class Actor : std::uint8_t { feed = 1, operator_, egress, job, viewer }; // `actor_id`: feed number, uid, …
enum class Action : std::uint8_t {
    create = 1,
    read,
    update,
    merge,
    erase,
    import,
    release,
    disclose,
    block,
    configure,
    quarantine,
    system
};
enum class Purpose : std::uint8_t { treatment = 1, operations, release, security, support };
const char* name(Actor actor);
const char* name(Action action);
const char* name(Purpose purpose); // "unnamed" for what is none, as the others

struct Entry {
    Actor actor;
    std::int64_t actor_id = 0;
    Action action;
    Purpose purpose;
    Literal detail = "";                           // a code or a word of ours
    std::vector<records::PatientId> subjects = {}; // at most 1,000; a longer list is several entries
    std::string note = {};                         // behind the detail: a number of ours, and a person's reason
};

inline constexpr std::int64_t kind_lost = 3; // a link that says which are lost: from `refers` to `actor_id`

// One link as docs/audit.md writes it down, with everything that its hash covers.
struct ChainLink {
    std::int64_t number = 0;
    Timestamp at{};
    std::int64_t kind = 1, refers = 0, actor = 0, actor_id = 0, action = 0, purpose = 0;
    std::string detail;
    std::vector<base::Uuid> subjects;
    std::string hash; // hexadecimal
};

class Trail {
public:
    // The Disclosure is good inside this transaction only, and so is what it opens. Errors: tampered where the chain's
    // end is lost or does not open: then the whole store cannot be gone on with, and is said to be damaged.
    static Result<records::Disclosure> append(records::Transaction& txn, const Entry& entry);
    // Entries about a patient that was created in this very transaction are completed with its id.
    static Result<void> add_subject(records::Transaction& txn, const records::Disclosure& entry,
                                    records::PatientId subject);
    // A link that says which are lost. Of several gaps the last one first: then the chain can grow again.
    static Result<void> say_lost(records::Transaction& txn, const Gap& gap);
    // Whether the chain can grow. Errors: tampered: its newest links are lost.
    static Result<void> check_end(records::Session& session);
    // A whole Walk in one snapshot: for a short chain. Errors: tampered, at the first gap that no link says.
    static Result<Verified> verify(records::Session& session);
    static Result<std::int64_t> newest(records::Session& session); // the number of the newest link; 0: there is none
    // The links after that number, in order; at most so many, and fewer where they have many subjects.
    static Result<std::vector<ChainLink>> links(records::Session& session, std::int64_t after, int rows_max);
    // The links before that number, the newest first.
    static Result<std::vector<ChainLink>> links_before(records::Session& session, std::int64_t before, int rows_max);
};

} // namespace clinic::audit
