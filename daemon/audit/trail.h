// The audit chain: every access to patient data, who, what, when, why; each entry hashes the one before it.
//   Hash:    BLAKE2b-256 over (previous hash | the entry's canonical bytes), docs/audit.md; subjects are ids, never
//   names. Threads: the store's (all take its session). Source:  45 CFR 164.312(b); design, invariant 4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/seal.h"
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

struct Verified {
    std::int64_t entries = 0;
    std::string head; // hexadecimal hash of the newest entry
};

// One link as docs/audit.md writes it down, with everything that its hash covers.
struct ChainLink {
    std::int64_t number = 0;
    Timestamp at{};
    std::int64_t kind = 1, refers = 0, actor = 0, actor_id = 0, action = 0, purpose = 0;
    std::string detail;
    std::vector<base::Uuid> subjects;
    std::string hash; // hexadecimal
};

// A walk over the chain in slices, each in a snapshot of its own: links that are added meanwhile are walked too.
class Walk {
public:
    // At most `links_max` links further. True: it has come to the newest, and nothing lies beside the chain. Errors:
    // tampered, with the link's number in `at.line`.
    Result<bool> go_on(records::Session& session, int links_max);
    Verified verified() const;

private:
    std::int64_t links_ = 0, entries_ = 0;
    std::optional<crypto::Digest> hash_; // of the newest link so far
};

class Trail {
public:
    // The Disclosure is good inside this transaction only, and so is what it opens.
    static Result<records::Disclosure> append(records::Transaction& txn, const Entry& entry);
    // Entries about a patient that was created in this very transaction are completed with its id.
    static Result<void> add_subject(records::Transaction& txn, const records::Disclosure& entry,
                                    records::PatientId subject);
    static Result<Verified> verify(records::Session& session);     // a whole Walk in one snapshot: for a short chain
    static Result<std::int64_t> newest(records::Session& session); // the number of the newest link; 0: there is none
    // The links after that number, in order; at most so many, and fewer where they have many subjects.
    static Result<std::vector<ChainLink>> links(records::Session& session, std::int64_t after, int rows_max);
};

} // namespace clinic::audit
