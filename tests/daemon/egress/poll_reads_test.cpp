// What the polling reads is counted in a line of its route and day, which is there before the first of it leaves.
#include "daemon/egress/poll_reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sync/envelope/crm_reads.h"
#include "tests/daemon/egress/egress_fixture.h"

namespace clinic::egress {
namespace {

using nlohmann::json;
using Ended = envelope::StepOutcome::Result;

class PollReadsTest : public EgressServerTest {
protected:
    static envelope::Attempt page(int from) {
        return {.lease = 0,
                .route = envelope::Route::contacts_changed,
                .path = "/contacts/search",
                .body = envelope::changed_contacts_body(rules, from, from + 1, 100)};
    }
    static std::int64_t asked(const Caller& caller, int from) {
        const auto verdict = caller.ask<envelope::Verdict>(page(from));
        EXPECT_EQ(verdict.answer, Answer::go);
        return verdict.attempt;
    }
    static void ended(const Caller& caller, std::int64_t line, Ended result, int status) {
        EXPECT_TRUE(caller
                        .ask<envelope::Settled>(
                            envelope::Settle{.steps = {{.attempt = line, .result = result, .status = status}}})
                        .known);
    }
    std::vector<outbox::LedgerLine> lines() {
        std::vector<outbox::LedgerLine> all;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            auto found = outbox::Ledger::lines(session, 0, 100);
            CLINIC_TRY(found);
            all = std::move(*found);
            return {};
        }));
        return all;
    }
    static json said(const outbox::LedgerLine& line) { return json::parse(line.said, nullptr, false); }
};

TEST_F(PollReadsTest, AreCountedInALineOfTheirDayAndEachHasItsPartInTheDigest) {
    const Caller caller{path};
    const auto line = asked(caller, 0);
    ASSERT_EQ(lines().size(), 1U) << "durable before its first byte";
    EXPECT_EQ(lines()[0].result, "open");
    ended(caller, line, Ended::answered, 200);
    clinic.clock.advance(std::chrono::minutes{1});
    EXPECT_EQ(asked(caller, 1), line);
    ended(caller, line, Ended::answered, 200);
    EXPECT_EQ(asked(caller, 2), line);
    ended(caller, line, Ended::answered, 503);
    const auto begun = lines();
    EXPECT_EQ(begun.size(), 1U);
    EXPECT_EQ(begun[0].result, "open") << "counted, and not yet written";

    make({}); // it ends in order
    const auto all = lines();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].result, "answered");
    EXPECT_EQ(all[0].status, 503);
    EXPECT_EQ(said(all[0]).at("requests"), 3);
    EXPECT_EQ(said(all[0]).at("ended"), (json{{"answered 200", 2}, {"answered 503", 1}}));
    EXPECT_EQ(said(all[0]).at("last_at"), base::rfc3339(clinic.clock.now()));
    auto digest = outbox::Ledger::digest_of(page(0));
    for (const int next : {1, 2}) digest = crypto::digest(digest, outbox::Ledger::digest_of(page(next)));
    EXPECT_EQ(all[0].digest, crypto::hex(digest));
}

TEST_F(PollReadsTest, ANewDayHasALineAndTheOneBeforeIsWrittenWithIt) {
    const Caller caller{path};
    const auto first = asked(caller, 0);
    ended(caller, first, Ended::answered, 200);
    EXPECT_EQ(asked(caller, 1), first);
    ended(caller, first, Ended::answered, 200);
    clinic.clock.advance(std::chrono::hours{24});
    const auto second = asked(caller, 2);
    EXPECT_GT(second, first);
    const auto all = lines();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(said(all[0]).at("requests"), 2);
    EXPECT_EQ(all[0].result, "answered");
    EXPECT_EQ(all[1].result, "open");
    // Another route has its own.
    const auto other = caller.ask<envelope::Verdict>(
        envelope::Attempt{.lease = 0, .route = envelope::Route::location_read, .path = "/locations/LOC1"});
    EXPECT_GT(other.attempt, second);
    EXPECT_EQ(lines().size(), 3U) << "a probe is no read of the polling: durable, each";
}

TEST_F(PollReadsTest, WhoseAskerWentAwayIsUnknownAndOneOfThem) {
    {
        const Caller caller{path};
        ended(caller, asked(caller, 0), Ended::answered, 200);
        asked(caller, 1);
    }
    const Caller other{path};
    for (int i = 0; i < 2; ++i) other.ask<envelope::Settled>(envelope::TimeState{}); // its end has been seen by then
    make({});
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_EQ(said(lines()[0]).at("ended"), (json{{"answered 200", 1}, {"unknown", 1}}));
}

// As after a power cut: what was counted and not written is gone, and the line says so little.
TEST_F(PollReadsTest, AStartFindsALineThatNobodySettled) {
    PollReads reads;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto line = reads.open(txn, page(0), false);
        return line ? Result<void>{} : line.error();
    });
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto line = reads.open(txn, page(1), false);
        return line ? Result<void>{} : line.error();
    });
    make({});
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_EQ(lines()[0].result, "unknown");
    EXPECT_EQ(lines()[0].said, "");
}

} // namespace
} // namespace clinic::egress
