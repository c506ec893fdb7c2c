// What GHL has deleted and told nobody of.
#include "daemon/crm/doubts.h"

#include "tests/daemon/crm/comparison_fixture.h"

namespace clinic::crm {
namespace {

class Deleted : public FullComparison {
protected:
    static constexpr const char* here = "LOC1";
    static constexpr const char* opportunity = "GHLopportunity000001";
    static constexpr const char* booked = "GHLbooking0000000001";

    void SetUp() override {
        FullComparison::SetUp();
        options.location = here;
        restart_clinicd();
        zone(here);
    }
    void restart_clinicd() {
        reconciler.emplace(options, clinic.releaser);
        comparing.emplace(options, clinic.releaser);
    }
    void zone(const std::string& location) {
        auto fact = contact(location);
        fact.kind = CrmKind::location;
        fact.updated_ms = 0;
        fact.said = envelope::CrmLocation{"America/New_York"};
        take(fact);
    }
    CrmFact a_case(const std::string& id = opportunity, const std::string& whose = lead) {
        auto fact = contact(id);
        fact.kind = CrmKind::opportunity;
        fact.said = envelope::CrmOpportunity{whose, "PIPE1", "STAGE1", envelope::Case::open};
        return fact;
    }
    std::int64_t later() {
        clinic.clock.advance(std::chrono::minutes{5});
        return now_ms();
    }
    // A round that has told all that is listed since then.
    void polled(std::int64_t opportunities_ms, std::int64_t bookings_ms = 0) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto terms = comparing->polled(
                txn, {.code = {}, .requests = 3, .opportunities_ms = opportunities_ms, .bookings_ms = bookings_ms});
            return terms ? Result<void>{} : terms.error();
        });
    }
    // What is asked for by its id until nothing is, each answered by `absent`.
    std::vector<std::string> looks(bool absent) {
        std::vector<std::string> out;
        auto terms = step();
        for (int i = 0; i < 10'000 && terms.step != WalkStep::rest; ++i) {
            if (terms.step == WalkStep::look) {
                EXPECT_EQ(terms.walk, 0);
                EXPECT_FALSE(terms.quiet);
                out.push_back(terms.id);
                terms = step({.kind = terms.kind, .looked = terms.id, .absent = absent, .requests = 1});
            } else {
                terms = step();
            }
        }
        return out;
    }
    // And once more, some minutes later.
    std::vector<std::string> absent_twice() {
        const auto first = looks(true);
        later();
        EXPECT_EQ(looks(true), first);
        return first;
    }
    bool is_there(const std::string& id, CrmKind kind) {
        const auto object = seen(id, kind);
        return object && !object->fact.deleted();
    }
    std::vector<std::string> one(const char* id) { return {id}; }
};

TEST_F(Deleted, AnOpportunityThatNoListShowsIsAskedForAndGone) {
    take(a_case());
    polled(later());
    EXPECT_EQ(absent_twice(), one(opportunity));
    EXPECT_FALSE(is_there(opportunity, CrmKind::opportunity));
    EXPECT_EQ(take(a_case()).taken, Taken::after_delete) << "as after a webhook";
    polled(later());
    EXPECT_EQ(looks(true), std::vector<std::string>{}) << "once";
}

// GHL's index lags, or its server answers wrongly for once.
TEST_F(Deleted, OneAnswerAloneDeletesNothing) {
    take(a_case());
    polled(later());
    EXPECT_EQ(looks(true), one(opportunity)) << "nor is it asked for a second time at once, in the second pass";
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
    clinic.clock.advance(absent_apart - std::chrono::seconds{1});
    polled(now_ms());
    EXPECT_EQ(looks(true), std::vector<std::string>{}) << "all was told anew, and the minute is not over";
    later();
    EXPECT_EQ(looks(false), one(opportunity));
    polled(later());
    EXPECT_EQ(looks(true), one(opportunity)) << "it is the first answer again";
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
}

TEST_F(Deleted, WhatIsSeenBetweenTheTwoAnswersTakesTheFirstBack) {
    take(a_case());
    polled(later());
    EXPECT_EQ(looks(true), one(opportunity));
    auto shown = a_case();
    shown.updated_ms = seen(opportunity, CrmKind::opportunity)->fact.updated_ms;
    EXPECT_EQ(take(shown).taken, Taken::known);
    later();
    EXPECT_EQ(looks(true), std::vector<std::string>{});
    polled(now_ms());
    EXPECT_EQ(absent_twice(), one(opportunity)) << "missed once more";
    EXPECT_FALSE(is_there(opportunity, CrmKind::opportunity));
}

// Seen, and missed once more before its turn had come.
TEST_F(Deleted, TheFirstAnswerCountsNoLongerThanItWasNotSeen) {
    take(a_case());
    polled(later());
    EXPECT_EQ(looks(true), one(opportunity));
    auto shown = a_case();
    shown.updated_ms = seen(opportunity, CrmKind::opportunity)->fact.updated_ms;
    take(shown);
    polled(later());
    EXPECT_EQ(looks(true), one(opportunity));
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
    later();
    EXPECT_EQ(looks(true), one(opportunity));
    EXPECT_FALSE(is_there(opportunity, CrmKind::opportunity));
}

TEST_F(Deleted, AfterARestartItTakesTwoAnswersAnew) {
    take(a_case());
    const auto since = later();
    polled(since);
    EXPECT_EQ(looks(true), one(opportunity));
    later();
    restart_clinicd();
    polled(since);
    EXPECT_EQ(looks(true), one(opportunity));
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
    later();
    EXPECT_EQ(looks(true), one(opportunity));
    EXPECT_FALSE(is_there(opportunity, CrmKind::opportunity));
}

TEST_F(Deleted, EachHasTwoAnswersOfItsOwn) {
    constexpr const char *second = "GHLopportunity000002", *third = "GHLopportunity000003";
    for (const char* id : {opportunity, second, third}) take(a_case(id));
    polled(later());
    EXPECT_EQ(looks(true).size(), 3U);
    take(a_case(opportunity));
    take(a_case(second));
    polled(later());
    EXPECT_EQ(looks(true), (std::vector<std::string>{opportunity, second, third})) << "two of them for the first time";
    later();
    EXPECT_EQ(looks(true), (std::vector<std::string>{opportunity, second}));
    for (const char* id : {opportunity, second, third}) EXPECT_FALSE(is_there(id, CrmKind::opportunity)) << id;
}

TEST_F(Deleted, WhatWasToldSinceIsNoneOfThem) {
    take(a_case());
    const auto since = later();
    auto shown = a_case();
    shown.updated_ms = seen(opportunity, CrmKind::opportunity)->fact.updated_ms;
    EXPECT_EQ(take(shown).taken, Taken::known);
    polled(since);
    EXPECT_EQ(looks(true), std::vector<std::string>{});
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
}

// Shown by its id, or not answered for: a list that is not whole deletes nothing.
TEST_F(Deleted, OneThatGhlDoesNotCallAbsentStays) {
    take(a_case());
    polled(later());
    EXPECT_EQ(looks(false), (std::vector<std::string>{opportunity, opportunity})) << "a second time in the second pass";
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
}

TEST_F(Deleted, OneWhoseReadDidNotComeToAnEndIsAskedForAgain) {
    take(a_case());
    polled(later());
    EXPECT_EQ(step().id, opportunity);
    EXPECT_EQ(step().id, opportunity);
    restart_clinicd();
    EXPECT_EQ(step().step, WalkStep::rest) << "until the polling has said again since when it told all";
    polled(now_ms());
    EXPECT_EQ(step().id, opportunity);
    EXPECT_EQ(absent_twice(), one(opportunity));
    EXPECT_FALSE(is_there(opportunity, CrmKind::opportunity));
}

// GHL's server falls over one of them, each time: the others are asked for, and the comparison has its turn.
TEST_F(Deleted, OneThatIsNeverAnsweredForKeepsNothingElseWaiting) {
    take(a_case());
    take(a_case("GHLopportunity000002"));
    polled(later());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(step().id, opportunity) << i;
    const auto next = step();
    EXPECT_EQ(next.id, "GHLopportunity000002");
    step({.kind = next.kind, .looked = next.id, .absent = true, .requests = 1});
    std::vector<std::string> offered;
    for (auto terms = step(); terms.step != WalkStep::rest; terms = step())
        if (terms.step == WalkStep::look) offered.push_back(terms.id);
    EXPECT_LE(offered.size(), 6U) << "in this pass and in the next";
    later();
    EXPECT_EQ(looks(true), std::vector<std::string>{"GHLopportunity000002"});
    EXPECT_FALSE(is_there("GHLopportunity000002", CrmKind::opportunity));
    polled(later());
    EXPECT_EQ(looks(true), one(opportunity)) << "and when all is told anew";
    later();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(step().id, opportunity) << i;
    EXPECT_EQ(looks(true), one(opportunity)) << "nor the second time: another pass asks anew, for a first answer";
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
}

TEST_F(Deleted, AComparisonThatSomebodyAskedForComesFirst) {
    take(a_case());
    polled(later());
    clinic.write([](records::Transaction& txn) -> Result<void> {
        const auto asked = Walks::ask(txn, false);
        return asked ? Result<void>{} : asked.error();
    });
    EXPECT_EQ(step().step, WalkStep::read);
}

TEST_F(Deleted, OfACalendarThatIsReadNoMoreNothingIsAskedAbout) {
    take(booking(booked, at_ten()));
    options.reads.calendars = {"GHLanotherCalendar01"};
    restart_clinicd();
    polled(0, later());
    EXPECT_EQ(looks(true), std::vector<std::string>{});
    EXPECT_TRUE(is_there(booked, CrmKind::appointment));
}

TEST_F(Deleted, WithoutAWholeListNothingIsMissed) {
    take(a_case());
    take(booking(booked, at_ten()));
    later();
    polled(0, 0);
    EXPECT_EQ(looks(true), std::vector<std::string>{});
    polled(now_ms() + 86'400'000, now_ms() + 86'400'000);
    EXPECT_EQ(looks(true), std::vector<std::string>{}) << "a time that lies ahead is none";
}

// That it is absent is believed of what was asked about, and of nothing that a clinic-syncd may invent.
TEST_F(Deleted, AnAbsenceThatIsNotDoubtedIsNotTaken) {
    take(a_case());
    take(contact(lead));
    later();
    step({.kind = CrmKind::opportunity, .looked = opportunity, .absent = true, .requests = 1});
    step({.looked = lead, .absent = true, .requests = 1});
    step({.kind = CrmKind::opportunity, .looked = "GHLnobodys", .absent = true, .requests = 1});
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
    EXPECT_TRUE(is_there(lead, CrmKind::contact));
    EXPECT_FALSE(seen("GHLnobodys", CrmKind::opportunity));
}

TEST_F(Deleted, ABookingThatIsGoneIsNoConflictAnyMore) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.book(patient, "A1", at_ten());
    take(booking(booked, at_ten(), envelope::Booking::confirmed, lead));
    ASSERT_EQ(open().size(), 1U);
    polled(0, later());
    EXPECT_EQ(absent_twice(), one(booked));
    EXPECT_TRUE(open().empty());
}

TEST_F(Deleted, OfBookingsThoseToComeThatARoundReads) {
    take(booking("GHLpast", clinic.clock.now() - base::Micros{std::chrono::hours{48}}));
    take(booking("GHLfar", clinic.in_days(120)));
    take(booking("GHLcancelled", at_ten(), envelope::Booking::cancelled));
    take(booking(booked, at_ten()));
    polled(0, later());
    EXPECT_EQ(looks(true), one(booked));
}

TEST_F(Deleted, ALeadThatAComparisonHasNotSeenIsGone) {
    take(contact(lead));
    take(contact(other));
    later();
    walk({contact(other)});
    polled(0);
    EXPECT_EQ(absent_twice(), one(lead));
    EXPECT_FALSE(is_there(lead, CrmKind::contact));
    EXPECT_TRUE(is_there(other, CrmKind::contact));
    EXPECT_EQ(take(contact(lead)).taken, Taken::after_delete);
}

// Of a patient's contact the comparison says that it is gone, and a person decides.
TEST_F(Deleted, APatientsContactIsNotTakenForDeleted) {
    linked("N1", lead);
    later();
    EXPECT_EQ(walk({}), one(lead));
    polled(0);
    EXPECT_EQ(looks(true), std::vector<std::string>{});
    later();
    EXPECT_EQ(looks(true), one(lead));
    EXPECT_EQ(looks(true), std::vector<std::string>{});
    EXPECT_EQ(count(Differs::gone), 1);
    EXPECT_TRUE(is_there(lead, CrmKind::contact));
}

// The key of another location knows none of the things of the one before.
TEST_F(Deleted, AnotherLocationsThingsAreNotAskedAbout) {
    take(a_case());
    options.location = "LOC2";
    restart_clinicd();
    polled(later());
    EXPECT_EQ(looks(true), std::vector<std::string>{}) << "it was not seen yet";
    zone("LOC2");
    take(a_case("GHLnewOpportunity001"));
    polled(later());
    EXPECT_EQ(looks(true), std::vector<std::string>{"GHLnewOpportunity001"});
    EXPECT_TRUE(is_there(opportunity, CrmKind::opportunity));
    options.location = here;
    restart_clinicd();
    polled(later());
    EXPECT_EQ(looks(true), std::vector<std::string>{}) << "back again: which are whose is not known";
}

// Many that no list shows any more, as when a list is short for once: the day's share is not passed.
TEST_F(Deleted, TheReadsOfADayAreBounded) {
    constexpr int many = 30;
    for (int i = 0; i < many; ++i) take(a_case("GHLopportunity" + std::to_string(i)));
    Doubts doubts{here, options.reads, 10};
    const auto since = later();
    int asked = 0;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(doubts.heard(txn, {.code = {}, .requests = 3, .opportunities_ms = since}));
        for (auto terms = doubts.next(txn); asked < many; terms = doubts.next(txn)) {
            CLINIC_TRY(terms);
            if (terms->step != WalkStep::look) break;
            ++asked;
            CLINIC_TRY(doubts.looked(txn, {.kind = terms->kind, .looked = terms->id, .requests = 1}));
        }
        return {};
    });
    EXPECT_EQ(asked, 10);
    clinic.clock.advance(std::chrono::hours{3});
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto terms = doubts.next(txn);
        CLINIC_TRY(terms);
        EXPECT_EQ(terms->step, WalkStep::look) << "and it goes on where it stood";
        EXPECT_EQ(terms->id, "GHLopportunity10");
        return {};
    });
}

} // namespace
} // namespace clinic::crm
