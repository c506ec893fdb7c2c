#include "daemon/intake/feed_books.h"

namespace clinic::intake {
namespace {

Result<void> add(records::Transaction& txn, std::string_view feed, Booked as, std::int64_t count) {
    if (count == 0) return {};
    auto put = txn.prepare(
        "INSERT INTO feed_counter (feed, received, stored, quarantined, refused, duplicate, last_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (feed) DO UPDATE SET received = received + ?2,"
        " stored = stored + ?3, quarantined = quarantined + ?4, refused = refused + ?5, duplicate = duplicate + ?6,"
        " last_at = ?7");
    if (!put) return put.error();
    const auto of = [&](Booked one) { return one == as ? count : 0; };
    return put
        ->bind(feed, count, of(Booked::stored), of(Booked::quarantined), of(Booked::refused), of(Booked::duplicate),
               txn.now())
        .run();
}

} // namespace

const char* name(Booked as) {
    switch (as) {
    case Booked::stored: return "stored";
    case Booked::quarantined: return "quarantined";
    case Booked::refused: return "refused";
    case Booked::duplicate: return "duplicate";
    }
    return "";
}

std::string feed_of(std::string_view sender) {
    std::string feed = feed_mllp.c_str();
    if (!sender.empty()) (feed += '/') += sender;
    return feed;
}

std::string_view sender_of(std::string_view feed) {
    const std::size_t slash = feed.find('/');
    return slash == std::string_view::npos ? std::string_view{} : feed.substr(slash + 1);
}

Result<void> book(records::Transaction& txn, Literal feed, Booked as, std::int64_t count) {
    return add(txn, feed.c_str(), as, count);
}

Result<void> book_message(records::Transaction& txn, std::string_view sender, Booked as, std::int64_t count) {
    CLINIC_TRY(book(txn, feed_mllp, as, count));
    if (sender.empty()) return {};
    return add(txn, feed_of(sender), as, count);
}

Result<void> open_sender_books(records::Transaction& txn, std::string_view sender) {
    auto put = txn.prepare("INSERT INTO feed_counter (feed) VALUES (?) ON CONFLICT DO NOTHING");
    if (!put) return put.error();
    return put->bind(feed_of(sender)).run();
}

Result<void> close_sender_books(records::Transaction& txn, std::string_view sender) {
    auto remove = txn.prepare("DELETE FROM feed_counter WHERE feed = ?");
    if (!remove) return remove.error();
    return remove->bind(feed_of(sender)).run();
}

Result<void> mend_last_times(records::Transaction& txn, Timestamp ahead_of) {
    auto mend = txn.prepare("UPDATE feed_counter SET last_at = ? WHERE last_at > ?");
    if (!mend) return mend.error();
    return mend->bind(txn.now(), ahead_of).run();
}

Result<FeedCounts> feed_counts(records::Session& session, Literal feed) {
    return feed_counts(session, std::string_view{feed.c_str()});
}

Result<FeedCounts> feed_counts(records::Session& session, std::string_view feed) {
    auto find = session.prepare("SELECT received, stored, quarantined, refused, duplicate, last_at FROM feed_counter"
                                " WHERE feed = ?");
    if (!find) return find.error();
    const auto row = find->bind(feed).step();
    if (!row) return row.error();
    if (!*row) return FeedCounts{};
    FeedCounts counts{find->integer(0), find->integer(1), find->integer(2), find->integer(3), find->integer(4), {}};
    if (!find->is_null(5)) counts.last_at = Timestamp{find->integer(5)};
    return counts;
}

} // namespace clinic::intake
