#include "daemon/records/quarantine.h"

#include <array>
#include <chrono>
#include <limits>

#include "crypto/base/files.h"
#include "crypto/secure_bytes.h"

namespace clinic::records {
namespace {

constexpr Error no_such_item{Errc::not_found, "no such quarantine item", "look at: clinicctl quarantine list"};

// "clinic-quarantine-1" | store uuid | item number, 8 bytes big-endian | 'k' the item's key, 'm' its message
crypto::Bytes bound_to(const Session& session, std::int64_t id, char part) {
    crypto::Bytes out;
    const auto put = [&out](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
    put(base::as_bytes("clinic-quarantine-1"));
    put(session.store_uuid());
    for (int shift = 56; shift >= 0; shift -= 8)
        out.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(id) >> shift));
    out.push_back(static_cast<std::byte>(part));
    return out;
}

Result<std::int64_t> number_of(Session& session, Literal sql) {
    auto find = session.prepare(sql);
    if (!find) return find.error();
    const auto row = find->step();
    if (!row) return row.error();
    return find->integer(0);
}

Result<void> make_room(Transaction& txn) {
    const auto items = number_of(txn, "SELECT count(*) FROM quarantine");
    if (!items) return items.error();
    if (*items < quarantine_items_max) return {};
    auto remove = txn.prepare("DELETE FROM quarantine WHERE id = (SELECT id FROM quarantine"
                              " WHERE id NOT IN (SELECT id FROM quarantine_waits) ORDER BY id LIMIT 1)");
    if (!remove) return remove.error();
    CLINIC_TRY(remove->run());
    if (txn.changed_rows() > 0) return {};
    return Error{Errc::full, "the quarantine is full",
                 "see clinicctl quarantine list; replay or discard what is in it"};
}

Result<std::int64_t> insert_item(Transaction& txn, std::string_view feed, const Error& reason) {
    auto insert = txn.prepare("INSERT INTO quarantine (feed, reason, line, segment, field, offset, received_at,"
                              " wrapped_key, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, x'', x'')");
    if (!insert) return insert.error();
    const Place& at = reason.at;
    CLINIC_TRY(insert->bind(feed, reason.what.c_str(), at.line, at.segment, at.field, at.offset, txn.now()).run());
    return txn.last_row();
}

// id, feed, reason, line, segment, field, offset, received_at, length of the sealed bytes, replayed_at, replayed_as,
// replays
QuarantineItem read_item(const Statement& found) {
    const auto integer = [&found](int column) { return static_cast<int>(found.integer(column)); };
    QuarantineItem item{found.integer(0),
                        std::string{found.text(1)},
                        std::string{found.text(2)},
                        {integer(3), integer(4), integer(5), integer(6)},
                        Timestamp{found.integer(7)},
                        found.integer(8) - static_cast<std::int64_t>(crypto::seal_overhead_bytes)};
    item.replays = found.integer(11);
    if (found.is_null(9)) return item;
    item.replayed_at = Timestamp{found.integer(9)};
    item.replayed_as = std::string{found.text(10)};
    return item;
}

} // namespace

Result<std::int64_t> quarantine(Transaction& txn, std::string_view feed, const Error& reason, std::string_view raw) {
    CLINIC_TRY(make_room(txn));
    const auto id = insert_item(txn, feed, reason);
    if (!id) return id.error();
    const auto key = crypto::SecureBytes::random(crypto::key_bytes);
    const auto wrapped = crypto::seal(txn.quarantine_key(), key.bytes(), bound_to(txn, *id, 'k'));
    const auto sealed = crypto::seal(key, base::as_bytes(raw), bound_to(txn, *id, 'm'));
    auto update = txn.prepare("UPDATE quarantine SET wrapped_key = ?, sealed = ? WHERE id = ?");
    if (!update) return update.error();
    CLINIC_TRY(update->bind(wrapped, sealed, *id).run());
    return *id;
}

Result<std::vector<QuarantineItem>> quarantined(Session& session, std::int64_t before, int rows_max) {
    auto find =
        session.prepare("SELECT id, feed, reason, line, segment, field, offset, received_at, length(sealed),"
                        " replayed_at, replayed_as, replays FROM quarantine WHERE id < ? ORDER BY id DESC LIMIT ?");
    if (!find) return find.error();
    find->bind(before > 0 ? before : std::numeric_limits<std::int64_t>::max(), rows_max);
    std::vector<QuarantineItem> items;
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) return items;
        items.push_back(read_item(*find));
    }
}

Result<QuarantineItem> quarantine_item(Session& session, std::int64_t id) {
    auto find = session.prepare("SELECT id, feed, reason, line, segment, field, offset, received_at, length(sealed),"
                                " replayed_at, replayed_as, replays FROM quarantine WHERE id = ?");
    if (!find) return find.error();
    const auto row = find->bind(id).step();
    if (!row) return row.error();
    if (!*row) return no_such_item;
    return read_item(*find);
}

Result<std::int64_t> count_waiting(Session& session) {
    return number_of(session, "SELECT count(*) FROM quarantine_waits");
}

Result<std::vector<std::int64_t>> waiting_items(Session& session, std::string_view feed, std::int64_t after,
                                                int rows_max) {
    auto find = session.prepare("SELECT id FROM quarantine_waits WHERE id > ?1"
                                " AND (?2 = '' OR feed = ?2 OR feed LIKE ?2 || '/%') ORDER BY id LIMIT ?3");
    if (!find) return find.error();
    find->bind(after, feed, rows_max);
    std::vector<std::int64_t> items;
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) return items;
        items.push_back(find->integer(0));
    }
}

Result<void> mark_replayed(Transaction& txn, std::int64_t id, std::string_view as) {
    auto mark =
        txn.prepare("UPDATE quarantine SET replayed_at = ?, replayed_as = ?, replays = replays + 1 WHERE id = ?");
    if (!mark) return mark.error();
    return mark->bind(txn.now(), as, id).run();
}

Result<void> discard(Transaction& txn, std::int64_t id) {
    const auto item = quarantine_item(txn, id);
    if (!item) return item.error();
    if (item->is_settled())
        return Error{Errc::conflict, "the item is settled already", "see clinicctl quarantine list"};
    auto mark = txn.prepare("UPDATE quarantine SET replayed_at = ?, replayed_as = 'discarded' WHERE id = ?");
    if (!mark) return mark.error();
    return mark->bind(txn.now(), id).run();
}

Result<std::string> open_quarantined(Session& session, const Disclosure&, std::int64_t id) {
    auto find = session.prepare("SELECT wrapped_key, sealed FROM quarantine WHERE id = ?");
    if (!find) return find.error();
    const auto row = find->bind(id).step();
    if (!row) return row.error();
    if (!*row) return no_such_item;
    const auto key = crypto::open_key(session.quarantine_key(), find->blob(0), bound_to(session, id, 'k'));
    if (!key) return key.error();
    const auto raw = crypto::open(*key, find->blob(1), bound_to(session, id, 'm'));
    if (!raw) return raw.error();
    return std::string{reinterpret_cast<const char*>(raw->data()), raw->size()};
}

Result<void> mend_received_times(Transaction& txn, Timestamp ahead_of) {
    auto mend = txn.prepare("UPDATE quarantine SET received_at = ? WHERE received_at > ?");
    if (!mend) return mend.error();
    return mend->bind(txn.now(), ahead_of).run();
}

Result<std::int64_t> purge_quarantine(Transaction& txn, base::Micros life) {
    auto remove = txn.prepare("DELETE FROM quarantine WHERE received_at < ?");
    if (!remove) return remove.error();
    CLINIC_TRY(remove->bind(txn.now() - life).run());
    return std::int64_t{txn.changed_rows()};
}

} // namespace clinic::records
