#include "daemon/release/last_check.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/daemon/release/clinic.h"
#include "tests/daemon/release/disguises.h"
#include "tests/daemon/release/people.h"

namespace clinic::release {
namespace {

using envelope::Attempt;
using envelope::Pseudonym;
using envelope::Route;
using testing::Clinic;
using testing::Disguise;
using testing::People;
using testing::Person;

bool long_run() {
    const char* counts = std::getenv("CLINIC_LONG");
    return counts != nullptr && std::string_view{counts} == "1";
}

const envelope::WriteRules& rules() {
    static const envelope::WriteRules rules{.location = "ve9EPM428h8vShlRW1KT",
                                            .fields = {"fPid00000000000000A1", "fStage0000000000000A",
                                                       "fLast00000000000000A", "fNext00000000000000A",
                                                       "fAppt00000000000000A", "fWhen00000000000000A"}};
    return rules;
}

constexpr std::string_view id_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string field(const std::string& id, const std::string& value) {
    return R"({"id":")" + id + R"(","field_value":")" + value + R"("})";
}

// Requests as the lane builds them, over every route and every word.
class Requests {
public:
    explicit Requests(std::uint64_t seed) : people_{seed} {}

    std::pair<Attempt, Allowed> next() {
        const std::string pid = Pseudonym::random('p').text(), contact = people_.from(id_alphabet, 20);
        Attempt attempt{.lease = 1};
        switch (people_.one_of(5)) {
        case 0:
            attempt = {1, Route::contact_create, "/contacts/",
                       R"({"locationId":")" + rules().location + R"(","firstName":")" + pid +
                           R"(","source":"clinic-edge","dnd":true,"tags":)" + tags() + R"(,"customFields":[)" +
                           field(rules().fields.pid, pid) + "," + fields() + "]}"};
            break;
        case 1:
            attempt = {1, Route::contact_search, "/contacts/search",
                       R"({"locationId":")" + rules().location +
                           R"(","page":1,"pageLimit":10,"filters":[{"field":"customFields.)" + rules().fields.pid +
                           R"(","operator":"eq","value":")" + pid + R"("}]})"};
            break;
        case 2:
            attempt = {1, Route::contact_fields, "/contacts/" + contact, R"({"customFields":[)" + fields() + "]}"};
            break;
        case 3: attempt = {1, Route::tags_add, "/contacts/" + contact + "/tags", R"({"tags":)" + tags() + "}"}; break;
        default: attempt = {1, Route::tags_remove, "/contacts/" + contact + "/tags", R"({"tags":)" + tags() + "}"};
        }
        return {attempt, Allowed{{pid, contact}}};
    }

private:
    std::string tags() {
        const std::size_t first = people_.one_of(envelope::vocabulary.size());
        const std::size_t count = 1 + people_.one_of(envelope::vocabulary.size() - first);
        std::string out = "[";
        for (std::size_t i = 0; i < count; ++i) {
            out += (i == 0 ? "\"" : ",\"") +
                   envelope::tag_of(*envelope::Word::parse(envelope::vocabulary.at(first + i)), "ce-") + "\"";
        }
        return out + "]";
    }
    std::string fields() {
        return field(rules().fields.stage, name(static_cast<envelope::Stage>(people_.one_of(7)))) + "," +
               field(rules().fields.last, name(static_cast<envelope::Bucket>(people_.one_of(8)))) + "," +
               field(rules().fields.next,
                     people_.one_of(5) == 0 ? "y2026" : name(static_cast<envelope::Bucket>(people_.one_of(8)))) +
               "," + field(rules().fields.appt_status, name(static_cast<envelope::ApptStatus>(people_.one_of(8)))) +
               "," + field(rules().fields.appt_when, name(static_cast<envelope::Bucket>(people_.one_of(8))));
    }

    People people_;
};

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

    Clinic clinic_;
};

TEST_F(LastCheck, LetsEveryCleanAttemptGo) {
    keep_people(11, long_run() ? 5'000 : 500);
    const int attempts = long_run() ? 100'000 : 20'000;
    Requests requests{12};
    int blocked = 0;
    for (int i = 0; i < attempts; ++i) {
        const auto [attempt, allowed] = requests.next();
        const auto clean = check(attempt, allowed);
        if (clean) continue;
        ++blocked;
        ADD_FAILURE() << clean.error().what.c_str() << " " << attempt.path << " " << attempt.body;
    }
    EXPECT_EQ(blocked, 0) << "of " << attempts;
}

// People may be called as the template, the vocabulary and the enumerations are.
TEST_F(LastCheck, LetsCleanAttemptsGoWhereNamesAreOurWords) {
    for (const char* name : {"Contacts", "Search", "Booked", "Active", "Customfields", "Recall", "Page", "Lead",
                             "Source", "Past", "Eq", "Field"}) {
        keep({.family = name, .given = name, .phone = "10", .email = "", .number = "1", .birth_date = ""});
    }
    Requests requests{13};
    for (int i = 0; i < 2'000; ++i) {
        const auto [attempt, allowed] = requests.next();
        EXPECT_TRUE(check(attempt, allowed)) << attempt.path << " " << attempt.body;
    }
}

// Where a value of any kind fits by the write rules, the index decides; everywhere else the rules refuse.
TEST_F(LastCheck, NoIdentifierGetsThroughInAnyPlaceOrForm) {
    const auto all = keep_people(14, long_run() ? 300 : 30);
    const std::string pid = Pseudonym::random('p').text(), contact = "ocQHyuzHvysMo5N5VsXc";
    const Allowed allowed{{pid, contact}};
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
        };
    };
    int tried = 0;
    for (const Person& person : all) {
        for (const std::string& value :
             {person.family, person.given, person.phone, person.email, person.number, person.birth_date}) {
            for (const Disguise& form : testing::disguises()) {
                for (const Attempt& attempt : attempts_with(form.put_on(value))) {
                    ++tried;
                    EXPECT_FALSE(check(attempt, allowed))
                        << value << " " << form.name << " " << attempt.path << " " << attempt.body;
                }
            }
        }
    }
    EXPECT_GT(tried, 50'000);
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
