#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

class CrmLinking : public Crm {
protected:
    Errc set(const std::string& id, PatientId patient) {
        return said_by([&](Linking links, records::Transaction& txn) { return links.set(txn, id, patient); });
    }
    std::optional<envelope::Lease> lease() {
        std::optional<envelope::Lease> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::minutes{3});
            CLINIC_TRY(lease);
            out = std::move(*lease);
            return {};
        });
        return out;
    }
    void settle(const envelope::Settle& outcome) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto settled = outbox::Outbox::settle(txn, outcome);
            return settled ? Result<void>{} : settled.error();
        });
    }
};

TEST_F(CrmLinking, APersonLinksAndWhatWaitedIsSent) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.deliver(false);
    EXPECT_EQ(clinic.books().parked, 1);
    take(contact(lead));
    EXPECT_EQ(set(lead, patient), Errc{});
    EXPECT_EQ(clinic.deliver(false).size(), 1U);
    EXPECT_EQ(contact_of(patient), lead);
}

TEST_F(CrmLinking, WhatCannotBeLinkedSaysWhy) {
    const auto patient = clinic.add("N1", "Quillfeather"), other = clinic.add("N2", "Vandersloot");
    EXPECT_EQ(set("GHLunseen", patient), Errc::not_found);
    EXPECT_EQ(set("not an id", patient), Errc::malformed);
    take(contact(lead));
    EXPECT_EQ(set(lead, patient), Errc{});
    EXPECT_EQ(set(lead, other), Errc::conflict);
    take(contact("GHLsecond"));
    EXPECT_EQ(set("GHLsecond", patient), Errc::conflict);
    take(gone("GHLgone"));
    EXPECT_EQ(set("GHLgone", other), Errc::conflict);
    clinic.set_basis(release::Basis::deid);
    EXPECT_EQ(set("GHLsecond", other), Errc::refused);
}

// Linked to the lead, what the create has made would say the patient's state for good, beyond their erasure.
TEST_F(CrmLinking, WhoMayHaveAContactByACreateWithoutAnAnswerIsNotLinkedBeforeItIsKnown) {
    const auto patient = clinic.add("N1", "Quillfeather");
    create_without_answer(patient);
    take(contact(lead));
    EXPECT_EQ(set(lead, patient), Errc::conflict);
    EXPECT_EQ(contact_of(patient), "");
    const auto look_up = lease();
    ASSERT_TRUE(look_up && look_up->look_up_first);
    EXPECT_EQ(set(lead, patient), Errc::conflict) << "while it is looked for";
    settle({.lease = look_up->lease, .contact = "GHLmade"});
    EXPECT_EQ(contact_of(patient), "GHLmade");
    EXPECT_EQ(set(lead, patient), Errc::conflict) << "and then it is the one to be merged";
}

TEST_F(CrmLinking, WhatACreateHasNotMadeKeepsNobodyFromALink) {
    const auto patient = clinic.add("N1", "Quillfeather");
    create_without_answer(patient);
    take(contact(lead));
    settle({.lease = lease()->lease, .outcome = envelope::Outcome::retry, .code = "no_contact", .contact = ""});
    EXPECT_EQ(set(lead, patient), Errc{});
    EXPECT_EQ(contact_of(patient), lead);
}

// Given up, nothing is under way that would look: a person's word is how it goes on.
TEST_F(CrmLinking, ACreateThatWasGivenUpKeepsNobodyFromALink) {
    const auto patient = clinic.add("N1", "Quillfeather");
    create_without_answer(patient);
    take(contact(lead));
    ASSERT_EQ(set(lead, patient), Errc::conflict);
    const auto again = lease();
    ASSERT_TRUE(again);
    clinic.write([&](records::Transaction& txn) { return outbox::Outbox::kill(txn, again->lease, "http_400"); });
    EXPECT_EQ(set(lead, patient), Errc{});
    EXPECT_EQ(contact_of(patient), lead);
}

TEST_F(CrmLinking, UnsetLeavesTheContactToBeMatchedAnew) {
    const auto patient = linked("N1", lead);
    EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.unset(txn, patient); }), Errc{});
    EXPECT_EQ(contact_of(patient), "");
    EXPECT_TRUE(take(contact(lead)).probe);
    EXPECT_EQ(match(lead, "+15550102030"), Match::linked);
}

TEST_F(CrmLinking, SplitIsForEver) {
    const auto patient = linked("N1", lead);
    EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.split(txn, lead, patient); }),
              Errc{});
    EXPECT_EQ(contact_of(patient), "");
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102030"), Match::none);
}

TEST_F(CrmLinking, WhatWasSplitStaysSoWhenThePersonIsMerged) {
    const auto prior = linked("N1", lead);
    EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.split(txn, lead, prior); }), Errc{});
    const auto survivor = clinic.add("N2", "Quillfeather");
    clinic.merge(survivor, prior);
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102030"), Match::none);
    EXPECT_EQ(contact_of(survivor), "");
}

TEST_F(CrmLinking, OfTwoContactsOfAPatientOneIsKept) {
    const auto patient = linked("N1", lead);
    take(contact("GHLsecond", {.dnd = true}));
    EXPECT_EQ(match("GHLsecond", "+15550102030"), Match::choice);
    EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.merge(txn, "GHLsecond", lead); }),
              Errc{});
    EXPECT_EQ(contact_of(patient), "GHLsecond");
    EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders)) << "of both contacts the more restrictive counts";
    EXPECT_FALSE(take(contact(lead)).probe) << "it is known whose that one was";
}

} // namespace
} // namespace clinic::crm
