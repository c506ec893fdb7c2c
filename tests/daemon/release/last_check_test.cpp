#include "daemon/release/last_check.h"

#include <gtest/gtest.h>

#include "tests/daemon/release/clinic.h"
#include "tests/daemon/release/disguises.h"
#include "tests/daemon/release/leases.h"
#include "tests/daemon/release/people.h"
#include "tests/support/campaign.h"

namespace clinic::release {
namespace {

using envelope::Attempt;
using envelope::Pseudonym;
using envelope::Route;
using testing::Clinic;
using testing::Disguise;
using testing::People;
using testing::Person;

const envelope::WriteRules& rules() {
    static const envelope::WriteRules rules{
        .location = "ve9EPM428h8vShlRW1KT",
        .fields = {"fPid00000000000000A1", "fStage0000000000000A", "fLast00000000000000A", "fNext00000000000000A",
                   "fAppt00000000000000A", "fWhen00000000000000A"},
        .pipeline = {.id = "pIpE0000000000000001",
                     .stages = {"sTaGe000000000000001", "sTaGe000000000000002", "", "sTaGe000000000000004", "", "",
                                "sTaGe000000000000007"}},
        .bookings = true,
        .booking_calendar = "cAl00000000000000001"};
    return rules;
}

std::string field(const std::string& id, const std::string& value) {
    return R"({"id":")" + id + R"(","field_value":")" + value + R"("})";
}

class LastCheck : public ::testing::Test {
protected:
    void keep(const std::vector<Person>& people) {
        clinic_.write([&](records::Transaction& txn) -> Result<void> {
            for (const Person& person : people) {
                CLINIC_TRY(
                    txn.identifiers().replace(txn, records::PatientId::make(clinic_.clock.now()), person.values()));
            }
            return {};
        });
    }
    void keep(const Person& person) { keep(std::vector{person}); }
    std::vector<Person> keep_people(std::uint64_t seed, int count) {
        People people{seed};
        std::vector<Person> all;
        for (int i = 0; i < count; ++i) all.push_back(people.next());
        keep(all);
        return all;
    }
    Result<void> check(const Attempt& attempt, const Allowed& allowed) const {
        return last_check(clinic_.store->identifiers(), rules(), attempt, allowed);
    }

    void let_go(const envelope::Lease& lease) const {
        for (const Attempt& attempt : testing::attempts_of(rules(), lease)) {
            const auto clean = check(attempt, testing::allowed_of(lease));
            EXPECT_TRUE(clean) << clean.error().what.c_str() << " " << attempt.path << " " << attempt.body;
        }
    }

    Clinic clinic_;
};

// Each round: some more people in the store, and the requests of thousands of envelopes that say nothing of them.
TEST_F(LastCheck, LetsEveryCleanEnvelopeGo) {
    constexpr std::uint64_t envelopes = 5'000;
    keep_people(11, 500);
    support::Campaign rounds{
        {.name = "last_check_clean", .what = "envelopes", .plain = 4, .most = 250, .weight = envelopes}};
    while (const auto seed = rounds.next()) {
        keep_people(1'000 + *seed, 50);
        testing::Leases leases{*seed};
        for (std::uint64_t i = 0; i < envelopes; ++i) let_go(leases.next());
    }
}

// A large store reads its identifiers for a while after its start: what nothing explains waits until they are known.
TEST_F(LastCheck, WhileIdentifiersAreReadOnlyWhatIsExplainedGoes) {
    const records::IdentifierIndex unread{crypto::SecureBytes::random(32)};
    testing::Leases leases{17};
    for (int i = 0; i < 200; ++i) {
        const auto lease = leases.next();
        for (const Attempt& attempt : testing::attempts_of(rules(), lease))
            EXPECT_TRUE(last_check(unread, rules(), attempt, testing::allowed_of(lease))) << attempt.path;
    }
    const Attempt strange{1, Route::tags_add, "/contacts/Quillfeather/tags", R"({"tags":["ce-returning"]})"};
    const auto held = last_check(unread, rules(), strange, {});
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().code, Errc::timeout);
    EXPECT_EQ(check(strange, {}).error().code, Errc::refused) << "no identifier, but nobody's contact";
    keep({.family = "Quillfeather", .given = "Jo", .phone = "10", .email = "", .number = "1", .birth_date = ""});
    EXPECT_EQ(check(strange, {}).error().code, Errc::conflict);
}

// People may be called as the template, the vocabulary and the enumerations are.
TEST_F(LastCheck, LetsCleanEnvelopesGoWhereNamesAreOurWords) {
    for (const char* name : {"Contacts", "Search", "Booked", "Active", "Customfields", "Recall", "Page", "Lead",
                             "Source", "Past", "Eq", "Field"}) {
        keep({.family = name, .given = name, .phone = "10", .email = "", .number = "1", .birth_date = ""});
    }
    testing::Leases leases{13};
    for (int i = 0; i < 2'000; ++i) let_go(leases.next());
}

// Where a value of any kind fits by the write rules, the index decides; everywhere else the rules refuse.
TEST_F(LastCheck, NoIdentifierGetsThroughInAnyPlaceOrForm) {
    constexpr std::uint64_t values = 6, places = 21;
    support::Campaign rounds{{.name = "last_check_recall",
                              .what = "attempts",
                              .plain = 30,
                              .most = 2'000,
                              .weight = values * places * testing::disguises().size()}};
    const std::string pid = Pseudonym::random('p').text(), contact = "ocQHyuzHvysMo5N5VsXc";
    const Allowed allowed{{pid, contact}};
    const auto a_case = [&](const std::string& whose, const std::string& title, const std::string& stage) {
        return Attempt{1, Route::case_create, "/opportunities/",
                       R"({"pipelineId":")" + rules().pipeline.id + R"(","status":"open","pipelineStageId":")" + stage +
                           R"(","locationId":")" + rules().location + R"(","contactId":")" + whose + R"(","name":")" +
                           title + R"("})"};
    };
    const std::string stage = rules().pipeline.stages[0], aid = Pseudonym::random('a').text();
    const auto a_booking = [&](const std::string& whose, const std::string& title, const std::string& start) {
        return Attempt{1, Route::booking_create, "/calendars/events/appointments",
                       R"({"appointmentStatus":"confirmed","toNotify":false,"startTime":")" + start +
                           R"(","endTime":"2026-11-25T09:45:00.000Z","ignoreFreeSlotValidation":true,"calendarId":")" +
                           rules().booking_calendar + R"(","locationId":")" + rules().location + R"(","contactId":")" +
                           whose + R"(","title":")" + title + R"("})"};
    };
    const std::string start = "2026-11-25T09:15:00.000Z";
    const Allowed for_bookings{{pid, aid, contact, start, "2026-11-25T09:45:00.000Z"}};
    EXPECT_TRUE(check(a_case(contact, pid, stage), allowed)) << "without any of it they go";
    EXPECT_TRUE(check(a_booking(contact, aid, start), for_bookings));
    const auto attempts_with = [&](const std::string& text) {
        return std::vector<Attempt>{
            {1, Route::contact_fields, "/contacts/" + text,
             R"({"customFields":[)" + field(rules().fields.stage, "new") + "]}"},
            {1, Route::tags_add, "/contacts/" + text + "/tags", R"({"tags":["ce-returning"]})"},
            {1, Route::tags_add, "/contacts/" + contact + "/tags", R"({"tags":["ce-returning",")" + text + R"("]})"},
            {1, Route::tags_add, "/contacts/" + contact + "/tags", R"({"tags":["ce-)" + text + R"("]})"},
            {1, Route::tags_add, "/contacts/" + contact + "/tags", R"({"tags":["ce-returning"],")" + text + R"(":1})"},
            {1, Route::contact_fields, "/contacts/" + contact,
             R"({"customFields":[)" + field(rules().fields.stage, text) + "]}"},
            {1, Route::contact_fields, "/contacts/" + contact, R"({"customFields":[)" + field(text, "new") + "]}"},
            {1, Route::contact_create, "/contacts/",
             R"({"locationId":")" + rules().location + R"(","firstName":")" + text +
                 R"(","source":"clinic-edge","dnd":true,"customFields":[)" + field(rules().fields.pid, pid) + "]}"},
            {1, Route::contact_search, "/contacts/search?q=" + text, ""},
            {1, Route::location_read, "/locations/" + text, ""},
            a_case(contact, text, stage),
            a_case(text, pid, stage),
            a_case(contact, pid, text),
            a_booking(contact, text, start),
            a_booking(text, aid, start),
            a_booking(contact, aid, text),
            {1, Route::case_update, "/opportunities/" + text,
             R"({"pipelineId":")" + rules().pipeline.id + R"(","status":"won"})"},
            {1, Route::case_read, "/opportunities/" + text, ""},
            {1, Route::case_search, envelope::case_search_path(rules(), text), ""},
            {1, Route::booking_update, "/calendars/events/appointments/" + text,
             R"({"appointmentStatus":"cancelled","toNotify":false})"},
            {1, Route::booking_search, envelope::booking_search_path(text), ""},
        };
    };
    int fitted = 0; // where the rules have no word against it the index alone does
    while (const auto seed = rounds.next()) {
        const Person person = keep_people(14'000 + *seed, 1).front();
        for (const std::string& value :
             {person.family, person.given, person.phone, person.email, person.number, person.birth_date}) {
            for (const Disguise& form : testing::disguises()) {
                for (const Attempt& attempt : attempts_with(form.put_on(value))) {
                    const auto stopped = check(attempt, for_bookings);
                    ASSERT_FALSE(stopped) << value << " " << form.name << " " << attempt.path << " " << attempt.body;
                    if (!envelope::check_request(rules(), attempt.route, attempt.path, attempt.body)) continue;
                    ++fitted;
                    EXPECT_EQ(stopped.error().code, Errc::conflict) << form.name << " " << attempt.path;
                }
            }
        }
    }
    EXPECT_GT(fitted, 0);
}

TEST_F(LastCheck, AnIdentifierWhereAContactIdBelongsIsBlockedAndNotMerelyRefused) {
    People people{15};
    const auto forms = testing::path_disguises();
    ASSERT_GT(forms.size(), 8U);
    for (int i = 0; i < 50; ++i) {
        Person person = people.next();
        person.family = "Quill" + std::string(1, static_cast<char>('a' + i % 26)) + "feather";
        keep(person);
        for (const Disguise& form : forms) {
            const std::string id = form.put_on(person.family);
            if (!envelope::is_contact_id(id)) continue;
            const auto blocked =
                check({1, Route::tags_add, "/contacts/" + id + "/tags", R"({"tags":["ce-returning"]})"}, {});
            ASSERT_FALSE(blocked) << form.name;
            EXPECT_EQ(blocked.error().code, Errc::conflict) << form.name;
        }
    }
}

TEST_F(LastCheck, AnotherPersonsNumberDressedAsAPseudonymIsBlocked) {
    keep({.family = "Quillfeather",
          .given = "Ada",
          .phone = "+1 555 010 2030",
          .email = "",
          .number = "MR00123456",
          .birth_date = "19800503"});
    const auto with_pid = [&](const std::string& pid) {
        return Attempt{1, Route::contact_fields, "/contacts/ocQHyuzHvysMo5N5VsXc",
                       R"({"customFields":[)" + field(rules().fields.pid, pid) + "]}"};
    };
    const std::string issued = Pseudonym::random('p').text();
    const Allowed allowed{{issued, "ocQHyuzHvysMo5N5VsXc"}};
    EXPECT_TRUE(check(with_pid(issued), allowed));
    for (const char* forged :
         {"p_05550102030000000000000000", "p_0000000000000000MR00123456", "p_1A9B8C0D0E5F0G3HJKMNPQRSTV"}) {
        const auto blocked = check(with_pid(forged), allowed);
        ASSERT_FALSE(blocked) << forged;
        EXPECT_EQ(blocked.error().code, Errc::conflict) << forged;
    }
    const auto name = check(with_pid("p_0000000000REHTAEF000000000"), allowed);
    EXPECT_TRUE(name) << "six letters of a longer name are not that name";
}

TEST_F(LastCheck, WhatTheWriteRulesRefuseIsRefused) {
    const Allowed allowed{{"ocQHyuzHvysMo5N5VsXc"}};
    for (const Attempt& attempt :
         {Attempt{1, Route::tags_add, "/contacts/ocQHyuzHvysMo5N5VsXc/notes", R"({"tags":["ce-returning"]})"},
          Attempt{1, Route::tags_add, "/contacts/ocQHyuzHvysMo5N5VsXc/tags", R"({"tags":["vip"]})"},
          Attempt{1, Route::contact_fields, "/contacts/ocQHyuzHvysMo5N5VsXc", R"({"email":"a@b.example"})"}}) {
        const auto refused = check(attempt, allowed);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::refused);
    }
}

// An id is explained only where it was issued for this lease; another's remains and is looked at.
TEST_F(LastCheck, AShortNameIsBlockedOnlyAsAWholeToken) {
    keep({.family = "Li", .given = "Wu", .phone = "", .email = "", .number = "", .birth_date = ""});
    const auto to = [&](const std::string& contact) {
        return check({1, Route::tags_add, "/contacts/" + contact + "/tags", R"({"tags":["ce-returning"]})"}, {})
            .error()
            .code;
    };
    EXPECT_EQ(to("Li"), Errc::conflict);
    EXPECT_EQ(to("x-Li-y"), Errc::conflict);
    EXPECT_EQ(to("aLiceQHyuzHvysMo5N5V"), Errc::refused);
}

TEST_F(LastCheck, ARequestReachesNoOtherContactThanItsOwn) {
    const Attempt attempt{1, Route::tags_add, "/contacts/aLiceQHyuzHvysMo5N5V/tags", R"({"tags":["ce-returning"]})"};
    EXPECT_TRUE(check(attempt, {{"aLiceQHyuzHvysMo5N5V"}}));
    EXPECT_EQ(check(attempt, {{"bLiceQHyuzHvysMo5N5V"}}).error().code, Errc::refused);
}

} // namespace
} // namespace clinic::release
