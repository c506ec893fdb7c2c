#include "daemon/records/consents.h"

#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

class Consents : public Records {
protected:
    void SetUp() override {
        Records::SetUp();
        id_ = upsert(person("1")).id;
    }
    Result<void> record(PatientId id, ConsentState state, Timestamp given_at,
                        std::optional<Timestamp> expires_at = {}) {
        return store_->write([&](Transaction& txn) {
            return record_consent(txn, id, {ConsentScope::crm_sync, state, given_at, expires_at}, now());
        });
    }
    ConsentFacts current(PatientId id) {
        const auto held = facts(id).consents;
        EXPECT_EQ(held.size(), 1U);
        return held.empty() ? ConsentFacts{} : held.front();
    }
    Timestamp ago(int hours) const { return clock_.now() - std::chrono::hours{hours}; }
    std::vector<PatientId> due() {
        return read([&](Snapshot& snapshot) { return consents_due(snapshot, clock_.now(), 10); }).value();
    }

    PatientId id_;
};

TEST_F(Consents, TheLatestGivenCountsInWhateverOrderTheyCome) {
    ASSERT_TRUE(record(id_, ConsentState::revoked, ago(1)));
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(5)));
    EXPECT_EQ(current(id_).state, ConsentState::revoked);
    EXPECT_EQ(current(id_).revision, 2);
}

TEST_F(Consents, ARevocationWinsAmongEquals) {
    ASSERT_TRUE(record(id_, ConsentState::revoked, ago(1)));
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(1)));
    EXPECT_EQ(current(id_).state, ConsentState::revoked);
}

// The clock was ahead when the consent was given, and has been set right: a withdrawal counts at once.
TEST_F(Consents, AWithdrawalCountsWhateverTheClockSaidBefore) {
    clock_.set(clock_.now() + std::chrono::hours{2});
    ASSERT_TRUE(record(id_, ConsentState::granted, clock_.now()));
    clock_.set(ago(2) + std::chrono::minutes{1});
    ASSERT_TRUE(record(id_, ConsentState::revoked, clock_.now()));
    EXPECT_EQ(current(id_).state, ConsentState::revoked);
    clock_.advance(std::chrono::minutes{1});
    ASSERT_TRUE(record(id_, ConsentState::granted, clock_.now()));
    EXPECT_EQ(current(id_).state, ConsentState::granted);
    ASSERT_TRUE(record(id_, ConsentState::revoked, ago(30 * 24)));
    EXPECT_EQ(current(id_).state, ConsentState::granted) << "one of another day stands where it was";
}

TEST_F(Consents, SaidAgainIsNoNewRevision) {
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(1)));
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(1)));
    EXPECT_EQ(current(id_).revision, 1);
}

TEST_F(Consents, ScopesStandApart) {
    ASSERT_TRUE(store_->write([&](Transaction& txn) -> Result<void> {
        CLINIC_TRY(record_consent(txn, id_, {ConsentScope::marketing, ConsentState::revoked, ago(1), {}}, now()));
        return record_consent(txn, id_, {ConsentScope::crm_sync, ConsentState::granted, ago(1), {}}, now());
    }));
    const auto held = facts(id_).consents;
    ASSERT_EQ(held.size(), 2U);
    EXPECT_EQ(held[0].scope, ConsentScope::crm_sync);
    EXPECT_EQ(held[0].state, ConsentState::granted);
    EXPECT_EQ(held[1].state, ConsentState::revoked);
}

TEST_F(Consents, ExpireOnceAndStayExpired) {
    const auto ends = clock_.now() + std::chrono::hours{1};
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(1), ends));
    const auto given_at = ago(1);
    EXPECT_TRUE(due().empty());
    clock_.set(ends);
    EXPECT_EQ(due(), std::vector{id_});
    ASSERT_TRUE(store_->write([&](Transaction& txn) { return expire_consents(txn, id_, txn.now()); }));
    EXPECT_TRUE(due().empty());
    EXPECT_EQ(current(id_).state, ConsentState::expired);
    EXPECT_EQ(current(id_).revision, 2);
    // The same line of a file imported again does not bring it back; a new consent does.
    ASSERT_TRUE(record(id_, ConsentState::granted, given_at, ends));
    EXPECT_EQ(current(id_).state, ConsentState::expired);
    ASSERT_TRUE(record(id_, ConsentState::granted, clock_.now(), ends + std::chrono::hours{24}));
    EXPECT_EQ(current(id_).state, ConsentState::granted);
    EXPECT_EQ(current(id_).revision, 3);
}

// What is over is not looked at again: the look each minute costs what has come due, not all that ever did.
TEST_F(Consents, ThatAreOverAreNotLookedAtAgain) {
    const auto looked_at = [this] {
        return read([](Snapshot& snapshot) -> Result<std::int64_t> {
                   auto count = snapshot.prepare("SELECT count(*) FROM consent WHERE state = 0 AND ended = 0");
                   CLINIC_TRY(count);
                   CLINIC_TRY(count->step());
                   return count->integer(0);
               })
            .value();
    };
    const auto other = upsert(person("2")).id;
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(9), ago(1)));
    ASSERT_TRUE(record(other, ConsentState::granted, ago(9), ago(1)));
    ASSERT_TRUE(record(other, ConsentState::revoked, ago(8)));
    ASSERT_EQ(looked_at(), 2);
    ASSERT_TRUE(store_->write([&](Transaction& txn) { return pass_over_replaced(txn, clock_.now()); }));
    EXPECT_EQ(looked_at(), 1) << "the revoked one's";
    EXPECT_EQ(due(), std::vector{id_});
    ASSERT_TRUE(store_->write([&](Transaction& txn) { return expire_consents(txn, id_, clock_.now()); }));
    EXPECT_EQ(looked_at(), 0);
    EXPECT_TRUE(due().empty());
    EXPECT_EQ(current(id_).state, ConsentState::expired);
    EXPECT_EQ(current(other).state, ConsentState::revoked);
}

TEST_F(Consents, OfTheFutureDoNotCountYet) {
    const auto tomorrow_night = clock_.now() + std::chrono::hours{30};
    const auto refused = record(id_, ConsentState::granted, tomorrow_night);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::malformed);
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(1)));
    ASSERT_TRUE(record(id_, ConsentState::revoked, tomorrow_night));
    EXPECT_EQ(current(id_).state, ConsentState::revoked);
}

TEST_F(Consents, MoveWithAMergeAndCountOn) {
    const auto prior = upsert(person("2")).id;
    ASSERT_TRUE(record(id_, ConsentState::granted, ago(9)));
    ASSERT_TRUE(record(prior, ConsentState::granted, ago(5)));
    ASSERT_TRUE(record(prior, ConsentState::revoked, ago(3)));
    ASSERT_TRUE(with([&](Transaction& txn, const Disclosure& why) { return merge_patients(txn, why, id_, prior); }));
    EXPECT_EQ(current(id_).state, ConsentState::revoked);
    EXPECT_GT(current(id_).revision, 2);
    ASSERT_TRUE(record(prior, ConsentState::granted, ago(1))); // the old id leads to the survivor
    EXPECT_EQ(current(id_).state, ConsentState::granted);
}

TEST_F(Consents, OfNobodyAreNotFound) {
    const auto out = record(PatientId::make(clock_.now()), ConsentState::granted, ago(1));
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::not_found);
}

} // namespace
} // namespace clinic::records
