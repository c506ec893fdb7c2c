// One link of the chain, as docs/audit.md writes it down, and how its hash is made. Private to this folder.
//   Threads: values; any.
#pragma once

#include <string>
#include <vector>

#include "crypto/seal.h"
#include "daemon/audit/trail.h"

namespace clinic::audit {

inline constexpr std::size_t subjects_max = 1'000;
inline constexpr std::size_t detail_bytes_max = 1'024;

enum class Kind : std::uint8_t { entry = 1, subjects, lost = kind_lost };

struct Link {
    std::int64_t number = 0;
    Timestamp at{};
    Kind kind = Kind::entry;
    std::int64_t refers = 0;
    std::int64_t actor = 0, actor_id = 0, action = 0, purpose = 0;
    std::string detail = {};
    std::vector<base::Uuid> subjects = {};
};

// With its stored hash as the tenth column: read_hash.
inline constexpr Literal links_after = "SELECT number, at, kind, refers, actor, actor_id, action, purpose, detail, hash"
                                       " FROM audit_link WHERE number > ? ORDER BY number LIMIT ?";
inline constexpr Literal links_newest_first =
    "SELECT number, at, kind, refers, actor, actor_id, action, purpose, detail, hash"
    " FROM audit_link WHERE number < ? ORDER BY number DESC LIMIT ?";

Link to_link(const records::Statement& row);                         // without its subjects
crypto::Digest read_hash(const records::Statement& row, int column); // zeros where it is no hash

struct Subjects {
    std::vector<base::Uuid> ids;
    bool whole = true; // false: a position is missing
};
Result<Subjects> read_subjects(records::Session& session, std::int64_t link);

crypto::Digest before_the_first(const records::Session& session);
crypto::Digest hash_of(const crypto::Digest& before, const Link& link);
// Values that the canonical bytes would cut off are not ours, nor are those that its kind does not have.
bool fits(const Link& link);

// The chain's end: its newest link, and the highest number that was ever given. They differ when links were lost.
using End = records::AuditEnd;
Result<End> end_of(records::Session& session);       // from the database
Result<End> known_end_of(records::Session& session); // from memory, where nothing has changed it since it was read

} // namespace clinic::audit
