#include <set>

#include "daemon/outbox/sql.h"
#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

class TheLinks : public OutboxTest {
protected:
    std::string pid(PatientId who, Destination destination = Destination::crm) {
        return in([&](Transaction& txn) { return Links::pid(txn, destination, who); }).text();
    }
    Merged merged(PatientId survivor, PatientId prior) {
        return in([&](Transaction& txn) { return Links::merge(txn, survivor, prior); });
    }
};

TEST_F(TheLinks, PseudonymIsMadeOnceForEachDestination) {
    const auto who = patient("1"), other = patient("2");
    const auto crm = pid(who);
    EXPECT_EQ(pid(who), crm);
    EXPECT_NE(pid(who, Destination::ops), crm);
    EXPECT_NE(pid(other), crm);
    open();
    EXPECT_EQ(pid(who), crm);
}

TEST_F(TheLinks, PseudonymLeadsBackToItsPatient) {
    const auto who = patient("1");
    const auto name = pid(who);
    EXPECT_EQ(in([&](Transaction& txn) { return Links::patient_by_pid(txn, name); }), who);
    EXPECT_EQ(in([&](Transaction& txn) { return Links::patient_by_pid(txn, Pseudonym::random('p').text()); }),
              std::nullopt);
}

TEST_F(TheLinks, AppointmentHasItsOwn) {
    const auto who = patient("1");
    const auto one = records::AppointmentId::make(clock_.now()), other = records::AppointmentId::make(clock_.now());
    const auto aid = [&](records::AppointmentId id, Destination destination) {
        return in([&](Transaction& txn) { return Links::aid(txn, destination, who, id); }).text();
    };
    std::set<std::string> seen{aid(one, Destination::crm), aid(other, Destination::crm), aid(one, Destination::ops)};
    EXPECT_EQ(seen.size(), 3U);
    EXPECT_TRUE(seen.contains(aid(one, Destination::crm)));
    EXPECT_TRUE(seen.begin()->starts_with("a_"));
}

TEST_F(TheLinks, SequenceCountsForEachPatient) {
    const auto who = patient("1"), other = patient("2");
    const auto next = [&](PatientId id) {
        return in([&](Transaction& txn) { return Links::next_sequence(txn, Destination::crm, id); });
    };
    EXPECT_EQ(next(who), 1);
    EXPECT_EQ(next(who), 2);
    EXPECT_EQ(next(other), 1);
}

TEST_F(TheLinks, ContactIsKeptSealed) {
    const auto who = patient("1");
    EXPECT_EQ(contact(who), "");
    link(who, "CanaryContact9");
    EXPECT_EQ(contact(who), "CanaryContact9");
    const auto stored = in([&](Transaction& txn) -> Result<std::string> {
        auto row = txn.prepare("SELECT contact FROM link");
        if (!row) return row.error();
        CLINIC_TRY(row->step());
        return std::string{reinterpret_cast<const char*>(row->blob(0).data()), row->blob(0).size()};
    });
    EXPECT_EQ(stored.find("CanaryContact9"), std::string::npos);
    EXPECT_FALSE(tried([&](Transaction& txn) { return Links::set_contact(txn, who, "Anna Muster", Made::by_us); }));
    EXPECT_FALSE(tried([&](Transaction& txn) { return Links::set_contact(txn, who, "", Made::by_us); }));
}

// Served from memory: whatever statement changes them, and whoever is erased.
TEST_F(TheLinks, AreNeverServedAsTheyWereBefore) {
    const auto who = patient("1"), other = patient("2");
    const auto contact = [this](PatientId id) { return in([&](Transaction& txn) { return Links::contact(txn, id); }); };
    const auto run = [this](Literal sql, PatientId id) { in([&](Transaction& txn) { return execute(txn, sql, id); }); };
    EXPECT_EQ(contact(who), "");
    in([&](Transaction& txn) { return Links::set_contact(txn, who, "contact0000000000001", Made::by_us); });
    EXPECT_EQ(contact(who), "contact0000000000001");
    EXPECT_EQ(contact(who), "contact0000000000001");
    EXPECT_TRUE(in([&](Transaction& txn) { return Links::may_hold_a_shell(txn, who); }));
    run("UPDATE link SET shell = 0 WHERE patient = ?", who);
    EXPECT_FALSE(in([&](Transaction& txn) { return Links::may_hold_a_shell(txn, who); }));
    run("DELETE FROM link WHERE patient = ?", who);
    EXPECT_EQ(contact(who), "");
    const auto first = pid(who), others = pid(other);
    EXPECT_EQ(pid(who), first);
    run("DELETE FROM pseudonym WHERE patient = ?", who);
    EXPECT_NE(pid(who), first) << "a new one";
    EXPECT_EQ(pid(other), others);
    erase(other);
    EXPECT_FALSE(tried([&](Transaction& txn) { return Links::pid(txn, Destination::crm, other); }));
}

TEST_F(TheLinks, ServeTheSameRowsFromMemory) {
    const auto who = patient("1");
    in([&](Transaction& txn) { return Links::set_contact(txn, who, "contact0000000000001", Made::by_us); });
    const auto look = [&] {
        pid(who);
        in([&](Transaction& txn) { return Links::contact(txn, who); });
    };
    look(); // makes the pseudonym
    look();
    const auto before = store_->numbers();
    look();
    EXPECT_EQ(store_->numbers().cache_misses, before.cache_misses);
    EXPECT_EQ(store_->numbers().cache_hits, before.cache_hits + 2);
}

TEST_F(TheLinks, AnotherContactHoldsNothingFromUs) {
    const auto who = patient("1");
    link(who, "c1");
    push_contact(who);
    deliver(leased());
    EXPECT_NE(last_said(who, Kind::contact_state).content, "");
    link(who, "c1");
    EXPECT_NE(last_said(who, Kind::contact_state).content, "");
    link(who, "c2");
    EXPECT_EQ(last_said(who, Kind::contact_state).content, "");
    push_contact(who);
    EXPECT_FALSE(lease()->prior_tags);
}

TEST_F(TheLinks, SurvivorTakesOverTheContactItLacks) {
    const auto survivor = patient("1"), prior = patient("2");
    push_contact(survivor);
    EXPECT_FALSE(lease(false)) << "parked for want of a contact";
    link(prior, "c2");
    EXPECT_EQ(merged(survivor, prior), Merged::moved);
    EXPECT_EQ(contact(survivor), "c2");
    EXPECT_EQ(contact(prior), "");
    EXPECT_EQ(lease(false)->contact, "c2");
}

TEST_F(TheLinks, SurvivorWhoseOwnContactMayComeToLightTakesOverNone) {
    const auto survivor = patient("1"), prior = patient("2");
    const auto row = push_contact(survivor);
    leased();
    attempt(row, survivor, envelope::Route::contact_create);
    link(prior, "c2");
    EXPECT_EQ(merged(survivor, prior), Merged::both) << "its create is on its way";
    release_leases(row);
    EXPECT_EQ(merged(survivor, prior), Merged::both) << "or ended without an answer";
    EXPECT_EQ(contact(survivor), "");
    const auto again = lease();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->look_up_first);
    settle({.lease = row, .outcome = envelope::Outcome::retry, .code = "adopted", .contact = "c1", .steps = {}});
    EXPECT_EQ(contact(survivor), "c1");
    EXPECT_EQ(contact(prior), "c2");
}

TEST_F(TheLinks, MergeSaysWhatBecameOfTheContacts) {
    const auto one = patient("1"), other = patient("2");
    EXPECT_EQ(merged(one, other), Merged::none);
    link(one, "c1");
    EXPECT_EQ(merged(one, other), Merged::only_survivor);
    link(other, "c2");
    EXPECT_EQ(merged(one, other), Merged::both);
    EXPECT_EQ(contact(one), "c1");
    EXPECT_EQ(contact(other), "c2");
}

class TheLedger : public OutboxTest {
protected:
    std::vector<LedgerLine> lines() {
        return in([&](Transaction& txn) { return Ledger::lines(txn, 0, 100); });
    }
};

TEST_F(TheLedger, HoldsALineForEachAttempt) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    leased();
    const auto line = attempt(row, who, envelope::Route::contact_create);
    auto all = lines();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].attempt, line);
    EXPECT_EQ(all[0].lease, row);
    EXPECT_EQ(all[0].at, clock_.now());
    EXPECT_EQ(all[0].route, envelope::Route::contact_create);
    EXPECT_EQ(all[0].result, "open");
    const std::string_view sent = "POST /contacts/\n{}";
    EXPECT_EQ(all[0].digest, crypto::hex(crypto::digest(std::as_bytes(std::span{sent}))));
    settle({.lease = row, .contact = "c1", .steps = {{line, envelope::StepOutcome::Result::answered, 201}}});
    all = lines();
    EXPECT_EQ(all[0].result, "answered");
    EXPECT_EQ(all[0].status, 201);
}

TEST_F(TheLedger, LineIsClosedByItsOwnLeaseAlone) {
    const auto one = patient("1"), other = patient("2");
    const auto row = push_contact(one);
    push_contact(other);
    leased();
    const auto second = leased();
    const auto line = attempt(row, one, envelope::Route::contact_create);
    settle({.lease = second, .contact = "c2", .steps = {{line, envelope::StepOutcome::Result::not_sent, 0}}});
    EXPECT_EQ(lines()[0].result, "open");
}

TEST_F(TheLedger, SettlesAReadThatServesNoEnvelope) {
    const auto line = in([&](Transaction& txn) {
        return Ledger::open_line(txn, std::nullopt, {0, envelope::Route::location_read, "/locations/x", ""}, "open");
    });
    EXPECT_TRUE(settle({.lease = 0, .contact = "", .steps = {{line, envelope::StepOutcome::Result::answered, 200}}}));
    EXPECT_EQ(lines()[0].result, "answered");
}

TEST_F(TheLedger, KeepsItsLinesForTheirLifeAndNoLonger) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    leased();
    attempt(row, who, envelope::Route::contact_create);
    clock_.set(clock_.now() + std::chrono::hours{24 * 100}); // a clock that ran ahead for one line
    attempt(row, who, envelope::Route::contact_search);
    clock_.set(clock_.now() - std::chrono::hours{24 * 90});
    attempt(row, who, envelope::Route::contact_search);
    const auto purge = [&](int days, int most) {
        return in([&](Transaction& txn) {
            return Ledger::purge_before(txn, txn.now() - base::Micros{std::chrono::hours{24 * days}}, most);
        });
    };
    EXPECT_EQ(purge(10, 10), 0);
    EXPECT_EQ(purge(9, 10), 1) << "the oldest; the younger one behind the odd line is not reached";
    clock_.advance(std::chrono::hours{24 * 200});
    EXPECT_EQ(purge(1, 1), 1) << "a slice at a time";
    EXPECT_EQ(purge(1, 10), 1);
    EXPECT_TRUE(lines().empty());
    EXPECT_GE(ledger_life_days, 6 * 365 + 2);
}

TEST_F(TheLedger, KeepsWhatWasAskedForNobodyForItsOwnLife) {
    const auto who = patient("1");
    const auto row = push_contact(who);
    leased();
    const auto read = [&] {
        in([&](Transaction& txn) {
            return Ledger::open_line(txn, std::nullopt, {0, envelope::Route::location_read, "/locations/x", ""},
                                     "open");
        });
    };
    read();
    attempt(row, who, envelope::Route::contact_create);
    read();
    clock_.advance(std::chrono::hours{24 * 10});
    read();
    const auto purge = [&](int days, int most) {
        return in([&](Transaction& txn) {
            return Ledger::purge_reads_before(txn, txn.now() - base::Micros{std::chrono::hours{24 * days}}, most);
        });
    };
    EXPECT_EQ(purge(11, 10), 0);
    EXPECT_EQ(purge(9, 1), 1) << "a slice at a time";
    EXPECT_EQ(purge(9, 10), 1);
    EXPECT_EQ(purge(9, 10), 0);
    ASSERT_EQ(lines().size(), 2U) << "the envelope's, and the younger read";
    EXPECT_EQ(lines()[0].lease, row);
}

TEST_F(TheLedger, IsFoundByPatientUntilTheKeyIsErased) {
    const auto who = patient("1"), other = patient("2");
    const auto row = push_contact(who);
    leased();
    attempt(row, who, envelope::Route::contact_create);
    const auto about = [&](PatientId id) {
        return tried([&](Transaction& txn) { return Ledger::lines_about(txn, id, 0, 10); });
    };
    EXPECT_EQ(about(who)->size(), 1U);
    EXPECT_EQ(about(other)->size(), 0U);
    erase(who);
    EXPECT_FALSE(about(who));
    EXPECT_EQ(lines().size(), 1U) << "the line itself stays";
}

} // namespace
} // namespace clinic::outbox
