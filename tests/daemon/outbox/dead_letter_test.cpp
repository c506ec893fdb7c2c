// What becomes a dead letter, what a dead letter does not hold up, and how it ends.
#include "daemon/outbox/outbox.h"
#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

class ADeadLetter : public OutboxTest {};

TEST_F(ADeadLetter, SecondRefusalOfItsOwnBodyKills) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_contact(who);
    EXPECT_EQ(leased(), row);
    retry(row, 0, true, "http_422");
    const auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->look_up_first) << "with a look-up between";
    retry(row, 0);
    EXPECT_EQ(leased(), row);
    retry(row, 0, true, "http_422");
    EXPECT_EQ(books().dead, 1);
    EXPECT_EQ(leased(), 0);
    expect_books();
}

TEST_F(ADeadLetter, DeadLetterDoesNotHoldUpTheNext) {
    const auto who = patient("1");
    link(who, "c1");
    const auto dead = push_contact(who);
    push_appt(who);
    leased();
    settle({.lease = dead, .outcome = envelope::Outcome::dead, .code = "http_400", .contact = "", .steps = {}});
    EXPECT_EQ(lease()->envelope->kind(), Kind::appt_state);
    EXPECT_EQ(books().dead, 1);
}

TEST_F(ADeadLetter, AnEnvelopeThatDoesNotOpenIsOneAndHoldsUpNobody) {
    const auto who = patient("1"), other = patient("2");
    link(who, "c1");
    link(other, "c2");
    const auto broken = push_contact(who), good = push_contact(other);
    // As after a restore that brought another patient's row, or a key that is not the one it was sealed with.
    in([&](Transaction& txn) -> Result<void> {
        auto swap = txn.prepare("UPDATE outbox SET envelope = (SELECT envelope FROM outbox WHERE id = ?) WHERE id = ?");
        CLINIC_TRY(swap);
        return swap->bind(good, broken).run();
    });
    EXPECT_EQ(leased(), good);
    EXPECT_EQ(books().dead, 1);
    expect_books();
    const auto letters = in([](Transaction& txn) { return Outbox::dead_letters(txn, 10); });
    ASSERT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters[0].row, broken);
    EXPECT_EQ(letters[0].code, "unreadable");
}

TEST_F(ADeadLetter, AnErasedPersonsEnvelopeIsNoneAndHoldsUpNobody) {
    const auto who = patient("1"), other = patient("2");
    link(other, "c2");
    push_contact(who);
    const auto good = push_contact(other);
    // The key has gone and the row has stayed: a backup of the records alone was put back.
    in([&](Transaction& txn) -> Result<void> {
        const auto why = audit::Trail::append(
            txn,
            {.actor = audit::Actor::operator_, .action = audit::Action::erase, .purpose = audit::Purpose::security});
        CLINIC_TRY(why);
        return records::erase_patient(txn, *why, who, [](PatientId) { return Result<void>{}; });
    });
    EXPECT_EQ(leased(), good);
    EXPECT_EQ(books().discarded, 1);
    expect_books();
}

TEST_F(ADeadLetter, DeadLetterIsTriedAgainWhenAskedFor) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_contact(who);
    leased();
    in([&](Transaction& txn) { return Outbox::kill(txn, row, "blocked"); });
    in([&](Transaction& txn) { return Outbox::retry_dead(txn, row); });
    const auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->lease, row);
    EXPECT_EQ(again->tries, 0);
    expect_books();
    EXPECT_FALSE(tried([&](Transaction& txn) { return Outbox::retry_dead(txn, row); }));
}

TEST_F(ADeadLetter, DeadSuppressionIsNotSentOverANewState) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_suppress(who);
    leased();
    in([&](Transaction& txn) { return Outbox::kill(txn, row, "blocked"); });
    push_contact(who);
    EXPECT_TRUE(deliver(leased()));
    in([&](Transaction& txn) { return Outbox::retry_dead(txn, row); });
    EXPECT_EQ(books().superseded, 1);
    EXPECT_NE(last_said(who, Kind::contact_state).content, "");
}

TEST_F(ADeadLetter, DeadLetterOfAnOldStateIsNotSentOverANewOne) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_contact(who, Stage::new_);
    leased();
    in([&](Transaction& txn) { return Outbox::kill(txn, row, "blocked"); });
    push_contact(who, Stage::active);
    EXPECT_TRUE(deliver(leased()));
    in([&](Transaction& txn) { return Outbox::retry_dead(txn, std::nullopt); });
    EXPECT_EQ(books().superseded, 1);
    EXPECT_EQ(leased(), 0);
    expect_books();
}

TEST_F(ADeadLetter, DeadLettersEndByAWordOrByTheirAge) {
    const auto one = patient("1"), other = patient("2");
    std::vector<std::int64_t> rows;
    for (const auto who : {one, other}) {
        link(who, "c" + std::to_string(rows.size()));
        rows.push_back(push_contact(who));
        clock_.advance(std::chrono::hours{24 * 50}); // waiting does not age a dead letter, being dead does
        leased();
        in([&](Transaction& txn) { return Outbox::kill(txn, rows.back(), "blocked"); });
    }
    const auto letters = in([&](Transaction& txn) { return Outbox::dead_letters(txn, 10); });
    ASSERT_EQ(letters.size(), 2U);
    EXPECT_EQ(letters[0].row, rows[0]);
    EXPECT_EQ(letters[0].code, "blocked");
    EXPECT_EQ(letters[1].died_at - letters[0].died_at, base::Micros{std::chrono::hours{24 * 50}});
    const auto old = [&](int days) {
        return in([&](Transaction& txn) {
            return Outbox::discard_dead_before(txn, txn.now() - base::Micros{std::chrono::hours{24 * days}}, 10);
        });
    };
    EXPECT_TRUE(old(50).empty());
    EXPECT_EQ(old(49), std::vector{one});
    EXPECT_EQ(in([&](Transaction& txn) { return Outbox::discard_dead(txn, rows[1]); }), other);
    EXPECT_FALSE(tried([&](Transaction& txn) { return Outbox::discard_dead(txn, rows[1]); }));
    EXPECT_EQ(books().discarded, 2);
    EXPECT_EQ(last_said(one, Kind::contact_state).queued_content, "") << "it may be said again";
    expect_books();
}

} // namespace
} // namespace clinic::outbox
