// Rows in memory and a commit that fails: whatever call of the disk fails under a group that changed them, everybody
// who looks afterwards is told what stands in the tables.
#include <future>

#include "daemon/records/consents.h"
#include "tests/crypto/fault_disk.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

using crypto::tests::Fault;
using crypto::tests::FaultDisk;

constexpr int people_count = 200; // more pages than the cache has: some are written before the commit

struct Failing {
    const char* name;
    Fault fault;
    bool once;

    friend void PrintTo(const Failing& one, std::ostream* out) { *out << one.name; }
};

class CachedRowsFaults : public Records, public testing::WithParamInterface<Failing> {
protected:
    void SetUp() override {
        options_.cache = {64, 64};
        options_.readers_max = 1;
        Records::SetUp();
        const auto made = with([&](Transaction& txn, const Disclosure& why) -> Result<void> {
            for (int i = 0; i < people_count; ++i) {
                const auto one = upsert_patient(txn, why, person(std::to_string(i).c_str()), now(), false);
                CLINIC_TRY(one);
                people_.push_back(one->id);
            }
            return {};
        });
        ASSERT_TRUE(made);
        store_.reset();
    }

    // Of each person, as it is served.
    Result<void> compare(Session& session) {
        for (const auto& id : people_) {
            const auto served = patient_facts(session, id);
            CLINIC_TRY(served);
            auto find = session.prepare("SELECT created_at, has_email, (SELECT max(given_at) FROM consent"
                                        " WHERE patient = p.id) FROM patient p WHERE id = ?");
            CLINIC_TRY(find);
            const auto row = find->bind(id).step();
            CLINIC_TRY(row);
            EXPECT_EQ(served->created_at.micros, find->integer(0));
            EXPECT_EQ(served->has_email, find->integer(1) != 0);
            EXPECT_EQ(served->consents.empty(), find->is_null(2));
        }
        return {};
    }
    void expect_no_stale_row(int nth) {
        const testing::ScopedTrace trace{__FILE__, __LINE__, "call " + std::to_string(nth)};
        EXPECT_TRUE(store_->read([&](Snapshot& snapshot) { return compare(snapshot); }));
        EXPECT_TRUE(store_->write([&](Transaction& txn) { return compare(txn); }));
    }

    // Half of them each, and what each has become is looked at, so that it is kept.
    Result<void> change(Transaction& txn, int half, int to) {
        const auto first = people_.begin() + half * people_count / 2;
        for (auto id = first; id != first + people_count / 2; ++id) {
            auto update = txn.prepare("UPDATE patient SET created_at = ?, has_email = ? WHERE id = ?");
            CLINIC_TRY(update);
            CLINIC_TRY(update->bind(to, to % 2, *id).run());
            CLINIC_TRY(record_consent(txn, *id, {.state = ConsentState::granted, .given_at = txn.now()},
                                      {"APP|FAC", txn.now()}));
            const auto inside = patient_facts(txn, *id);
            CLINIC_TRY(inside);
            EXPECT_EQ(inside->created_at.micros, to);
        }
        return {};
    }
    // Two jobs, one group. Whether both were committed.
    bool change_all(int to) {
        std::promise<void> both;
        std::promise<bool> told[2];
        const auto posted = both.get_future().share();
        for (const int half : {0, 1})
            EXPECT_TRUE(store_->post(
                [this, posted, half, to](Transaction& txn) {
                    posted.wait();
                    return change(txn, half, to);
                },
                [&told, half](const Result<void>& done) { told[half].set_value(done.has_value()); }));
        both.set_value();
        const bool first = told[0].get_future().get(), second = told[1].get_future().get();
        return first && second;
    }

    std::vector<PatientId> people_;
};

TEST_P(CachedRowsFaults, ServeNothingThatWasNotCommitted) {
    FaultDisk disk{options_.folder};
    reopen();
    int failed = 0;
    for (int nth = 1; !HasFailure(); nth += 1 + nth / 8) { // each of the first, then further apart: most are reads
        expect_no_stale_row(nth);                          // and so all of them are at hand
        disk.fail(nth, GetParam().fault, GetParam().once);
        const bool committed = change_all(nth);
        const bool met = disk.failed();
        disk.fail(0, GetParam().fault, true);
        expect_no_stale_row(nth);
        if (!met) break;
        if (!committed) ++failed;
        EXPECT_TRUE(change_all(nth));
    }
    EXPECT_GE(failed, 2); // of a full disk: its write and its sync
    EXPECT_GT(store_->numbers().cache_hits, 1'000U);
    store_.reset();
}

INSTANTIATE_TEST_SUITE_P(Each, CachedRowsFaults,
                         testing::Values(Failing{"io_once", Fault::io, true},
                                         Failing{"io_for_a_while", Fault::io, false},
                                         Failing{"full_once", Fault::full, true},
                                         Failing{"full_for_a_while", Fault::full, false}),
                         [](const auto& one) { return std::string{one.param.name}; });

} // namespace
} // namespace clinic::records
