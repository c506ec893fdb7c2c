// The bounds of reading, and what is counted of statements.
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "crypto/sealed_vfs.h"
#include "daemon/records/connection.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

using namespace std::chrono_literals;

// Some tenths of a second of work that reads no table.
constexpr Literal long_work = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
                              " SELECT max(i) FROM n";
// Without an end of its own.
constexpr Literal endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

Result<void> run(Session& session, Literal sql) {
    auto one = session.prepare(sql);
    if (!one) return one.error();
    return one->run();
}

StatementUse use_of(const Store& store, Literal sql) {
    for (const auto& one : store.statements())
        if (std::string_view{one.sql.c_str()} == sql.c_str()) return one;
    return {};
}

class Access : public Records {
protected:
    // A reader that is kept until `let_go`.
    class Keeping {
    public:
        explicit Keeping(Store& store)
            : thread_{[this, &store] {
                  done_ = store.read([this](Snapshot&) -> Result<void> {
                      began_.set_value();
                      end_.get_future().wait();
                      return {};
                  });
              }} {
            began_.get_future().wait();
        }
        void let_go() {
            end_.set_value();
            thread_.join();
        }
        const Result<void>& done() const { return done_; }

    private:
        std::promise<void> began_, end_;
        Result<void> done_;
        std::thread thread_;
    };
};

TEST_F(Access, ASnapshotThatLastsTooLongIsCutAndItsReaderServesTheNext) {
    options_.snapshot_max = 50ms;
    options_.readers_max = 1;
    reopen();
    const auto cut = store_->read([](Snapshot& snapshot) { return run(snapshot, endless); });
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::timeout);
    EXPECT_EQ(store_->numbers().reads_cut, 1U);
    EXPECT_GE(store_->numbers().longest_read_us, 40'000); // the two clocks differ by some ms
    EXPECT_TRUE(store_->read([](Snapshot& snapshot) { return run(snapshot, "SELECT count(*) FROM setting"); }));
    EXPECT_EQ(store_->numbers().reads_cut, 1U);
    EXPECT_EQ(store_->numbers().reads, 2U);
}

// The work between two statements counts too: it is the snapshot that is short.
TEST_F(Access, ASnapshotIsCutAtItsNextStepAlso) {
    options_.snapshot_max = 20ms;
    reopen();
    const auto cut = store_->read([](Snapshot& snapshot) -> Result<void> {
        const auto end = std::chrono::steady_clock::now() + 60ms;
        while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
        return run(snapshot, "SELECT count(*) FROM setting");
    });
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::timeout);
}

TEST_F(Access, ALongWriteIsNotCut) {
    options_.snapshot_max = 1ms;
    reopen();
    EXPECT_TRUE(store_->write([](Transaction& txn) -> Result<void> {
        auto one = txn.prepare(long_work);
        if (!one) return one.error();
        return one->bind(300'000).run();
    }));
}

TEST_F(Access, WhoFindsNoFreeReaderIsToldSoAndNotKeptForEver) {
    options_.readers_max = 2;
    options_.reader_wait_max = 30ms;
    reopen();
    Keeping first{*store_}, second{*store_};
    const auto refused = store_->read([](Snapshot&) -> Result<void> { return {}; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::timeout);
    EXPECT_EQ(store_->numbers().reads_refused, 1U);
    first.let_go();
    second.let_go();
    EXPECT_TRUE(first.done());
    EXPECT_TRUE(store_->read([](Snapshot&) -> Result<void> { return {}; }));
    EXPECT_EQ(store_->numbers().reads_refused, 1U);
}

TEST_F(Access, AStatementThatWaitsForAReaderGetsTheFirstThatIsFree) {
    options_.readers_max = 1;
    options_.reader_wait_max = 60s;
    options_.snapshot_max = 60s;
    reopen();
    Keeping only{*store_};
    auto waiting = std::async(
        std::launch::async, [this] { return store_->read([](Snapshot&) -> Result<void> { return {}; }).has_value(); });
    EXPECT_EQ(waiting.wait_for(20ms), std::future_status::timeout);
    only.let_go();
    EXPECT_TRUE(waiting.get());
}

TEST_F(Access, CountsWhatAStatementDidAndNotWhatItWasGiven) {
    for (const char* number : {"1", "2", "3"}) upsert(person(number));
    const Literal walk = "SELECT id FROM patient WHERE has_email = ? ORDER BY created_at";
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(store_->read([&](Snapshot& snapshot) -> Result<void> {
            auto one = snapshot.prepare(walk);
            if (!one) return one.error();
            return one->bind(1).run();
        }));
    }
    const auto walked = use_of(*store_, walk);
    EXPECT_EQ(walked.runs, 2U);
    EXPECT_EQ(walked.full_scan_steps, 2U * 2U); // three rows are two steps onward
    EXPECT_EQ(walked.sorts, 2U);
    EXPECT_GT(walked.machine_steps, 2U * 3U);
    const auto found = use_of(*store_, "SELECT status, merged_into, test_traffic, has_mobile, has_email, created_at"
                                       " FROM patient WHERE id = ?");
    EXPECT_EQ(found.full_scan_steps, 0U);
    EXPECT_EQ(found.sorts, 0U);
}

TEST_F(Access, ASlowStatementIsToldByItsTextAlone) {
    const Literal slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
                         " SELECT max(i) FROM n WHERE ?2 <> ''";
    testing::internal::CaptureStderr();
    ASSERT_TRUE(store_->write([&](Transaction& txn) -> Result<void> {
        auto one = txn.prepare(slow);
        if (!one) return one.error();
        return one->bind(3'000'000, "Wilhelmina").run();
    }));
    ASSERT_TRUE(store_->write([](Transaction& txn) { return set_setting(txn, "quick", "one"); }));
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("a slow statement"), std::string::npos) << log;
    EXPECT_NE(log.find("SELECT max(i) FROM n WHERE ?2"), std::string::npos) << log;
    EXPECT_NE(log.find("machine_steps="), std::string::npos) << log;
    EXPECT_EQ(log.find("Wilhelmina"), std::string::npos) << log;
    EXPECT_EQ(log.find("3000000"), std::string::npos) << log;
    EXPECT_EQ(use_of(*store_, slow).slow, 1U);
    EXPECT_GE(store_->numbers().slow_statements, 1U); // a busy machine may have made another one slow
}

TEST(SlowStatementsTest, AreToldSoManyTimesAMinuteAndCountedAlways) {
    SlowStatements slow{1ms};
    testing::internal::CaptureStderr();
    for (int i = 0; i < 3 * slow_lines_a_minute_max; ++i) slow.tell("SELECT 1", 5ms, 7, 9);
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), slow_lines_a_minute_max) << log;
    EXPECT_EQ(slow.count(), 3U * slow_lines_a_minute_max);
    EXPECT_TRUE(slow.is_slow(2ms));
    EXPECT_FALSE(slow.is_slow(1ms));
}

// Each literal at an address of its own, as many as no program of ours has.
template <std::size_t N>
struct Text {
    char text[64] = {};
    consteval Text() {
        constexpr char head[] = "SELECT count(*) FROM setting WHERE key = 'k";
        std::size_t at = 0;
        for (const char* c = head; *c != '\0'; ++c) text[at++] = *c;
        for (std::size_t rest = N; rest != 0; rest /= 10) text[at++] = static_cast<char>('0' + rest % 10);
        text[at] = '\'';
    }
};
template <std::size_t N>
constexpr Text<N> text_of{};

template <std::size_t... N>
Result<void> prepare_all(Connection& connection, std::index_sequence<N...>) {
    for (const Literal sql : {Literal{text_of<N + 1>.text}...})
        if (const auto one = connection.prepare(sql); !one) return one.error();
    return {};
}

TEST_F(Access, KeepsNoMoreStatementsThanItsBoundAndNeverDropsALentOne) {
    store_.reset();
    auto vfs = crypto::SealedVfs::open(options_.folder / "records.db", slot_of('k'), crypto::IfAbsent::fail);
    ASSERT_TRUE(vfs);
    auto opened = Connection::open(options_.folder / "records.db", (*vfs)->name(), Role::writer, 1'000);
    ASSERT_TRUE(opened);
    Connection& connection = **opened;
    auto lent = connection.prepare("SELECT key FROM setting WHERE key = ?");
    ASSERT_TRUE(lent);
    lent->bind("nothing");
    ASSERT_TRUE(prepare_all(connection, std::make_index_sequence<statements_kept_max + 100>{}));
    EXPECT_LE(connection.statements_kept(), statements_kept_max);
    const auto row = lent->step();
    ASSERT_TRUE(row);
    EXPECT_FALSE(*row);
    auto twice = connection.prepare("SELECT key FROM setting WHERE key = ?"); // lent already: a second one
    ASSERT_TRUE(twice);
    EXPECT_TRUE(twice->bind("nothing").step());
}

} // namespace
} // namespace clinic::records
