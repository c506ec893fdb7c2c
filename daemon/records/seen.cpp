#include "daemon/records/seen.h"

#include <algorithm>
#include <chrono>

#include "daemon/records/blind_index.h"

namespace clinic::records {
namespace {

constexpr base::Micros life = std::chrono::hours{24 * seen_life_days};

// Lengths first, so that parts cannot flow into each other.
crypto::Token token_of(Session& session, const MessageKey& key) {
    std::string text;
    for (const std::string* part : {&key.sender, &key.control_id, &key.said_at})
        text.append(std::to_string(part->size())).append(":").append(*part);
    return index_token(session, IndexKind::message, text);
}

} // namespace

Result<std::optional<SeenMessage>> find_seen(Session& session, const MessageKey& key) {
    auto find = session.prepare("SELECT body, ack, at FROM seen_message WHERE key = ?");
    if (!find) return find.error();
    const auto row = find->bind(token_of(session, key)).step();
    if (!row) return row.error();
    if (!*row) return std::optional<SeenMessage>{};
    SeenMessage seen{{}, std::string{find->text(1)}, Timestamp{find->integer(2)}};
    const auto body = find->blob(0);
    if (body.size() != seen.body.size()) return Error{Errc::corrupt, "a remembered message is not as written"};
    std::copy(body.begin(), body.end(), seen.body.begin());
    return std::optional<SeenMessage>{std::move(seen)};
}

Result<void> remember_seen(Transaction& txn, const MessageKey& key, const crypto::Digest& body, std::string_view ack) {
    auto put = txn.prepare("INSERT OR REPLACE INTO seen_message (key, sender, body, at, ack) VALUES (?, ?, ?, ?, ?)");
    if (!put) return put.error();
    const auto sender = index_token(txn, IndexKind::sender, key.sender);
    CLINIC_TRY(put->bind(token_of(txn, key), sender, body, txn.now(), ack).run());
    // Rows are numbered in the order they came: the bound costs one look at the oldest.
    auto trim = txn.prepare("DELETE FROM seen_message WHERE row <= ?");
    if (!trim) return trim.error();
    return trim->bind(txn.last_row() - seen_messages_max).run();
}

Result<std::int64_t> purge_seen(Transaction& txn) {
    auto remove = txn.prepare("DELETE FROM seen_message WHERE row < coalesce("
                              "(SELECT min(row) FROM seen_message WHERE at >= ?), 9223372036854775807)");
    if (!remove) return remove.error();
    CLINIC_TRY(remove->bind(txn.now() - life).run());
    return std::int64_t{txn.changed_rows()};
}

} // namespace clinic::records
