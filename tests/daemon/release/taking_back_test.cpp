// What was told, or may have been, is taken back, told again, merged or erased.
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

// Leases what is due and asks for a request of it, as egress does; the request's end is not known.
std::int64_t begin(Clinic& clinic, envelope::Route route) {
    std::int64_t row = 0;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto leased = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::milliseconds{60'000});
        if (!leased) return leased.error();
        if (!*leased) return Error{Errc::not_found, "nothing is due"};
        row = (*leased)->lease;
        auto patient = outbox::Outbox::patient_of(txn, row);
        if (!patient) return patient.error();
        auto line = outbox::Ledger::open_line(txn, *patient, {row, route, "/contacts/", "{}"}, "open");
        return line ? Result<void>{} : line.error();
    });
    return row;
}

void let_go(Clinic& clinic, std::int64_t row) {
    clinic.write([&](records::Transaction& txn) { return outbox::Outbox::release_leases(txn, row); });
}

// What lies before clinic-syncd now; nothing: no lease.
std::optional<envelope::Lease> next(Clinic& clinic) {
    std::optional<envelope::Lease> lease;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto leased = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::milliseconds{60'000});
        if (!leased) return leased.error();
        lease = std::move(*leased);
        return {};
    });
    return lease;
}

void settle(Clinic& clinic, const envelope::Settle& outcome) {
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto settled = outbox::Outbox::settle(txn, outcome);
        return settled ? Result<void>{} : settled.error();
    });
}

// The state was withdrawn at the last moment, so that nothing is queued and nothing was delivered: only a create whose
// outcome nobody knows tells that a contact may be there.
TEST(Releaser, AContactThatMayHaveBeenMadeIsSuppressedToo) {
    for (const bool it_is_there : {true, false}) {
        Clinic clinic;
        clinic.set_basis(Basis::baa);
        const auto patient = clinic.add("1001", "Quillfeather");
        let_go(clinic, begin(clinic, envelope::Route::contact_create));
        const auto again = next(clinic);
        ASSERT_TRUE(again);
        clinic.write([&](records::Transaction& txn) {
            return outbox::Outbox::withdraw_lease(txn, again->lease, "consent_expired");
        });
        EXPECT_EQ(clinic.books().pending, 0);
        clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
        clinic.walk();
        auto suppression = next(clinic);
        ASSERT_TRUE(suppression);
        EXPECT_EQ(suppression->envelope->kind(), envelope::Kind::contact_suppress);
        EXPECT_TRUE(suppression->look_up_first);
        EXPECT_FALSE(suppression->create);
        EXPECT_GT(suppression->unsure_ms, 0);
        if (it_is_there) {
            settle(clinic, {.lease = suppression->lease,
                            .outcome = envelope::Outcome::retry,
                            .code = "adopted",
                            .contact = "found1"});
            suppression = next(clinic);
            ASSERT_TRUE(suppression);
            EXPECT_EQ(suppression->contact, "found1");
            settle(clinic, {.lease = suppression->lease});
            EXPECT_EQ(clinic.books().delivered, 1);
        } else {
            settle(clinic, {.lease = suppression->lease, .outcome = envelope::Outcome::retry, .code = "no_contact"});
            EXPECT_EQ(clinic.books().discarded, 1);
        }
        clinic.walk();
        EXPECT_FALSE(next(clinic)) << "once";
        EXPECT_EQ(clinic.books().pending, 0);
    }
}

// The contact came to light by a look-up, and its state was never settled as delivered.
TEST(Releaser, AContactThatWasFoundIsSuppressedThoughNothingWasDelivered) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    const auto row = begin(clinic, envelope::Route::contact_create);
    settle(clinic, {.lease = row, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "found1"});
    const auto again = next(clinic);
    ASSERT_TRUE(again);
    clinic.write([&](records::Transaction& txn) {
        return outbox::Outbox::withdraw_lease(txn, again->lease, "consent_expired");
    });
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
}

// Of somebody whose contact was there before us one request of the first state has gone. Answers the lease's row.
std::int64_t begin_at_their_contact(Clinic& clinic, records::PatientId patient) {
    clinic.write([&](records::Transaction& txn) {
        return outbox::Links::set_contact(txn, patient, "lead1", outbox::Made::by_others);
    });
    return begin(clinic, envelope::Route::contact_fields);
}

void discard(Clinic& clinic, std::int64_t row) {
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(outbox::Outbox::kill(txn, row, "write_set"));
        const auto whose = outbox::Outbox::discard_dead(txn, row);
        return whose ? Result<void>{} : whose.error();
    });
}

// Half of the first state is there, and its row is discarded, or withdrawn.
TEST(Releaser, WhatWasWrittenInPartIsTakenBackThoughItsRowIsNoMore) {
    for (const bool discarded : {true, false}) {
        Clinic clinic;
        clinic.set_basis(Basis::baa);
        const auto patient = clinic.add("1001", "Quillfeather");
        const auto row = begin_at_their_contact(clinic, patient);
        if (discarded)
            discard(clinic, row);
        else
            clinic.write(
                [&](records::Transaction& txn) { return outbox::Outbox::withdraw_lease(txn, row, "consent_expired"); });
        EXPECT_EQ(clinic.books().pending, 0);
        EXPECT_EQ(clinic.take_back(patient), TakenBack::waits) << "before an erasure";
        EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
        EXPECT_EQ(clinic.take_back(patient), TakenBack::done);
        clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
        EXPECT_THAT(clinic.deliver_kinds(), IsEmpty()) << "once";
    }
}

// And where it still holds it is said again, whole.
TEST(Releaser, WhatWasWrittenInPartIsSaidAgainThoughItsRowWasDiscarded) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    discard(clinic, begin_at_their_contact(clinic, clinic.add("1001", "Quillfeather")));
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state"));
}

// A yes between two noes, of which half was told: the first suppression says nothing about now.
TEST(Releaser, ASecondNoSuppressesWhatAHalfToldYesLeftThere) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::granted);
    const auto row = begin(clinic, envelope::Route::contact_fields);
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    let_go(clinic, row);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    EXPECT_EQ(clinic.books().withdrawn, 1);
}

// `off` withdraws a half-told change: what GHL holds is not what was said before it.
TEST(Releaser, AHalfToldChangeIsToldAgainAfterABasisThatTookItBack) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    const auto appointment = clinic.book(patient, "A1", clinic.in_days(5));
    static_cast<void>(appointment);
    const auto row = begin(clinic, envelope::Route::contact_fields);
    clinic.set_basis(Basis::off);
    let_go(clinic, row);
    clinic.book(patient, "A1", clinic.in_days(5), AppointmentStatus::entered_in_error);
    clinic.set_basis(Basis::baa);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.state")) << "the very content of the first one";
}

TEST(Releaser, AMergeLooksForTheContactThatThePriorMayHave) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    clinic.deliver();
    const auto prior = clinic.add("1002", "Quilfeather");
    const auto row = begin(clinic, envelope::Route::contact_create);
    let_go(clinic, row);
    clinic.merge(survivor, prior);
    EXPECT_EQ(clinic.books().withdrawn, 1);
    const auto search = next(clinic);
    ASSERT_TRUE(search);
    EXPECT_EQ(search->envelope->kind(), envelope::Kind::contact_suppress);
    EXPECT_TRUE(search->look_up_first);
    settle(clinic, {.lease = search->lease, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "old1"});
    // As egress does when a contact comes to light whose person has been merged.
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.merged(txn, survivor, prior); });
    const auto sent = clinic.deliver();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].kind(), envelope::Kind::contact_merge);
    EXPECT_EQ(clinic.books().pending, 0);
}

TEST(Releaser, AMergeIntoSomebodyWhoSaidNoEmptiesTheContactThatComesToLight) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
    clinic.deliver();
    const auto prior = clinic.add("1002", "Quilfeather");
    let_go(clinic, begin(clinic, envelope::Route::contact_create));
    clinic.merge(survivor, prior);
    const auto search = next(clinic);
    ASSERT_TRUE(search);
    settle(clinic, {.lease = search->lease, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "old1"});
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.merged(txn, survivor, prior); });
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
}

// What moved with the survivor is not emptied by the merge: it says whose it is, which is a word like any other.
TEST(Releaser, AMergeThatMovedAContactSaysNothingOfSomebodyWhoHasSaidNoSince) {
    for (const bool no : {false, true}) {
        Clinic clinic;
        clinic.set_basis(Basis::baa);
        const auto survivor = clinic.add("1001", "Quillfeather"), prior = clinic.add("1002", "Quilfeather");
        clinic.write([&](records::Transaction& txn) {
            return outbox::Links::set_contact(txn, prior, "lead1", outbox::Made::by_others);
        });
        clinic.merge(survivor, prior);
        if (no) clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
        const std::vector<std::string> told{"contact.state", "contact.merge"}, taken_back{"contact.suppress"};
        EXPECT_EQ(clinic.deliver_kinds(), no ? taken_back : told);
        EXPECT_EQ(clinic.books().pending, 0);
        EXPECT_TRUE(clinic.books().balanced());
    }
}

TEST(Releaser, APersonIsErasedWhenGhlHoldsNothingOfThem) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto patient = clinic.add("1001", "Quillfeather");
    let_go(clinic, begin(clinic, envelope::Route::contact_create));
    const auto take_back = [&] { return clinic.take_back(patient); };
    EXPECT_EQ(take_back(), TakenBack::waits);
    EXPECT_EQ(take_back(), TakenBack::waits);
    EXPECT_EQ(clinic.books().released, 2) << "one suppression, however often it is asked";
    const auto search = next(clinic);
    ASSERT_TRUE(search);
    EXPECT_EQ(search->envelope->text(Field::reason), "erased");
    settle(clinic,
           {.lease = search->lease, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "found1"});
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    EXPECT_EQ(take_back(), TakenBack::done);
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto why = Clinic::disclose(txn);
        if (!why) return why.error();
        return Releaser::erase(txn, *why, patient);
    });
    clinic.walk();
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_TRUE(clinic.books().balanced());
}

// The contact of somebody who was merged into them holds a state of its own until the merge has reached GHL.
TEST(Releaser, APersonIsErasedWhenGhlHoldsNothingOfWhomTheyWereMergedWith) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    const auto prior = clinic.add("1002", "Quilfeather");
    clinic.deliver();
    clinic.consent(survivor, ConsentScope::reminders, ConsentState::granted, clinic.in_days(3));
    clinic.deliver();
    clinic.releaser.set_clock_trusted(false);
    clinic.merge(survivor, prior); // waits for a trusted clock
    clinic.consent(survivor, ConsentScope::reminders, ConsentState::revoked);
    clinic.consent(survivor, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    const auto take_back = [&] {
        TakenBack taken{};
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto answer = clinic.releaser.take_back(txn, survivor);
            CLINIC_TRY(answer);
            taken = *answer;
            return outbox::Outbox::unpark(txn, "clock");
        });
        return taken;
    };
    EXPECT_EQ(take_back(), TakenBack::waits);
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.merge"));
    EXPECT_EQ(take_back(), TakenBack::done);
}

// A suppression that is under way when its person is merged is begun again where its lease is lost.
TEST(Releaser, AMergeLeavesWhatEmptiesTheOtherContact) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    const auto prior = clinic.add("1002", "Quilfeather");
    clinic.deliver();
    clinic.consent(prior, ConsentScope::crm_sync, ConsentState::revoked);
    const auto row = begin(clinic, envelope::Route::contact_fields);
    clinic.merge(survivor, prior);
    let_go(clinic, row);
    EXPECT_EQ(clinic.books().withdrawn, 0);
    const auto sent = clinic.deliver();
    EXPECT_TRUE(
        std::ranges::any_of(sent, [](const auto& one) { return one.kind() == envelope::Kind::contact_suppress; }));
}

// Somebody deleted the survivor's contact in GHL: the prior's is emptied all the same.
TEST(Releaser, AMergeEmptiesTheOtherContactThoughTheSurvivorHasNone) {
    Clinic clinic;
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather");
    const auto prior = clinic.add("1002", "Quilfeather");
    clinic.deliver();
    clinic.merge(survivor, prior);
    clinic.write([&](records::Transaction& txn) { return outbox::Links::unset_contact(txn, survivor); });
    const auto lease = next(clinic);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->envelope->kind(), envelope::Kind::contact_merge);
    EXPECT_EQ(lease->contact, "");
    EXPECT_EQ(lease->old_contact, "contact2");
    settle(clinic, {.lease = lease->lease});
    EXPECT_EQ(clinic.books().parked, 0);
}

TEST(Releaser, NobodyIsSuppressedOfWhomNothingWasSaid) {
    Clinic clinic;
    clinic.set_basis(Basis::authorized);
    const auto patient = clinic.add("1001", "Quillfeather");
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::revoked);
    EXPECT_THAT(clinic.deliver_kinds(), IsEmpty());
    EXPECT_EQ(clinic.books().released, 0);
}

} // namespace
} // namespace clinic::release
