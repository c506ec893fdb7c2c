// A patient's case beside the contact: told, ended, and whose it is after a merge.
#include "daemon/release/cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/outbox/dead_letters.h"
#include "tests/daemon/release/clinic.h"

namespace clinic::release {
namespace {

using envelope::Field;
using envelope::Outcome;
using outbox::Beside;
using outbox::Besides;
using records::ConsentScope;
using records::ConsentState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::milliseconds unsure_for{60'000};

struct CasesOfPatients : ::testing::Test {
    CasesOfPatients() {
        clinic.releaser.tell_cases({.told = true});
        clinic.set_basis(Basis::baa);
    }
    // "contact.state", "case.state new open": what was delivered, in order.
    std::vector<std::string> delivered() {
        std::vector<std::string> out;
        for (const auto& one : clinic.deliver()) {
            out.emplace_back(name(one.kind()));
            if (one.kind() == envelope::Kind::case_state)
                (((out.back() += " ") += one.text(Field::stage)) += " ") += one.text(Field::outcome);
        }
        return out;
    }
    std::optional<envelope::Lease> next() {
        std::optional<envelope::Lease> lease;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto leased = outbox::Outbox::lease(txn, envelope::Destination::crm, true, unsure_for);
            if (!leased) return leased.error();
            lease = std::move(*leased);
            return {};
        });
        return lease;
    }
    void settle(const envelope::Settle& outcome) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto settled = outbox::Outbox::settle(txn, outcome);
            return settled ? Result<void>{} : settled.error();
        });
    }
    // The contact's state is delivered, and a create of the case has ended without an answer.
    void lose_the_opening(records::PatientId patient) {
        const auto first = next();
        ASSERT_TRUE(first);
        settle({.lease = first->lease, .contact = "contact_of_" + std::to_string(first->lease)});
        const auto opening = next();
        ASSERT_TRUE(opening);
        ASSERT_TRUE(opening->create);
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto line = outbox::Ledger::open_line(
                txn, patient, {opening->lease, envelope::Route::case_create, "/opportunities/", "{}"}, "open");
            CLINIC_TRY(line);
            return outbox::Outbox::release_leases(txn, opening->lease);
        });
    }
    // Told as "object1", which people in GHL delete: the letter that would have moved it is dead.
    records::PatientId whose_case_was_deleted() {
        const auto patient = clinic.add("1001", "Quillfeather");
        delivered();
        clinic.clock.advance(testing::one_day * 91);
        clinic.walk();
        settle({.lease = next()->lease});
        const auto move = next();
        EXPECT_EQ(move->object, "object1");
        settle({.lease = move->lease, .outcome = Outcome::dead, .code = "object_gone"});
        return patient;
    }
    // The one dead letter about what was deleted.
    void retry_what_is_gone() {
        std::vector<outbox::DeadLetter> letters;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& snapshot) -> Result<void> {
            auto list = outbox::DeadLetters::list(snapshot, {.only = outbox::DeadClass::object_gone}, 10);
            if (!list) return list.error();
            letters = std::move(*list);
            return {};
        }));
        ASSERT_EQ(letters.size(), 1U);
        clinic.write([&](records::Transaction& txn) { return outbox::Outbox::retry_dead(txn, letters[0].row); });
    }
    std::optional<Besides> case_of(records::PatientId patient) {
        std::optional<Besides> found;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& snapshot) -> Result<void> {
            auto all = Beside::all(snapshot, patient);
            if (!all) return all.error();
            if (!all->empty()) found = all->front();
            return {};
        }));
        return found;
    }
    void say_no(records::PatientId patient) { clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked); }

    testing::Clinic clinic;
};

TEST_F(CasesOfPatients, AreOpenedBesideTheContactAndMovedWithTheStage) {
    const auto patient = clinic.add("1001", "Quillfeather");
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state new open"));
    EXPECT_EQ(case_of(patient)->object, "object1");
    clinic.walk();
    EXPECT_THAT(delivered(), IsEmpty()) << "nothing is said twice";
    clinic.clock.advance(testing::one_day * 91);
    clinic.walk();
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state lead open"));
    EXPECT_EQ(case_of(patient)->object, "object1");
}

TEST_F(CasesOfPatients, AreSaidWithTheClinicsOwnOutcomes) {
    Outcomes outcomes = usual_outcomes;
    outcomes.at(static_cast<std::size_t>(envelope::Stage::lead)) = envelope::Case::lost;
    clinic.releaser.tell_cases({.told = true, .outcomes = outcomes});
    clinic.add("1001", "Quillfeather");
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state new open"));
    clinic.clock.advance(testing::one_day * 91);
    clinic.add("1002", "Ravensworth");
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state new open"));
    clinic.walk();
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state lead lost"));
}

TEST_F(CasesOfPatients, AreNoneWithoutAPipeline) {
    clinic.releaser.tell_cases({});
    clinic.add("1001", "Quillfeather");
    EXPECT_THAT(delivered(), ElementsAre("contact.state"));
}

TEST_F(CasesOfPatients, AreNeverOpenedForSomebodyInactive) {
    const auto patient = clinic.add("1001", "Quillfeather", false, false);
    EXPECT_THAT(delivered(), IsEmpty());
    clinic.add("1001", "Quillfeather", false, true);
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state new open"));
    clinic.add("1001", "Quillfeather", false, false);
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state inactive lost"));
    EXPECT_EQ(case_of(patient)->object, "object1");
}

TEST_F(CasesOfPatients, AreEndedWhereTheContactIsSuppressedAndReopenedAfterAYes) {
    const auto patient = clinic.add("1001", "Quillfeather");
    delivered();
    say_no(patient);
    EXPECT_THAT(delivered(), ElementsAre("contact.suppress", "case.state archived abandoned"));
    clinic.walk();
    EXPECT_THAT(delivered(), IsEmpty()) << "once";
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::granted);
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state new open"));
    EXPECT_EQ(case_of(patient)->object, "object1") << "the same one";
}

TEST_F(CasesOfPatients, NeedNoEndWhereNoneWasMade) {
    const auto patient = clinic.add("1001", "Quillfeather");
    const auto first = next();
    settle({.lease = first->lease, .contact = "contact1"}); // the case still waits
    say_no(patient);
    EXPECT_THAT(delivered(), ElementsAre("contact.suppress"));
    EXPECT_EQ(clinic.books().withdrawn, 1);
    EXPECT_EQ(clinic.take_back(patient), TakenBack::done);
}

TEST_F(CasesOfPatients, ThatMayHaveBeenOpenedAreLookedForBeforeTheyEnd) {
    for (const bool it_is_there : {true, false}) {
        const auto patient = clinic.add(it_is_there ? "1001" : "1002", "Quillfeather");
        lose_the_opening(patient);
        say_no(patient);
        const auto suppression = next();
        ASSERT_EQ(suppression->envelope->kind(), envelope::Kind::contact_suppress);
        settle({.lease = suppression->lease});
        auto end = next();
        ASSERT_TRUE(end);
        EXPECT_TRUE(ends_case(*end->envelope));
        EXPECT_TRUE(end->look_up_first);
        EXPECT_FALSE(end->create);
        EXPECT_GT(end->unsure_ms, 0);
        if (it_is_there) {
            settle({.lease = end->lease, .outcome = Outcome::retry, .code = "adopted", .object = "found1"});
            end = next();
            ASSERT_TRUE(end);
            EXPECT_EQ(end->object, "found1");
            EXPECT_FALSE(end->look_up_first);
            settle({.lease = end->lease});
        } else {
            settle({.lease = end->lease, .outcome = Outcome::retry, .code = "no_object"});
            EXPECT_EQ(clinic.books().discarded, 1);
        }
        clinic.walk();
        EXPECT_FALSE(next());
        EXPECT_EQ(clinic.take_back(patient), TakenBack::done);
    }
}

TEST_F(CasesOfPatients, GoWithTheContactOfAMerge) {
    const auto prior = clinic.add("1001", "Quillfeather");
    delivered();
    const auto survivor = clinic.add("1002", "Quilfeather");
    clinic.merge(survivor, prior);
    EXPECT_FALSE(case_of(prior));
    EXPECT_EQ(case_of(survivor)->object, "object1");
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "contact.merge", "case.state new open"));
    EXPECT_EQ(case_of(survivor)->object, "object1") << "said again, and none is opened";
}

TEST_F(CasesOfPatients, OfAContactThatAMergeArchivesAreEnded) {
    const auto prior = clinic.add("1001", "Quillfeather"), survivor = clinic.add("1002", "Quilfeather");
    delivered();
    clinic.merge(survivor, prior);
    EXPECT_THAT(delivered(), ::testing::UnorderedElementsAre("contact.merge", "case.state archived abandoned"));
    EXPECT_TRUE(case_of(prior)->object != case_of(survivor)->object);
}

// It would carry the prior's name: the contact is not taken over, and the case is looked for under that name.
TEST_F(CasesOfPatients, ThatMayHaveBeenOpenedForThePriorOfAMergeAreLookedForUnderItsName) {
    const auto prior = clinic.add("1001", "Quillfeather");
    lose_the_opening(prior);
    const auto survivor = clinic.add("1002", "Quilfeather");
    clinic.merge(survivor, prior);
    EXPECT_TRUE(case_of(prior));
    bool looked = false;
    while (const auto lease = next()) {
        if (ends_case(*lease->envelope)) {
            looked = lease->look_up_first;
            settle({.lease = lease->lease, .outcome = Outcome::retry, .code = "no_object"});
            continue;
        }
        const bool is_case = lease->envelope->kind() == envelope::Kind::case_state;
        settle({.lease = lease->lease,
                .contact = lease->create && !is_case ? "contact9" : "",
                .object = lease->create && is_case ? "object9" : ""});
    }
    EXPECT_TRUE(looked);
    EXPECT_EQ(case_of(survivor)->object, "object9");
}

TEST_F(CasesOfPatients, OfAMergeUnderWayAreTheSurvivorsWhenTheyComeToLight) {
    const auto prior = clinic.add("1001", "Quillfeather");
    settle({.lease = next()->lease, .contact = "contact1"});
    const auto opening = next(); // on its way, and not begun
    const auto survivor = clinic.add("1002", "Quilfeather");
    clinic.merge(survivor, prior);
    settle({.lease = opening->lease, .object = "object1"});
    EXPECT_EQ(case_of(survivor)->object, "object1");
}

TEST_F(CasesOfPatients, AreWaitedForBeforeAPersonIsErased) {
    const auto patient = clinic.add("1001", "Quillfeather");
    delivered();
    EXPECT_EQ(clinic.take_back(patient), TakenBack::waits);
    EXPECT_THAT(delivered(), ElementsAre("contact.suppress", "case.state archived abandoned"));
    EXPECT_EQ(clinic.take_back(patient), TakenBack::done);
    clinic.set_basis(Basis::off);
    const auto other = clinic.add("1002", "Quilfeather");
    EXPECT_EQ(clinic.take_back(other), TakenBack::done);
}

TEST_F(CasesOfPatients, StayWhereTheBasisLetsNothingLeave) {
    const auto patient = clinic.add("1001", "Quillfeather");
    delivered();
    clinic.set_basis(Basis::off);
    EXPECT_EQ(clinic.take_back(patient), TakenBack::not_allowed);
    EXPECT_THAT(delivered(), IsEmpty());
}

TEST_F(CasesOfPatients, AreToldAgainByARepair) {
    const auto patient = clinic.add("1001", "Quillfeather");
    delivered();
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.say_again(txn, patient); });
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "case.state new open"));
    say_no(patient);
    delivered();
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.say_again(txn, patient); });
    EXPECT_THAT(delivered(), ElementsAre("contact.suppress", "case.state archived abandoned"));
}

TEST_F(CasesOfPatients, ThatWereDeletedInGhlAreSaidNoMoreUntilAPersonWantsThemAgain) {
    const auto patient = whose_case_was_deleted();
    EXPECT_EQ(case_of(patient)->held, outbox::Held::waits);
    clinic.book(patient, "A1", clinic.in_days(5)); // `new` again
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "appt.state"));
    retry_what_is_gone();
    EXPECT_THAT(delivered(), ElementsAre("case.state lead open"));
    EXPECT_EQ(case_of(patient)->object, "object2") << "a new one, by a person's word";
    clinic.walk();
    EXPECT_THAT(delivered(), ElementsAre("case.state new open"));
}

// Another one has taken the place of what was deleted: the letter about the first makes no third.
TEST_F(CasesOfPatients, ADeadLetterAboutOneThatWasDeletedMakesNoneBesideItsSuccessor) {
    const auto patient = whose_case_was_deleted();
    clinic.write(
        [&](records::Transaction& txn) { return outbox::Beside::lost(txn, patient, case_of(patient)->number); });
    clinic.book(patient, "A1", clinic.in_days(5)); // `new` again
    EXPECT_THAT(delivered(), ElementsAre("contact.state", "appt.state", "case.state new open"));
    ASSERT_EQ(case_of(patient)->object, "object2");
    retry_what_is_gone();
    EXPECT_THAT(delivered(), IsEmpty());
    EXPECT_EQ(case_of(patient)->object, "object2");
    EXPECT_EQ(clinic.books().dead, 0);
}

TEST_F(CasesOfPatients, OnTheirWayAreStoppedByARevocationAndByASettingThatIsGone) {
    const auto patient = clinic.add("1001", "Quillfeather");
    settle({.lease = next()->lease, .contact = "contact1"});
    const auto opening = next();
    const auto still = [&] {
        std::optional<Because> because;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto open = outbox::Outbox::leased(txn, opening->lease);
            CLINIC_TRY(open);
            const auto answer = clinic.releaser.still_allowed(txn, open->front());
            CLINIC_TRY(answer);
            because = *answer;
            return {};
        });
        return because;
    };
    EXPECT_EQ(still(), std::nullopt);
    say_no(patient);
    EXPECT_EQ(still(), Because::consent_revoked);
    clinic.releaser.tell_cases({});
    EXPECT_EQ(still(), Because::not_configured);
}

TEST(CasesThatChangeOften, WaitAsStatesDo) {
    testing::Clinic clinic{{std::chrono::milliseconds{60'000}, std::chrono::milliseconds{15'000}}};
    clinic.releaser.tell_cases({.told = true});
    clinic.set_basis(Basis::baa);
    clinic.add("1001", "Quillfeather");
    EXPECT_EQ(clinic.deliver().size(), 2U);
    for (int i = 0; i < 4; ++i) clinic.add("1001", "Quillfeather", false, i % 2 == 1);
    clinic.add("1001", "Quillfeather", false, false);
    EXPECT_TRUE(clinic.deliver().empty());
    clinic.clock.advance(std::chrono::seconds{60});
    EXPECT_EQ(clinic.deliver().size(), 2U) << "the contact's newest state, and the case's";
}

} // namespace
} // namespace clinic::release
