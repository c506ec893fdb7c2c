// What came in over a feed and what became of it: received = stored + quarantined + refused + duplicate, always,
// because both sides are counted in the transaction of the outcome.
//   Threads: the store's writer thread; read from any session.
//   Source:  design, "The books".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

const char* name(Booked as); // "stored"

Result<void> book(records::Transaction& txn, Literal feed, Booked as, std::int64_t count = 1);
// A message of the MLLP ports: in the feed's book, and in the sender's own where it has a name.
Result<void> book_message(records::Transaction& txn, std::string_view sender, Booked as, std::int64_t count = 1);
Result<FeedCounts> feed_counts(records::Session& session, std::string_view feed);
Result<FeedCounts> feed_counts(records::Session& session, Literal feed);

// Who was last heard after `ahead_of`, by a clock that has been set back since, was last heard now.
Result<void> mend_last_times(records::Transaction& txn, Timestamp ahead_of);

// How a message or a book says whose it is: "mllp", and "mllp/pms" for the sender that is named so.
std::string feed_of(std::string_view sender);
std::string_view sender_of(std::string_view feed); // empty: nobody that has a name

// A named sender has a book from the start, so that silence is seen; it goes with the name.
Result<void> open_sender_books(records::Transaction& txn, std::string_view sender);
Result<void> close_sender_books(records::Transaction& txn, std::string_view sender);

} // namespace clinic::intake
