// Accepted is not stored: some of what was written is read again, and all that takes back.
#include <algorithm>
#include <array>

#include "tests/sync/channel/ghl/channel_fixture.h"

namespace clinic::ghl {
namespace {

using envelope::Booking;
using envelope::Case;
using envelope::Field;
using envelope::Kind;
using envelope::Stage;

// By those rules, and nothing else.
class Asked final : public lane::Gate {
public:
    explicit Asked(const WriteRules& rules) : rules_{rules} {}
    Result<envelope::Verdict> ask(const envelope::Attempt& attempt) override {
        CLINIC_TRY(envelope::check_request(rules_, attempt.route, attempt.path, attempt.body));
        return envelope::Verdict{++attempts_, envelope::Answer::go, ""};
    }

private:
    const WriteRules& rules_;
    std::int64_t attempts_ = 0;
};

struct ReadBack : GhlChannels {
    // A contact that holds `stage`, and those tags.
    void holds(const std::string& stage, const std::string& tags) {
        serve([stage, tags](const Received& seen) {
            if (seen.method != "GET") return answer(200, "{}");
            return answer(200, R"({"contact":{"id":"c1","firstName":"Una","email":"una@example.test","tags":[)" + tags +
                                   R"(],"customFields":[{"id":"fStage","value":")" + stage +
                                   R"("},{"id":"fLast","value":"past"},{"id":"fNext","value":"none"}]}})");
        });
        ghl = client();
        channel.emplace(*ghl, rules(), budget, ChannelTimes{.read_back_every = 3}, nullptr, &board);
    }
    envelope::Settle settled(std::int64_t number, int tries = 0) {
        auto lease = contact_state({"recall_due"});
        lease.lease = number;
        lease.tries = tries;
        return channel->deliver(lease, gate, stop.get_token()).settle;
    }
    // A contact that holds `contact`, whatever is written; read back as clinic-syncd does it by itself.
    void shows() {
        serve([this](const Received& seen) {
            return answer(200, seen.method == "GET" ? R"({"contact":)" + contact + "}" : "{}");
        });
        ghl = client();
        channel.emplace(*ghl, rules(), budget, ChannelTimes{}, nullptr, &board);
    }
    static std::string emptied(bool dnd, const std::string& tags) {
        return std::string{R"({"id":"c1","dnd":)"} + (dnd ? "true" : "false") + R"(,"tags":[)" + tags +
               R"(],"customFields":[{"id":"fStage","value":"archived"},{"id":"fLast","value":"none"},)"
               R"({"id":"fNext","value":"none"},{"id":"fStatus","value":"none"},{"id":"fWhen","value":"none"}]})";
    }
    envelope::Settle settled(const envelope::Lease& lease) {
        return channel->deliver(lease, gate, stop.get_token()).settle;
    }
    std::size_t reads() const {
        const auto all = paths();
        return static_cast<std::size_t>(std::count(all.begin(), all.end(), "GET /contacts/c1"));
    }
    lane::Board board{time};
    std::optional<GhlChannel> channel;
    std::string contact;
};

TEST_F(ReadBack, OneOfSomeIsReadAndCounted) {
    holds("recall_due", R"("ce-recall-due","vip")");
    for (int i = 1; i <= 6; ++i) EXPECT_EQ(settled(i).outcome, Outcome::delivered);
    EXPECT_EQ(reads(), 2U);
    EXPECT_EQ(board.said().read_backs, (envelope::ReadBacks{2, 0}));
}

TEST_F(ReadBack, WhatWasNotKeptIsWrittenAgainSomeTimesAndThenSaid) {
    holds("lead", R"("ce-recall-due")");
    settled(1), settled(2);
    for (int tries = 0; tries < 3; ++tries) {
        const auto again = settled(3, tries);
        EXPECT_EQ(again.outcome, Outcome::retry);
        EXPECT_EQ(again.code, "not_kept");
        EXPECT_FALSE(again.counts_against);
    }
    EXPECT_EQ(settled(3, 3).outcome, Outcome::delivered) << "it stands as it is";
    EXPECT_EQ(board.said().read_backs, (envelope::ReadBacks{4, 4}));
}

TEST_F(ReadBack, ATagThatShouldBeGoneCounts) {
    holds("recall_due", R"("ce-recall-due","ce-returning")");
    settled(1), settled(2);
    EXPECT_EQ(settled(3).code, "not_kept");
}

// What empties a contact is read back each time: nothing else would tell of it soon.
TEST_F(ReadBack, WhatIsTakenBackIsReadEachTimeAndWrittenAgain) {
    contact = R"({"id":"c1","dnd":false,"tags":["ce-returning"],"customFields":[{"id":"fStage","value":"active"}]})";
    shows();
    auto out = settled(suppress());
    EXPECT_EQ(out.outcome, Outcome::retry);
    EXPECT_EQ(out.code, "not_kept");
    contact = emptied(true, R"("ce-do-not-contact")");
    out = settled(suppress());
    EXPECT_EQ(out.outcome, Outcome::delivered);
    EXPECT_EQ(paths(),
              (Paths{"PUT /contacts/c1", "POST /contacts/c1/tags", "DELETE /contacts/c1/tags", "GET /contacts/c1",
                     "PUT /contacts/c1", "POST /contacts/c1/tags", "DELETE /contacts/c1/tags", "GET /contacts/c1"}));
    EXPECT_EQ(board.said().read_backs, (envelope::ReadBacks{2, 1}));
}

// The comparison takes one that was not lifted for a person's word.
TEST_F(ReadBack, ADoNotContactIsReadEachTimeItIsLifted) {
    contact = R"({"id":"c1","tags":["ce-do-not-contact"]})";
    shows();
    EXPECT_EQ(settled(consent_state(envelope::Scope::reminders, envelope::Grant::granted)).code, "not_kept");
    contact = R"({"id":"c1","tags":[]})";
    EXPECT_EQ(settled(consent_state(envelope::Scope::reminders, envelope::Grant::granted)).outcome, Outcome::delivered);
    EXPECT_EQ(reads(), 2U);
    settled(consent_state(envelope::Scope::marketing, envelope::Grant::granted));
    EXPECT_EQ(reads(), 2U) << "that one is compared";
}

// So does a state that comes after a suppression; one that has nothing to lift is read like any other.
TEST_F(ReadBack, AStateThatLiftsADoNotContactIsReadEachTimeAndWrittenAgain) {
    contact = R"({"id":"c1","tags":["ce-recall-due","ce-do-not-contact"],"customFields":[)"
              R"({"id":"fStage","value":"recall_due"},{"id":"fLast","value":"past"},{"id":"fNext","value":"none"}]})";
    shows();
    auto lease = contact_state({"recall_due"});
    lease.prior_tags = words({"do_not_contact"});
    EXPECT_EQ(settled(lease).code, "not_kept");
    lease.prior_tags.reset();
    lease.may_lift = true;
    EXPECT_EQ(settled(lease).code, "not_kept");
    EXPECT_EQ(reads(), 2U);
    lease.lease = 21;
    lease.may_lift = false;
    EXPECT_EQ(settled(lease).outcome, Outcome::delivered);
    lease.prior_tags = words({"returning"});
    EXPECT_EQ(settled(lease).outcome, Outcome::delivered);
    EXPECT_EQ(reads(), 2U);
}

TEST_F(ReadBack, OfAMergeTheOldContactIsReadAlsoWhereTheSurvivorHasNone) {
    contact = emptied(true, "");
    shows();
    EXPECT_EQ(settled(merge("", "c0")).outcome, Outcome::delivered);
    EXPECT_EQ(paths().back(), "GET /contacts/c0");
    contact = emptied(true, R"("ce-do-not-contact")");
    EXPECT_EQ(settled(merge("c1", "c0")).code, "not_kept") << "of nobody's contact no word stays";
    contact = emptied(false, "");
    EXPECT_EQ(settled(merge("c1", "c0")).code, "not_kept") << "and it is not disturbed";
    const auto moved = merge("c1", "c1");
    contact = R"({"id":"c1","customFields":[{"id":"fPid","value":"p_another"}]})";
    EXPECT_EQ(settled(moved).code, "not_kept") << "one that has moved is to be the survivor's";
    contact = R"({"id":"c1","customFields":[{"id":"fPid","value":")" + pid(moved) + R"("}]})";
    EXPECT_EQ(settled(moved).outcome, Outcome::delivered);
}

TEST_F(ReadBack, ThatItWasTriedForOtherReasonsTakesNoneOfItsTimes) {
    contact = emptied(false, "");
    shows();
    auto lease = suppress();
    for (lease.tries = 9; lease.tries < 12; ++lease.tries) EXPECT_EQ(settled(lease).code, "not_kept");
    EXPECT_EQ(settled(lease).outcome, Outcome::delivered) << "it stands as it is";
    EXPECT_EQ(board.said().read_backs, (envelope::ReadBacks{4, 4}));
}

TEST_F(ReadBack, AReadThatIsNotAnsweredIsNoReasonToWriteAgain) {
    serve([](const Received& seen) { return seen.method == "GET" ? answer(503, "") : answer(200, "{}"); });
    ghl = client();
    channel.emplace(*ghl, rules(), budget, ChannelTimes{.read_back_every = 1}, nullptr, &board);
    const auto out = settled(1);
    EXPECT_EQ(out.outcome, Outcome::delivered);
    EXPECT_EQ(out.code, "");
    EXPECT_EQ(out.retry_after_ms, 0);
    EXPECT_EQ(board.said().read_backs.read, 0);
}

// Nothing compares later what somebody had who is merged or erased.
TEST_F(ReadBack, WhatEndsACaseOrCallsABookingOffIsReadEachTimeAndWrittenAgain) {
    auto set = rules();
    set.pipeline.id = "pipe1";
    set.bookings = true;
    Asked open{set};
    std::string shown;
    serve([&](const Received& seen) { return answer(200, seen.method == "GET" ? shown : "{}"); });
    ghl = client();
    channel.emplace(*ghl, set, budget, ChannelTimes{}, nullptr, &board);
    auto ended = common(Kind::case_state);
    ended.put(Field::stage, Stage::archived).put(Field::outcome, Case::abandoned);
    auto off = common(Kind::booking_state);
    off.put(Field::aid, envelope::Pseudonym::random('a')).put(Field::booking, Booking::cancelled);
    const std::array<std::array<std::string, 3>, 2> all{
        {{"GET /opportunities/o1", R"({"opportunity":{"status":"open"}})", R"({"opportunity":{"status":"abandoned"}})"},
         {"GET /calendars/events/appointments/o1", R"({"event":{"appointmentStatus":"new"}})",
          R"({"event":{"appointmentStatus":"cancelled"}})"}}};
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto lease = leased(i == 0 ? ended : off);
        lease.lease = static_cast<std::int64_t>(20 + i);
        lease.object = "o1";
        shown = all.at(i)[1];
        EXPECT_EQ(channel->deliver(lease, open, stop.get_token()).settle.code, "not_kept");
        EXPECT_EQ(paths().back(), all.at(i)[0]);
        shown = all.at(i)[2];
        EXPECT_EQ(channel->deliver(lease, open, stop.get_token()).settle.outcome, Outcome::delivered);
    }
    EXPECT_EQ(board.said().read_backs, (envelope::ReadBacks{4, 2}));
    const auto before = paths().size();
    auto stands = common(Kind::case_state);
    stands.put(Field::stage, Stage::active).put(Field::outcome, Case::open);
    auto lease = leased(stands);
    lease.object = "o1";
    EXPECT_EQ(channel->deliver(lease, open, stop.get_token()).settle.outcome, Outcome::delivered);
    EXPECT_EQ(paths().size(), before + 1) << "what stands is compared anyway";
}

TEST_F(ReadBack, OnlyTheNewestCount) {
    for (int i = 0; i < 5; ++i) board.read_back(false);
    for (int i = 0; i < envelope::read_backs_max; ++i) board.read_back(true);
    EXPECT_EQ(board.said().read_backs, (envelope::ReadBacks{envelope::read_backs_max, 0}));
}

} // namespace
} // namespace clinic::ghl
