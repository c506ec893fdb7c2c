// Many changes of one subject, few writes: when a row is due, and what is counted.
#include "daemon/outbox/outbox.h"
#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

using envelope::ApptStatus;

class Coalescing : public OutboxTest {
protected:
    void SetUp() override {
        OutboxTest::SetUp();
        coalesce_ = {.window = seconds{60}, .quiet = seconds{10}};
        who_ = patient("1");
        link(who_, "c1");
    }
    void write_one() {
        push_contact(who_, Stage::new_);
        ASSERT_TRUE(deliver(leased()));
    }
    // How long from now until something can be leased.
    seconds until_due() {
        const auto due = in([&](Transaction& txn) { return Outbox::next_due(txn, Destination::crm); });
        EXPECT_TRUE(due);
        return std::chrono::duration_cast<seconds>(*due - clock_.now());
    }
    PatientId who_;
};

TEST_F(Coalescing, AChangeOfAQuietSubjectGoesAtOnce) {
    const auto row = push_contact(who_);
    EXPECT_EQ(leased(), row);
    deliver(row);
    clock_.advance(seconds{60});
    const auto next = push_appt(who_);
    EXPECT_EQ(leased(), next) << "the window is over";
}

TEST_F(Coalescing, OneThatFollowsAWriteWaitsUntilTheSubjectIsQuiet) {
    write_one();
    clock_.advance(seconds{5});
    const auto row = push_contact(who_, Stage::active);
    EXPECT_EQ(leased(), 0);
    EXPECT_EQ(until_due(), seconds{10});
    clock_.advance(seconds{10});
    EXPECT_EQ(leased(), row);
    expect_books();
}

TEST_F(Coalescing, TenChangesInAMinuteAreTheFirstAndOneMore) {
    const Stage stages[] = {Stage::new_, Stage::active, Stage::recall_due, Stage::lapsed};
    int writes = 0;
    for (int i = 0; i < 10; ++i) {
        push_contact(who_, stages[i % 4]);
        if (const auto row = leased(); row != 0) ++writes, deliver(row);
        clock_.advance(seconds{6});
    }
    EXPECT_EQ(writes, 1) << "none of the others had its ten seconds of quiet";
    const auto last = lease();
    ASSERT_TRUE(last) << "and the window is over";
    EXPECT_EQ(last->envelope->text(Field::stage), "active") << "the newest state";
    deliver(last->lease);
    EXPECT_EQ(books().delivered, 2);
    EXPECT_EQ(books().superseded, 8);
    EXPECT_EQ(books().released, 10);
    expect_books();
}

TEST_F(Coalescing, ChangesWithoutEndAreWrittenAtTheEndOfTheWindow) {
    write_one();
    for (int i = 0; i < 11; ++i) {
        clock_.advance(seconds{5});
        push_contact(who_, i % 2 == 0 ? Stage::active : Stage::lapsed);
        EXPECT_EQ(leased(), 0) << i;
    }
    EXPECT_EQ(until_due(), seconds{5});
    clock_.advance(seconds{5});
    EXPECT_NE(leased(), 0);
}

TEST_F(Coalescing, WhatChangesDuringAWriteIsInTheNextOne) {
    push_contact(who_, Stage::new_);
    const auto out = leased();
    push_contact(who_, Stage::active);
    clock_.advance(seconds{2});
    const auto newest = push_contact(who_, Stage::lapsed);
    deliver(out);
    EXPECT_EQ(leased(), 0);
    clock_.advance(seconds{10});
    EXPECT_EQ(leased(), newest);
    EXPECT_EQ(books().superseded, 1);
}

TEST_F(Coalescing, BothStatesOfASubjectWaitTogetherAndGoTogether) {
    write_one();
    const auto appointment = push_appt(who_);
    clock_.advance(seconds{5});
    const auto contact = push_contact(who_, Stage::active);
    EXPECT_EQ(until_due(), seconds{10}) << "a change of the one prolongs the quiet of both";
    clock_.advance(seconds{10});
    const auto got = lease();
    ASSERT_TRUE(got && got->also);
    EXPECT_EQ(got->lease, appointment);
    EXPECT_EQ(got->also->text(Field::stage), "active");
    deliver(appointment);
    EXPECT_EQ(leased(), 0) << "number " << contact << " went along";
}

TEST_F(Coalescing, AConsentNeverWaitsAndTakesAlongWhatIsBeforeIt) {
    write_one();
    const auto state = push_contact(who_, Stage::active);
    const auto consent =
        push(who_, [&](Transaction& txn) { return consent_state(txn, who_, envelope::Scope::reminders); });
    EXPECT_EQ(leased(), state);
    deliver(state);
    EXPECT_EQ(leased(), consent);
}

TEST_F(Coalescing, ASuppressionNeverWaits) {
    write_one();
    push_contact(who_, Stage::active);
    const auto suppression = push_suppress(who_);
    EXPECT_EQ(leased(), suppression);
    EXPECT_EQ(books().superseded, 1);
    expect_books();
}

TEST_F(Coalescing, OtherSubjectsDoNotWait) {
    write_one();
    push_contact(who_, Stage::active);
    const auto other = patient("2");
    link(other, "c2");
    const auto row = push_contact(other);
    EXPECT_EQ(leased(), row);
}

TEST_F(Coalescing, NoNewChangeGetsRoundABackOff) {
    write_one();
    clock_.advance(seconds{60});
    push_contact(who_, Stage::active);
    retry(leased(), 120'000);
    push_contact(who_, Stage::lapsed);
    EXPECT_EQ(until_due(), seconds{120});
    push(who_, [&](Transaction& txn) { return consent_state(txn, who_, envelope::Scope::reminders); });
    EXPECT_EQ(until_due(), seconds{120}) << "not even a consent: GHL asked for it";
}

TEST_F(Coalescing, AClockThatWasSetBackOpensTheWindow) {
    write_one();
    clock_.advance(-seconds{3'600});
    const auto row = push_contact(who_, Stage::active);
    EXPECT_EQ(leased(), row);
}

// What waited when the clock was set back does not wait for the end of a window that lies a year ahead.
TEST_F(Coalescing, AWindowOfBeforeAStepBackIsOver) {
    write_one();
    push_contact(who_, Stage::active);
    clock_.set(clock_.now() - std::chrono::hours{24 * 365});
    in([](Transaction& txn) { return Outbox::due_now(txn); });
    const auto row = push_contact(who_, Stage::lapsed);
    EXPECT_EQ(leased(), row);
}

TEST_F(Coalescing, AStartDoesNotWait) {
    write_one();
    const auto row = push_contact(who_, Stage::active);
    release_leases();
    EXPECT_EQ(leased(), row);
}

} // namespace
} // namespace clinic::outbox
