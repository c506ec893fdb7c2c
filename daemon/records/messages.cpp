#include "daemon/records/messages.h"

#include <limits>

#include "daemon/records/people.h"

namespace clinic::records {
namespace {

constexpr Literal sealed_at = "raw_message.sealed";
constexpr PatientId nobody{};

Result<std::int64_t> next_row(Session& session) {
    auto highest = session.prepare("SELECT coalesce(max(row), 0) + 1 FROM raw_message");
    if (!highest) return highest.error();
    const auto any = highest->step();
    if (!any) return any.error();
    return highest->integer(0);
}

Result<void> keep(Transaction& txn, PatientId owner, std::int64_t row, std::string_view feed,
                  const crypto::Bytes& sealed, int kept_max) {
    auto insert =
        txn.prepare("INSERT INTO raw_message (row, patient, feed, received_at, sealed) VALUES (?, ?, ?, ?, ?)");
    if (!insert) return insert.error();
    CLINIC_TRY(insert->bind(row, owner, feed, txn.now(), sealed).run());
    auto trim = txn.prepare("DELETE FROM raw_message WHERE patient = ?1 AND row <= (SELECT row FROM raw_message"
                            " WHERE patient = ?1 ORDER BY row DESC LIMIT 1 OFFSET ?2)");
    if (!trim) return trim.error();
    return trim->bind(owner, kept_max).run();
}

// row, feed, received_at, length of the sealed bytes, patient, survivor
KeptMessage read_row(const Statement& found) {
    const auto sealed = found.integer(3), around = static_cast<std::int64_t>(crypto::seal_overhead_bytes);
    KeptMessage message{found.integer(0), std::string{found.text(1)}, Timestamp{found.integer(2)}, sealed - around, {}};
    if (PatientId{found.uuid(4)} != nobody) message.patient = PatientId{found.uuid(found.is_null(5) ? 4 : 5)};
    return message;
}

bool is_of(std::string_view feed, std::string_view asked) {
    if (asked.empty() || feed == asked) return true;
    return feed.size() > asked.size() && feed.starts_with(asked) && feed[asked.size()] == '/';
}

} // namespace

Result<void> keep_message(Transaction& txn, PatientId patient, std::string_view feed, std::string_view raw) {
    const auto person = survivor_of(txn, patient);
    if (!person) return person.error();
    const auto row = next_row(txn);
    if (!row) return row.error();
    const auto sealed = txn.seal_for(person->id, sealed_at, *row, raw);
    if (!sealed) return sealed.error();
    return keep(txn, person->id, *row, feed, *sealed, messages_kept_max);
}

Result<void> keep_unowned_message(Transaction& txn, std::string_view feed, std::string_view raw) {
    const auto row = next_row(txn);
    if (!row) return row.error();
    return keep(txn, nobody, *row, feed, txn.seal_unowned(sealed_at, *row, raw), unowned_messages_max);
}

Result<std::vector<KeptMessage>> kept_messages(Session& session, const MessageSearch& search, int rows_max) {
    auto find = session.prepare("SELECT m.row, m.feed, m.received_at, length(m.sealed), m.patient, p.merged_into"
                                " FROM raw_message m LEFT JOIN patient p ON p.id = m.patient"
                                " WHERE m.row < ? ORDER BY m.row DESC LIMIT ?");
    if (!find) return find.error();
    find->bind(search.before > 0 ? search.before : std::numeric_limits<std::int64_t>::max(), messages_looked_at_max);
    std::vector<KeptMessage> messages;
    while (messages.size() < static_cast<std::size_t>(rows_max)) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) break;
        KeptMessage message = read_row(*find);
        if (message.received_at >= search.since && is_of(message.feed, search.feed))
            messages.push_back(std::move(message));
    }
    return messages;
}

Result<KeptMessage> kept_message(Session& session, std::int64_t id) {
    auto find = session.prepare("SELECT m.row, m.feed, m.received_at, length(m.sealed), m.patient, p.merged_into"
                                " FROM raw_message m LEFT JOIN patient p ON p.id = m.patient WHERE m.row = ?");
    if (!find) return find.error();
    const auto row = find->bind(id).step();
    if (!row) return row.error();
    if (!*row) return Error{Errc::not_found, "no such message", "look at: clinicctl messages list"};
    return read_row(*find);
}

Result<std::string> open_message(Session& session, const Disclosure&, std::int64_t id) {
    auto find = session.prepare("SELECT patient, sealed FROM raw_message WHERE row = ?");
    if (!find) return find.error();
    const auto row = find->bind(id).step();
    if (!row) return row.error();
    if (!*row) return Error{Errc::not_found, "no such message", "look at: clinicctl messages list"};
    const PatientId owner{find->uuid(0)};
    if (owner == nobody) return session.open_unowned(sealed_at, id, find->blob(1));
    return session.open_for(owner, sealed_at, id, find->blob(1));
}

} // namespace clinic::records
