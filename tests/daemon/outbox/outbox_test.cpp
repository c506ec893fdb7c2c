#include "daemon/outbox/outbox.h"

#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

class TheOutbox : public OutboxTest {};

// Patient data has no way into an envelope.
template <class T>
concept CanBePut = requires(MetadataEnvelope envelope, T value) {
    envelope.put(Field::stage, std::move(value));
};
static_assert(!CanBePut<records::PhiText> && !CanBePut<records::Phi<int>> && !CanBePut<records::PatientId>);
static_assert(!CanBePut<records::Said<records::PhiText>> && !CanBePut<records::Disclosure>);

TEST_F(TheOutbox, DeliversInTheOrderOfASubject) {
    const auto who = patient("1");
    link(who, "c1");
    const auto first = push_contact(who);
    const auto second =
        push(who, [&](Transaction& txn) { return consent_state(txn, who, envelope::Scope::reminders); });
    EXPECT_EQ(leased(), first);
    EXPECT_EQ(leased(), 0) << "one open lease per subject";
    EXPECT_TRUE(deliver(first));
    EXPECT_EQ(leased(), second);
    EXPECT_TRUE(deliver(second));
    EXPECT_EQ(leased(), 0);
    expect_books();
    EXPECT_EQ(books().delivered, 2);
    EXPECT_EQ(books().released, 2);
}

TEST_F(TheOutbox, SubjectsGoInParallel) {
    const auto one = patient("1"), other = patient("2");
    const auto first = push_contact(one), second = push_contact(other);
    EXPECT_EQ(leased(), first);
    EXPECT_EQ(leased(), second);
    EXPECT_EQ(books().leased, 2);
}

TEST_F(TheOutbox, LeaseSaysWhatTheBoxKnows) {
    const auto who = patient("1");
    push_contact(who, Stage::lapsed);
    const auto shell = lease();
    ASSERT_TRUE(shell);
    EXPECT_TRUE(shell->create);
    EXPECT_FALSE(shell->look_up_first);
    EXPECT_EQ(shell->contact, "");
    EXPECT_FALSE(shell->prior_tags);
    EXPECT_EQ(shell->envelope->text(Field::stage), "lapsed");
    EXPECT_TRUE(deliver(shell->lease, "c1"));
    EXPECT_EQ(contact(who), "c1");
    push_contact(who, Stage::active);
    const auto next = lease();
    ASSERT_TRUE(next);
    EXPECT_FALSE(next->create);
    EXPECT_EQ(next->contact, "c1");
    ASSERT_TRUE(next->prior_tags);
    EXPECT_TRUE(next->prior_tags->empty());
}

TEST_F(TheOutbox, NewestStateTakesThePlaceOfOneThatWaits) {
    const auto who = patient("1");
    push_contact(who, Stage::new_);
    push_appt(who);
    push_contact(who, Stage::active);
    const auto newest = push_contact(who, Stage::lapsed);
    EXPECT_EQ(books().superseded, 2);
    const auto appointment = lease(false);
    EXPECT_FALSE(appointment) << "no contact: parked";
    EXPECT_EQ(books().parked, 2);
    link(who, "c1");
    const auto both = lease();
    ASSERT_TRUE(both && both->also);
    EXPECT_EQ(both->also->text(Field::stage), "lapsed") << newest;
    expect_books();
}

TEST_F(TheOutbox, NeverSupersedesWhatIsLeased) {
    const auto who = patient("1");
    push_contact(who, Stage::new_);
    const auto out = leased();
    push_contact(who, Stage::active);
    EXPECT_EQ(books().superseded, 0);
    EXPECT_EQ(books().leased, 1);
    EXPECT_TRUE(deliver(out, "c1"));
    EXPECT_EQ(lease()->envelope->text(Field::stage), "active");
}

TEST_F(TheOutbox, RetryIsNeedlessWhenSomethingNewerWaits) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who, Stage::new_);
    const auto out = leased();
    const auto newer = push_contact(who, Stage::active);
    EXPECT_TRUE(retry(out, 0));
    EXPECT_EQ(books().superseded, 1);
    EXPECT_EQ(leased(), newer);
    expect_books();
}

TEST_F(TheOutbox, ConsentsOfEachScopeStand) {
    const auto who = patient("1");
    link(who, "c1");
    for (const auto scope : {envelope::Scope::crm_sync, envelope::Scope::reminders, envelope::Scope::crm_sync})
        push(who, [&](Transaction& txn) { return consent_state(txn, who, scope); });
    EXPECT_EQ(books().pending, 2);
    EXPECT_EQ(books().superseded, 1);
    deliver(leased());
    deliver(leased());
    EXPECT_NE(last_said(who, Kind::consent_state, envelope::Scope::reminders).content,
              last_said(who, Kind::consent_state, envelope::Scope::crm_sync).content);
    EXPECT_EQ(last_said(who, Kind::consent_state, envelope::Scope::marketing).content, "");
}

TEST_F(TheOutbox, SuppressionTakesThePlaceOfStates) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who);
    push_appt(who);
    push(who, [&](Transaction& txn) { return consent_state(txn, who, envelope::Scope::crm_sync); });
    push_suppress(who);
    EXPECT_EQ(books().superseded, 2);
    EXPECT_EQ(lease()->envelope->kind(), Kind::consent_state);
}

TEST_F(TheOutbox, MergesAllStand) {
    const auto who = patient("1"), one = patient("2"), other = patient("3");
    link(who, "c1");
    push(who, [&](Transaction& txn) { return merge(txn, who, one); });
    push(who, [&](Transaction& txn) { return merge(txn, who, other); });
    EXPECT_EQ(books().pending, 2);
}

TEST_F(TheOutbox, MergeNamesTheOldContact) {
    const auto who = patient("1"), prior = patient("2");
    link(who, "c1");
    link(prior, "c2");
    push(who, [&](Transaction& txn) { return merge(txn, who, prior); });
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->contact, "c1");
    EXPECT_EQ(got->old_contact, "c2");
    EXPECT_EQ(in([&](Transaction& txn) -> Result<std::vector<std::string>> {
                  const auto open = Outbox::leased(txn, got->lease);
                  CLINIC_TRY(open);
                  return Links::contacts_of(txn, open->front());
              }),
              (std::vector<std::string>{"c1", "c2"}));
}

TEST_F(TheOutbox, MergeNamesTheSameContactWhereItHasMoved) {
    const auto who = patient("1"), prior = patient("2");
    link(prior, "c2");
    in([&](Transaction& txn) { return Links::merge(txn, who, prior); });
    push(who, [&](Transaction& txn) { return merge(txn, who, prior); });
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->contact, "c2");
    EXPECT_EQ(got->old_contact, "c2");
}

TEST_F(TheOutbox, KeepsTheRowWhenGhlThrottles) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_contact(who);
    push_appt(who);
    EXPECT_TRUE((retry(leased(), 5'000)));
    EXPECT_EQ(leased(), 0) << "neither this one nor the one behind it";
    EXPECT_EQ(books().last_code, "throttled");
    const auto due = in([&](Transaction& txn) { return Outbox::next_due(txn, Destination::crm); });
    EXPECT_EQ(due, clock_.now() + seconds{5});
    clock_.advance(milliseconds{4'999});
    EXPECT_EQ(leased(), 0);
    clock_.advance(milliseconds{1});
    const auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->lease, row);
    EXPECT_EQ(again->tries, 1);
}

TEST_F(TheOutbox, NewerRowDoesNotGetRoundABackOff) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who, Stage::new_);
    retry(leased(), 5'000);
    push_contact(who, Stage::active);
    EXPECT_EQ(leased(), 0);
    clock_.advance(seconds{5});
    EXPECT_EQ(lease()->envelope->text(Field::stage), "active");
}

TEST_F(TheOutbox, RetriesWithoutEndWhileItIsNotTheBodysFault) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_contact(who);
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(leased(), row);
        retry(row, 0);
    }
    EXPECT_EQ(books().pending, 1);
    EXPECT_EQ(lease()->tries, 50);
}

TEST_F(TheOutbox, SettlesOnce) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    EXPECT_FALSE(deliver(row, "c1")) << "not leased yet";
    EXPECT_EQ(contact(who), "");
    leased();
    EXPECT_TRUE(deliver(row, "c1"));
    const Books once = books();
    EXPECT_FALSE(deliver(row, "c2"));
    EXPECT_FALSE(retry(row, 0));
    EXPECT_FALSE(deliver(9'999));
    EXPECT_EQ(contact(who), "c1");
    EXPECT_EQ(books().delivered, once.delivered);
    expect_books();
}

TEST_F(TheOutbox, CrashGivesLeasesBack) {
    const auto one = patient("1"), other = patient("2");
    link(one, "c1");
    const auto row = push_contact(one);
    push_contact(other);
    leased();
    leased();
    EXPECT_EQ(books().leased, 2);
    open();
    EXPECT_EQ(books().leased, 2) << "a restart alone settles nothing";
    release_leases();
    expect_books();
    EXPECT_EQ(books().pending, 2);
    const auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->lease, row);
    EXPECT_EQ(again->tries, 0);
    EXPECT_FALSE(again->look_up_first);
}

TEST_F(TheOutbox, OneLeaseIsGivenBackAlone) {
    push_contact(patient("1"));
    push_contact(patient("2"));
    const auto one = leased(), other = leased();
    release_leases(one);
    EXPECT_EQ(books().leased, 1);
    EXPECT_EQ(leased(), one);
    EXPECT_TRUE(deliver(other, "c2"));
}

TEST_F(TheOutbox, ParksWhoHasNoContactUntilItIsLinked) {
    const auto who = patient("1"), other = patient("2");
    push_contact(who);
    push_appt(who);
    const auto row = push_contact(other);
    link(other, "c2");
    EXPECT_EQ(leased(false), row) << "the next one is tried";
    EXPECT_EQ(books().parked, 2);
    EXPECT_EQ(leased(false), 0);
    link(who, "c1");
    EXPECT_EQ(books().parked, 0);
    EXPECT_EQ(lease(false)->contact, "c1");
    expect_books();
}

TEST_F(TheOutbox, NothingButTheStateMakesAContact) {
    const auto who = patient("1");
    push_appt(who);
    EXPECT_FALSE(lease(true));
    EXPECT_EQ(books().parked, 1);
}

TEST_F(TheOutbox, ParkedEntersAndLeavesByItsCode) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push(
        who, [&](Transaction& txn) { return contact_state(txn, who, Stage::active); }, "clock");
    EXPECT_EQ(leased(), 0);
    EXPECT_EQ(books().parked, 1);
    in([&](Transaction& txn) { return Outbox::unpark(txn, "basis"); });
    EXPECT_EQ(leased(), 0);
    in([&](Transaction& txn) { return Outbox::unpark(txn, "clock"); });
    EXPECT_EQ(leased(), row);
    in([&](Transaction& txn) { return Outbox::park(txn, row, "clock"); });
    EXPECT_EQ(books().parked, 1);
    push_contact(who, Stage::lapsed);
    EXPECT_EQ(books().superseded, 1) << "a newer state takes the place of a parked one";
    expect_books();
}

TEST_F(TheOutbox, WhatAClockThatWasAheadMadeDueIsDueNow) {
    const auto who = patient("1"), other = patient("2");
    link(who, "c1");
    link(other, "c2");
    const Timestamp right = clock_.now();
    clock_.set(right + std::chrono::hours{24 * 365 * 70});
    const auto row = push_contact(who);
    clock_.set(right);
    EXPECT_EQ(leased(), 0);
    in([](Transaction& txn) { return Outbox::mend_due_times(txn); });
    EXPECT_EQ(leased(), row);
    expect_books();
}

TEST_F(TheOutbox, WithdrawsWhatHasNotLeft) {
    const auto who = patient("1"), other = patient("2");
    link(who, "c1");
    const auto row = push_contact(who);
    push_contact(other);
    leased();
    push_appt(who);
    in([&](Transaction& txn) { return Outbox::withdraw(txn, who, "consent_revoked"); });
    EXPECT_EQ(books().withdrawn, 1);
    EXPECT_EQ(books().leased, 1) << "an open lease is settled as it ends";
    retry(row, 0);
    EXPECT_EQ(books().withdrawn, 2) << "and does not come back";
    EXPECT_EQ(books().pending, 1);
    expect_books();
}

TEST_F(TheOutbox, LeaseThatIsWithdrawnAtTheLastCheckEnds) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_contact(who);
    leased();
    in([&](Transaction& txn) { return Outbox::withdraw_lease(txn, row, "consent_revoked"); });
    EXPECT_EQ(books().withdrawn, 1);
    EXPECT_FALSE(deliver(row));
    const auto gone = tried([&](Transaction& txn) { return Outbox::patient_of(txn, row); });
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::not_found);
    EXPECT_FALSE(tried([&](Transaction& txn) { return Outbox::kill(txn, row, "x"); }));
    EXPECT_FALSE(tried([&](Transaction& txn) { return Outbox::park(txn, row, "x"); }));
}

TEST_F(TheOutbox, RemembersWhatTheDestinationHolds) {
    const auto who = patient("1");
    link(who, "c1");
    EXPECT_EQ(last_said(who, Kind::contact_state).content, "");
    const std::vector<Word> due{*Word::parse("recall_due")};
    const auto row = push_contact(who, Stage::active, due);
    const auto queued = last_said(who, Kind::contact_state);
    EXPECT_EQ(queued.content, "");
    EXPECT_NE(queued.queued_content, "");
    leased();
    deliver(row);
    const auto held = last_said(who, Kind::contact_state);
    EXPECT_EQ(held.content, queued.queued_content);
    EXPECT_EQ(held.queued_content, "");
    EXPECT_EQ(held.tags, due);
}

TEST_F(TheOutbox, SuppressionUnsaysTheStateAndTheOtherWayAbout) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who);
    deliver(leased());
    push_suppress(who);
    EXPECT_EQ(last_said(who, Kind::contact_state).content, "") << "queued: the state must be said again";
    EXPECT_NE(last_said(who, Kind::contact_suppress).queued_content, "");
    deliver(leased());
    EXPECT_EQ(last_said(who, Kind::contact_state).content, "");
    EXPECT_NE(last_said(who, Kind::contact_suppress).content, "");
    push_contact(who);
    EXPECT_NE(last_said(who, Kind::contact_state).queued_content, "");
    EXPECT_EQ(last_said(who, Kind::contact_suppress).content, "");
    deliver(leased());
    EXPECT_NE(last_said(who, Kind::contact_state).content, "");
}

TEST_F(TheOutbox, TagsAreUnknownAfterAnAttemptThatDidNotEnd) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who, Stage::active, {*Word::parse("recall_due")});
    deliver(leased());
    const auto row = push_contact(who, Stage::active, {*Word::parse("returning")});
    ASSERT_TRUE(lease()->prior_tags);
    attempt(row, who, envelope::Route::tags_add);
    release_leases();
    const auto unknown = lease();
    EXPECT_FALSE(unknown->prior_tags);
    EXPECT_FALSE(unknown->may_lift) << "no do-not-contact was ever ours";
    deliver(row);
    push_contact(who, Stage::lapsed);
    const auto known = lease();
    ASSERT_TRUE(known->prior_tags);
    EXPECT_EQ(*known->prior_tags, std::vector<Word>{*Word::parse("returning")});
}

TEST_F(TheOutbox, ADoNotContactIsLiftedWhereItMayBeOurs) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who, Stage::active);
    const auto first = lease();
    EXPECT_TRUE(first->may_lift) << "nothing is known of what the contact has";
    deliver(first->lease);
    push_contact(who, Stage::active, {*Word::parse("do_not_contact")});
    deliver(leased());
    const auto row = push_contact(who, Stage::lapsed);
    ASSERT_EQ(leased(), row);
    attempt(row, who, envelope::Route::tags_remove);
    release_leases();
    EXPECT_TRUE(lease()->may_lift) << "we set one";
}

TEST_F(TheOutbox, ADoNotContactOfASuppressionThatNobodyWantsAnyMoreIsLifted) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who, Stage::active);
    deliver(leased());
    const auto stop = push_suppress(who);
    ASSERT_EQ(leased(), stop);
    close(attempt(stop, who, envelope::Route::tags_add), envelope::StepOutcome::Result::answered, 200);
    release_leases();
    in([&](Transaction& txn) { return Outbox::withdraw(txn, who, "consent"); });
    const auto row = push_contact(who, Stage::active);
    const auto again = lease();
    ASSERT_EQ(again->lease, row);
    EXPECT_TRUE(again->may_lift);
    close(attempt(row, who, envelope::Route::tags_remove), envelope::StepOutcome::Result::answered, 200);
    deliver(row);
    const auto next = push_contact(who, Stage::lapsed);
    ASSERT_EQ(leased(), next);
    attempt(next, who, envelope::Route::tags_add);
    release_leases();
    EXPECT_FALSE(lease()->may_lift) << "it was taken away: what stands there is a person's";
}

TEST_F(TheOutbox, ASuppressionAtAnEarlierContactSaysNothingOfOneThatWasMadeSince) {
    const auto who = patient("1");
    const auto may_stand = [&] {
        return in([&](Transaction& txn) { return Ledger::suppression_may_stand(txn, who); });
    };
    link(who, "c1");
    const auto stop = push_suppress(who);
    ASSERT_EQ(leased(), stop);
    close(attempt(stop, who, envelope::Route::tags_add), envelope::StepOutcome::Result::answered, 200);
    deliver(stop);
    EXPECT_TRUE(may_stand());
    in([&](Transaction& txn) { return Links::unset_contact(txn, who); });
    const auto row = push_contact(who, Stage::active);
    ASSERT_EQ(leased(), row);
    close(attempt(row, who, envelope::Route::contact_create), envelope::StepOutcome::Result::answered, 201);
    deliver(row, "c2");
    EXPECT_FALSE(may_stand()) << "a stop that stands there is a person's";
}

TEST_F(TheOutbox, ErasedPatientsEnvelopesAreDiscarded) {
    const auto who = patient("1"), other = patient("2");
    push_contact(who);
    const auto row = push_contact(other);
    erase(who);
    EXPECT_EQ(leased(), row);
    EXPECT_EQ(books().discarded, 1);
    expect_books();
}

TEST_F(TheOutbox, NothingOfAnErasedPatientIsLeftInIt) {
    const auto who = patient("1"), prior = patient("2"), other = patient("3");
    for (const auto one : {who, prior, other}) {
        push_contact(one);
        deliver(leased(), "c" + one.uuid.text().substr(0, 8));
    }
    in([&](Transaction& txn) -> Result<void> {
        const auto why = audit::Trail::append(
            txn, {.actor = audit::Actor::feed, .action = audit::Action::merge, .purpose = audit::Purpose::treatment});
        CLINIC_TRY(why);
        return records::merge_patients(txn, *why, who, prior);
    });
    push_contact(who, Stage::lapsed);
    push_contact(prior, Stage::lapsed);
    push(
        who, [&](Transaction& txn) { return consent_state(txn, who, envelope::Scope::reminders); }, "clock");
    push_contact(other, Stage::lapsed);
    const auto row = leased();
    attempt(row, who, envelope::Route::contact_create);
    erase(who);
    expect_books();
    EXPECT_EQ(books().discarded, 3) << "leased, parked, and the one of who was merged";
    EXPECT_EQ(books().pending, 1);
    const auto left = in([&](Transaction& txn) -> Result<std::int64_t> {
        std::int64_t rows = 0;
        for (const auto count : {Literal{"SELECT count(*) FROM outbox WHERE patient IN (?, ?)"},
                                 Literal{"SELECT count(*) FROM said WHERE patient IN (?, ?)"},
                                 Literal{"SELECT count(*) FROM link WHERE patient IN (?, ?)"},
                                 Literal{"SELECT count(*) FROM pseudonym WHERE patient IN (?, ?)"},
                                 Literal{"SELECT count(*) FROM sequence WHERE patient IN (?, ?)"}}) {
            auto one = txn.prepare(count);
            CLINIC_TRY(one);
            CLINIC_TRY(one->bind(who, prior).step());
            rows += one->integer(0);
        }
        return rows;
    });
    EXPECT_EQ(left, 0);
    EXPECT_FALSE(tried([&](Transaction& txn) { return Ledger::lines_about(txn, who, 0, 10); }));
    EXPECT_EQ(in([&](Transaction& txn) { return Ledger::lines(txn, 0, 10); }).front().result, "unknown");
    EXPECT_EQ(contact(other), "c" + other.uuid.text().substr(0, 8));
}

TEST_F(TheOutbox, WhatComesBackForAnErasedPatientChangesNothing) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    leased();
    const auto line = attempt(row, who, envelope::Route::contact_create);
    erase(who);
    EXPECT_FALSE(
        settle({.lease = row, .contact = "c1", .steps = {{line, envelope::StepOutcome::Result::answered, 201}}}));
    EXPECT_EQ(in([&](Transaction& txn) { return Ledger::lines(txn, 0, 10); }).front().result, "answered");
    EXPECT_EQ(books().discarded, 1);
    expect_books();
}

TEST_F(TheOutbox, WhatWasBegunMakesUnsureWhatWasSaid) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who);
    deliver(leased());
    push_suppress(who);
    deliver(leased());
    EXPECT_FALSE(last_said(who, Kind::contact_suppress).unsure);
    EXPECT_FALSE(in([&](Transaction& txn) { return Links::may_hold_a_shell(txn, who); }));
    const auto row = push_contact(who);
    leased();
    attempt(row, who, envelope::Route::contact_search);
    in([&](Transaction& txn) { return Outbox::withdraw_lease(txn, row, "consent_revoked"); });
    EXPECT_FALSE(last_said(who, Kind::contact_suppress).unsure) << "a look-up changes nothing there";
    const auto begun = push_contact(who);
    leased();
    attempt(begun, who, envelope::Route::contact_fields);
    in([&](Transaction& txn) { return Outbox::withdraw_lease(txn, begun, "consent_revoked"); });
    EXPECT_TRUE(last_said(who, Kind::contact_suppress).unsure);
    EXPECT_TRUE(in([&](Transaction& txn) { return Links::may_hold_a_shell(txn, who); }));
    push_suppress(who);
    deliver(leased());
    EXPECT_TRUE(last_said(who, Kind::contact_suppress).unsure) << "the write before it may still arrive";
    clock_.advance(std::chrono::hours{2});
    push_suppress(who);
    deliver(leased());
    EXPECT_FALSE(last_said(who, Kind::contact_suppress).unsure);
}

TEST_F(TheOutbox, RefusesWhatMayNotStandInIt) {
    const auto who = patient("1");
    const auto half = tried([&](Transaction& txn) {
        return Outbox::push(txn, Destination::crm, who, MetadataEnvelope{Kind::contact_suppress}, std::nullopt);
    });
    ASSERT_FALSE(half);
    EXPECT_EQ(half.error().code, Errc::refused);
    const auto ops = tried([&](Transaction& txn) {
        return Outbox::push(txn, Destination::ops, who, contact_state(txn, who, Stage::active), std::nullopt);
    });
    ASSERT_FALSE(ops) << "no patient kind goes to central ops";
    EXPECT_EQ(ops.error().code, Errc::refused);
    EXPECT_EQ(books().released, 0);
}

TEST_F(TheOutbox, LivesAndDiesWithItsTransaction) {
    const auto who = patient("1");
    const auto undone = tried([&](Transaction& txn) -> Result<void> {
        CLINIC_TRY(Outbox::push(txn, Destination::crm, who, contact_state(txn, who, Stage::active), std::nullopt));
        return Error{Errc::refused, "the message is bad after all"};
    });
    EXPECT_FALSE(undone);
    EXPECT_EQ(books().released, 0);
}

TEST_F(TheOutbox, BooksTellAges) {
    EXPECT_EQ(books().last_delivered_s, -1);
    EXPECT_EQ(books().oldest_pending_s, 0);
    push_contact(patient("1"));
    const auto first = leased();
    push_contact(patient("2"));
    clock_.advance(seconds{30});
    EXPECT_EQ(books().oldest_pending_s, 30);
    deliver(first, "c1");
    clock_.advance(seconds{12});
    EXPECT_EQ(books().last_delivered_s, 12);
}

TEST_F(TheOutbox, NextDueIsOfARowThatNothingBlocks) {
    const auto due = [&] { return in([&](Transaction& txn) { return Outbox::next_due(txn, Destination::crm); }); };
    EXPECT_EQ(due(), std::nullopt);
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who);
    push_appt(who);
    EXPECT_EQ(due(), clock_.now());
    leased();
    EXPECT_EQ(due(), std::nullopt) << "the second waits for the first";
}

} // namespace
} // namespace clinic::outbox
