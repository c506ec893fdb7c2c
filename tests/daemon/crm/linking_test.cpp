#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

class CrmLinking : public Crm {
protected:
    Errc set(const std::string& id, PatientId patient) {
        return said_by([&](Linking links, records::Transaction& txn) { return links.set(txn, id, patient); });
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
