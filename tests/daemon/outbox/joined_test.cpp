// The two states of a subject in one lease: when they go together, and that they end together.
#include <gtest/gtest.h>

#include "daemon/outbox/dead_letters.h"
#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

using envelope::ApptStatus;
using envelope::Route;

class Joined : public OutboxTest {
protected:
    // Both states of somebody who has a contact wait.
    void SetUp() override {
        OutboxTest::SetUp();
        who_ = patient("1");
        link(who_, "c1");
        state_ = push_contact(who_);
        appointment_ = push_appt(who_);
    }
    // The lease of both.
    envelope::Lease both() {
        auto got = lease();
        EXPECT_TRUE(got && got->also);
        EXPECT_EQ(books().leased, 2);
        return got ? std::move(*got) : envelope::Lease{};
    }
    std::vector<LedgerLine> lines(std::int64_t row) {
        return in([&](Transaction& txn) { return Ledger::lines_of(txn, row, 10); });
    }

    PatientId who_;
    std::int64_t state_ = 0, appointment_ = 0;
};

TEST_F(Joined, BothStatesOfASubjectGoInOneLeaseAndAreDelivered) {
    const auto got = both();
    EXPECT_EQ(got.lease, state_);
    EXPECT_EQ(got.envelope->kind(), Kind::contact_state);
    EXPECT_EQ(got.also->kind(), Kind::appt_state);
    EXPECT_EQ(leased(), 0);
    EXPECT_TRUE(deliver(got.lease));
    EXPECT_EQ(books().delivered, 2);
    EXPECT_FALSE(last_said(who_, Kind::contact_state).content.empty());
    EXPECT_EQ(last_said(who_, Kind::appt_state).content, got.also->content());
    expect_books();
}

TEST_F(Joined, WhicheverIsTheOlderLeads) {
    push_contact(who_, Stage::lapsed); // takes the place of the older one
    const auto got = both();
    EXPECT_EQ(got.lease, appointment_);
    EXPECT_EQ(got.also->text(Field::stage), "lapsed");
    EXPECT_TRUE(deliver(got.lease));
    expect_books();
}

TEST_F(Joined, TheFirstContactIsMadeWithBoth) {
    const auto other = patient("2");
    const auto first = push_contact(other), second = push_appt(other);
    deliver(both().lease);
    auto got = both();
    EXPECT_TRUE(got.create);
    EXPECT_EQ(got.lease, first);
    EXPECT_TRUE(deliver(got.lease, "c2"));
    EXPECT_EQ(books().parked, 0) << "number " << second << " waits for no contact";
    const auto third = patient("3");
    push_contact(third);
    push_appt(third);
    push_contact(third, Stage::lapsed);
    got = both();
    EXPECT_TRUE(got.create) << "also where the appointment is the older";
    expect_books();
}

TEST_F(Joined, WithoutAContactBothAreParked) {
    deliver(both().lease);
    const auto other = patient("2");
    push_contact(other);
    push_appt(other);
    EXPECT_EQ(leased(false), 0);
    EXPECT_EQ(books().parked, 2);
    expect_books();
}

TEST_F(Joined, WhatLiesBetweenKeepsThemApart) {
    deliver(both().lease);
    push_contact(who_);
    push(who_, [&](Transaction& txn) { return consent_state(txn, who_, envelope::Scope::reminders); });
    push_appt(who_, ApptStatus::confirmed);
    for (const auto kind : {Kind::contact_state, Kind::consent_state, Kind::appt_state}) {
        const auto got = lease();
        ASSERT_TRUE(got);
        EXPECT_EQ(got->envelope->kind(), kind);
        EXPECT_FALSE(got->also);
        deliver(got->lease);
    }
    expect_books();
}

TEST_F(Joined, OneThatWaitsForMoreChangesGoesAlong) {
    deliver(both().lease);
    coalesce_ = {.window = seconds{60}, .quiet = seconds{10}};
    push_contact(who_, Stage::lapsed);
    clock_.advance(seconds{9});
    coalesce_.quiet = seconds{30};
    push_appt(who_, ApptStatus::confirmed); // puts both off
    EXPECT_EQ(leased(), 0);
    in([&](Transaction& txn) -> Result<void> { // as a later push may leave it: the younger alone waits
        auto due = txn.prepare("UPDATE outbox SET due_at = ? WHERE kind = 0");
        if (!due) return due.error();
        return due->bind(txn.now()).run();
    });
    deliver(both().lease);
    expect_books();
}

TEST_F(Joined, OneThatWasPutOffByAFailureDoesNot) {
    deliver(both().lease);
    push_contact(who_);
    push_appt(who_);
    in([&](Transaction& txn) -> Result<void> {
        auto due = txn.prepare("UPDATE outbox SET due_at = ?, hold_until = 0 WHERE kind = 1");
        if (!due) return due.error();
        return due->bind(txn.now() + seconds{5}).run();
    });
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_FALSE(got->also);
}

TEST_F(Joined, BothAreTriedAgainTogether) {
    EXPECT_TRUE(retry(both().lease, 5'000));
    EXPECT_EQ(books().pending, 2);
    EXPECT_EQ(leased(), 0);
    clock_.advance(seconds{5});
    EXPECT_EQ(both().tries, 1);
    expect_books();
}

// One of the two may be what GHL does not take: the other must not die of it.
TEST_F(Joined, WhatGhlRefusesGoesByItselfFromThenOn) {
    EXPECT_TRUE(retry(both().lease, 0, true, "http_422"));
    const auto first = lease();
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->also);
    EXPECT_TRUE(first->look_up_first);
    EXPECT_TRUE(deliver(first->lease));
    const auto second = lease();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->lease, appointment_);
    EXPECT_TRUE(retry(second->lease, 0, true, "http_422"));
    EXPECT_EQ(books().dead, 1);
    EXPECT_EQ(books().delivered, 1);
    expect_books();
}

TEST_F(Joined, BothDieTogetherAndEachHasItsRequests) {
    const auto got = both();
    close(attempt(got.lease, who_, Route::contact_fields), envelope::StepOutcome::Result::answered, 200);
    EXPECT_TRUE(settle({.lease = got.lease, .outcome = envelope::Outcome::dead, .code = "blocked", .steps = {}}));
    EXPECT_EQ(books().dead, 2);
    EXPECT_EQ(lines(state_).size(), 1U);
    ASSERT_EQ(lines(appointment_).size(), 1U);
    EXPECT_EQ(lines(appointment_).front().also, appointment_);
    for (const auto row : {state_, appointment_})
        EXPECT_EQ(in([&](Transaction& txn) { return DeadLetters::find(txn, row); }).attempts, 1);
    expect_books();
}

TEST_F(Joined, ALineIsFoundByTheKindOfEither) {
    attempt(both().lease, who_, Route::contact_fields);
    for (const auto kind : {Kind::contact_state, Kind::appt_state})
        EXPECT_EQ(in([&](Transaction& txn) { return Ledger::page(txn, {.kind = kind}, 10); }).lines.size(), 1U);
    EXPECT_TRUE(
        in([&](Transaction& txn) { return Ledger::page(txn, {.kind = Kind::consent_state}, 10); }).lines.empty());
}

TEST_F(Joined, AWriteThatIsBegunMakesBothUnsure) {
    deliver(both().lease);
    push_contact(who_, Stage::lapsed);
    push_appt(who_, ApptStatus::confirmed);
    attempt(both().lease, who_, Route::contact_fields);
    EXPECT_TRUE(last_said(who_, Kind::contact_state).unsure);
    EXPECT_TRUE(last_said(who_, Kind::appt_state).unsure);
}

TEST_F(Joined, TagsAreKnownAfterwardsWhicheverLed) {
    const auto word = *Word::parse("returning");
    push_contact(who_, Stage::lapsed, {word});
    const auto got = both();
    ASSERT_EQ(got.lease, appointment_);
    close(attempt(got.lease, who_, Route::tags_add), envelope::StepOutcome::Result::answered, 201);
    EXPECT_TRUE(deliver(got.lease));
    push_appt(who_);
    EXPECT_EQ(lease()->prior_tags, (std::vector<Word>{word}));
}

TEST_F(Joined, ALookUpThatFindsNobodyParksBoth) {
    const auto other = patient("2");
    deliver(both().lease);
    push_contact(other);
    push_appt(other);
    EXPECT_TRUE(retry(both().lease, 0, false, "no_contact"));
    EXPECT_EQ(books().parked, 2);
    expect_books();
}

TEST_F(Joined, WhatANewerOneReplacesMeanwhileIsNotTriedAgain) {
    const auto got = both();
    const auto newer = push_appt(who_, ApptStatus::confirmed);
    EXPECT_TRUE(retry(got.lease, 0));
    EXPECT_EQ(books().superseded, 1);
    const auto again = both();
    EXPECT_EQ(again.also->text(Field::status), "confirmed");
    EXPECT_TRUE(deliver(again.lease));
    EXPECT_EQ(rows_in(State::pending), 0) << "number " << newer << " went along";
    expect_books();
}

TEST_F(Joined, ASuppressionMeanwhileReplacesBoth) {
    const auto got = both();
    push_suppress(who_);
    EXPECT_TRUE(retry(got.lease, 0));
    EXPECT_EQ(books().superseded, 2);
    EXPECT_EQ(lease()->envelope->kind(), Kind::contact_suppress);
    expect_books();
}

TEST_F(Joined, WhatIsWithdrawnMeanwhileStaysAndWhatWasDeliveredIsSo) {
    auto got = both();
    in([&](Transaction& txn) { return Outbox::withdraw(txn, who_, "no_consent"); });
    EXPECT_TRUE(retry(got.lease, 0));
    EXPECT_EQ(books().withdrawn, 2);
    push_contact(who_);
    push_appt(who_);
    got = both();
    in([&](Transaction& txn) { return Outbox::withdraw(txn, who_, "no_consent"); });
    EXPECT_TRUE(deliver(got.lease));
    EXPECT_EQ(books().delivered, 2);
    expect_books();
}

TEST_F(Joined, ThePersonErasedMeanwhileTakesBoth) {
    const auto got = both();
    erase(who_);
    EXPECT_FALSE(deliver(got.lease));
    EXPECT_EQ(books().discarded, 2);
    expect_books();
}

TEST_F(Joined, ALostConnectionAndARestartGiveBothBack) {
    auto got = both();
    attempt(got.lease, who_, Route::contact_fields);
    release_leases(got.lease);
    EXPECT_EQ(books().pending, 2);
    EXPECT_EQ(lines(state_).front().result, "unknown");
    got = both();
    open();
    release_leases();
    EXPECT_EQ(books().pending, 2);
    deliver(both().lease);
    expect_books();
}

TEST_F(Joined, OneThatDoesNotOpenIsLeftForItsOwnTurn) {
    in([&](Transaction& txn) -> Result<void> {
        auto spoil = txn.prepare("UPDATE outbox SET envelope = x'00' WHERE kind = 1");
        if (!spoil) return spoil.error();
        return spoil->run();
    });
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_FALSE(got->also);
    EXPECT_TRUE(deliver(got->lease));
    EXPECT_EQ(leased(), 0);
    EXPECT_EQ(books().dead, 1);
    expect_books();
}

} // namespace
} // namespace clinic::outbox
