// What came in over a feed and what became of it: received = stored + quarantined + refused + duplicate, always, because
// both sides are counted in the transaction of the outcome.
//   Threads: the store's writer thread; read from any session.
//   Source:  design, "The books".
#pragma once

#include <cstdint>
#include <optional>

#include "crypto/base/result.h"
#include "daemon/records/store.h"

namespace clinic::intake {

inline constexpr Literal feed_mllp = "mllp", feed_csv = "csv";

enum class Booked : std::uint8_t { stored, quarantined, refused, duplicate };

struct FeedCounts {
    std::int64_t received = 0, stored = 0, quarantined = 0, refused = 0, duplicate = 0;
    std::optional<Timestamp> last_at;
    bool balanced() const { return received == stored + quarantined + refused + duplicate; }
};

Result<void> book(records::Transaction& txn, Literal feed, Booked as, std::int64_t count = 1);
Result<FeedCounts> feed_counts(records::Session& session, Literal feed);

}  // namespace clinic::intake
