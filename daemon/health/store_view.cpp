#include "daemon/health/store_view.h"

#include <algorithm>
#include <charconv>

#include "daemon/records/audit_end.h"
#include "daemon/records/crm_bound.h"
#include "daemon/records/quarantine.h"
#include "daemon/release/policy.h"

namespace clinic::health {
namespace {

constexpr std::int64_t micros_per_second = 1'000'000;

Result<std::int64_t> one_number(records::Session& session, Literal sql) {
    auto statement = session.prepare(sql);
    if (!statement) return statement.error();
    auto row = statement->step();
    if (!row) return row.error();
    return *row && !statement->is_null(0) ? statement->integer(0) : std::int64_t{0};
}

constexpr std::string_view sender_mark = "mllp/"; // "mllp/pms": of the sender that the clinic calls pms

Result<void> read_feeds(records::Session& session, StoreView& view) {
    auto rows = session.prepare("SELECT feed, received, stored, quarantined, refused, duplicate, last_at"
                                " FROM feed_counter ORDER BY feed");
    if (!rows) return rows.error();
    for (;;) {
        auto row = rows->step();
        if (!row) return row.error();
        if (!*row) return {};
        Feed read{.feed = std::string{rows->text(0)},
                  .received = rows->integer(1),
                  .stored = rows->integer(2),
                  .quarantined = rows->integer(3),
                  .refused = rows->integer(4),
                  .duplicate = rows->integer(5)};
        if (!rows->is_null(6))
            read.last_message_s =
                std::max<std::int64_t>(0, (session.now().micros - rows->integer(6)) / micros_per_second);
        const auto known =
            std::find_if(view.feeds.begin(), view.feeds.end(), [&](const Feed& one) { return one.feed == read.feed; });
        if (known != view.feeds.end()) {
            *known = std::move(read);
        } else if (read.feed.starts_with(sender_mark)) {
            read.feed.erase(0, sender_mark.size());
            view.senders.push_back(std::move(read));
        }
    }
}

Result<void> read_policy(records::Session& session, StoreView& view) {
    auto text = records::setting(session, "policy");
    if (!text) return text.error();
    if (!*text) return {};
    auto policy = release::decode_policy(**text);
    if (!policy) return {}; // release takes it for `off` as well, and says so in the log
    view.basis = release::name(policy->basis);
    if (!policy->basis_expires) return {};
    view.basis_expires = *policy->basis_expires;
    view.basis_expired = policy->effective(session.now()) != policy->basis;
    return {};
}

constexpr std::int64_t lasting_us = 3'600'000'000;

Result<void> read_consistency(records::Session& session, Consistency& into) {
    auto walk = session.prepare("SELECT compared, ended_at FROM crm_walk"
                                " WHERE number = (SELECT max(number) FROM crm_walk WHERE ended_at > 0)");
    CLINIC_TRY(walk);
    const auto ended = walk->step();
    CLINIC_TRY(ended);
    if (!*ended) return {};
    into.compared = walk->integer(0);
    into.at = Timestamp{walk->integer(1)};
    auto rows = session.prepare("SELECT count(*), coalesce(sum(differs_since <= ?), 0)"
                                " FROM crm_object INDEXED BY crm_object_differs WHERE differs != 0");
    CLINIC_TRY(rows);
    rows->bind(session.now().micros - lasting_us);
    const auto counted = rows->step();
    CLINIC_TRY(counted);
    into.differing = rows->integer(0);
    into.lasting = rows->integer(1);
    return {};
}

Result<std::int64_t> waiting_in_quarantine(records::Session& session) {
    if (const auto kept = session.kept<records::QuarantineCounter>({})) return kept->waiting;
    const auto items = records::count_waiting(session);
    CLINIC_TRY(items);
    return session.keep({}, records::QuarantineCounter{*items}).waiting;
}

} // namespace

std::vector<Feed> no_messages_yet() {
    return {Feed{.feed = "mllp"}, Feed{.feed = "csv"}};
}

Result<StoreView> read_view(records::Session& session) {
    StoreView view;
    view.feeds = no_messages_yet();
    auto books = outbox::Outbox::books(session, envelope::Destination::crm);
    if (!books) return books.error();
    view.crm = *books;
    if (books->dead > 0) {
        auto dead = outbox::DeadLetters::counts(session);
        CLINIC_TRY(dead);
        view.dead = std::move(*dead);
    }
    CLINIC_TRY(read_feeds(session, view));
    CLINIC_TRY(read_policy(session, view));
    const auto waiting = waiting_in_quarantine(session);
    CLINIC_TRY(waiting);
    view.quarantine_items = *waiting;
    const auto links = one_number(
        session, "SELECT (SELECT count(*) FROM crm_conflict INDEXED BY crm_conflict_open WHERE settled_at IS NULL) +"
                 " (SELECT count(*) FROM crm_object INDEXED BY crm_object_choice WHERE matching = 2)");
    CLINIC_TRY(links);
    view.links_waiting = *links;
    const auto objects = one_number(session, "SELECT max(row) FROM crm_object");
    CLINIC_TRY(objects);
    view.crm_full = *objects >= records::crm_objects_max;
    CLINIC_TRY(read_consistency(session, view.consistency));
    const auto chain = records::audit_end(session);
    CLINIC_TRY(chain);
    view.audit_entries = chain->newest;
    auto check = records::check_place(session);
    if (!check) return check.error();
    view.check = std::move(*check);
    return view;
}

Result<std::vector<envelope::Device::Event>> open_events(records::Session& session, std::int64_t after) {
    auto rows = session.prepare("SELECT number, code, severity, at FROM event WHERE acknowledged = 0 AND number > ?"
                                " ORDER BY number LIMIT ?");
    if (!rows) return rows.error();
    rows->bind(after, events_frame_max);
    std::vector<envelope::Device::Event> events;
    for (;;) {
        auto row = rows->step();
        if (!row) return row.error();
        if (!*row) return events;
        events.push_back(
            {rows->integer(0), std::string{rows->text(1)}, std::string{rows->text(2)}, rows->integer(3) / 1'000});
    }
}

Result<std::int64_t> keep_event(records::Transaction& txn, const envelope::Device::Event& event) {
    auto insert = txn.prepare("INSERT INTO event (number, code, severity, at) VALUES (?, ?, ?, ?)");
    if (!insert) return insert.error();
    CLINIC_TRY(insert->bind(event.number, event.code, event.severity, event.at_ms * 1'000).run());
    auto trim = txn.prepare("DELETE FROM event WHERE number <="
                            " (SELECT number FROM event ORDER BY number DESC LIMIT 1 OFFSET ?) RETURNING acknowledged");
    if (!trim) return trim.error();
    trim->bind(events_stored_max);
    for (std::int64_t untold = 0;;) {
        const auto row = trim->step();
        if (!row) return row.error();
        if (!*row) return untold;
        untold += trim->integer(0) == 0 ? 1 : 0;
    }
}

Result<void> close_events(records::Transaction& txn, std::int64_t number) {
    auto close = txn.prepare("UPDATE event SET acknowledged = 1 WHERE acknowledged = 0 AND number <= ?");
    if (!close) return close.error();
    return close->bind(number).run();
}

Result<std::int64_t> newest_event(records::Session& session) {
    return one_number(session, "SELECT max(number) FROM event");
}

Result<std::optional<bool>> acknowledged(records::Session& session, Literal code, std::int64_t after) {
    auto newest =
        session.prepare("SELECT acknowledged FROM event WHERE number > ? AND code = ? ORDER BY number DESC LIMIT 1");
    if (!newest) return newest.error();
    newest->bind(after, std::string_view{code.c_str()});
    const auto row = newest->step();
    if (!row) return row.error();
    return *row ? std::optional{newest->integer(0) != 0} : std::nullopt;
}

Result<Timestamp> last_trusted_time(records::Session& session) {
    auto text = records::setting(session, "clock_last_trusted");
    if (!text) return text.error();
    Timestamp at{};
    if (*text) std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), at.micros);
    return at;
}

Result<void> keep_trusted_time(records::Transaction& txn, Timestamp at) {
    return records::set_setting(txn, "clock_last_trusted", std::to_string(at.micros));
}

} // namespace clinic::health
