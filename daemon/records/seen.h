// Messages that were answered before: the link is at-least-once, so a re-send is recognised and answered the same way.
//   Bounds:  `seen_messages_max` rows, the oldest go first; 30 days by purge_seen.
//   Source:  facts/health-interop §1.2 (key on sender, MSH-10 and MSH-7; the body tells a re-send from a re-used id).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/records/store.h"

namespace clinic::records {

inline constexpr std::int64_t seen_messages_max = 1'000'000;
inline constexpr std::int64_t seen_life_days = 30;

struct MessageKey {
    std::string sender;     // MSH-3 '|' MSH-4
    std::string control_id; // MSH-10
    std::string said_at;    // MSH-7, as sent
};

struct SeenMessage {
    crypto::Digest body{}; // crypto::digest of the bytes
    std::string ack;       // the code that was answered: "AA"; of what went to the quarantine: the item's number
    Timestamp at{};
};

Result<std::optional<SeenMessage>> find_seen(Session& session, const MessageKey& key);
// In place of what was remembered under the key.
Result<void> remember_seen(Transaction& txn, const MessageKey& key, const crypto::Digest& body, std::string_view ack);
Result<std::int64_t> purge_seen(Transaction& txn); // past their life; the count removed

} // namespace clinic::records
