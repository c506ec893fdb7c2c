// Whose a lease is, and what becomes of it when its caller goes or things change under it.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/daemon/egress/egress_fixture.h"

namespace clinic::egress {
namespace {

TEST_F(EgressServerTest, AnotherConnectionsLeaseIsUnknown) {
    clinic.add("N1", "Quillfeather");
    const Caller first{path}, second{path};
    const auto lease = first.lease();
    EXPECT_EQ(second.ask<envelope::Verdict>(create(lease)).code, "lease_unknown");
}

TEST_F(EgressServerTest, WhatACallerLeftBehindIsDueAgain) {
    clinic.add("N1", "Quillfeather");
    std::int64_t row = 0;
    {
        const Caller gone{path};
        row = gone.lease().lease;
        EXPECT_NE(row, 0);
    }
    EXPECT_EQ(Caller{path}.lease(10'000).lease, row);
}

// Between the question and the store's answer the caller dies: nothing stays with nobody.
TEST_F(EgressServerTest, ALeaseWhoseAskerIsGoneIsDueAgain) {
    clinic.add("N1", "Quillfeather");
    const Caller other{path};
    say_and_go(std::make_unique<Caller>(path), envelope::LeaseRequest{Destination::crm, 0}, other);
    EXPECT_NE(other.lease(10'000).lease, 0);
    EXPECT_EQ(clinic.books().leased, 1);
}

TEST_F(EgressServerTest, AVerdictWhoseAskerIsGoneEndsItsLease) {
    clinic.add("N1", "Quillfeather");
    const Caller other{path};
    auto caller = std::make_unique<Caller>(path);
    const auto lease = caller->lease();
    say_and_go(std::move(caller), create(lease), other);
    const auto again = other.lease(10'000);
    EXPECT_EQ(again.lease, lease.lease);
    EXPECT_TRUE(again.look_up_first) << "it may have been sent";
    EXPECT_EQ(ledger(), std::vector<std::string>{"unknown"});
}

TEST_F(EgressServerTest, ASettlementWhoseAskerIsGoneStandsAndTheNextLeaseIsDueAgain) {
    clinic.add("N1", "Quillfeather");
    clinic.add("N2", "Vandersloot");
    const Caller other{path};
    auto caller = std::make_unique<Caller>(path);
    const auto lease = caller->lease();
    say_and_go(std::move(caller),
               envelope::Settle{.lease = lease.lease, .contact = "contact1", .next = Destination::crm}, other);
    const auto next = other.lease(10'000);
    EXPECT_NE(next.lease, 0);
    EXPECT_NE(next.lease, lease.lease) << "what was delivered does not go out again";
    EXPECT_EQ(clinic.books().delivered, 1);
    EXPECT_EQ(clinic.books().leased, 1);
}

TEST_F(EgressServerTest, AReadWhoseAskerIsGoneBeforeItsVerdictIsUnknown) {
    const Caller other{path};
    say_and_go(std::make_unique<Caller>(path), envelope::Attempt{.path = "/locations/LOC1"}, other);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (ledger() != std::vector<std::string>{"unknown"} && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(ledger(), std::vector<std::string>{"unknown"});
}

// Between the lease and its create a merge has brought the survivor the prior's contact.
TEST_F(EgressServerTest, NobodyWhoHasAContactByNowGetsASecondOne) {
    const Caller caller{path};
    const auto lease = held_lease(caller);
    EXPECT_FALSE(caller
                     .ask<envelope::Settled>(
                         envelope::Settle{.lease = lease.lease, .outcome = envelope::Outcome::retry, .code = "linked"})
                     .known);
    const auto next = caller.lease(10'000);
    EXPECT_EQ(next.contact, "contact1");
    EXPECT_FALSE(next.create);
}

// The same row goes out again under the same number: who had it before has no say in it any more.
TEST_F(EgressServerTest, AHeldLeaseIsTheNextOnesAlone) {
    const Caller other{path};
    envelope::Lease again;
    {
        const Caller before{path};
        const auto held = held_lease(before);
        for (again = other.lease(10'000); again.lease != held.lease; again = other.lease(10'000)) {
            ASSERT_NE(again.lease, 0) << "it is due again";
            EXPECT_TRUE(other.ask<envelope::Settled>(envelope::Settle{.lease = again.lease}).known);
        }
        const envelope::Settle late{.lease = held.lease, .outcome = envelope::Outcome::dead, .code = "late"};
        EXPECT_FALSE(before.ask<envelope::Settled>(late).known);
    }
    // Two round trips: the other's end has been seen by then.
    for (int i = 0; i < 2; ++i) other.ask<envelope::Settled>(envelope::TimeState{});
    EXPECT_TRUE(other.ask<envelope::Settled>(envelope::Settle{.lease = again.lease}).known);
    EXPECT_EQ(clinic.books().dead, 0);
}

TEST_F(EgressServerTest, AReadWhoseAskerWentAwayIsUnknown) {
    {
        const Caller prober{path};
        const auto first = prober.ask<envelope::Verdict>(envelope::Attempt{.path = "/locations/LOC1"});
        prober.ask<envelope::Settled>(envelope::Settle{
            .steps = {{.attempt = first.attempt, .result = envelope::StepOutcome::Result::answered, .status = 200}}});
        prober.ask<envelope::Verdict>(envelope::Attempt{.path = "/locations/LOC1"});
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (ledger().back() == "open" && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_EQ(ledger(), (std::vector<std::string>{"answered", "unknown"}));
}

} // namespace
} // namespace clinic::egress
