// What becomes a dead letter, what a dead letter does not hold up, and how it ends.
#include "daemon/outbox/dead_letters.h"
#include "daemon/outbox/waiting.h"
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
    leased();
    push_appt(who);
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
    const auto letters = in([](Transaction& txn) { return DeadLetters::list(txn, {}, 10); });
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
    in([&](Transaction& txn) { return Outbox::retry_dead(txn, row); });
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
    const auto letters = in([&](Transaction& txn) { return DeadLetters::list(txn, {}, 10); });
    ASSERT_EQ(letters.size(), 2U);
    EXPECT_EQ(letters[0].row, rows[1]) << "the newest first";
    EXPECT_EQ(letters[0].code, "blocked");
    EXPECT_EQ(letters[0].died_at - letters[1].died_at, base::Micros{std::chrono::hours{24 * 50}});
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

class DeadLettersByClass : public OutboxTest {
protected:
    // One of each code, dead an hour apart.
    std::vector<std::int64_t> die_of(const std::vector<std::string>& codes) {
        std::vector<std::int64_t> rows;
        for (const std::string& code : codes) {
            const auto who = patient(std::to_string(rows.size() + 1));
            link(who, "c" + std::to_string(rows.size() + 1));
            rows.push_back(push_contact(who));
            EXPECT_EQ(leased(), rows.back());
            clock_.advance(std::chrono::hours{1});
            in([&](Transaction& txn) { return Outbox::kill(txn, rows.back(), code); });
        }
        return rows;
    }
    std::vector<std::int64_t> listed(const DeadSearch& search, int letters_max = 10) {
        std::vector<std::int64_t> rows;
        for (const auto& one : in([&](Transaction& txn) { return DeadLetters::list(txn, search, letters_max); }))
            rows.push_back(one.row);
        return rows;
    }
    std::vector<std::int64_t> numbers(std::optional<DeadClass> only, Timestamp until) {
        return in([&](Transaction& txn) { return DeadLetters::numbers(txn, only, until, 10); });
    }
};

TEST_F(DeadLettersByClass, EachCodeHasOneAndWhatNobodyNamedIsARefusal) {
    for (const auto& [code, of] :
         {std::pair{"http_422", DeadClass::refused}, std::pair{"http_404", DeadClass::gone},
          std::pair{"duplicate", DeadClass::duplicate}, std::pair{"blocked", DeadClass::blocked},
          std::pair{"write_set", DeadClass::write_set}, std::pair{"unreadable", DeadClass::unreadable},
          std::pair{"object_gone", DeadClass::object_gone}, std::pair{"object_taken", DeadClass::object_taken},
          std::pair{"", DeadClass::refused}}) {
        EXPECT_EQ(class_of(code), of) << code;
        EXPECT_EQ(dead_class(name(of)), of);
    }
    EXPECT_FALSE(dead_class("http_422"));
}

TEST_F(DeadLettersByClass, AreListedPageByPageAndCounted) {
    const auto rows = die_of({"http_422", "http_404", "http_400", "blocked"});
    EXPECT_EQ(listed({}), (std::vector{rows[3], rows[2], rows[1], rows[0]}));
    EXPECT_EQ(listed({}, 2), (std::vector{rows[3], rows[2]}));
    EXPECT_EQ(listed({.only = {}, .before = rows[2]}), (std::vector{rows[1], rows[0]}));
    EXPECT_EQ(listed({.only = DeadClass::refused}), (std::vector{rows[2], rows[0]}));
    const auto gone = tried([&](Transaction& txn) { return DeadLetters::list(txn, {{}, 4'711}, 10); });
    ASSERT_FALSE(gone) << "a page that goes on behind one that is no more says so";
    EXPECT_EQ(gone.error().code, Errc::not_found);

    const auto counts = in([](Transaction& txn) { return DeadLetters::counts(txn); });
    ASSERT_EQ(counts.size(), 3U);
    EXPECT_EQ(counts[0].of, DeadClass::refused);
    EXPECT_EQ(counts[0].letters, 2);
    EXPECT_EQ(counts[0].last - counts[0].first, base::Micros{std::chrono::hours{2}});
    EXPECT_EQ(counts[2].of, DeadClass::blocked);

    const Timestamp now = clock_.now();
    EXPECT_EQ(numbers(DeadClass::refused, now).size(), 2U);
    EXPECT_EQ(numbers({}, now).size(), 4U);
    EXPECT_EQ(numbers({}, now - base::Micros{std::chrono::minutes{30}}).size(), 3U) << "none that died since";
}

TEST_F(DeadLettersByClass, EachSaysHowOftenItWasTriedAndSinceWhen) {
    const auto who = patient("1");
    link(who, "c1");
    const auto row = push_contact(who);
    const auto began = clock_.now();
    clock_.advance(seconds{60});
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(leased(), row);
        close(attempt(row, who, envelope::Route::contact_fields), envelope::StepOutcome::Result::answered, 422);
        retry(row, 0, true, "http_422");
        clock_.advance(seconds{60});
    }
    const auto letter = in([&](Transaction& txn) { return DeadLetters::find(txn, row); });
    EXPECT_EQ(letter.attempts, 2);
    EXPECT_EQ(letter.first_at - began, base::Micros{seconds{60}});
    EXPECT_EQ(letter.died_at - began, base::Micros{seconds{120}});
    EXPECT_EQ(in([&](Transaction& txn) { return Ledger::lines_of(txn, row, 10); }).size(), 2U);
    EXPECT_EQ(in([&](Transaction& txn) -> Result<PatientId> {
                  const auto open = DeadLetters::open(txn, row);
                  CLINIC_TRY(open);
                  return open->patient;
              }),
              who);
    in([&](Transaction& txn) { return Outbox::retry_dead(txn, row); });
    EXPECT_FALSE(tried([&](Transaction& txn) { return DeadLetters::find(txn, row); }));
}

TEST_F(DeadLettersByClass, OutliveARestart) {
    const auto rows = die_of({"http_422"});
    open();
    EXPECT_EQ(listed({}), rows);
    expect_books();
}

TEST_F(DeadLettersByClass, BeyondTheirBoundTheOldestAreGivenUp) {
    const auto rows = die_of({"http_422", "http_422", "http_422"});
    in([](Transaction& txn) -> Result<void> { // as if there were so many of others
        auto more = txn.prepare("UPDATE outbox_counter SET envelopes = envelopes + ? WHERE state IN (0, 4)");
        CLINIC_TRY(more);
        return more->bind(dead_letters_max - 1).run();
    });
    open(); // what was counted before is not at hand any more
    const auto given_up = in([](Transaction& txn) { return DeadLetters::keep_bound(txn, 100); });
    EXPECT_EQ(given_up.size(), 2U);
    EXPECT_EQ(listed({}), std::vector{rows[2]});
    EXPECT_TRUE(in([](Transaction& txn) { return DeadLetters::keep_bound(txn, 100); }).empty());
}

TEST_F(DeadLettersByClass, WhatWaitsIsCountedByKindAndAge) {
    push_appt(patient("1"));
    clock_.advance(std::chrono::hours{2});
    push_contact(patient("2"));
    push_contact(patient("3"));
    const auto all = in([](Transaction& txn) { return waiting(txn, Destination::crm); });
    EXPECT_EQ(all.looked_at, 3);
    EXPECT_EQ(all.ages.minute, 2);
    EXPECT_EQ(all.ages.day, 1);
    ASSERT_EQ(all.kinds.size(), 2U);
    EXPECT_EQ(all.kinds[0].kind, Kind::appt_state) << "the oldest first";
    EXPECT_EQ(all.kinds[1].envelopes, 2);
    ASSERT_TRUE(all.next_try);
    EXPECT_LE(*all.next_try, clock_.now());
}

} // namespace
} // namespace clinic::outbox
