// What we write to stop messages to somebody comes back from GHL, also where clinicd was killed in between: it is our
// own.
#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

using records::ConsentScope;
using records::ConsentState;

class OwnStops : public Crm {
protected:
    // GHL was written to under the next lease, and clinicd does not know: it was killed.
    envelope::Kind written_and_lost(PatientId patient, envelope::Route route) {
        envelope::Kind kind{};
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, false, {});
            CLINIC_TRY(lease);
            kind = (*lease)->envelope->kind();
            const auto line = outbox::Ledger::open_line(
                txn, patient, {.lease = (*lease)->lease, .route = route, .path = "/contacts/x"}, "open");
            CLINIC_TRY(line);
            return outbox::Outbox::release_leases(txn, std::nullopt);
        });
        return kind;
    }
    CrmContact stopped(PatientId patient, bool dnd) {
        auto said = as_said(patient);
        said.dnd = dnd;
        said.tags.push_back(*envelope::Word::parse("do_not_contact"));
        std::ranges::sort(said.tags);
        return said;
    }
};

TEST_F(OwnStops, ASuppressionThatWasSentUnderALostLeaseEndsNoConsent) {
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    ASSERT_EQ(written_and_lost(patient, envelope::Route::contact_fields), envelope::Kind::contact_suppress);
    take(contact(lead, stopped(patient, true)));
    EXPECT_FALSE(revoked(patient, ConsentScope::reminders));
    EXPECT_FALSE(revoked(patient, ConsentScope::marketing));
}

// It has been taken back before it was sent again: nothing is left of it but its line.
TEST_F(OwnStops, ASuppressionThatWasSentAndWithdrawnEndsNoConsent) {
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    written_and_lost(patient, envelope::Route::contact_fields);
    clinic.write([&](records::Transaction& txn) { return outbox::Outbox::withdraw(txn, patient, "unlinked"); });
    take(contact(lead, stopped(patient, true)));
    EXPECT_FALSE(revoked(patient, ConsentScope::reminders));
}

TEST_F(OwnStops, ASuppressionUnderAClockThatWasBehindEndsNoConsent) {
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    const auto right = clinic.clock.now();
    clinic.clock.set(right - std::chrono::hours{2});
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    ASSERT_EQ(written_and_lost(patient, envelope::Route::tags_add), envelope::Kind::contact_suppress);
    clinic.write([&](records::Transaction& txn) { return outbox::Outbox::withdraw(txn, patient, "unlinked"); });
    clinic.clock.set(right + std::chrono::minutes{1});
    take(contact(lead, stopped(patient, false)));
    EXPECT_FALSE(revoked(patient, ConsentScope::reminders));
}

TEST_F(OwnStops, RefusedRemindersThatWereSentUnderALostLeaseEndNothingElse) {
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    clinic.consent(patient, ConsentScope::marketing, ConsentState::granted);
    clinic.deliver(false);
    clinic.consent(patient, ConsentScope::reminders, ConsentState::revoked);
    written_and_lost(patient, envelope::Route::tags_add);
    take(contact(lead, stopped(patient, false)));
    EXPECT_FALSE(revoked(patient, ConsentScope::marketing));
}

TEST_F(OwnStops, WhatOnlyWaitsHasWrittenNothing) {
    const auto patient = linked("N1", lead);
    take(contact(lead, as_said(patient)));
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    take(contact(lead, stopped(patient, true)));
    EXPECT_TRUE(revoked(patient, ConsentScope::reminders)) << "somebody there has said it";
}

} // namespace
} // namespace clinic::crm
