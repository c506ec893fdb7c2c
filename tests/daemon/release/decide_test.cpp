#include "daemon/release/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

#include "daemon/release/policy.h"
#include "tests/daemon/release/facts.h"
#include "tests/fakes/zone.h"

namespace clinic::release {
namespace {

using envelope::Channel;
using envelope::Reason;
using envelope::Stage;
using records::AppointmentId;
using records::AppointmentStatus;
using records::ConsentFacts;
using records::ConsentScope;
using records::ConsentState;
using records::PatientFacts;
using records::PatientStatus;
using testing::at;
using ::testing::ElementsAre;
using testing::in_days;
using testing::now;
using testing::policy_of;
using testing::regular;

// How a scope can stand, in the order of the tables' columns.
enum class Standing { none, granted, granted_until_later, granted_until_before, revoked, expired };
constexpr std::array standings{
    Standing::none,    Standing::granted, Standing::granted_until_later, Standing::granted_until_before,
    Standing::revoked, Standing::expired};
constexpr std::array bases{Basis::off, Basis::deid, Basis::authorized, Basis::baa, Basis::consumer_consent};

void stand(PatientFacts& facts, ConsentScope scope, Standing standing) {
    switch (standing) {
    case Standing::none: return;
    case Standing::granted: facts.consents.push_back({scope, ConsentState::granted, {}, 1}); return;
    case Standing::granted_until_later: facts.consents.push_back({scope, ConsentState::granted, in_days(1), 1}); return;
    case Standing::granted_until_before:
        facts.consents.push_back({scope, ConsentState::granted, in_days(-1), 1});
        return;
    case Standing::revoked: facts.consents.push_back({scope, ConsentState::revoked, {}, 2}); return;
    case Standing::expired: facts.consents.push_back({scope, ConsentState::expired, in_days(-1), 2}); return;
    }
}

std::vector<std::string> words(const Decision& decision) {
    std::vector<std::string> out;
    for (const envelope::Word& word : decision.contact->tags) out.emplace_back(word.text());
    return out;
}

// The oracle. A row a basis, a letter a standing of crm_sync:
//   G goes · O off · D only to a contact-less store · L basis lapsed · N no consent · R revoked · E consent expired
//   C waits for the clock · r, e: as R and E, and the suppression itself waits for the clock
struct Table {
    const char* conditions;
    bool clock_trusted;
    std::optional<Timestamp> basis_expires;
    std::array<const char*, 5> rows; // off, deid, authorized, baa, consumer_consent
};
const std::array tables{
    Table{"trusted clock, basis without end", true, {}, {"OOOOOO", "DDDDDD", "NGGERE", "GGGERE", "NGGERE"}},
    Table{"trusted clock, basis ends later", true, in_days(1), {"OOOOOO", "DDDDDD", "NGGERE", "GGGERE", "NGGERE"}},
    Table{"trusted clock, basis over", true, in_days(-1), {"OOOOOO", "DDDDDD", "LLLLLL", "LLLLLL", "LLLLLL"}},
    Table{"trusted clock, basis ends now", true, now, {"OOOOOO", "DDDDDD", "LLLLLL", "LLLLLL", "LLLLLL"}},
    Table{"untrusted clock, basis without end", false, {}, {"OOOOOO", "DDDDDD", "NGCCRE", "GGCCRE", "NGCCRE"}},
    Table{"untrusted clock, basis ends later", false, in_days(1), {"OOOOOO", "DDDDDD", "nCCCre", "CCCCre", "nCCCre"}},
    Table{"untrusted clock, basis over by it", false, in_days(-1), {"OOOOOO", "DDDDDD", "nCCCre", "CCCCre", "nCCCre"}},
};

struct Expected {
    Because because;
    bool may_leave, told, holds;
    std::optional<Reason> suppress;
};
const std::map<char, Expected> oracle{
    {'G', {Because::allowed, true, true, false, {}}},
    {'O', {Because::basis_off, false, false, false, {}}},
    {'D', {Because::deid_needs_contactless, false, false, false, {}}},
    {'L', {Because::basis_expired, false, false, false, Reason::expired}},
    {'N', {Because::no_consent, false, false, false, Reason::restricted}},
    {'n', {Because::no_consent, false, false, true, Reason::restricted}},
    {'R', {Because::consent_revoked, false, false, false, Reason::revoked}},
    {'r', {Because::consent_revoked, false, false, true, Reason::revoked}},
    {'E', {Because::consent_expired, false, false, false, Reason::expired}},
    {'e', {Because::consent_expired, false, false, true, Reason::expired}},
    {'C', {Because::clock_untrusted, false, true, true, {}}},
};

TEST(Decide, FollowsTheTableOfBasisKindAndConsent) {
    for (const Table& table : tables) {
        for (std::size_t row = 0; row < bases.size(); ++row) {
            for (std::size_t column = 0; column < standings.size(); ++column) {
                const char letter = table.rows[row][column];
                SCOPED_TRACE(std::string{table.conditions} + ", " + name(bases[row]) + ", column " +
                             std::to_string(column));
                PatientFacts facts = regular();
                stand(facts, ConsentScope::crm_sync, standings[column]);
                Policy policy = policy_of(bases[row]);
                policy.basis_expires = table.basis_expires;
                const Decision decision = decide(facts, policy, {now, table.clock_trusted}, std::nullopt);
                const Expected& expected = oracle.at(letter);
                EXPECT_STREQ(name(decision.because).c_str(), name(expected.because).c_str());
                EXPECT_EQ(decision.may_leave, expected.may_leave);
                EXPECT_EQ(decision.contact.has_value(), expected.told) << "contact.state";
                EXPECT_EQ(decision.appointment.has_value(), expected.told) << "appt.state";
                EXPECT_EQ(decision.suppress, expected.suppress) << "contact.suppress";
                const bool nothing_to_hold = letter == 'O' || letter == 'D' || letter == 'L';
                EXPECT_TRUE(nothing_to_hold || decision.clock_holds == expected.holds);
            }
        }
    }
}

TEST(Decide, AnswersTheSameForTheSame) {
    for (const Basis basis : bases) {
        for (const Standing standing : standings) {
            for (const bool trusted : {true, false}) {
                PatientFacts facts = regular();
                stand(facts, ConsentScope::crm_sync, standing);
                const auto once = decide(facts, policy_of(basis), {now, trusted}, std::nullopt);
                const auto again = decide(facts, policy_of(basis), {now, trusted}, std::nullopt);
                EXPECT_EQ(once.because, again.because);
                EXPECT_EQ(once.suppress, again.suppress);
                ASSERT_EQ(once.contact.has_value(), again.contact.has_value());
                if (!once.contact) continue;
                EXPECT_EQ(words(once), words(again));
                EXPECT_EQ(once.contact->stage, again.contact->stage);
                EXPECT_EQ(once.contact->next, again.contact->next);
            }
        }
    }
}

TEST(Decide, TheOrderOfAppointmentsAndConsentsDoesNotMatter) {
    PatientFacts facts = regular();
    facts.appointments.push_back({AppointmentId::make(now), AppointmentStatus::booked, in_days(5)});
    facts.appointments.push_back({AppointmentId::make(now), AppointmentStatus::confirmed, std::nullopt});
    stand(facts, ConsentScope::marketing, Standing::granted);
    stand(facts, ConsentScope::reminders, Standing::granted);
    const Decision forward = decide(facts, policy_of(Basis::baa), {now}, std::nullopt);
    std::reverse(facts.appointments.begin(), facts.appointments.end());
    std::reverse(facts.consents.begin(), facts.consents.end());
    const Decision backward = decide(facts, policy_of(Basis::baa), {now}, std::nullopt);
    EXPECT_EQ(forward.appointment->appointment, backward.appointment->appointment);
    EXPECT_EQ(words(forward), words(backward));
}

TEST(Decide, MarketingWordsNeedMarketingConsentUnderEveryBasis) {
    constexpr std::array<const char*, 6> marketing_words{"-", "yes", "yes", "-", "-", "-"}; // by standing
    for (const Basis basis : {Basis::authorized, Basis::baa, Basis::consumer_consent}) {
        for (std::size_t column = 0; column < standings.size(); ++column) {
            PatientFacts facts = regular();
            stand(facts, ConsentScope::crm_sync, Standing::granted);
            stand(facts, ConsentScope::marketing, standings[column]);
            const Decision decision = decide(facts, policy_of(basis), {now}, std::nullopt);
            ASSERT_TRUE(decision.contact);
            const bool expected = marketing_words[column] == std::string_view{"yes"};
            EXPECT_EQ(words(decision), expected ? (std::vector<std::string>{"returning", "review_ok", "referral_ok"})
                                                : (std::vector<std::string>{"returning"}))
                << name(basis) << " column " << column;
        }
    }
}

TEST(Decide, NoRemindersMeansNoChannelAndDoNotContact) {
    constexpr std::array<bool, 6> silent{false, false, false, true, true, true}; // by standing
    for (std::size_t column = 0; column < standings.size(); ++column) {
        PatientFacts facts = regular();
        stand(facts, ConsentScope::marketing, Standing::granted);
        stand(facts, ConsentScope::reminders, standings[column]);
        const Decision decision = decide(facts, policy_of(Basis::baa), {now}, std::nullopt);
        ASSERT_TRUE(decision.contact);
        EXPECT_EQ(decision.contact->channel, silent[column] ? Channel::none : Channel::sms);
        if (silent[column])
            EXPECT_THAT(words(decision), ElementsAre("returning", "do_not_contact"));
        else
            EXPECT_THAT(words(decision), ElementsAre("returning", "review_ok", "referral_ok"));
    }
}

TEST(Decide, TestTrafficMergedAndErasedSayNothingUnderAnyBasis) {
    for (const Basis basis : bases) {
        PatientFacts test_traffic = regular(), merged = regular(), erased = regular();
        test_traffic.test_traffic = true;
        merged.status = PatientStatus::merged;
        erased.status = PatientStatus::erased;
        for (const PatientFacts* facts : {&test_traffic, &merged, &erased}) {
            const Decision decision = decide(*facts, policy_of(basis), {now}, std::nullopt);
            EXPECT_FALSE(decision.may_leave);
            EXPECT_FALSE(decision.contact);
            EXPECT_FALSE(decision.appointment);
        }
        EXPECT_EQ(decide(test_traffic, policy_of(basis), {now}, {}).because, Because::test_traffic);
        EXPECT_EQ(decide(merged, policy_of(basis), {now}, {}).because, Because::merged);
        EXPECT_EQ(decide(erased, policy_of(basis), {now}, {}).suppress, Reason::erased);
    }
}

TEST(Decide, DeidSaysYearsAndOnlyToAStoreWithoutContacts) {
    PatientFacts facts = regular();
    const Decision crm = decide(facts, policy_of(Basis::deid), {now}, std::nullopt);
    EXPECT_EQ(crm.because, Because::deid_needs_contactless);
    const Decision decision = decide(facts, policy_of(Basis::deid), {now}, std::nullopt, Recipient::contactless);
    ASSERT_TRUE(decision.contact && decision.appointment);
    EXPECT_EQ(decision.contact->last.text(), "y2026");
    EXPECT_EQ(decision.contact->next.text(), "y2026");
    EXPECT_EQ(decision.appointment->when.text(), "y2026");
    EXPECT_EQ(decision.contact->channel, Channel::none);
}

TEST(Decide, AReachableChannelIsSaidAndNoOther) {
    const std::array<std::tuple<bool, bool, Channel>, 4> rows{{{true, true, Channel::sms},
                                                               {true, false, Channel::sms},
                                                               {false, true, Channel::email},
                                                               {false, false, Channel::none}}};
    for (const auto& [mobile, email, channel] : rows) {
        PatientFacts facts = regular();
        facts.has_mobile = mobile;
        facts.has_email = email;
        EXPECT_EQ(decide(facts, policy_of(Basis::baa), {now}, {}).contact->channel, channel);
    }
}

struct StageRow {
    const char* who;
    PatientStatus status;
    int visits;
    std::optional<double> last_visit_days, next_days;
    double created_days;
    Stage stage;
    std::vector<std::string> tags;
};

TEST(Decide, StageAndTagsFollowTheVisits) {
    const std::vector<StageRow> rows{
        {"registered today", PatientStatus::active, 0, {}, {}, 0, Stage::new_, {"new_patient"}},
        {"registered 90 days ago, never came", PatientStatus::active, 0, {}, {}, -90, Stage::new_, {"new_patient"}},
        {"registered 91 days ago, never came", PatientStatus::active, 0, {}, {}, -91, Stage::lead, {}},
        {"registered long ago, first visit booked",
         PatientStatus::active,
         0,
         {},
         3,
         -500,
         Stage::new_,
         {"new_patient"}},
        {"one visit, 90 days ago", PatientStatus::active, 1, -90, {}, -100, Stage::new_, {"new_patient"}},
        {"one visit, 91 days ago", PatientStatus::active, 1, -91, {}, -100, Stage::active, {"returning"}},
        {"two visits", PatientStatus::active, 2, -10, {}, -100, Stage::active, {"returning"}},
        {"180 days ago", PatientStatus::active, 2, -180, {}, -500, Stage::active, {"returning"}},
        {"181 days ago", PatientStatus::active, 2, -181, {}, -500, Stage::recall_due, {"recall_due"}},
        {"181 days ago, booked", PatientStatus::active, 2, -181, 9, -500, Stage::active, {"returning"}},
        {"365 days ago", PatientStatus::active, 2, -365, {}, -500, Stage::recall_due, {"recall_due"}},
        {"366 days ago", PatientStatus::active, 2, -366, {}, -500, Stage::lapsed, {"lapsed_12m"}},
        {"366 days ago, booked", PatientStatus::active, 2, -366, 9, -500, Stage::active, {"returning"}},
        {"inactive", PatientStatus::inactive, 2, -10, 9, -500, Stage::inactive, {}},
    };
    for (const StageRow& row : rows) {
        PatientFacts facts = regular();
        facts.status = row.status;
        facts.visits = row.visits;
        facts.last_visit = row.last_visit_days ? std::optional{in_days(*row.last_visit_days)} : std::nullopt;
        facts.created_at = in_days(row.created_days);
        facts.appointments.clear();
        if (row.next_days)
            facts.appointments.push_back(
                {AppointmentId::make(now), AppointmentStatus::booked, in_days(*row.next_days)});
        const Decision decision = decide(facts, policy_of(Basis::baa), {now}, std::nullopt);
        ASSERT_TRUE(decision.contact) << row.who;
        EXPECT_EQ(decision.contact->stage, row.stage) << row.who;
        EXPECT_EQ(words(decision), row.tags) << row.who;
    }
}

TEST(Decide, TheFaceIsTheSoonestOpenAppointment) {
    PatientFacts facts = regular();
    const auto late = AppointmentId::make(now), soon = AppointmentId::make(now), gone = AppointmentId::make(now),
               undated = AppointmentId::make(now);
    facts.appointments = {{late, AppointmentStatus::booked, in_days(9)},
                          {soon, AppointmentStatus::confirmed, in_days(2)},
                          {gone, AppointmentStatus::cancelled, in_days(1)},
                          {undated, AppointmentStatus::requested, std::nullopt}};
    Decision decision = decide(facts, policy_of(Basis::baa), {now}, gone);
    EXPECT_EQ(decision.appointment->appointment, soon);
    EXPECT_EQ(decision.appointment->status, envelope::ApptStatus::confirmed);
    EXPECT_EQ(decision.appointment->when.text(), "d0_2");
    EXPECT_EQ(decision.contact->next.text(), "d0_2");

    facts.appointments[1].status = AppointmentStatus::no_show;
    decision = decide(facts, policy_of(Basis::baa), {now}, soon);
    EXPECT_EQ(decision.appointment->appointment, late);

    facts.appointments[0].status = AppointmentStatus::cancelled;
    decision = decide(facts, policy_of(Basis::baa), {now}, late);
    EXPECT_EQ(decision.appointment->appointment, undated);
    EXPECT_EQ(decision.appointment->when.text(), "none");
}

TEST(Decide, WithoutAnOpenOneTheChangedAppointmentIsTold) {
    const std::array<std::pair<AppointmentStatus, envelope::ApptStatus>, 5> rows{
        {{AppointmentStatus::arrived, envelope::ApptStatus::arrived},
         {AppointmentStatus::cancelled, envelope::ApptStatus::cancelled},
         {AppointmentStatus::no_show, envelope::ApptStatus::no_show},
         {AppointmentStatus::completed, envelope::ApptStatus::completed},
         {AppointmentStatus::entered_in_error, envelope::ApptStatus::cancelled}}};
    for (const auto& [stored, told] : rows) {
        PatientFacts facts = regular();
        const auto changed = AppointmentId::make(now);
        facts.appointments = {{AppointmentId::make(now), AppointmentStatus::completed, in_days(-1)},
                              {changed, stored, in_days(-40)}};
        const Decision decision = decide(facts, policy_of(Basis::baa), {now}, changed);
        ASSERT_TRUE(decision.appointment);
        EXPECT_EQ(decision.appointment->appointment, changed);
        EXPECT_EQ(decision.appointment->status, told);
        EXPECT_EQ(decision.appointment->when.text(), "past");
        EXPECT_EQ(decision.contact->next.text(), "none");
    }
}

TEST(Decide, AnOpenAppointmentStaysTheFaceForTwelveHours) {
    PatientFacts facts = regular();
    const auto id = facts.appointments[0].id;
    facts.appointments[0].start = in_days(-0.5);
    EXPECT_EQ(decide(facts, policy_of(Basis::baa), {now}, {}).contact->next.text(),
              "past"); // the clinic's yesterday evening
    facts.appointments[0].start = {in_days(-0.5).micros - 1};
    const Decision decision = decide(facts, policy_of(Basis::baa), {now}, {});
    EXPECT_EQ(decision.contact->next.text(), "none");
    EXPECT_EQ(decision.appointment->appointment, id);
    EXPECT_EQ(decision.appointment->when.text(), "past");
}

TEST(Decide, TheFirstVisitIsTheirFirst) {
    PatientFacts facts = regular();
    facts.visits = 0;
    facts.last_visit = std::nullopt;
    EXPECT_EQ(decide(facts, policy_of(Basis::baa), {now}, {}).appointment->visit, envelope::Visit::first);
    facts.visits = 1;
    facts.last_visit = in_days(-30);
    EXPECT_EQ(decide(facts, policy_of(Basis::baa), {now}, {}).appointment->visit, envelope::Visit::repeat);
    facts.appointments[0] = {facts.appointments[0].id, AppointmentStatus::completed, in_days(-30)};
    EXPECT_EQ(decide(facts, policy_of(Basis::baa), {now}, facts.appointments[0].id).appointment->visit,
              envelope::Visit::first);
}

TEST(Buckets, AheadAtEveryEdge) {
    const Timestamp today = at(2026, 11, 21, 10);
    const std::vector<std::tuple<Timestamp, const char*>> rows{
        {at(2026, 11, 20, 23, 59), "past"}, {at(2026, 11, 21, 0), "d0_2"},       {at(2026, 11, 21, 9), "d0_2"},
        {at(2026, 11, 23, 23, 59), "d0_2"}, {at(2026, 11, 24, 0), "d3_7"},       {at(2026, 11, 28, 23, 59), "d3_7"},
        {at(2026, 11, 29, 0), "d8_30"},     {at(2026, 12, 21, 23, 59), "d8_30"}, {at(2026, 12, 22, 0), "m1_3"},
        {at(2027, 2, 21, 23, 59), "m1_3"},  {at(2027, 2, 22, 0), "m3_6"},        {at(2027, 5, 21, 23, 59), "m3_6"},
        {at(2027, 5, 22, 0), "m6_plus"},    {at(2031, 1, 1), "m6_plus"},         {at(1980, 1, 1), "past"},
    };
    for (const auto& [then, bucket] : rows) EXPECT_EQ(ahead(today, then).text(), bucket) << base::rfc3339(then);
    EXPECT_EQ(ahead(today, std::nullopt).text(), "none");
}

TEST(Buckets, AgoAtEveryEdge) {
    const Timestamp today = at(2026, 11, 21, 10);
    const std::vector<std::tuple<Timestamp, const char*>> rows{
        {at(2026, 11, 21, 23), "d0_2"}, {at(2026, 11, 19, 0), "d0_2"},   {at(2026, 11, 18, 23, 59), "d3_7"},
        {at(2026, 11, 14, 0), "d3_7"},  {at(2026, 11, 13, 23), "d8_30"}, {at(2026, 10, 22), "d8_30"},
        {at(2026, 10, 21), "m1_3"},     {at(2026, 8, 21), "m1_3"},       {at(2026, 8, 20), "m3_6"},
        {at(2026, 5, 21), "m3_6"},      {at(2026, 5, 20), "m6_plus"},    {at(2026, 11, 30), "d0_2"},
    };
    for (const auto& [then, bucket] : rows) EXPECT_EQ(ago(today, then).text(), bucket) << base::rfc3339(then);
    EXPECT_EQ(ago(today, std::nullopt).text(), "none");
}

TEST(Buckets, MonthsAreOfTheCalendar) {
    EXPECT_EQ(ahead(at(2026, 11, 30), at(2027, 2, 28)).text(),
              "m1_3"); // three months from the 30th: the last of February
    EXPECT_EQ(ahead(at(2026, 11, 30), at(2027, 3, 1)).text(), "m3_6");
    EXPECT_EQ(ahead(at(2027, 11, 30), at(2028, 2, 29)).text(), "m1_3"); // a leap year
    EXPECT_EQ(ahead(at(2027, 11, 30), at(2028, 3, 1)).text(), "m3_6");
    EXPECT_EQ(ahead(at(2026, 8, 31), at(2027, 2, 28)).text(), "m3_6");
    EXPECT_EQ(ahead(at(2026, 8, 31), at(2027, 3, 1)).text(), "m6_plus");
    EXPECT_EQ(ago(at(2027, 3, 31), at(2026, 12, 31)).text(), "m1_3");
}

TEST(Buckets, DaysAreTheClinicsOwn) {
    const Timestamp evening = at(2026, 11, 22, 3); // 19:00 of the 21st in Los Angeles
    EXPECT_EQ(ahead(evening, at(2026, 11, 21, 9)).text(), "past");
    {
        const fakes::Zone zone{"America/Los_Angeles"};
        EXPECT_EQ(ahead(evening, at(2026, 11, 21, 9)).text(), "d0_2");
        EXPECT_EQ(ahead(evening, at(2026, 11, 25, 7, 59)).text(), "d3_7"); // the 24th, three days on
        EXPECT_EQ(ahead(evening, at(2026, 11, 24, 7, 59)).text(), "d0_2");
        // Its offset is another one in summer: 07:30 in UTC is the same day's half past midnight, and in winter the day
        // before's.
        EXPECT_EQ(ahead(at(2026, 7, 2, 7, 30), at(2026, 7, 1, 23)).text(), "past");
        EXPECT_EQ(ahead(at(2026, 12, 2, 7, 30), at(2026, 12, 1, 23)).text(), "d0_2");
        EXPECT_EQ(ago(at(2026, 11, 2, 20), at(2026, 10, 31, 6, 59)).text(),
                  "d3_7"); // the 30th, over the clock's change
    }
    const fakes::Zone zone{"Pacific/Kiritimati"};
    EXPECT_EQ(ahead(at(2026, 11, 21, 23), at(2026, 11, 22, 1)).text(), "d0_2");
}

TEST(Buckets, YearsAreOfTheClinicsCalendar) {
    EXPECT_EQ(year_of(at(2026, 12, 31, 23, 30)).text(), "y2026");
    EXPECT_EQ(year_of(std::nullopt).text(), "none");
    EXPECT_EQ(year_of(at(1999, 1, 1)).text(), "none");
    const fakes::Zone zone{"Europe/Berlin"};
    EXPECT_EQ(year_of(at(2026, 12, 31, 23, 30)).text(), "y2027");
}

} // namespace
} // namespace clinic::release
