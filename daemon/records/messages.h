// Raw messages as they came in: each sealed with its person's key, or with a key of the store where it is nobody's.
//   Bounds:  messages_kept_max per person, unowned_messages_max of nobody; the oldest go first.
//   Threads: the store's (all take its session).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

inline constexpr int messages_kept_max = 50;
inline constexpr int unowned_messages_max = 1'000;
inline constexpr int messages_looked_at_max = 20'000; // by one listing, newest first

Result<void> keep_message(Transaction& txn, PatientId patient, std::string_view feed, std::string_view raw);
// Of a block-out, or where it is not clear whose it is.
Result<void> keep_unowned_message(Transaction& txn, std::string_view feed, std::string_view raw);

struct KeptMessage {
    std::int64_t id = 0;
    std::string feed;
    Timestamp received_at{};
    std::int64_t bytes = 0;           // of the message
    std::optional<PatientId> patient; // the survivor where it was merged
};

struct MessageSearch {
    std::string feed;        // that one, and its senders ("mllp" has "mllp/pms"); empty: all
    Timestamp since{};       // received then or later
    std::int64_t before = 0; // numbers below this one; 0: all
};
// Newest first.
Result<std::vector<KeptMessage>> kept_messages(Session& session, const MessageSearch& search, int rows_max);
// Errors: not_found.
Result<KeptMessage> kept_message(Session& session, std::int64_t id);
Result<std::string> open_message(Session& session, const Disclosure& why, std::int64_t id);

} // namespace clinic::records
