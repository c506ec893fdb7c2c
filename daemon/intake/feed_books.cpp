#include "daemon/intake/feed_books.h"

namespace clinic::intake {

Result<void> book(records::Transaction& txn, Literal feed, Booked as, std::int64_t count) {
    if (count == 0) return {};
    auto put = txn.prepare(
        "INSERT INTO feed_counter (feed, received, stored, quarantined, refused, duplicate, last_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (feed) DO UPDATE SET received = received + ?2,"
        " stored = stored + ?3, quarantined = quarantined + ?4, refused = refused + ?5, duplicate = duplicate + ?6,"
        " last_at = ?7");
    if (!put) return put.error();
    const auto of = [&](Booked one) { return one == as ? count : 0; };
    return put
        ->bind(feed.c_str(), count, of(Booked::stored), of(Booked::quarantined), of(Booked::refused),
               of(Booked::duplicate), txn.now())
        .run();
}

Result<FeedCounts> feed_counts(records::Session& session, Literal feed) {
    auto find = session.prepare("SELECT received, stored, quarantined, refused, duplicate, last_at FROM feed_counter"
                                " WHERE feed = ?");
    if (!find) return find.error();
    const auto row = find->bind(feed.c_str()).step();
    if (!row) return row.error();
    if (!*row) return FeedCounts{};
    FeedCounts counts{find->integer(0), find->integer(1), find->integer(2), find->integer(3), find->integer(4), {}};
    if (!find->is_null(5)) counts.last_at = Timestamp{find->integer(5)};
    return counts;
}

} // namespace clinic::intake
