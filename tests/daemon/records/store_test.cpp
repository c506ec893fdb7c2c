#include "daemon/records/store.h"

#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <future>
#include <stdexcept>
#include <thread>

#include "daemon/records/schema.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

class StoreTest : public Records {
protected:
    static Result<void> put(Transaction& txn, Literal key, std::string_view value) {
        return set_setting(txn, key, value);
    }
    std::optional<std::string> get(Literal key) {
        auto out = read([&](Snapshot& snapshot) { return setting(snapshot, key); });
        return out ? *out : std::nullopt;
    }
};

// Holds the writer thread inside a job until it is let go, so that what is posted behind it becomes one group.
class Gate {
public:
    explicit Gate(Store& store) {
        EXPECT_TRUE(store.post(
            [this](Transaction&) -> Result<void> {
                entered_.set_value();
                opened_.get_future().wait();
                return {};
            },
            nullptr));
        entered_.get_future().wait();
    }
    void open() { opened_.set_value(); }

private:
    std::promise<void> entered_, opened_;
};

TEST_F(StoreTest, KeepsWhatWasWrittenOverARestart) {
    ASSERT_TRUE(store_->write([](Transaction& txn) { return put(txn, "policy", "baa"); }));
    reopen();
    EXPECT_EQ(get("policy"), "baa");
    EXPECT_EQ(store_->numbers().schema_version, schema_version_known);
    EXPECT_GE(store_->numbers().free_key_slots, 64);
}

// The mark is there while nobody has it open, and gone from the disk before anything is written.
TEST_F(StoreTest, SaysWhetherItWasClosedInOrder) {
    const auto mark = options_.folder / "closed-in-order";
    EXPECT_FALSE(store_->numbers().was_closed); // it was made
    EXPECT_FALSE(std::filesystem::exists(mark));
    reopen();
    EXPECT_TRUE(store_->numbers().was_closed);
    EXPECT_FALSE(std::filesystem::exists(mark));
    store_.reset();
    ASSERT_TRUE(std::filesystem::exists(mark));
    std::filesystem::remove(mark); // as of one that died while nothing lay in its WAL
    reopen();
    EXPECT_FALSE(store_->numbers().was_closed);
}

// A database that somebody put back, or wrote into, is not the one that was closed.
TEST_F(StoreTest, AMarkOfAnotherDatabaseSaysNothingOfThisOne) {
    const auto database = options_.database(), aside = options_.folder / "aside";
    store_.reset();
    std::filesystem::copy_file(database, aside);
    std::filesystem::rename(aside, database); // the same bytes, as from a backup
    reopen();
    EXPECT_FALSE(store_->numbers().was_closed);
    store_.reset();
    const auto then = std::filesystem::last_write_time(database);
    std::filesystem::last_write_time(database, then + std::chrono::nanoseconds{1});
    reopen();
    EXPECT_FALSE(store_->numbers().was_closed);
    reopen();
    EXPECT_TRUE(store_->numbers().was_closed);
}

// Whether or not it could be written down: there is no room, or the stop came first.
TEST_F(StoreTest, IsNotClosedInOrderOnceItFoundDamage) {
    ASSERT_FALSE(store_->write([](Transaction& txn) -> Result<void> {
        txn.found_damage({Errc::tampered, "a row that does not open"});
        return Error{Errc::tampered, "a row that does not open"};
    }));
    store_.reset();
    EXPECT_FALSE(std::filesystem::exists(options_.folder / "closed-in-order"));
}

TEST_F(StoreTest, AKeyThatIsNotItsOwnTakesNoMarkAway) {
    store_.reset();
    EXPECT_FALSE(Store::open(options_, slot_of('x'), clock_));
    reopen();
    EXPECT_TRUE(store_->numbers().was_closed);
}

// The sender asks for work each second, which writes nothing: a WAL of many pages is emptied all the same. A few pages
// stay: emptying them writes each once more.
TEST_F(StoreTest, QuestionsDoNotKeepTheWal) {
    ASSERT_TRUE(store_->write([](Transaction& txn) { return put(txn, "policy", "baa"); }));
    const auto few = store_->numbers().wal_bytes;
    ASSERT_GT(few, 0);
    const auto asks_until = [&](const std::function<bool()>& holds, int seconds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
        while (!holds() && std::chrono::steady_clock::now() < end) {
            EXPECT_TRUE(store_->write([](Transaction&) -> Result<void> { return {}; }));
            std::this_thread::sleep_for(std::chrono::milliseconds{100}); // far shorter than the rest it needs
        }
        return holds();
    };
    EXPECT_FALSE(asks_until([&] { return store_->numbers().wal_bytes < few; }, 4))
        << "two seconds are the rest it needs";
    for (int i = 0; i < 70; ++i)
        ASSERT_TRUE(store_->write([i](Transaction& txn) { return put(txn, "policy", std::to_string(i)); }));
    EXPECT_TRUE(asks_until([&] { return store_->numbers().wal_bytes == 0; }, 30));
}

TEST_F(StoreTest, OneBadJobUndoesNoOther) {
    Gate gate{*store_};
    std::vector<std::promise<bool>> told(50);
    const auto before = store_->numbers();
    for (std::size_t i = 0; i < told.size(); ++i) {
        ASSERT_TRUE(store_->post(
            [i](Transaction& txn) -> Result<void> {
                auto insert = txn.prepare("INSERT INTO visit (patient, at) VALUES (?, ?)");
                if (!insert) return insert.error();
                CLINIC_TRY(insert->bind(PatientId{}, static_cast<std::int64_t>(i)).run());
                if (i % 7 == 3) return Error{Errc::malformed, "a bad message"};
                if (i % 7 == 4) CLINIC_TRY(insert->bind(PatientId{}, static_cast<std::int64_t>(i)).run());
                if (i % 7 == 5) throw std::runtime_error{"a bug"};
                return {};
            },
            [&told, i](const Result<void>& result) { told[i].set_value(result.has_value()); }));
    }
    gate.open();
    std::int64_t good = 0;
    for (std::size_t i = 0; i < told.size(); ++i) {
        const bool ok = told[i].get_future().get();
        EXPECT_EQ(ok, i % 7 != 3 && i % 7 != 4 && i % 7 != 5);
        good += ok ? 1 : 0;
    }
    const auto rows = read([](Snapshot& snapshot) -> Result<std::int64_t> {
        auto count = snapshot.prepare("SELECT count(*) FROM visit");
        if (!count) return count.error();
        CLINIC_TRY(count->step());
        return count->integer(0);
    });
    EXPECT_EQ(rows.value(), good);
    EXPECT_EQ(store_->numbers().commits - before.commits, 2U); // the gate's, and one for all fifty
    EXPECT_EQ(store_->numbers().jobs_failed - before.jobs_failed, 21U);
}

TEST_F(StoreTest, TellsAJobHowLongAgoItsFirstByteWasThere) {
    Gate gate{*store_};
    std::vector<base::Micros> heard;
    const auto job = [&heard](Transaction& txn) -> Result<void> {
        heard.push_back(txn.heard_for());
        return {};
    };
    const auto now = store_->monotonic();
    ASSERT_TRUE(store_->post(job, nullptr));
    ASSERT_TRUE(store_->post(job, nullptr, now - std::chrono::seconds{5}));
    ASSERT_TRUE(store_->post(job, nullptr, now + std::chrono::seconds{60})); // of another clock
    clock_.advance(std::chrono::seconds{2});
    gate.open();
    ASSERT_TRUE(store_->write(job));
    using std::chrono::seconds;
    EXPECT_EQ(heard, (std::vector<base::Micros>{seconds{2}, seconds{7}, seconds{0}, seconds{0}}));
}

TEST_F(StoreTest, TellsOnlyAfterTheCommitAndHooksRunBefore) {
    std::promise<void> told;
    std::vector<int> order;
    std::optional<std::string> seen;
    ASSERT_TRUE(store_->post(
        [&](Transaction& txn) -> Result<void> {
            txn.on_commit([&] { order.push_back(1); });
            return put(txn, "basis", "off");
        },
        [&](const Result<void>& result) {
            order.push_back(result ? 2 : -2);
            seen = get("basis"); // another connection sees it: committed
            told.set_value();
        }));
    told.get_future().wait();
    EXPECT_EQ(order, (std::vector{1, 2}));
    EXPECT_EQ(seen, "off");
}

TEST_F(StoreTest, DropsHooksOfAJobThatFails) {
    bool ran = false;
    const auto out = store_->write([&](Transaction& txn) -> Result<void> {
        txn.on_commit([&ran] { ran = true; });
        return Error{Errc::refused, "no"};
    });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::refused);
    EXPECT_FALSE(ran);
}

TEST_F(StoreTest, APartThatFailsUndoesItselfAndNothingElse) {
    bool hooked = false, bad_hooked = false;
    std::optional<Error> good, bad;
    ASSERT_TRUE(store_->write([&](Transaction& txn) -> Result<void> {
        CLINIC_TRY(put(txn, "basis", "off"));
        const auto first = txn.apart([&] {
            txn.on_commit([&] { hooked = true; });
            return put(txn, "policy", "kept");
        });
        CLINIC_TRY(first);
        good = *first;
        const auto second = txn.apart([&]() -> Result<void> {
            txn.on_commit([&] { bad_hooked = true; });
            CLINIC_TRY(put(txn, "policy", "lost"));
            return Error{Errc::refused, "no"};
        });
        CLINIC_TRY(second);
        bad = *second;
        return {};
    }));
    EXPECT_FALSE(good);
    ASSERT_TRUE(bad);
    EXPECT_EQ(bad->code, Errc::refused);
    EXPECT_EQ(get("basis"), "off");
    EXPECT_EQ(get("policy"), "kept");
    EXPECT_TRUE(hooked);
    EXPECT_FALSE(bad_hooked);
}

TEST_F(StoreTest, AnswersFalseWhenItsQueueIsFull) {
    store_.reset();
    options_.queue_jobs_max = 3;
    reopen();
    Gate gate{*store_};
    std::atomic<int> done{0};
    const auto post = [&] {
        return store_->post([](Transaction&) { return Result<void>{}; }, [&done](const Result<void>&) { ++done; });
    };
    EXPECT_TRUE(post() && post() && post());
    EXPECT_FALSE(post());
    const auto refused = store_->write([](Transaction&) { return Result<void>{}; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::full);
    gate.open();
    store_.reset(); // finishes what was posted
    EXPECT_EQ(done, 3);
}

TEST_F(StoreTest, AWriterThatHangsIsSeenAndOneThatIsIdleIsWell) {
    store_.reset();
    fakes::ManualClock time;
    base::Vitals vitals{time};
    options_.pulse = vitals.join("writer", std::chrono::seconds{120});
    reopen();
    options_.pulse = {};
    Gate gate{*store_};
    time.advance(std::chrono::seconds{121});
    const auto stuck = vitals.overdue();
    gate.open();
    EXPECT_TRUE(stuck);
    ASSERT_TRUE(store_->write([](Transaction&) { return Result<void>{}; }));
    EXPECT_FALSE(vitals.overdue());
    time.advance(std::chrono::seconds{121}); // nothing more is posted: it beats all the same
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (vitals.overdue() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds{20}); // between two looks at the condition
    EXPECT_FALSE(vitals.overdue());
    store_.reset();
    time.advance(std::chrono::hours{1});
    EXPECT_FALSE(vitals.overdue()) << "a store that is closed owes nothing";
}

TEST_F(StoreTest, LendsAStatementTwiceWithinAQuery) {
    ASSERT_TRUE(store_->write([](Transaction& txn) -> Result<void> {
        CLINIC_TRY(put(txn, "a", "1"));
        return put(txn, "b", "2");
    }));
    const auto out = store_->read([](Snapshot& snapshot) -> Result<void> {
        const Literal sql = "SELECT value FROM setting WHERE key >= ? ORDER BY key";
        auto outer = snapshot.prepare(sql);
        auto inner = snapshot.prepare(sql);
        EXPECT_TRUE(outer && inner);
        EXPECT_TRUE(*outer->bind("a").step());
        EXPECT_TRUE(*inner->bind("b").step());
        EXPECT_EQ(outer->text(0), "1");
        EXPECT_EQ(inner->text(0), "2");
        return {};
    });
    EXPECT_TRUE(out);
}

TEST_F(StoreTest, BindsEveryKindOfValueAsItIs) {
    const auto out = store_->read([](Snapshot& snapshot) -> Result<void> {
        auto select = snapshot.prepare("SELECT ?, ?, ?, ?, ?, typeof(?), typeof(?)");
        if (!select) return select.error();
        const auto id = PatientId::make(snapshot.now());
        select->bind(-7, std::string_view{"\0x", 2}, crypto::Bytes{std::byte{9}}, id, std::optional<std::int64_t>{},
                     crypto::Bytes{}, std::string_view{});
        EXPECT_TRUE(*select->step());
        EXPECT_EQ(select->integer(0), -7);
        EXPECT_EQ(select->text(1).size(), 2U);
        EXPECT_EQ(select->blob(2).size(), 1U);
        EXPECT_EQ(select->uuid(3), id.uuid);
        EXPECT_TRUE(select->is_null(4));
        EXPECT_EQ(select->text(5), "blob");
        EXPECT_EQ(select->text(6), "text");
        return {};
    });
    EXPECT_TRUE(out);
}

TEST_F(StoreTest, RefusesPragmaAttachAndWritesOfReaders) {
    EXPECT_FALSE(store_->write([](Transaction& txn) -> Result<void> {
        auto attach = txn.prepare("ATTACH 'other.db' AS other");
        return attach ? Result<void>{} : attach.error();
    }));
    EXPECT_FALSE(store_->write([](Transaction& txn) -> Result<void> {
        auto pragma = txn.prepare("PRAGMA journal_mode=DELETE");
        return pragma ? Result<void>{} : pragma.error();
    }));
    EXPECT_FALSE(store_->read([](Snapshot& snapshot) -> Result<void> {
        auto insert = snapshot.prepare("INSERT INTO setting (key, value) VALUES ('x', 'y')");
        if (!insert) return insert.error();
        return insert->run();
    }));
    EXPECT_FALSE(get("x"));
}

TEST_F(StoreTest, AStatementThatDoesNotFitIsCorruptAndNoMore) {
    const auto out = store_->read([](Snapshot& snapshot) -> Result<void> {
        auto select = snapshot.prepare("SELECT no_such_column FROM setting");
        return select ? Result<void>{} : select.error();
    });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::corrupt);
    EXPECT_TRUE(store_->write([](Transaction& txn) { return put(txn, "still", "works"); }));
}

TEST_F(StoreTest, SealsForOnePlaceAndRowAlone) {
    const auto id = upsert(person("1")).id;
    const auto other = upsert(person("2")).id;
    const auto out = store_->read([&](Snapshot& snapshot) -> Result<void> {
        const auto sealed = snapshot.seal_for(id, "table.column", 1, "a secret");
        if (!sealed) return sealed.error();
        EXPECT_EQ(*snapshot.open_for(id, "table.column", 1, *sealed), "a secret");
        EXPECT_FALSE(snapshot.open_for(id, "table.column", 2, *sealed));
        EXPECT_FALSE(snapshot.open_for(id, "table.other", 1, *sealed));
        EXPECT_FALSE(snapshot.open_for(other, "table.column", 1, *sealed));
        EXPECT_FALSE(snapshot.open_unowned("table.column", 1, *sealed));
        return {};
    });
    EXPECT_TRUE(out);
}

TEST_F(StoreTest, EmptiesTheWalWhenItCloses) {
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(store_->write([&](Transaction& txn) { return put(txn, "i", std::to_string(i)); }));
    EXPECT_GT(store_->numbers().wal_bytes, 0);
    store_.reset();
    std::error_code none;
    const auto wal = options_.folder / "records.db-wal";
    EXPECT_TRUE(!std::filesystem::exists(wal) || std::filesystem::file_size(wal, none) == 0);
}

TEST_F(StoreTest, KeepsTheWalWithinItsBoundWhileItWrites) {
    store_.reset();
    options_.wal_pages_max = 50;
    reopen();
    const std::string bulk(20'000, 'x');
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(store_->write([&](Transaction& txn) { return put(txn, "bulk", bulk); }));
    EXPECT_LT(store_->numbers().wal_bytes, 200 * 4'200);
}

// A full disk, as far as the process can see: files may not grow.
class FilesMayNotGrow {
public:
    explicit FilesMayNotGrow(std::uintmax_t bytes) {
        getrlimit(RLIMIT_FSIZE, &before_);
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        rlimit now = before_;
        now.rlim_cur = bytes;
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &now), 0);
    }
    ~FilesMayNotGrow() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};

TEST_F(StoreTest, AGroupThatCannotBeCommittedFailsWholeAndTheNextOneWorks) {
    ASSERT_TRUE(store_->write([](Transaction& txn) { return put(txn, "before", "kept"); }));
    const auto room = static_cast<std::uintmax_t>(store_->numbers().wal_bytes) + 8'192;
    Gate gate{*store_};
    std::promise<Result<void>> small, large;
    ASSERT_TRUE(store_->post([](Transaction& txn) { return put(txn, "small", "1"); },
                             [&](const Result<void>& result) { small.set_value(result); }));
    ASSERT_TRUE(store_->post([](Transaction& txn) { return put(txn, "large", std::string(400'000, 'x')); },
                             [&](const Result<void>& result) { large.set_value(result); }));
    {
        const FilesMayNotGrow limit{room};
        gate.open();
        const auto first = small.get_future().get();
        const auto second = large.get_future().get();
        ASSERT_FALSE(first);
        ASSERT_FALSE(second);
        EXPECT_EQ(first.error().code, Errc::full);
        EXPECT_EQ(second.error().code, Errc::full);
    }
    EXPECT_FALSE(get("small"));
    EXPECT_EQ(get("before"), "kept");
    EXPECT_TRUE(store_->write([](Transaction& txn) { return put(txn, "after", "works"); }));
    reopen();
    EXPECT_EQ(get("after"), "works");
    EXPECT_FALSE(get("large"));
}

// Readers see whole transactions, while the writer goes on.
TEST_F(StoreTest, ReadersSeeWholeTransactionsWhileTheWriterGoesOn) {
    ASSERT_TRUE(store_->write([](Transaction& txn) -> Result<void> {
        CLINIC_TRY(put(txn, "left", "0"));
        return put(txn, "right", "0");
    }));
    std::atomic<bool> stop{false};
    std::atomic<int> reads{0}, torn{0};
    std::vector<std::jthread> readers;
    for (int i = 0; i < 6; ++i) { // more than the pool holds
        readers.emplace_back([&] {
            while (!stop) {
                const auto out = store_->read([&](Snapshot& snapshot) -> Result<void> {
                    const auto left = setting(snapshot, "left");
                    if (!left) return left.error();
                    const auto right = setting(snapshot, "right");
                    if (!right) return right.error();
                    if (*left != *right) ++torn;
                    return {};
                });
                if (!out && out.error().code != Errc::timeout) ++torn; // a read has its bound on a busy machine, too
                ++reads;
            }
        });
    }
    for (int i = 1; i <= 200; ++i) {
        ASSERT_TRUE(store_->write([i](Transaction& txn) -> Result<void> {
            CLINIC_TRY(put(txn, "left", std::to_string(i)));
            return put(txn, "right", std::to_string(i));
        }));
    }
    while (reads < 50) std::this_thread::yield();
    stop = true;
    readers.clear();
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(get("left"), "200");
}

TEST_F(StoreTest, TakesPostsFromManyThreads) {
    constexpr int threads = 8, each = 50;
    {
        std::vector<std::jthread> senders;
        for (int t = 0; t < threads; ++t) {
            senders.emplace_back([&, t] {
                for (int i = 0; i < each; ++i) {
                    const std::string mrn = std::to_string(t) + "-" + std::to_string(i);
                    EXPECT_TRUE(store_->write([&](Transaction& txn) -> Result<void> {
                        const auto why = audit::Trail::append(
                            txn, {audit::Actor::feed, t, audit::Action::create, audit::Purpose::treatment});
                        if (!why) return why.error();
                        const auto out = upsert_patient(txn, *why, person(mrn.c_str()), now(), false);
                        return out ? Result<void>{} : out.error();
                    }));
                }
            });
        }
    }
    EXPECT_EQ(read([](Snapshot& snapshot) { return patient_count(snapshot); }).value(), threads * each);
    EXPECT_EQ(read([](Snapshot& snapshot) { return audit::Trail::verify(snapshot); }).value().entries, threads * each);
}

} // namespace
} // namespace clinic::records
