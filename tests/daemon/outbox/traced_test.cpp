// What a lease says of where its envelopes came from, and since when.
#include <gtest/gtest.h>

#include <future>

#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

using std::chrono::hours;

class Traced : public OutboxTest {
protected:
    void SetUp() override {
        OutboxTest::SetUp();
        who_ = patient("1");
        link(who_, "c1");
    }
    // In a job whose first byte was there so long before it is posted.
    template <class Job>
    void heard_before(base::Micros span, Job job) {
        std::promise<bool> ended;
        ASSERT_TRUE(store_->post(
            job, [&ended](const Result<void>& result) { ended.set_value(result.has_value()); },
            store_->monotonic() - span));
        ASSERT_TRUE(ended.get_future().get());
    }
    Result<void> push_state(Transaction& txn) {
        const auto id =
            Outbox::push(txn, Destination::crm, who_, contact_state(txn, who_, Stage::active), std::nullopt);
        return id ? Result<void>{} : id.error();
    }
    Result<void> push_visit(Transaction& txn) {
        const auto id = Outbox::push(txn, Destination::crm, who_, appt_state(txn, who_, envelope::ApptStatus::booked),
                                     std::nullopt);
        return id ? Result<void>{} : id.error();
    }
    PatientId who_;
};

TEST_F(Traced, ALeaseSaysWhenTheFirstByteWasThereBeforeItWaited) {
    heard_before(seconds{5}, [this](Transaction& txn) { return push_state(txn); });
    clock_.set(clock_.now() + hours{30}); // a step of the clock is in no span
    clock_.advance(seconds{2});
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->trace.size(), 32U);
    EXPECT_EQ(got->heard_us, 5'000'000);
    retry(got->lease, 0);
    EXPECT_EQ(lease()->heard_us, 5'000'000) << "each lease of it says the same";
}

TEST_F(Traced, NotMoreThanALeaseMayTell) {
    heard_before(hours{2}, [this](Transaction& txn) { return push_state(txn); });
    EXPECT_EQ(lease()->heard_us, envelope::heard_us_max);
}

TEST_F(Traced, ARowOfAnEarlierVersionSaysNothing) {
    push_contact(who_);
    in([](Transaction& txn) -> Result<void> {
        auto older = txn.prepare("UPDATE outbox SET heard_us = -1");
        CLINIC_TRY(older);
        return older->run();
    });
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_FALSE(got->trace.empty());
    EXPECT_FALSE(got->heard_us);
}

TEST_F(Traced, TwoOfOneMessageAreSaidOnceAndOfTwoEach) {
    heard_before(seconds{1}, [this](Transaction& txn) -> Result<void> {
        CLINIC_TRY(push_state(txn));
        return push_visit(txn);
    });
    auto got = lease();
    ASSERT_TRUE(got && got->also);
    EXPECT_EQ(got->heard_us, 1'000'000);
    EXPECT_TRUE(got->also_trace.empty());
    EXPECT_FALSE(got->also_heard_us);
    deliver(got->lease);

    heard_before(seconds{3}, [this](Transaction& txn) { return push_state(txn); });
    heard_before(seconds{4}, [this](Transaction& txn) { return push_visit(txn); });
    got = lease();
    ASSERT_TRUE(got && got->also);
    EXPECT_EQ(got->heard_us, 3'000'000);
    EXPECT_EQ(got->also_trace.size(), 32U);
    EXPECT_EQ(got->also_heard_us, 4'000'000);
}

} // namespace
} // namespace clinic::outbox
