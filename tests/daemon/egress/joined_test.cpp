// A request that serves both states of a subject: each is asked about once more, and the ledger says what both said.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/egress/egress_fixture.h"

namespace clinic::egress {
namespace {

using nlohmann::json;
using records::AppointmentStatus;
using records::ConsentScope;
using records::ConsentState;

class JoinedLease : public EgressServerTest {
protected:
    // A new patient with a visit: both states wait.
    envelope::Lease both(const Caller& caller) {
        who = clinic.add("N1", "Quillfeather");
        clinic.book(who, "A1", clinic.in_days(5), AppointmentStatus::booked);
        auto lease = caller.lease();
        EXPECT_TRUE(lease.envelope && lease.also && lease.create);
        return lease;
    }
    static envelope::Attempt of_both(const envelope::Lease& lease) {
        auto attempt = create(lease);
        attempt.body.insert(attempt.body.size() - 2, R"(,{"id":"fieldstatus","field_value":"booked"})");
        return attempt;
    }
    outbox::LedgerLine newest_line() {
        outbox::LedgerLine line;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto lines = outbox::Ledger::lines(session, 0, 100);
            CLINIC_TRY(lines);
            if (!lines->empty()) line = lines->back();
            return {};
        }));
        return line;
    }
    records::PatientId who;
};

TEST_F(JoinedLease, TheLedgersLineSaysTheFieldsOfBoth) {
    const Caller caller{path};
    const auto lease = both(caller);
    EXPECT_EQ(caller.ask<envelope::Verdict>(of_both(lease)).answer, Answer::go);
    const auto line = newest_line();
    EXPECT_EQ(line.lease, lease.lease);
    EXPECT_NE(line.also, 0);
    const auto fields = json::parse(line.said).at("fields");
    EXPECT_EQ(fields.at("ce_stage"), "new");
    EXPECT_EQ(fields.at("ce_appt_status"), "booked");
    EXPECT_EQ(fields.at("firstName"), "{pid}");
    caller.ask<envelope::Settled>(envelope::Settle{.lease = lease.lease, .contact = "contact1", .steps = {}});
    EXPECT_EQ(clinic.books().delivered, 2);
}

TEST_F(JoinedLease, BothAreAskedAboutOnceMore) {
    const Caller caller{path};
    const auto lease = both(caller);
    clinic.consent(who, ConsentScope::crm_sync, ConsentState::revoked);
    const auto verdict = caller.ask<envelope::Verdict>(of_both(lease));
    EXPECT_EQ(verdict.answer, Answer::no);
    EXPECT_EQ(verdict.code, "consent_revoked");
    EXPECT_EQ(clinic.books().withdrawn, 2);
    EXPECT_EQ(clinic.books().leased, 0);
}

TEST_F(JoinedLease, WhatOfItMayStillGoDoesSoByItself) {
    const Caller caller{path};
    const auto lease = both(caller);
    // The state says nothing of "do not contact", which holds by now; of the visit nothing has changed.
    clinic.consent(who, ConsentScope::reminders, ConsentState::revoked);
    const auto verdict = caller.ask<envelope::Verdict>(of_both(lease));
    EXPECT_EQ(verdict.answer, Answer::no);
    EXPECT_EQ(verdict.code, "consent_expired");
    EXPECT_EQ(clinic.books().withdrawn, 1);
    EXPECT_EQ(clinic.books().leased, 0);
    const auto next = caller.lease();
    ASSERT_TRUE(next.also);
    EXPECT_EQ(next.envelope->kind(), envelope::Kind::appt_state);
    EXPECT_EQ(next.also->tags().back().text(), std::string_view{"do_not_contact"});
}

TEST_F(JoinedLease, WithoutATrustedClockBothWait) {
    release::Policy policy;
    policy.basis = release::Basis::baa;
    policy.basis_expires = clinic.in_days(100);
    policy.unlinked = release::Unlinked::shell;
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.set_policy(txn, policy); });
    const Caller caller{path};
    const auto lease = both(caller);
    clinic.releaser.set_clock_trusted(false);
    const auto verdict = caller.ask<envelope::Verdict>(of_both(lease));
    EXPECT_EQ(verdict.answer, Answer::hold);
    EXPECT_EQ(verdict.code, "clock_untrusted");
    EXPECT_EQ(clinic.books().parked, 2);
}

TEST_F(JoinedLease, AnIdentifierInItSendsEachByItselfAndTheCleanOneGoes) {
    const Caller caller{path};
    const auto lease = both(caller);
    const auto with_a_name = [](std::int64_t of) {
        return envelope::Attempt{of, envelope::Route::tags_add, "/contacts/Quillfeather/tags",
                                 R"({"tags":["ce-returning"]})"};
    };
    const auto verdict = caller.ask<envelope::Verdict>(with_a_name(lease.lease));
    EXPECT_EQ(verdict.answer, Answer::no);
    EXPECT_EQ(verdict.code, "blocked");
    EXPECT_EQ(newest_line().result, "blocked");
    EXPECT_EQ(clinic.books().pending, 2);
    const auto clean = caller.lease();
    ASSERT_TRUE(clean.envelope);
    EXPECT_FALSE(clean.also);
    EXPECT_EQ(caller.ask<envelope::Verdict>(create(clean)).answer, Answer::go);
    caller.ask<envelope::Settled>(envelope::Settle{.lease = clean.lease, .contact = "contact1", .steps = {}});
    EXPECT_EQ(clinic.books().delivered, 1);
    const auto other = caller.lease();
    ASSERT_TRUE(other.envelope);
    EXPECT_EQ(caller.ask<envelope::Verdict>(with_a_name(other.lease)).code, "blocked");
    EXPECT_EQ(clinic.books().dead, 1);
    EXPECT_EQ(clinic.books().pending, 0);
}

TEST_F(JoinedLease, ADryRunPutsBothAside) {
    Gate dry{{.rules = rules, .dry_run = true}, clinic.store->identifiers(), clinic.releaser};
    who = clinic.add("N1", "Quillfeather");
    clinic.book(who, "A1", clinic.in_days(5), AppointmentStatus::booked);
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto lease = dry.lease(txn, Destination::crm);
        CLINIC_TRY(lease);
        EXPECT_TRUE(lease->also);
        const auto judged = dry.judge(txn, of_both(*lease), {});
        CLINIC_TRY(judged);
        EXPECT_EQ(judged->verdict.answer, Answer::dry);
        const auto settled = dry.settle(txn, {.lease = lease->lease, .steps = {}}, {});
        return settled ? Result<void>{} : settled.error();
    });
    EXPECT_EQ(clinic.books().parked, 2);
}

} // namespace
} // namespace clinic::egress
