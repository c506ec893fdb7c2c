// What could not be accepted, sealed with a key of its own, for 30 days.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

inline constexpr std::int64_t quarantine_life_days = 30;
inline constexpr std::int64_t quarantine_items_max = 10'000;   // full: intake refuses upstream

struct QuarantineItem {
    std::int64_t id = 0;
    std::string feed, reason;        // reason: the error's literal text
    Place at;
    Timestamp received_at{};
};

Result<std::int64_t> quarantine(Transaction& txn, std::string_view feed, const Error& reason, std::string_view raw);
Result<std::vector<QuarantineItem>> quarantined(Session& session, int rows_max);
Result<std::string> open_quarantined(Session& session, const Disclosure& why, std::int64_t id);
Result<std::int64_t> purge_quarantine(Transaction& txn);   // past their life; the count removed

}  // namespace clinic::records
