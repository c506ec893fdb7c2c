#include "daemon/records/patients.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "crypto/base/days.h"
#include "daemon/records/identifier_index.h"
#include "daemon/records/messages.h"
#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"
#include "tests/fakes/zone.h"

namespace clinic::records {
namespace {

class Patients : public Records {};

TEST_F(Patients, AreFiledOnceAndFoundByAnyIdentifier) {
    const auto first = upsert(person("1001"));
    EXPECT_TRUE(first.created);
    auto again = person("1001");
    again.identifiers.push_back(number("PI-77", "LAB"));
    EXPECT_FALSE(upsert(again).created);
    PatientChange by_other;
    by_other.identifiers.push_back(number("PI-77", "LAB"));
    const auto found = upsert(by_other);
    EXPECT_FALSE(found.created);
    EXPECT_EQ(found.id, first.id);
}

TEST_F(Patients, WithEqualNumbersOfTwoAuthoritiesAreTwo) {
    const auto one = upsert(person("1001"));
    auto other = person("1001");
    other.identifiers.front().name_space = "OTHER";
    EXPECT_NE(upsert(other).id, one.id);
}

TEST_F(Patients, WithTheSameNameAndBirthDateAreNotMerged) {
    auto one = person("1");
    one.birth_date = said("19800101");
    auto two = person("2");
    two.birth_date = said("19800101");
    const auto first = upsert(one).id;
    const auto second = upsert(two).id;
    EXPECT_NE(first, second);
    EXPECT_EQ(find("birth_date", "19800101").size(), 2U);
}

TEST_F(Patients, WithoutAnIdentifierAreRefused) {
    auto nobody = person("  ");
    const auto out =
        with([&](Transaction& txn, const Disclosure& why) { return upsert_patient(txn, why, nobody, now(), false); });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::malformed);
}

TEST_F(Patients, KeepWhatIsAbsentClearWhatIsClearedSetWhatIsGiven) {
    auto first = person("1");
    first.phones = said_all({"+1 (555) 010-2000"});
    first.emails = said_all({"Jane@Example.org"});
    const auto id = upsert(first).id;
    EXPECT_TRUE(facts(id).has_mobile);

    PatientChange change;
    change.identifiers.push_back(number("1"));
    change.emails = Said<std::vector<PhiText>>::cleared();
    change.given = said("Janet");
    upsert(change);
    const auto after = facts(id);
    EXPECT_TRUE(after.has_mobile);
    EXPECT_FALSE(after.has_email);
    EXPECT_TRUE(find("email", "jane@example.org").empty());
    EXPECT_TRUE(find("name", "Doe Jane").empty());
    EXPECT_EQ(find("name", "doe JANET"), std::vector{id});
    EXPECT_EQ(find("phone", "5550102000"), std::vector{id});
    EXPECT_EQ(find("number", "HOSP|1"), std::vector{id});
}

TEST_F(Patients, NeverGoBackInTime) {
    const auto id = upsert(person("1", "New")).id;
    const auto stale = upsert(person("1", "Old"), earlier(60));
    EXPECT_TRUE(stale.stale);
    EXPECT_EQ(find("name", "New Jane"), std::vector{id});
    EXPECT_TRUE(find("name", "Old Jane").empty());
    auto other_sender = earlier(60);
    other_sender.sender = "OTHER|FAC";
    EXPECT_FALSE(upsert(person("1", "Other"), other_sender).stale);
    EXPECT_FALSE(upsert(person("1", "Same"), now()).stale);
    EXPECT_EQ(find("name", "Same Jane"), std::vector{id});
}

TEST_F(Patients, OfTestTrafficAreOthers) {
    const auto real = upsert(person("1"));
    const auto test = upsert(person("1", "Test"), now(), true);
    EXPECT_TRUE(test.created);
    EXPECT_NE(test.id, real.id);
    EXPECT_TRUE(facts(test.id).test_traffic);
}

TEST_F(Patients, BecomeInactiveAndActiveAsTheMessageSays) {
    const auto id = upsert(person("1")).id;
    auto gone = person("1");
    gone.active = false;
    upsert(gone);
    EXPECT_EQ(facts(id).status, PatientStatus::inactive);
    upsert(person("1"));
    EXPECT_EQ(facts(id).status, PatientStatus::inactive);
    auto back = person("1");
    back.active = true;
    upsert(back);
    EXPECT_EQ(facts(id).status, PatientStatus::active);
}

TEST_F(Patients, CountVisitsByDayAndTakeBackCancelledOnes) {
    auto visit = person("1");
    visit.visited_at = clock_.now() - std::chrono::hours{50};
    const auto id = upsert(visit).id;
    visit.visited_at = clock_.now() - std::chrono::hours{1};
    upsert(visit);
    upsert(visit);
    EXPECT_EQ(facts(id).visits, 2);
    EXPECT_EQ(facts(id).last_visit, visit.visited_at);
    auto cancelled = person("1");
    cancelled.visit_cancelled = true;
    upsert(cancelled);
    EXPECT_EQ(facts(id).visits, 1);
}

// An evening in Denver is two days in UTC; that evening and the next morning are one.
TEST_F(Patients, ADayOfVisitsIsTheClinics) {
    const fakes::Zone zone{"America/Denver"};
    clock_.set(*base::time_of("2026-11-25T12:00:00Z"));
    const auto visits_at = [&](const char* number, std::initializer_list<const char*> times) {
        std::optional<PatientId> id;
        for (const char* time : times) {
            auto visit = person(number);
            visit.visited_at = *base::time_of(time);
            id = upsert(visit).id;
        }
        return facts(*id).visits;
    };
    EXPECT_EQ(visits_at("1", {"2026-11-19T23:55:00Z", "2026-11-20T00:00:00Z"}), 1);
    EXPECT_EQ(visits_at("2", {"2026-11-20T03:00:00Z", "2026-11-20T17:00:00Z"}), 2);
}

TEST_F(Patients, WhoseNumberLeadsElsewhereAreForReview) {
    const auto one = upsert(person("1")).id;
    upsert(person("2"));
    auto mixed = person("1");
    mixed.identifiers.push_back(number("2"));
    const auto out = upsert(mixed);
    EXPECT_EQ(out.id, one);
    EXPECT_EQ(out.numbers_elsewhere, 1);
}

TEST_F(Patients, AreWalkedInSlices) {
    std::vector<PatientId> made;
    for (const char* mrn : {"1", "2", "3", "4", "5"}) {
        made.push_back(upsert(person(mrn)).id);
        clock_.advance(std::chrono::seconds{1});
    }
    std::vector<PatientId> walked;
    std::optional<PatientId> after;
    for (;;) {
        const auto slice = read([&](Snapshot& snapshot) { return active_patients(snapshot, after, 2); }).value();
        if (slice.empty()) break;
        walked.insert(walked.end(), slice.begin(), slice.end());
        after = slice.back();
    }
    EXPECT_EQ(walked, made);
}

TEST_F(Patients, KeepTheirNewestFiftyMessages) {
    const auto id = upsert(person("1")).id;
    const auto other = upsert(person("2")).id;
    const auto kept = with([&](Transaction& txn, const Disclosure&) -> Result<std::int64_t> {
        for (int i = 0; i < 60; ++i) {
            CLINIC_TRY(keep_message(txn, id, "mllp", "MSH|..."));
            if (i < 3) CLINIC_TRY(keep_message(txn, other, "mllp", "MSH|..."));
        }
        auto count = txn.prepare("SELECT count(*) FROM raw_message WHERE patient = ?");
        if (!count) return count.error();
        const auto row = count->bind(id).step();
        if (!row) return row.error();
        return count->integer(0);
    });
    ASSERT_TRUE(kept);
    EXPECT_EQ(*kept, messages_kept_max);
}

// Merging

class Merge : public Patients {
protected:
    void merge(PatientId survivor, PatientId prior) {
        const auto out =
            with([&](Transaction& txn, const Disclosure& why) { return merge_patients(txn, why, survivor, prior); });
        ASSERT_TRUE(out) << out.error().what.c_str();
    }
};

TEST_F(Merge, MakesThePriorAnAliasForEver) {
    const auto prior = upsert(person("1", "Prior")).id;
    const auto survivor = upsert(person("2")).id;
    merge(survivor, prior);
    EXPECT_EQ(facts(prior).status, PatientStatus::merged);
    EXPECT_EQ(facts(prior).merged_into, survivor);
    const auto later = upsert(person("1", "Later"));
    EXPECT_EQ(later.id, survivor);
    EXPECT_FALSE(later.created);
    EXPECT_EQ(find("name", "Prior Jane"), std::vector{survivor});
}

TEST_F(Merge, LeadsThroughChainsAndIsANoOpTheSecondTime) {
    const auto a = upsert(person("1")).id;
    const auto b = upsert(person("2")).id;
    const auto c = upsert(person("3")).id;
    merge(b, a);
    merge(c, b);
    EXPECT_EQ(upsert(person("1")).id, c);
    merge(a, c); // one person already
    EXPECT_EQ(facts(c).status, PatientStatus::active);
    EXPECT_EQ(facts(a).merged_into, c);
}

// Also where the store is of a version that looked them up in another way.
TEST_F(Merge, IsFoundOnceByWhatBothHadAndWhoStandsAsideIsNot) {
    const auto born = [](const char* number) {
        auto one = person(number);
        one.birth_date = said("19800101");
        return one;
    };
    const auto prior = upsert(born("1")).id, survivor = upsert(born("2")).id;
    const auto of_test = upsert(born("2"), now(), true).id;
    const auto other = upsert(born("3")).id;
    merge(survivor, prior);
    const auto is_found = [this](PatientId id, const char* value) {
        return *read([&](Snapshot& snapshot) { return is_found_by_index(snapshot, id, "birth_date", value); });
    };
    for (const bool migrated : {false, true}) {
        if (migrated) {
            store_.reset();
            RawDatabase{options_.folder, slot_of('k')}.run(back_to_first_version);
            reopen();
        }
        std::vector all{survivor, of_test, other};
        std::ranges::sort(all);
        EXPECT_EQ(find("birth_date", "19800101"), all);
        EXPECT_EQ(find("number_any", "1"), std::vector{survivor});
        EXPECT_EQ(find("number_any", "2"), std::vector{survivor}); // test traffic is nobody here
        EXPECT_EQ(find("number", "HOSP|1"), std::vector{survivor});
        EXPECT_TRUE(is_found(survivor, "19800101") && is_found(other, "19800101"));
        EXPECT_FALSE(is_found(survivor, "19800102"));
    }
    ASSERT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return erase_patient(txn, why, other, nothing_else); }));
    EXPECT_FALSE(is_found(other, "19800101"));
}

// What only one who was merged had said leads to the survivor.
TEST_F(Merge, ASurvivorIsFoundByWhatThePriorSaid) {
    auto one = person("1");
    one.birth_date = said("19800101");
    const auto prior = upsert(one).id, survivor = upsert(person("2")).id;
    const auto is_found = [&] {
        return *read([&](Snapshot& s) { return is_found_by_index(s, survivor, "birth_date", "19800101"); });
    };
    EXPECT_FALSE(is_found());
    merge(survivor, prior);
    EXPECT_TRUE(is_found());
}

TEST_F(Merge, MovesVisitsAndKeepsTheOlderBeginning) {
    auto visit = person("1");
    visit.visited_at = clock_.now() - std::chrono::hours{30};
    const auto prior = upsert(visit).id;
    const auto began = facts(prior).created_at;
    clock_.advance(std::chrono::hours{48});
    const auto survivor = upsert(person("2")).id;
    merge(survivor, prior);
    EXPECT_EQ(facts(survivor).visits, 1);
    EXPECT_EQ(facts(survivor).created_at, began);
    EXPECT_EQ(facts(prior).visits, 0);
}

TEST_F(Merge, OfTestTrafficWithARealPersonIsRefused) {
    const auto real = upsert(person("1")).id;
    const auto test = upsert(person("1"), now(), true).id;
    const auto out =
        with([&](Transaction& txn, const Disclosure& why) { return merge_patients(txn, why, real, test); });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::conflict);
}

// Erasing

TEST_F(Merge, ErasingForgetsThePersonAndAllAliases) {
    const auto prior = upsert(person("1")).id;
    const auto survivor = upsert(person("2")).id;
    merge(survivor, prior);
    std::int64_t row = 0;
    crypto::Bytes copy;
    ASSERT_TRUE(with([&](Transaction& txn, const Disclosure&) -> Result<void> {
        auto find = txn.prepare("SELECT row, sealed FROM patient WHERE id = ?");
        if (!find) return find.error();
        CLINIC_TRY(find->bind(survivor).step());
        row = find->integer(0);
        copy.assign(find->blob(1).begin(), find->blob(1).end());
        return {};
    }));
    ASSERT_TRUE(read([&](Snapshot& s) { return s.open_for(survivor, "patient.sealed", row, copy); }));
    EXPECT_GT(store_->identifiers().size(), 0U);

    ASSERT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return erase_patient(txn, why, prior, nothing_else); }));
    // A copy of the sealed bytes, as a backup holds it, opens no more; nor after a restart.
    const auto opened = read([&](Snapshot& s) { return s.open_for(survivor, "patient.sealed", row, copy); });
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::not_found);
    reopen();
    EXPECT_FALSE(read([&](Snapshot& s) { return s.open_for(survivor, "patient.sealed", row, copy); }));
    EXPECT_TRUE(find("name", "Doe Jane").empty());
    EXPECT_TRUE(find("number", "HOSP|1").empty());
    EXPECT_EQ(facts(survivor).status, PatientStatus::erased);
    EXPECT_EQ(store_->identifiers().size(), 0U);
    EXPECT_TRUE(upsert(person("1")).created);
}

// A large store answers before all identifiers are read; who comes, changes and goes meanwhile is known at the end.
TEST_F(Merge, IdentifiersAreReadBehindWhatIsServed) {
    options_.identifier_rows_at_open = 1;
    upsert(person("MR-100001", "Quillfeather"));
    const auto leaves = upsert(person("MR-100002", "Vandersloot")).id;
    upsert(person("MR-100003", "Marrowby"));
    for (int i = 0; i < 20; ++i) upsert(person(("MR-77000" + std::to_string(i)).c_str(), "Brackenridge"));
    reopen();
    clock_.advance(base::Micros{1'000'000});
    upsert(person("MR-100004", "Oddfellow"));
    upsert(person("MR-100003", "Ravensworth"));
    ASSERT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return erase_patient(txn, why, leaves, nothing_else); }));
    const auto& identifiers = store_->identifiers();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!identifiers.is_loaded() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    ASSERT_TRUE(identifiers.is_loaded());
    for (const char* known : {"Quillfeather", "Brackenridge", "Oddfellow", "Ravensworth", "MR-7700019"})
        EXPECT_TRUE(identifiers.found_in(known, {})) << known;
    for (const char* unknown : {"Vandersloot", "Marrowby", "MR-100002"})
        EXPECT_FALSE(identifiers.found_in(unknown, {})) << unknown;
    const std::size_t size = identifiers.size();
    options_.identifier_rows_at_open = 50'000;
    reopen();
    EXPECT_TRUE(store_->identifiers().is_loaded());
    EXPECT_EQ(store_->identifiers().size(), size);
}

TEST_F(Merge, ErasedKeysAreNotGivenOutAgain) {
    const auto id = upsert(person("1")).id;
    ASSERT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return erase_patient(txn, why, id, nothing_else); }));
    const auto slot = with([](Transaction& txn, const Disclosure&) { return txn.take_key_slot(); });
    ASSERT_TRUE(slot);
    EXPECT_EQ(*slot, 2);
}

TEST_F(Merge, AnUndoneErasureKeepsTheKey) {
    const auto id = upsert(person("1")).id;
    const auto out = with([&](Transaction& txn, const Disclosure& why) -> Result<void> {
        CLINIC_TRY(erase_patient(txn, why, id, nothing_else));
        return Error{Errc::refused, "second thoughts"};
    });
    ASSERT_FALSE(out);
    EXPECT_TRUE(read([&](Snapshot& snapshot) { return snapshot.patient_key(id); }));
    EXPECT_EQ(find("name", "Doe Jane"), std::vector{id});
}

} // namespace
} // namespace clinic::records
