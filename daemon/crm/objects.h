// What GHL holds as it was last seen, a row an object; and what of it differs from the clinic.
//   Bounds:  1,000,000 objects; a settled difference is kept 90 days.
//   Errors:  full at the bound, for a new one (`is_full` tells it from a full disk); tampered when a sealed value does
//   not open. Threads: the store's (all take its session). Source:  docs/crm.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/crm/ownership.h"
#include "daemon/records/crm_bound.h"
#include "daemon/records/store.h"
#include "sync/envelope/crm.h"

namespace clinic::crm {

inline constexpr std::int64_t objects_max = records::crm_objects_max;
inline constexpr int settled_life_days = 90;

enum class Matching : std::uint8_t { not_asked, none, choice, kept_apart };

struct Object {
    std::int64_t row = 0;
    envelope::CrmFact fact; // as last seen, with its id and times
    Matching matching = Matching::not_asked;
    std::int64_t probed_ms = 0;
};

Result<std::optional<Object>> find(records::Session& session, envelope::CrmKind kind, std::string_view id);
Result<std::optional<Object>> object_at(records::Session& session, std::int64_t row);
// Made, or changed; what it replaces is gone.
Result<std::int64_t> put(records::Transaction& txn, const std::optional<Object>& before, const envelope::CrmFact& fact);
Result<bool> is_full(records::Session& session); // there is no room for a new one
// The same content was read later.
Result<void> touch(records::Transaction& txn, std::int64_t row, std::int64_t read_ms);
// It was read under a clock that has been set back since, and comes before nothing. GHL's own clock, by which webhooks
// are, may be some minutes ahead.
bool is_read_ahead(std::int64_t read_ms, base::Timestamp now);
Result<void> set_matching(records::Transaction& txn, std::int64_t row, Matching matching, std::int64_t probed_ms);

struct Conflict {
    std::int64_t number = 0, object = 0;
    Field field{};
    std::string ours, theirs; // words and numbers of ours
    Timestamp found_at{};
    std::optional<Timestamp> settled_at;
    std::string settled_by;
};
enum class Settled : std::uint8_t { by_rule, open };
// An open one of the same object and field takes the new words and stays one.
Result<void> record(records::Transaction& txn, std::int64_t object, Field field, std::string_view ours,
                    std::string_view theirs, Settled settled);
Result<void> settle(records::Transaction& txn, std::int64_t object, Field field, Literal by); // the open ones
Result<Conflict> settle_number(records::Transaction& txn, std::int64_t number, Literal by);   // not_found
Result<int> recorded_since(records::Session& session, std::int64_t object, Field field, Timestamp since);
// By number, behind `after`.
Result<std::vector<Conflict>> open_conflicts(records::Session& session, int rows_max, std::int64_t after = 0);
Result<std::int64_t> open_count(records::Session& session);
Result<void> purge_settled(records::Transaction& txn);

// Whom a contact may be.
Result<void> offer(records::Transaction& txn, std::int64_t object, const std::vector<records::PatientId>& patients);
Result<void> withdraw_offer(records::Transaction& txn, std::int64_t object);
Result<std::vector<records::PatientId>> offered(records::Session& session, std::int64_t object);
Result<std::vector<Object>> choices(records::Session& session, int rows_max);
Result<void> keep_apart(records::Transaction& txn, std::string_view contact, records::PatientId patient);
Result<bool> is_kept_apart(records::Session& session, std::string_view contact, records::PatientId patient);

} // namespace clinic::crm
