// A patient's case that people in GHL moved, closed or deleted; and opportunities that are nobody's case.
#include "daemon/crm/own_cases.h"

#include "daemon/crm/repair.h"
#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

using envelope::Case;
using envelope::CrmOpportunity;

constexpr const char* pipeline = "PIPELINE1";
constexpr const char* stage_new = "STAGENEW1";
constexpr const char* stage_closed = "STAGECLOSED1";

class CasesInGhl : public Crm {
protected:
    CasesInGhl() {
        clinic.releaser.tell_cases({.told = true});
        options.pipeline = {pipeline, {"", stage_new, "", "", "", "", stage_closed}};
        reconciler.emplace(options, clinic.releaser);
    }
    CrmFact opportunity(const std::string& id, const std::string& stage, Case status,
                        const std::string& there = pipeline) {
        auto fact = contact(id);
        fact.kind = CrmKind::opportunity;
        fact.said = CrmOpportunity{.contact = lead, .pipeline = there, .stage = stage, .status = status};
        return fact;
    }
    // To whom all was delivered: `object1`.
    PatientId with_case() {
        const auto patient = linked("N1", lead);
        EXPECT_EQ(object_of(patient), "object1");
        return patient;
    }
    std::string object_of(PatientId patient) {
        std::string out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto all = outbox::Beside::all(txn, patient);
            CLINIC_TRY(all);
            for (const auto& one : *all) out = one.object;
            return {};
        });
        return out;
    }
    std::vector<std::string> said() {
        std::vector<std::string> out;
        for (const auto& one : clinic.deliver(false)) {
            out.emplace_back(name(one.kind()));
            if (one.kind() == envelope::Kind::case_state)
                out.back() += " " + std::string{one.text(envelope::Field::stage)} + " " +
                              std::string{one.text(envelope::Field::outcome)};
        }
        return out;
    }
    std::int64_t differing_cases() {
        std::int64_t out = 0;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = count_differing(txn);
            CLINIC_TRY(found);
            out = found->of.at(static_cast<std::size_t>(Differs::opportunity));
            return {};
        });
        return out;
    }
    using Said = std::vector<std::string>;
};

TEST_F(CasesInGhl, AreWrittenAgainWherePeopleMovedOrClosedThem) {
    with_case();
    EXPECT_EQ(take(opportunity("object1", stage_new, Case::open)).taken, Taken::stored);
    EXPECT_EQ(said(), Said{}) << "our own echo";
    take(opportunity("object1", stage_closed, Case::open));
    EXPECT_EQ(said(), Said{"case.state new open"});
    take(opportunity("object1", stage_new, Case::won));
    EXPECT_EQ(said(), Said{"case.state new open"});
    take(opportunity("object1", "", Case::open, "ANOTHER1"));
    EXPECT_EQ(said(), Said{"case.state new open"}) << "moved to another pipeline";
    EXPECT_TRUE(open().empty());
    take(opportunity("object1", stage_closed, Case::lost));
    EXPECT_EQ(said(), Said{}) << "three times a day: something there writes against us";
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::case_state);
    EXPECT_EQ(open()[0].ours, "new open");
    EXPECT_EQ(open()[0].theirs, "archived lost");
}

// It is told once, and a write to the contact has come between.
TEST_F(CasesInGhl, ThatWereMovedBeforeAWriteToTheContactAreWrittenAgainToo) {
    const auto patient = with_case();
    take(opportunity("object1", stage_new, Case::open));
    clinic.clock.advance(std::chrono::minutes{2});
    const auto moved = opportunity("object1", stage_closed, Case::open);
    clinic.clock.advance(std::chrono::seconds{5});
    clinic.book(patient, "A1", clinic.clock.now() + std::chrono::hours{24 * 5});
    EXPECT_EQ(said(), (Said{"contact.state", "appt.state"}));
    wrote(patient);
    take(moved);
    EXPECT_EQ(said(), Said{"case.state new open"});
}

TEST_F(CasesInGhl, OfNobodysAreKeptAsSeen) {
    with_case();
    EXPECT_EQ(take(opportunity("theirs1", stage_closed, Case::won)).taken, Taken::stored);
    EXPECT_EQ(said(), Said{});
    EXPECT_TRUE(open().empty());
}

TEST_F(CasesInGhl, ThatWereDeletedAreForAPerson) {
    with_case();
    take(opportunity("object1", stage_new, Case::open));
    auto deleted = opportunity("object1", "", Case::open);
    deleted.said = std::monostate{};
    take(deleted);
    EXPECT_EQ(said(), Said{}) << "none is opened";
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].field, Field::case_deleted);
}

TEST_F(CasesInGhl, ThatDifferAreOfAKindOfTheirOwnAndSaidAgainByARepair) {
    const auto patient = with_case();
    take(contact(lead, as_said(patient)));
    EXPECT_EQ(differing_cases(), 0);
    for (int i = 0; i < 3; ++i) {
        take(opportunity("object1", stage_closed, i % 2 == 0 ? Case::lost : Case::won));
        EXPECT_EQ(differing_cases(), 1);
        EXPECT_EQ(said().size(), 1U);
        take(opportunity("object1", stage_new, Case::open));
        EXPECT_EQ(differing_cases(), 0) << "what was put right does not differ any more";
    }
    take(opportunity("object1", stage_closed, Case::lost)); // left to a person from now on
    EXPECT_EQ(said(), Said{});
    EXPECT_EQ(differing_cases(), 1);
    Repaired repaired;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto next = Repair{clinic.releaser, false}.slice(txn, Differs::opportunity, 0, repaired);
        return next ? Result<void>{} : next.error();
    });
    EXPECT_EQ(repaired.put_again, 1);
    EXPECT_EQ(said(), (Said{"contact.state", "case.state new open"}));
}

} // namespace
} // namespace clinic::crm
