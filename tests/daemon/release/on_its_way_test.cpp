// An envelope that is leased already is judged once more at the last moment.
#include "daemon/release/releaser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/release/clinic.h"

namespace clinic::release {
namespace {

using envelope::Field;
using records::AppointmentStatus;
using records::ConsentScope;
using records::ConsentState;
using testing::Clinic;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::one_day;

// Leases one envelope and asks about it as things change around it.
class OnItsWay {
public:
    explicit OnItsWay(Clinic& clinic) : clinic_{clinic} {
        clinic_.write([&](records::Transaction& txn) -> Result<void> {
            auto leased = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
            if (!leased) return leased.error();
            lease_ = *(*leased);
            return {};
        });
    }
    envelope::Kind kind() const { return lease_.envelope->kind(); }
    std::optional<Because> judged() const {
        std::optional<Because> because;
        clinic_.write([&](records::Transaction& txn) -> Result<void> {
            const auto open = outbox::Outbox::leased(txn, lease_.lease);
            CLINIC_TRY(open);
            auto answer = clinic_.releaser.still_allowed(txn, open->front());
            if (!answer) return answer.error();
            because = *answer;
            return {};
        });
        return because;
    }

private:
    Clinic& clinic_;
    envelope::Lease lease_;
};

TEST(Releaser, WhatIsOnItsWayIsJudgedAgainAtTheLastMoment) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.consent(patient, ConsentScope::marketing, ConsentState::granted, clinic.in_days(1));
    const OnItsWay state{clinic};
    EXPECT_EQ(state.judged(), std::nullopt);
    clinic.releaser.set_clock_trusted(false);
    EXPECT_EQ(state.judged(), Because::clock_untrusted);
    clinic.releaser.set_clock_trusted(true);
    clinic.clock.advance(2 * one_day);
    EXPECT_EQ(state.judged(), Because::consent_expired); // the words of a consent that has ended
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_EQ(state.judged(), Because::consent_revoked);
    clinic.set_basis(Basis::off);
    EXPECT_EQ(state.judged(), Because::basis_off);
}

TEST(Releaser, AGrantOnItsWayThatHasEndedStays) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.consent(patient, ConsentScope::reminders, ConsentState::granted, clinic.in_days(1));
    const OnItsWay grant{clinic};
    ASSERT_EQ(grant.kind(), envelope::Kind::consent_state);
    EXPECT_EQ(grant.judged(), std::nullopt);
    clinic.clock.advance(2 * one_day);
    EXPECT_EQ(grant.judged(), Because::consent_expired);
}

TEST(Releaser, ASuppressionOnItsWayGoesUnlessNothingMay) {
    Clinic clinic;
    clinic.set_basis(Basis::baa, clinic.in_days(10));
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    const OnItsWay suppression{clinic};
    ASSERT_EQ(suppression.kind(), envelope::Kind::contact_suppress);
    EXPECT_EQ(suppression.judged(), std::nullopt);
    clinic.releaser.set_clock_trusted(false);
    EXPECT_EQ(suppression.judged(), Because::clock_untrusted);
    clinic.releaser.set_clock_trusted(true);
    clinic.clock.advance(11 * one_day);
    EXPECT_EQ(suppression.judged(), std::nullopt); // taking back outlives the basis
    clinic.set_basis(Basis::off);
    EXPECT_EQ(suppression.judged(), Because::basis_off);
}

} // namespace
} // namespace clinic::release
