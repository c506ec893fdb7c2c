// What will not leave by itself any more, kept whole for a person: GHL refused it twice, or it must not leave.
//   Bounds:  dead_letters_max, then `dead_life_days`. Policy when there are more: oldest_discarded. The oldest are
//   given
//            up with an entry of the audit chain; what they said is told again by the daily job where it still holds.
//   Errors:  not_found: no dead letter has that number; tampered, corrupt as the outbox.
//   Threads: the store's (all take its session).
//   Source:  docs/sync.md, "Dead letters".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/outbox/outbox.h"

namespace clinic::outbox {

inline constexpr std::int64_t dead_letters_max = 10'000;

// By what a person has to do about it.
enum class DeadClass : std::uint8_t {
    refused,
    gone,
    duplicate,
    blocked,
    write_set,
    unreadable,
    object_gone, // the opportunity or the booking that was written to was deleted in GHL
    object_taken // GHL lets none be opened beside one that is not ours
};
const char* name(DeadClass one);
std::optional<DeadClass> dead_class(std::string_view name);
DeadClass class_of(std::string_view code);

struct DeadLetter {
    std::int64_t row = 0;
    envelope::Kind kind{};
    std::string code;
    Timestamp queued_at{}, died_at{};
    std::int64_t attempts = 0; // ledger lines: requests that were made, or stopped before their first byte
    Timestamp first_at{};      // the first of them; without one, when it was queued
};

struct DeadCount {
    DeadClass of{};
    std::int64_t letters = 0;
    Timestamp first{}, last{}; // deaths
};

struct DeadSearch {
    std::optional<DeadClass> only;
    std::int64_t before = 0; // older than the letter of that number; 0: from the newest
};

class DeadLetters {
public:
    // Newest death first.
    static Result<std::vector<DeadLetter>> list(records::Session& session, const DeadSearch& search, int letters_max);
    static Result<DeadLetter> find(records::Session& session, std::int64_t row);
    static Result<Leased> open(records::Session& session, std::int64_t row); // whose it is, and what it would say
    // Those that died until then.
    static Result<std::vector<std::int64_t>> numbers(records::Session& session, std::optional<DeadClass> only,
                                                     Timestamp until, int letters_max);
    static Result<std::vector<DeadCount>> counts(records::Session& session); // the classes that there are any of
    // Beyond the bound: the oldest are discarded. Whose they were, for the audit chain; at most so many at a time.
    static Result<std::vector<records::PatientId>> keep_bound(records::Transaction& txn, int letters_max);
};

} // namespace clinic::outbox
