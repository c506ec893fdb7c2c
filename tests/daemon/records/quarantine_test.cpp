#include "daemon/records/quarantine.h"

#include "crypto/base/files.h"
#include "daemon/records/seen.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

class Quarantine : public Records {
protected:
    std::int64_t put(std::string_view raw) {
        auto out = with([&](Transaction& txn, const Disclosure&) {
            return quarantine(txn, "mllp", Error{Errc::malformed, "PID-7: not a date", "", {.segment = 3, .field = 7}},
                              raw);
        });
        EXPECT_TRUE(out);
        return out ? *out : 0;
    }
};

TEST_F(Quarantine, GivesBackTheBytesAndTheReason) {
    const std::string raw{"MSH|^~\\&|\0\xff", 11};
    const auto id = put(raw);
    const auto items = read([](Snapshot& snapshot) { return quarantined(snapshot, 0, 10); });
    ASSERT_EQ(items->size(), 1U);
    EXPECT_EQ(items->front().id, id);
    EXPECT_EQ(items->front().feed, "mllp");
    EXPECT_EQ(items->front().reason, "PID-7: not a date");
    EXPECT_EQ(items->front().at.field, 7);
    EXPECT_EQ(items->front().received_at, clock_.now());
    const auto opened = with([&](Transaction& txn, const Disclosure& why) { return open_quarantined(txn, why, id); });
    EXPECT_EQ(opened.value(), raw);
}

TEST_F(Quarantine, ListsTheNewestFirstWithinTheBound) {
    const auto first = put("one");
    put("two");
    const auto last = put("three");
    const auto items = read([](Snapshot& snapshot) { return quarantined(snapshot, 0, 2); });
    ASSERT_EQ(items->size(), 2U);
    EXPECT_EQ(items->front().id, last);
    const auto rest = read([&](Snapshot& snapshot) { return quarantined(snapshot, items->back().id, 2); });
    ASSERT_EQ(rest->size(), 1U);
    EXPECT_EQ(rest->front().id, first);
}

TEST_F(Quarantine, RemembersAReplayAndWhatBecameOfIt) {
    const auto first = put("one"), second = put("two");
    EXPECT_TRUE(with([&](Transaction& txn, const Disclosure&) { return mark_replayed(txn, first, "quarantined"); }));
    clock_.advance(std::chrono::minutes{1});
    EXPECT_TRUE(with([&](Transaction& txn, const Disclosure&) { return mark_replayed(txn, second, "stored"); }));
    const auto item = read([&](Snapshot& snapshot) { return quarantine_item(snapshot, second); });
    ASSERT_TRUE(item);
    EXPECT_EQ(item->replayed_at, clock_.now());
    EXPECT_TRUE(item->is_settled());
    EXPECT_EQ(item->bytes, 3);
    const auto waiting = read([](Snapshot& snapshot) { return waiting_items(snapshot, "mllp", 0, 10); });
    EXPECT_EQ(waiting.value(), std::vector{first}) << "it failed again, and waits";
    EXPECT_TRUE(read([](Snapshot& snapshot) { return waiting_items(snapshot, "csv", 0, 10); })->empty());
    EXPECT_EQ(read([](Snapshot& snapshot) { return waiting_items(snapshot, "", 0, 10); })->size(), 1U);
    EXPECT_EQ(read([](Snapshot& snapshot) { return count_waiting(snapshot); }).value(), 1);
    EXPECT_EQ(read([](Snapshot& snapshot) { return quarantine_item(snapshot, 99); }).error().code, Errc::not_found);
}

TEST_F(Quarantine, LetsAPersonSettleAnItemOnce) {
    const auto id = put("one");
    const auto give_up = [&](std::int64_t which) {
        return with([&](Transaction& txn, const Disclosure&) { return discard(txn, which); });
    };
    EXPECT_TRUE(give_up(id));
    EXPECT_EQ(read([](Snapshot& snapshot) { return count_waiting(snapshot); }).value(), 0);
    EXPECT_EQ(read([&](Snapshot& snapshot) { return quarantine_item(snapshot, id); })->replayed_as, "discarded");
    EXPECT_TRUE(with([&](Transaction& txn, const Disclosure& why) { return open_quarantined(txn, why, id); }));
    EXPECT_EQ(give_up(id).error().code, Errc::conflict);
    EXPECT_EQ(give_up(99).error().code, Errc::not_found);
}

TEST_F(Quarantine, ForgetsAfterThirtyDays) {
    const auto old = put("old");
    clock_.advance(std::chrono::hours{24 * 29});
    const auto young = put("young");
    clock_.advance(std::chrono::hours{25});
    const auto gone = with([](Transaction& txn, const Disclosure&) { return purge_quarantine(txn); });
    EXPECT_EQ(gone.value(), 1);
    const auto open = [&](std::int64_t id) {
        return with([&](Transaction& txn, const Disclosure& why) { return open_quarantined(txn, why, id); });
    };
    EXPECT_FALSE(open(old));
    EXPECT_EQ(open(young).value(), "young");
}

TEST_F(Quarantine, RefusesBeyondItsBound) {
    ASSERT_TRUE(store_->write([](Transaction& txn) -> Result<void> {
        auto fill = txn.prepare("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                                " INSERT INTO quarantine (feed, reason, line, segment, field, offset, received_at,"
                                " wrapped_key, sealed) SELECT 'mllp', '', 0, 0, 0, 0, 0, x'', x'' FROM n");
        if (!fill) return fill.error();
        return fill->bind(quarantine_items_max).run();
    }));
    const auto out = with([](Transaction& txn, const Disclosure&) {
        return quarantine(txn, "mllp", Error{Errc::malformed, "x"}, "raw");
    });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::full);
    EXPECT_TRUE(with([](Transaction& txn, const Disclosure&) { return discard(txn, 7); }));
    const auto id = put("the settled one made room");
    EXPECT_GT(id, quarantine_items_max);
    EXPECT_EQ(read([](Snapshot& snapshot) { return quarantine_item(snapshot, 7); }).error().code, Errc::not_found);
}

class Seen : public Records {
protected:
    void remember(const MessageKey& key, std::string_view body) {
        ASSERT_TRUE(store_->write(
            [&](Transaction& txn) { return remember_seen(txn, key, crypto::digest(base::as_bytes(body)), "AA"); }));
    }
    std::optional<SeenMessage> look(const MessageKey& key) {
        return read([&](Snapshot& snapshot) { return find_seen(snapshot, key); }).value();
    }
};

TEST_F(Seen, KnowsAMessageBySenderControlIdAndTime) {
    const MessageKey key{"APP|FAC", "42", "20261121100000"};
    EXPECT_FALSE(look(key));
    remember(key, "body");
    ASSERT_TRUE(look(key));
    EXPECT_EQ(look(key)->body, crypto::digest(base::as_bytes("body")));
    EXPECT_EQ(look(key)->ack, "AA");
    EXPECT_FALSE(look({"APP|OTHER", "42", "20261121100000"}));
    EXPECT_FALSE(look({"APP|FAC", "43", "20261121100000"}));
    EXPECT_FALSE(look({"APP|FAC", "42", "20261121100001"}));
    EXPECT_FALSE(look({"APP|FAC4", "2", "20261121100000"}));
}

TEST_F(Seen, RemembersTheNewestBodyOfAReusedId) {
    const MessageKey key{"APP|FAC", "42", "1"};
    remember(key, "first");
    remember(key, "second");
    EXPECT_EQ(look(key)->body, crypto::digest(base::as_bytes("second")));
}

TEST_F(Seen, ForgetsAfterThirtyDays) {
    remember({"A|B", "old", "1"}, "x");
    clock_.advance(std::chrono::hours{24 * 20});
    remember({"A|B", "young", "1"}, "x");
    clock_.advance(std::chrono::hours{24 * 11});
    const auto purge = [&] {
        return with([](Transaction& txn, const Disclosure&) { return purge_seen(txn); }).value();
    };
    EXPECT_EQ(purge(), 1);
    EXPECT_FALSE(look({"A|B", "old", "1"}));
    EXPECT_TRUE(look({"A|B", "young", "1"}));
    clock_.advance(std::chrono::hours{24 * 30});
    EXPECT_EQ(purge(), 1);
    EXPECT_EQ(purge(), 0);
}

TEST_F(Seen, KeepsNoMoreThanItsBound) {
    remember({"A|B", "first", "1"}, "x");
    ASSERT_TRUE(store_->write([](Transaction& txn) -> Result<void> {
        auto skip = txn.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'seen_message'");
        if (!skip) return skip.error();
        return skip->bind(seen_messages_max).run(); // as if a million had come in between
    }));
    remember({"A|B", "last", "1"}, "x");
    EXPECT_FALSE(look({"A|B", "first", "1"}));
    EXPECT_TRUE(look({"A|B", "last", "1"}));
}

} // namespace
} // namespace clinic::records
