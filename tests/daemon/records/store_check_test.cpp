// The weekly check: in slices, going on after a restart, finding what nobody reads, and never holding the WAL up.
#include "daemon/records/store_check.h"

#include <atomic>
#include <fstream>
#include <thread>

#include "crypto/base/files.h"
#include "crypto/store_image.h"
#include "daemon/records/connection.h"
#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"
#include "tests/fakes/eventually.h"

namespace clinic::records {
namespace {

using Step = StoreCheck::Step;
constexpr std::chrono::hours week{24 * 7};

class Checked : public Records {
protected:
    void SetUp() override {
        Records::SetUp();
        for (int i = 0; i < 200; ++i) upsert(person(std::to_string(i).c_str()));
    }
    std::filesystem::path database() const { return options_.folder / "records.db"; }

    Step one(StoreCheck& check) {
        const auto step = check.step(clock_.now());
        EXPECT_TRUE(step) << step.error().what.c_str();
        return step ? *step : Step::not_due;
    }
    // To its end; how many slices it took.
    std::pair<Step, int> whole(StoreCheck& check) {
        int slices = 1;
        Step step = one(check);
        for (; step == Step::more; ++slices) step = one(check);
        return {step, slices};
    }
    CheckPlace place() {
        return *read([](Snapshot& session) { return check_place(session); });
    }
    std::filesystem::path keys() const { return options_.folder / "keys.db"; }
    static std::uint64_t key_at(std::int64_t slot) { return crypto::key_slot_offset(slot) + 30; }
    void flip(std::uint64_t at) const { flip(database(), at); }
    static void flip(const std::filesystem::path& path, std::uint64_t at) {
        std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
        file.seekg(static_cast<std::streamoff>(at));
        const int byte = file.get();
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(byte ^ 1));
    }
    // A page that no table has: SQLite's own checks do not read it.
    std::uint32_t free_page() {
        store_.reset();
        {
            RawDatabase raw{options_.folder, slot_of('k')};
            raw.run("CREATE TABLE junk (x); INSERT INTO junk VALUES (zeroblob(40000)); DROP TABLE junk;"
                    "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        const auto image = crypto::StoreImage::open(database(), slot_of('k'));
        return image->pages(); // the last one: a leaf of the free list
    }
};

TEST_F(Checked, IsDoneOnceAWeekInSlices) {
    StoreCheck check{*store_, {.pages_a_slice = 16}};
    const auto [step, slices] = whole(check);
    EXPECT_EQ(step, Step::sound);
    EXPECT_GT(slices, store_->numbers().database_bytes / 4'096 / 16 + 20) << "pages by 16, and the tables one by one";
    EXPECT_EQ(place().last, clock_.now());
    EXPECT_TRUE(place().last_sound);
    EXPECT_EQ(place().last_skipped, 0);
    EXPECT_EQ(one(check), Step::not_due);
    clock_.advance(week - std::chrono::seconds{1});
    EXPECT_EQ(one(check), Step::not_due);
    clock_.advance(std::chrono::seconds{1});
    EXPECT_EQ(one(check), Step::more);
}

TEST_F(Checked, GoesOnWhereItWasAfterARestart) {
    ASSERT_TRUE(store_->write([](Transaction& txn) { // their WAL is copied when the store closes
        return set_setting(txn, "x", "y");
    }));
    reopen();
    {
        StoreCheck check{*store_, {.pages_a_slice = 8, .slices_a_mark = 1}};
        for (int i = 0; i < 4; ++i) ASSERT_EQ(one(check), Step::more);
    }
    const auto before = place();
    EXPECT_EQ(before.next_page, 33);
    reopen();
    EXPECT_EQ(place().next_page, 33);
    EXPECT_EQ(place().started, before.started);
    StoreCheck check{*store_, {.pages_a_slice = 8, .slices_a_mark = 1}};
    ASSERT_EQ(one(check), Step::more);
    EXPECT_EQ(place().next_page, 41);
    EXPECT_EQ(whole(check).first, Step::sound);
}

// As a power cut leaves it, in the middle of the last commit.
TEST_F(Checked, BeginsAtOnceWhereTheEndOfTheWalDidNotOpen) {
    {
        StoreCheck check{*store_, {}};
        ASSERT_EQ(whole(check).first, Step::sound);
    }
    reopen(); // with an empty WAL
    upsert(person("last"));
    const auto cut = folder_ / "cut";
    std::filesystem::copy(options_.folder, cut);
    store_.reset();
    options_.folder = cut;
    const auto wal = database().string() + "-wal";
    std::filesystem::resize_file(wal, std::filesystem::file_size(wal) - 100);
    std::ofstream{wal, std::ios::app} << std::string(100, 'x');
    reopen();
    EXPECT_EQ(place().last, clock_.now()) << "when the newest one ended is known still";
    StoreCheck check{*store_, {}};
    EXPECT_EQ(one(check), Step::more);
    EXPECT_EQ(whole(check).first, Step::sound);
}

TEST_F(Checked, FindsDamageWhereNobodyReadsAndTheStoreStaysShut) {
    const auto at = crypto::page_offset(free_page()) + 50;
    flip(at);
    reopen(); // the check at open does not see it
    {
        StoreCheck check{*store_, {}};
        EXPECT_EQ(whole(check).first, Step::damaged);
        EXPECT_EQ(check.damage().code, Errc::tampered);
        EXPECT_FALSE(place().last_sound);
    }
    store_.reset();
    const auto shut = open();
    ASSERT_FALSE(shut);
    EXPECT_EQ(shut.error().code, Errc::tampered);
    EXPECT_NE(std::string{shut.error().remedy.c_str()}.find("clinicctl store salvage"), std::string::npos);
    flip(at); // restored
    reopen();
    EXPECT_FALSE(read([](Snapshot& session) { return setting(session, damage_setting); }).value());
    reopen();
}

TEST_F(Checked, FindsAnIndexThatDoesNotFitItsTable) {
    store_.reset();
    {
        RawDatabase raw{options_.folder, slot_of('k')};
        raw.run("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '(patient)', '(token)')"
                " WHERE name = 'identifier_patient'");
    }
    reopen();
    StoreCheck check{*store_, {}};
    EXPECT_EQ(whole(check).first, Step::damaged);
    EXPECT_EQ(check.damage().code, Errc::corrupt);
}

TEST_F(Checked, CountsPeopleWhoseKeyIsDamagedAndClosesNothing) {
    flip(keys(), key_at(7)), flip(keys(), key_at(190));
    flip(keys(), key_at(220)); // nobody's yet
    {
        StoreCheck check{*store_, {.keys_a_slice = 16}};
        EXPECT_EQ(whole(check).first, Step::sound);
        EXPECT_EQ(place().last_keys_damaged, 2);
        EXPECT_TRUE(place().last_sound);
        flip(keys(), key_at(7)), flip(keys(), key_at(190)); // as they were
        EXPECT_EQ(one(check), Step::not_due);
    }
    reopen();
    EXPECT_EQ(place().people_damaged(), 2) << "which is known until somebody has looked again";
    StoreCheck again{*store_, {.keys_a_slice = 16}};
    for (int slices = 0; place().next_slot <= 17 && slices < 10'000; ++slices) {
        ASSERT_EQ(one(again), Step::more) << "it begins at once with the start";
        ASSERT_EQ(place().people_damaged(), 2);
    }
    EXPECT_EQ(whole(again).first, Step::sound);
    EXPECT_EQ(place().people_damaged(), 0);
}

TEST_F(Checked, WhatOneFoundOfKeysStandsWhileTheNextIsUnderWayAndOverARestart) {
    flip(keys(), key_at(7)), flip(keys(), key_at(190));
    {
        StoreCheck check{*store_, {}};
        ASSERT_EQ(whole(check).first, Step::sound);
        clock_.advance(week);
        flip(keys(), key_at(9));
        ASSERT_EQ(one(check), Step::more);
        EXPECT_EQ(place().people_damaged(), 2);
    }
    const auto last = place().last;
    {
        StoreCheck check{*store_, {.keys_a_slice = 196}};
        while (place().keys_damaged < 3) ASSERT_EQ(one(check), Step::more);
        EXPECT_EQ(place().people_damaged(), 3) << "said when it is found";
    }
    reopen();
    EXPECT_EQ(place().people_damaged(), 3);
    EXPECT_EQ(place().last, last) << "and the newest that ended is no other";
}

TEST_F(Checked, DamageThatItFoundIsSaidUntilTheNextFindsNone) {
    const auto at = crypto::page_offset(free_page()) + 50;
    flip(at);
    reopen();
    {
        StoreCheck check{*store_, {}};
        ASSERT_EQ(whole(check).first, Step::damaged);
    }
    flip(at); // restored
    reopen();
    EXPECT_EQ(place().sound(), false);
    StoreCheck check{*store_, {}};
    EXPECT_EQ(whole(check).first, Step::sound) << "which begins at once, and not in a week";
    EXPECT_EQ(place().sound(), true);
}

TEST_F(Checked, DoesNotCountTheKeyOfSomebodyWhoWasErased) {
    store_.reset();
    RawDatabase{options_.folder, slot_of('k')}.run("UPDATE patient SET status = 3 WHERE key_slot = 7");
    reopen();
    flip(keys(), key_at(7));
    StoreCheck check{*store_, {}};
    EXPECT_EQ(whole(check).first, Step::sound);
    EXPECT_EQ(place().last_keys_damaged, 0);
}

TEST_F(Checked, CountsPeopleWhoseKeyWasCutOff) {
    std::filesystem::resize_file(keys(), key_at(191));
    {
        StoreCheck check{*store_, {.keys_a_slice = 16}};
        EXPECT_EQ(whole(check).first, Step::sound);
        EXPECT_EQ(place().last_keys_damaged, 10) << "of 200, and the last ones' slots are not there";
    }
    reopen();
    StoreCheck again{*store_, {.keys_a_slice = 16}};
    EXPECT_EQ(whole(again).first, Step::sound);
    EXPECT_EQ(place().last_keys_damaged, 10) << "seen as well where the file was short from the start";
}

TEST_F(Checked, GoesOnAmongTheKeysAfterARestartUnlessOneWasDamaged) {
    const auto among_keys = [this] {
        StoreCheck check{*store_, {.keys_a_slice = 16}};
        do ASSERT_EQ(one(check), Step::more);
        while (place().next_slot <= 17);
    };
    among_keys();
    const auto before = place();
    reopen();
    EXPECT_EQ(place().next_slot, before.next_slot);
    {
        StoreCheck check{*store_, {.keys_a_slice = 16}};
        EXPECT_EQ(whole(check).first, Step::sound);
    }
    clock_.advance(week);
    flip(keys(), key_at(3));
    among_keys();
    EXPECT_EQ(place().keys_damaged, 1);
    reopen(); // it may have been mended meanwhile
    EXPECT_EQ(place().next_slot, 0);
    StoreCheck check{*store_, {.keys_a_slice = 16}};
    EXPECT_EQ(whole(check).first, Step::sound);
    EXPECT_EQ(place().last_keys_damaged, 1);
}

TEST_F(Checked, WritesADamagedKeystoreHeaderAnew) {
    const auto before = base::read_bytes(keys(), 1 << 20);
    flip(keys(), 100);
    StoreCheck check{*store_, {}};
    EXPECT_EQ(whole(check).first, Step::sound);
    EXPECT_EQ(*base::read_bytes(keys(), 1 << 20), *before);
}

TEST_F(Checked, WritesADamagedSuperblockAnew) {
    for (const std::uint64_t at : {std::uint64_t{100}, crypto::superblock_bytes + 100}) {
        flip(at);
        StoreCheck check{*store_, {.every = std::chrono::hours{0}}};
        EXPECT_EQ(whole(check).first, Step::sound);
        const auto image = crypto::StoreImage::open(database(), slot_of('k'));
        ASSERT_TRUE(image);
        EXPECT_EQ(image->damaged_superblocks(), 0);
    }
    reopen();
}

TEST_F(Checked, ComesAgainADayLaterWhereTablesWereLeftOut) {
    ASSERT_TRUE(store_->write([this](Transaction& txn) {
        CheckPlace left_out{.last = clock_.now()};
        left_out.last_skipped = 1;
        return set_check_place(txn, left_out);
    }));
    StoreCheck check{*store_, {}};
    clock_.advance(std::chrono::hours{23});
    EXPECT_EQ(one(check), Step::not_due);
    clock_.advance(std::chrono::hours{1});
    EXPECT_EQ(whole(check).first, Step::sound);
    EXPECT_EQ(place().last_skipped, 0);
    clock_.advance(std::chrono::hours{24});
    EXPECT_EQ(one(check), Step::not_due);
}

TEST_F(Checked, TheWalStaysWithinItsBoundUnderWritesAndACheck) {
    store_.reset();
    options_.wal_pages_max = 200;
    reopen();
    StoreCheck check{*store_, {.pages_a_slice = 8}};
    const auto bound = 3 * options_.wal_pages_max * static_cast<std::int64_t>(crypto::slot_bytes);
    std::int64_t highest = 0;
    Step step = Step::more;
    for (int i = 0; step == Step::more; ++i) {
        upsert(person(("during" + std::to_string(i)).c_str()));
        highest = std::max(highest, store_->numbers().wal_bytes);
        step = one(check);
    }
    EXPECT_EQ(step, Step::sound);
    EXPECT_LT(highest, bound);
}

// A real one: a snapshot that is held while the box writes on.
class LongReader {
public:
    explicit LongReader(Store& store)
        : thread_{[this, &store] {
              const auto read = store.read([this](Snapshot& session) -> Result<void> {
                  CLINIC_TRY(setting(session, "policy"));
                  reading_ = true;
                  while (!done_) std::this_thread::yield();
                  return {};
              });
              EXPECT_TRUE(read);
          }} {
        while (!reading_) std::this_thread::yield();
    }
    void end() {
        done_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> reading_{false}, done_{false};
    std::thread thread_;
};

TEST_F(Checked, TheWalComesBackUnderItsBoundAfterALongReaderThoughTheBoxIsNeverIdle) {
    store_.reset();
    options_.wal_pages_max = 100;
    reopen();
    const auto bound = options_.wal_pages_max * static_cast<std::int64_t>(crypto::slot_bytes) + 4'096;
    LongReader reader{*store_};
    int written = 0;
    const auto write = [&] { upsert(person(("long" + std::to_string(written++)).c_str())); };
    while (store_->numbers().wal_bytes < 4 * bound) write();
    EXPECT_TRUE(store_->wal_is_long());
    StoreCheck check{*store_, {.pages_a_slice = 10'000}};
    EXPECT_EQ(one(check), Step::more); // the pages
    EXPECT_EQ(one(check), Step::more);
    EXPECT_EQ(place().next_table, "") << "no snapshot is taken while the WAL is long";
    reader.end();
    const int at_the_end = written;
    while (store_->numbers().wal_bytes > bound && written < at_the_end + 200) write();
    EXPECT_LE(store_->numbers().wal_bytes, bound);
    EXPECT_FALSE(store_->wal_is_long());
}

// A start does not wait for a large store to be read; nor is it taken to be well for a week.
TEST_F(Checked, BeginsAtOnceWhereALargeStoreWasNotClosedInOrder) {
    store_.reset();
    RawDatabase{options_.folder, slot_of('k')}.run(
        "CREATE TABLE big (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
        " INSERT INTO big SELECT zeroblob(4000) FROM n");
    reopen();
    {
        StoreCheck check{*store_, {}};
        ASSERT_EQ(whole(check).first, Step::sound);
    }
    reopen(); // which closes it in order
    {
        StoreCheck check{*store_, {}};
        EXPECT_EQ(one(check), Step::not_due);
    }
    const auto cut = folder_ / "cut";
    std::filesystem::copy(options_.folder, cut);
    store_.reset();
    options_.folder = cut;
    reopen();
    EXPECT_TRUE(place().last_sound) << "as the newest one said";
    StoreCheck check{*store_, {}};
    EXPECT_EQ(one(check), Step::more);
}

// As a large store is opened whose WAL holds something: after a crash, or with a migration.
TEST_F(Checked, ACheckThatItsTimeEndedKeepsNoCheckpointFromBeingMade) {
    store_.reset();
    const auto vfs = crypto::SealedVfs::open(database(), slot_of('k'), crypto::IfAbsent::fail);
    ASSERT_TRUE(vfs);
    const auto writer = Connection::open(database(), (*vfs)->name(), Role::writer, 64);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->run_script("CREATE TABLE big (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
                                      " FROM n WHERE i < 200000) INSERT INTO big SELECT zeroblob(200) FROM n"));
    const auto checked = check_at_open(**writer, {.whole_pages_max = 0, .time_max = std::chrono::milliseconds{0}});
    ASSERT_TRUE(checked);
    EXPECT_FALSE(*checked);
    const auto left = (*writer)->checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    ASSERT_TRUE(left) << left.error().native;
    EXPECT_EQ(*left, 0);
}

} // namespace
} // namespace clinic::records
