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
    std::int64_t bytes = 0; // of the message
    std::optional<Timestamp> replayed_at;
    std::string replayed_as; // what became of it then: "stored", "duplicate", "quarantined", "refused"
    bool is_settled() const { return replayed_as == "stored" || replayed_as == "duplicate"; }
};

Result<std::int64_t> quarantine(Transaction& txn, std::string_view feed, const Error& reason, std::string_view raw);
Result<std::vector<QuarantineItem>> quarantined(Session& session, int rows_max); // newest first
Result<QuarantineItem> quarantine_item(Session& session, std::int64_t id);       // not_found
// Items of the feed that wait, oldest first, after that one: no replay has settled them.
Result<std::vector<std::int64_t>> waiting_items(Session& session, std::string_view feed, std::int64_t after,
                                                int rows_max);
Result<void> mark_replayed(Transaction& txn, std::int64_t id, std::string_view as); // again: the newest counts
Result<std::string> open_quarantined(Session& session, const Disclosure& why, std::int64_t id);
Result<std::int64_t> purge_quarantine(Transaction& txn); // past their life; the count removed

} // namespace clinic::records
