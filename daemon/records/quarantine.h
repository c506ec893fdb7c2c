// What could not be accepted, sealed with a key of its own, for 30 days.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

inline constexpr std::int64_t quarantine_life_days = 30;
inline constexpr std::int64_t quarantine_items_max = 10'000; // full: intake refuses upstream

struct QuarantineItem {
    std::int64_t id = 0;
    std::string feed, reason; // reason: the error's literal text
    Place at;
    Timestamp received_at{};
    std::int64_t bytes = 0;   // of the message
    std::int64_t replays = 0; // how often it was given to intake again
    std::optional<Timestamp> replayed_at;
    std::string replayed_as; // what became of it then: "stored", "duplicate", "quarantined", "refused"; "discarded"
    bool is_settled() const {
        return replayed_as == "stored" || replayed_as == "duplicate" || replayed_as == "discarded";
    }
};

// Where it is full the oldest settled item makes room; full when none is settled.
Result<std::int64_t> quarantine(Transaction& txn, std::string_view feed, const Error& reason, std::string_view raw);
// Newest first, those before that number; 0: from the newest.
Result<std::vector<QuarantineItem>> quarantined(Session& session, std::int64_t before, int rows_max);
Result<QuarantineItem> quarantine_item(Session& session, std::int64_t id); // not_found
Result<std::int64_t> count_waiting(Session& session);                      // of all feeds
// Items of the feed that wait, oldest first, after that one: nothing has settled them. `feed`: empty for all; "mllp"
// has "mllp/pms".
Result<std::vector<std::int64_t>> waiting_items(Session& session, std::string_view feed, std::int64_t after,
                                                int rows_max);
Result<void> mark_replayed(Transaction& txn, std::int64_t id, std::string_view as); // again: the newest counts
// A person has looked and wants no more of it; it stays for its 30 days. Errors: not_found; conflict (it is settled).
Result<void> discard(Transaction& txn, std::int64_t id);
Result<std::string> open_quarantined(Session& session, const Disclosure& why, std::int64_t id);
// Those that came after `ahead_of` by their date, which was a clock's that has been set back since: they come now.
Result<void> mend_received_times(Transaction& txn, Timestamp ahead_of);
// Past their life, which is never longer than that; the count removed.
Result<std::int64_t> purge_quarantine(Transaction& txn,
                                      base::Micros life = std::chrono::hours{24 * quarantine_life_days});

} // namespace clinic::records
