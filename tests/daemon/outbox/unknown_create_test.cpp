// A create whose outcome nobody knows: it is looked up before another, for as long as it may still take effect.
#include "daemon/outbox/outbox.h"
#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

class AnUnknownCreate : public OutboxTest {};

TEST_F(AnUnknownCreate, CrashInTheMiddleOfACreateLooksUpFirst) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    leased();
    const auto line = attempt(row, who, envelope::Route::contact_create);
    clock_.advance(seconds{20});
    release_leases();
    clock_.advance(seconds{15});
    auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->look_up_first);
    EXPECT_TRUE(again->create);
    EXPECT_EQ(again->unsure_ms, 45'000) << "from its end on, not from its beginning";
    EXPECT_EQ(in([&](Transaction& txn) { return Ledger::lines(txn, 0, 10); }).front().result, "unknown");
    clock_.advance(seconds{100});
    release_leases(row);
    EXPECT_EQ(lease()->unsure_ms, 0);
    release_leases();
    EXPECT_EQ(lease()->unsure_ms, 60'000) << "after a restart it counts anew";
    close(line, envelope::StepOutcome::Result::not_sent, 0);
    deliver(row, "found");
    EXPECT_EQ(contact(who), "found");
}

TEST_F(AnUnknownCreate, AnUnansweredCreateIsUnsureFromItsSettlementOn) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    leased();
    const auto line = attempt(row, who, envelope::Route::contact_create);
    clock_.advance(seconds{90}); // longer than all the waits together
    settle({.lease = row,
            .outcome = envelope::Outcome::retry,
            .code = "timeout",
            .contact = "",
            .steps = {{line, envelope::StepOutcome::Result::unknown, 0}}});
    EXPECT_EQ(lease()->unsure_ms, 60'000);
}

TEST_F(AnUnknownCreate, TheNewestOfSeveralCreatesCounts) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    for (int tries = 0; tries < 2; ++tries) {
        ASSERT_EQ(leased(), row);
        const auto line = attempt(row, who, envelope::Route::contact_create);
        settle({.lease = row,
                .outcome = envelope::Outcome::retry,
                .code = "http_502",
                .contact = "",
                .steps = {{line, envelope::StepOutcome::Result::answered, 502}}});
        clock_.advance(seconds{30});
    }
    EXPECT_EQ(lease()->unsure_ms, 30'000);
}

// The wait is the boot clock's: whoever sets the other one shortens nothing and lengthens nothing.
TEST_F(AnUnknownCreate, AStepOfTheClockDoesNotShortenTheWait) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    leased();
    attempt(row, who, envelope::Route::contact_create);
    release_leases(row);
    clock_.set(clock_.now() + std::chrono::hours{24 * 400});
    EXPECT_EQ(lease()->unsure_ms, 60'000) << "a year ahead";
    release_leases(row);
    clock_.advance(seconds{10});
    EXPECT_EQ(lease()->unsure_ms, 50'000);
    clock_.set(clock_.now() - std::chrono::hours{24 * 800});
    clock_.advance(seconds{50});
    release_leases(row);
    EXPECT_EQ(lease()->unsure_ms, 0) << "and a year back";
}

TEST_F(AnUnknownCreate, LooksUpAfterAnErrorThatProvesNothing) {
    struct Case {
        int status;
        bool look_up;
    };
    int number = 0;
    for (const Case one : {Case{401, false}, Case{403, false}, Case{429, false}, Case{400, true}, Case{422, true},
                           Case{500, true}, Case{502, true}, Case{200, true}}) {
        const auto who = patient(std::to_string(++number));
        const auto row = push_contact(who);
        ASSERT_EQ(leased(), row);
        const auto line = attempt(row, who, envelope::Route::contact_create);
        settle({.lease = row,
                .outcome = envelope::Outcome::retry,
                .code = "http",
                .contact = "",
                .steps = {{line, envelope::StepOutcome::Result::answered, one.status}}});
        const auto again = lease();
        ASSERT_TRUE(again) << one.status;
        EXPECT_EQ(again->look_up_first, one.look_up) << one.status;
        deliver(row, "c" + std::to_string(number));
    }
}

TEST_F(AnUnknownCreate, NewerRowLooksUpWhatTheOlderOneMayHaveCreated) {
    const auto who = patient("1");
    const auto row = push_contact(who, Stage::new_);
    leased();
    attempt(row, who, envelope::Route::contact_create);
    push_contact(who, Stage::active);
    release_leases();
    EXPECT_EQ(books().superseded, 1);
    const auto next = lease();
    ASSERT_TRUE(next);
    EXPECT_NE(next->lease, row);
    EXPECT_TRUE(next->look_up_first);
}

TEST_F(AnUnknownCreate, SuppressionLooksUpWhatMayHaveBeenCreated) {
    const auto who = patient("1"), nobody = patient("2");
    const auto row = push_contact(who);
    leased();
    attempt(row, who, envelope::Route::contact_create);
    release_leases();
    in([&](Transaction& txn) { return Outbox::withdraw(txn, who, "consent_revoked"); });
    push_suppress(who);
    push_suppress(nobody);
    const auto got = lease();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->envelope->kind(), Kind::contact_suppress);
    EXPECT_TRUE(got->look_up_first);
    EXPECT_FALSE(got->create);
    EXPECT_FALSE(lease()) << "the other has nothing to suppress";
    EXPECT_EQ(books().discarded, 1);
    retry(got->lease, 0, false, "no_contact");
    EXPECT_EQ(books().discarded, 2) << "looked up when it was sure, and not there";
    EXPECT_EQ(books().parked, 0);
    expect_books();
}

} // namespace
} // namespace clinic::outbox
