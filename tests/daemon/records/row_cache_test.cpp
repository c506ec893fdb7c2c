// The cache of pseudonymous rows: by itself, and against the database while it is written.
#include "daemon/records/row_cache.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "crypto/base/owned.h"
#include "daemon/records/consents.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

using namespace std::chrono_literals;

class Rows : public testing::Test {
protected:
    Rows() {
        sqlite3* raw = nullptr;
        sqlite3_open(":memory:", &raw);
        db_.reset(raw);
        EXPECT_TRUE(rows_.watch(raw)) << "the cache needs an SQLite with a pre-update hook";
    }
    static RowKey key(std::uint32_t number) {
        RowKey made;
        std::memcpy(made.owner.bytes.data(), &number, sizeof number);
        return made;
    }
    static PatientRow row(std::int64_t number) { return {.row = number}; }
    std::optional<std::int64_t> find(RowCache::Since since, const RowKey& at, base::Micros when = 1s) {
        const auto found = rows_.find<PatientRow>(since, when, at);
        return found ? std::optional{found->row} : std::nullopt;
    }
    void change(const RowKey& at) {
        rows_.note(RowPlace::patient, at.owner);
        rows_.end_group(true);
    }

    std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close_v2>> db_;
    RowCache rows_;
};

TEST_F(Rows, AreFoundByWhoBeginsLaterAndCounted) {
    const auto since = rows_.now();
    EXPECT_EQ(find(since, key(1)), std::nullopt);
    rows_.keep(since, 1s, key(1), row(11));
    EXPECT_EQ(find(since, key(1)), 11);
    EXPECT_EQ(find(rows_.now(), key(1)), 11);
    EXPECT_EQ(find(since, key(2)), std::nullopt);
    EXPECT_EQ(rows_.find<ConsentRows>(since, 1s, key(1)).has_value(), false) << "another type, another row";
    EXPECT_EQ(rows_.hits(), 2U);
    EXPECT_EQ(rows_.misses(), 3U);
    EXPECT_EQ(rows_.rows(), 1);
}

TEST_F(Rows, ThatChangeAreServedToNobodyUntilTheGroupHasEndedAndNeverTheOldOneAgain) {
    const auto before = rows_.now();
    rows_.keep(before, 1s, key(1), row(11));
    rows_.note(RowPlace::patient, key(1).owner);
    EXPECT_EQ(find(before, key(1)), std::nullopt);
    EXPECT_EQ(find(rows_.now(), key(1)), std::nullopt);
    rows_.keep(rows_.now(), 1s, key(1), row(11)); // read from a snapshot that may be the old one
    rows_.end_group(true);
    const auto after = rows_.now();
    EXPECT_EQ(find(after, key(1)), std::nullopt);
    rows_.keep(before, 1s, key(1), row(11)); // a slow reader of the old snapshot comes late
    EXPECT_EQ(find(after, key(1)), std::nullopt);
    rows_.keep(after, 1s, key(1), row(12));
    EXPECT_EQ(find(after, key(1)), 12);
    EXPECT_EQ(find(before, key(1)), std::nullopt) << "whose snapshot is older than the row";
}

TEST_F(Rows, OfOthersStay) {
    const auto since = rows_.now();
    for (std::uint32_t number = 1; number <= 50; ++number) rows_.keep(since, 1s, key(number), row(number));
    change(key(7));
    int found = 0;
    for (std::uint32_t number = 1; number <= 50; ++number) found += find(rows_.now(), key(number)) ? 1 : 0;
    EXPECT_GE(found, 48); // two may share a bucket
    EXPECT_EQ(find(rows_.now(), key(7)), std::nullopt);
}

TEST_F(Rows, GoAfterTheirTimeAndTheLongestUnusedOneByTheBound) {
    const auto since = rows_.now();
    rows_.keep(since, 1s, key(1), row(1));
    EXPECT_EQ(find(since, key(1), 5min), 1);
    EXPECT_EQ(find(since, key(1), 1s + RowCache::life_max), std::nullopt);
    rows_.keep(since, 1s, key(1), row(1));
    rows_.keep(since, 1s, key(2), row(2));
    for (std::uint32_t number = 3; number <= RowCache::rows_max; ++number) rows_.keep(since, 1s, key(number), row(3));
    EXPECT_EQ(find(since, key(1)), 1); // used: now 2 is the oldest
    rows_.keep(since, 1s, key(20'000), row(4));
    EXPECT_EQ(rows_.rows(), static_cast<std::int64_t>(RowCache::rows_max));
    EXPECT_EQ(find(since, key(1)), 1);
    EXPECT_EQ(find(since, key(2)), std::nullopt);
}

TEST_F(Rows, OfAnOpenGroupAreTheWritersUntilItIsDurable) {
    const auto before = rows_.now();
    const RowCache::Sight writer{before, true};
    rows_.note(RowPlace::patient, key(1).owner);
    rows_.keep(writer, 1s, key(1), row(11));
    EXPECT_EQ(rows_.find<PatientRow>(writer, 1s, key(1))->row, 11);
    EXPECT_EQ(find(rows_.now(), key(1)), std::nullopt) << "nobody else's yet";
    rows_.note(RowPlace::patient, key(1).owner);
    EXPECT_FALSE(rows_.find<PatientRow>(writer, 1s, key(1))) << "changed once more since it was read";
    rows_.keep(writer, 1s, key(1), row(12));
    rows_.end_group(true);
    EXPECT_EQ(find(rows_.now(), key(1)), 12);
    EXPECT_EQ(find(before, key(1)), std::nullopt) << "whose snapshot is older";

    rows_.note(RowPlace::patient, key(1).owner);
    rows_.keep({rows_.now(), true}, 1s, key(1), row(13));
    rows_.undone();
    EXPECT_FALSE(rows_.find<PatientRow>({rows_.now(), true}, 1s, key(1))) << "a part of the group was undone";
    rows_.keep({rows_.now(), true}, 1s, key(1), row(14));
    rows_.end_group(false);
    EXPECT_EQ(find(rows_.now(), key(1)), std::nullopt) << "and so was all of it";
}

TEST_F(Rows, OfAnOpenGroupAreBounded) {
    const auto all = static_cast<std::uint32_t>(RowCache::rows_max + 100);
    for (std::uint32_t number = 0; number < all; ++number) rows_.note(RowPlace::patient, key(number).owner);
    for (std::uint32_t number = 0; number < all; ++number)
        rows_.keep({rows_.now(), true}, 1s, key(number), row(number));
    EXPECT_TRUE(rows_.find<PatientRow>({rows_.now(), true}, 1s, key(0)));
    EXPECT_FALSE(rows_.find<PatientRow>({rows_.now(), true}, 1s, key(all - 1))) << "the group holds no more";
    rows_.end_group(true);
    EXPECT_LE(rows_.rows(), static_cast<std::int64_t>(RowCache::rows_max));
    EXPECT_GT(rows_.rows(), 0);
}

TEST_F(Rows, ASettingHasANumberThatChangesWithItAlone) {
    const auto first = rows_.setting_since(rows_.now(), "policy");
    ASSERT_TRUE(first);
    EXPECT_EQ(rows_.setting_since(rows_.now(), "policy"), first);
    RowCache another;
    EXPECT_FALSE(another.setting_since(another.now(), "policy")) << "it watches nothing";
    ASSERT_TRUE(another.watch(db_.get()));
    EXPECT_NE(another.setting_since(another.now(), "policy"), first) << "another store's";
}

TEST(ShortIds, HoldIdsAndNothingThatIsWritten) {
    EXPECT_EQ(ShortId::of("p_0123456789abcdefghij")->text(), "p_0123456789abcdefghij");
    EXPECT_EQ(ShortId::of("")->text(), "");
    EXPECT_TRUE(ShortId::of(std::string(64, 'a')));
    EXPECT_FALSE(ShortId::of(std::string(65, 'a')));
    for (const char* text : {"Jane Doe", "jane@example.org", "+15550100", "1980-01-01T", "M\xc3\xbcller"})
        EXPECT_EQ(ShortId::of(text).has_value(), std::string_view{text} == "1980-01-01T") << text;
}

class RowsOfTheStore : public Records {
protected:
    Result<void> run(Transaction& txn, Literal sql, PatientId patient, int value) {
        auto one = txn.prepare(sql);
        if (!one) return one.error();
        return one->bind(value, patient).run();
    }
    void write(Literal sql, PatientId patient, int value) {
        ASSERT_TRUE(store_->write([&](Transaction& txn) { return run(txn, sql, patient, value); }));
    }
};

TEST_F(RowsOfTheStore, ServeAgainWhatNobodyChanged) {
    const auto id = upsert(person("1")).id;
    facts(id);
    const auto before = store_->numbers();
    for (int i = 0; i < 10; ++i) facts(id);
    const auto after = store_->numbers();
    EXPECT_EQ(after.cache_hits - before.cache_hits, 20U); // the person and their consents
    EXPECT_EQ(after.cache_misses, before.cache_misses);
    clock_.advance(RowCache::life_max);
    facts(id);
    EXPECT_EQ(store_->numbers().cache_misses, before.cache_misses + 2);
}

// Whatever statement does it, told of by nobody.
TEST_F(RowsOfTheStore, FollowEachStatementThatChangesThem) {
    const auto id = upsert(person("1")).id;
    ASSERT_TRUE(with([&](Transaction& txn, const Disclosure&) {
        return record_consent(txn, id, {.state = ConsentState::granted, .given_at = clock_.now()}, now());
    }));
    for (int i = 0; i < 4; ++i) {
        write("UPDATE patient SET has_email = ? WHERE id = ?", id, i % 2);
        EXPECT_EQ(facts(id).has_email, i % 2 == 1);
        write("UPDATE consent SET state = ? WHERE patient = ?", id, i % 2);
        ASSERT_EQ(facts(id).consents.size(), 1U);
        EXPECT_EQ(facts(id).consents.front().state, static_cast<ConsentState>(i % 2));
    }
    write("DELETE FROM consent WHERE ? = 1 AND patient = ?", id, 1);
    EXPECT_TRUE(facts(id).consents.empty());
}

TEST_F(RowsOfTheStore, ThatWereUndoneAreAsTheyWere) {
    const auto id = upsert(person("1")).id;
    EXPECT_FALSE(facts(id).has_email);
    EXPECT_FALSE(store_->write([&](Transaction& txn) -> Result<void> {
        CLINIC_TRY(run(txn, "UPDATE patient SET has_email = ? WHERE id = ?", id, 1));
        const auto inside = patient_facts(txn, id);
        CLINIC_TRY(inside);
        EXPECT_TRUE(inside->has_email) << "its own change";
        return Error{Errc::refused, "undone"};
    }));
    EXPECT_FALSE(facts(id).has_email);
}

// Readers compare what they are served with the row in the very same snapshot, and with what was acknowledged before
// they began, while the writer changes it as fast as it can.
TEST_F(RowsOfTheStore, AreOfTheReadersOwnSnapshotAndNeverOlderThanWhatWasCommittedBefore) {
    const auto id = upsert(person("1")).id;
    std::atomic<std::int64_t> committed{0}, compared{0}, wrong{0}, old{0};
    std::atomic<bool> stop{false};
    const auto look = [&] {
        while (!stop) {
            const auto at_least = committed.load();
            const auto done = store_->read([&](Snapshot& snapshot) -> Result<void> {
                for (int i = 0; i < 3; ++i) {
                    const auto served = patient_facts(snapshot, id);
                    CLINIC_TRY(served);
                    auto find = snapshot.prepare("SELECT created_at FROM patient WHERE id = ?");
                    CLINIC_TRY(find);
                    const auto row = find->bind(id).step();
                    CLINIC_TRY(row);
                    if (served->created_at.micros != find->integer(0)) ++wrong;
                    if (served->created_at.micros < at_least) ++old;
                    ++compared;
                }
                return {};
            });
            EXPECT_TRUE(done);
        }
    };
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) readers.emplace_back(look);
    for (int value = 1; value <= 2'000; ++value) {
        write("UPDATE patient SET created_at = ? WHERE id = ?", id, value);
        committed = value;
    }
    stop = true;
    for (auto& one : readers) one.join();
    EXPECT_GT(compared, 1'000);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(old, 0);
    EXPECT_GT(store_->numbers().cache_hits, 0U);
}

} // namespace
} // namespace clinic::records
