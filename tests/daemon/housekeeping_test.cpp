// What comes due by itself, on the real store, with a clock that is told.
#include "daemon/housekeeping.h"

#include <gtest/gtest.h>

#include <chrono>

#include "daemon/intake/feed_books.h"
#include "daemon/records/quarantine.h"
#include "daemon/records/seen.h"
#include "daemon/retention.h"
#include "tests/daemon/release/clinic.h"
#include "tests/fakes/eventually.h"

namespace clinic::daemon {
namespace {

using namespace std::chrono_literals;
using fakes::eventually;
using records::ConsentScope;
using records::ConsentState;
using release::testing::one_day;
using Kinds = std::vector<std::string>;

class HousekeepingTest : public testing::Test {
protected:
    void SetUp() override {
        setenv("TZ", "UTC", 1);
        tzset();
        health.attach(*clinic.store);
        clinic.set_basis(release::Basis::baa);
    }
    void TearDown() override {
        housekeeping.reset();
        health.detach();
    }
    // clinic-syncd's word, which lasts some seconds of this clock.
    void trust_the_clock() {
        envelope::TimeState said;
        said.kernel_synchronised = true;
        health.lanes(said);
        ASSERT_TRUE(health.clock_trusted());
    }
    void start() {
        housekeeping = std::make_unique<Housekeeping>(*clinic.store, clinic.releaser, *feeds, health, clinic.clock);
        housekeeping->start();
    }
    std::string last_walk() {
        std::string walk;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto stored = records::setting(session, "last_walk");
            CLINIC_TRY(stored);
            walk = stored->value_or("");
            return {};
        }));
        return walk;
    }
    std::int64_t count(Literal sql) {
        std::int64_t rows = -1;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            auto find = session.prepare(sql);
            CLINIC_TRY(find);
            CLINIC_TRY(find->step());
            rows = find->integer(0);
            return {};
        }));
        return rows;
    }
    void keep_old_things() {
        clinic.write([](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(records::quarantine(txn, "mllp", Error{Errc::malformed, "unreadable"}, "MSH|"));
            return records::remember_seen(txn, {"APP|FAC", "1", ""}, {}, "AA");
        });
    }

    release::testing::Clinic clinic;
    fakes::TempFolder folder;
    health::Health health{{.box = "box-1", .version = "0.1.0", .records = folder.path()}, clinic.clock};
    std::shared_ptr<intake::Feeds> feeds = *intake::Feeds::make({});
    std::unique_ptr<Housekeeping> housekeeping;
};

TEST_F(HousekeepingTest, AConsentThatEndsIsTakenBackByItself) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.consent(patient, ConsentScope::crm_sync, ConsentState::granted, clinic.in_days(1));
    ASSERT_EQ(clinic.deliver_kinds(), Kinds{"contact.state"});
    clinic.clock.advance(one_day * 2);
    trust_the_clock();
    start();
    ASSERT_TRUE(eventually([&] { return clinic.books().pending == 1; }));
    EXPECT_EQ(clinic.deliver_kinds(), Kinds{"contact.suppress"});
}

TEST_F(HousekeepingTest, ADayIsWalkedOnceAndThenWhatIsPastItsLifeGoes) {
    keep_old_things();
    clinic.clock.advance(one_day * 31);
    trust_the_clock();
    start();
    ASSERT_TRUE(eventually([&] { return last_walk() == "2026-12-22 baa"; })) << last_walk();
    EXPECT_EQ(count("SELECT count(*) FROM quarantine"), 0);
    EXPECT_EQ(count("SELECT count(*) FROM seen_message"), 0);
}

TEST_F(HousekeepingTest, ALetterThatIsDeadForTooLongIsDiscardedWithAnEntry) {
    clinic.add("N1", "Quillfeather");
    clinic.write([](records::Transaction& txn) -> Result<void> {
        const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
        CLINIC_TRY(lease);
        return outbox::Outbox::kill(txn, (*lease)->lease, "http_422");
    });
    ASSERT_EQ(clinic.books().dead, 1);
    const auto entries = clinic.audit_entries();
    clinic.clock.advance(one_day * (outbox::dead_life_days + 1));
    trust_the_clock();
    start();
    ASSERT_TRUE(eventually([&] { return clinic.books().discarded == 1; }));
    EXPECT_EQ(clinic.books().dead, 0);
    EXPECT_GT(clinic.audit_entries(), entries);
}

// A clinic whose template keeps them longer, or shorter.
TEST_F(HousekeepingTest, KeepsThingsForAsLongAsTheTemplateSays) {
    clinic.add("N1", "Quillfeather");
    clinic.write([](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(set_retention(txn, {.quarantine_days = 7, .dead_letter_days = 200, .ledger_years = 7}));
        EXPECT_EQ(set_retention(txn, {.quarantine_days = 31}).error().code, Errc::malformed);
        EXPECT_EQ(set_retention(txn, {.ledger_years = 5}).error().code, Errc::malformed);
        const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
        CLINIC_TRY(lease);
        CLINIC_TRY(
            outbox::Ledger::open_line(txn, std::nullopt, {.lease = (*lease)->lease, .path = "/contacts/"}, "held"));
        return outbox::Outbox::kill(txn, (*lease)->lease, "http_422");
    });
    keep_old_things();
    const auto walked_after = [&](std::int64_t days) {
        housekeeping.reset();
        clinic.clock.advance(one_day * days);
        trust_the_clock();
        const auto before = last_walk();
        start();
        return eventually([&] { return last_walk() != before; });
    };
    ASSERT_TRUE(walked_after(8));
    EXPECT_EQ(count("SELECT count(*) FROM quarantine"), 0) << "after seven days";
    ASSERT_TRUE(walked_after(outbox::dead_life_days));
    EXPECT_EQ(clinic.books().dead, 1) << "not after ninety";
    ASSERT_TRUE(walked_after(200));
    EXPECT_EQ(clinic.books().dead, 0);
    ASSERT_TRUE(walked_after(outbox::ledger_life_days - 250));
    EXPECT_EQ(count("SELECT count(*) FROM ledger"), 1) << "not after six years";
    ASSERT_TRUE(walked_after(366));
    EXPECT_EQ(count("SELECT count(*) FROM ledger"), 0);
}

TEST_F(HousekeepingTest, ALedgerLineGoesAfterItsLife) {
    for (const std::int64_t lease : {0, 1})
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const envelope::Attempt attempt{.lease = lease, .path = "/locations/LOC1"};
            const auto line = outbox::Ledger::open_line(txn, std::nullopt, attempt, "open");
            CLINIC_TRY(line);
            return outbox::Ledger::close_line(
                txn, {.attempt = *line, .result = envelope::StepOutcome::Result::answered, .status = 200});
        });
    clinic.clock.advance(one_day * (outbox::ledger_read_life_days + 1));
    trust_the_clock();
    start();
    EXPECT_TRUE(eventually([&] { return count("SELECT count(*) FROM ledger WHERE lease = 0") == 0; }));
    EXPECT_EQ(count("SELECT count(*) FROM ledger"), 1) << "an envelope's is kept for six years";
    housekeeping.reset();
    clinic.clock.advance(one_day * outbox::ledger_life_days);
    trust_the_clock();
    start();
    EXPECT_TRUE(eventually([&] { return count("SELECT count(*) FROM ledger") == 0; }));
}

// Nothing expires by a clock that is not trusted; it is taken up as soon as that is.
TEST_F(HousekeepingTest, AnUntrustedClockWalksNobodyAndDeletesNothing) {
    keep_old_things();
    clinic.clock.advance(one_day * 31);
    start();
    housekeeping->request_walk();
    ASSERT_TRUE(housekeeping->re_release()); // its own thread has begun by then
    EXPECT_EQ(last_walk(), "");
    EXPECT_EQ(count("SELECT count(*) FROM quarantine"), 1);
    trust_the_clock();
    EXPECT_TRUE(eventually([&] { return !last_walk().empty(); }));
}

// After the look's own question whether the clock is trusted, and before anything has been deleted by it.
TEST_F(HousekeepingTest, AClockThatStepsInAWalkDeletesNothing) {
    clinic.releaser.ask_clock([this] { return health.clock_trusted(); });
    clinic.add("N1", "Quillfeather");
    clinic.write([](records::Transaction& txn) -> Result<void> {
        const auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, true, {});
        CLINIC_TRY(lease);
        for (const std::int64_t of : {std::int64_t{0}, (*lease)->lease})
            CLINIC_TRY(outbox::Ledger::open_line(txn, std::nullopt, {.lease = of, .path = "/contacts/"}, "held"));
        return outbox::Outbox::kill(txn, (*lease)->lease, "http_422");
    });
    keep_old_things();
    trust_the_clock();
    const auto revoked = clinic.add("N2", "Wrenwhistle");
    clinic.deliver();
    // Said to the patient's row alone: the walk's finding it is the look's first change.
    clinic.write([&](records::Transaction& txn) {
        return records::record_consent(
            txn, revoked, {ConsentScope::crm_sync, ConsentState::revoked, clinic.clock.now(), {}}, clinic.stamp());
    });
    const Timestamp right = clinic.clock.now();
    clinic.store->on_change([&] { clinic.clock.set(right + one_day * 36'525); });
    housekeeping = std::make_unique<Housekeeping>(*clinic.store, clinic.releaser, *feeds, health, clinic.clock);
    EXPECT_TRUE(housekeeping->look(false));
    clinic.store->on_change({});
    ASSERT_FALSE(health.clock_trusted()) << "the walk changed something";
    EXPECT_EQ(clinic.books().dead, 1);
    EXPECT_EQ(count("SELECT count(*) FROM ledger"), 2);
    EXPECT_EQ(count("SELECT count(*) FROM quarantine"), 1);
    EXPECT_EQ(count("SELECT count(*) FROM seen_message"), 1);
    EXPECT_EQ(last_walk(), "") << "it is made again";
    clinic.clock.set(right);
    trust_the_clock();
    EXPECT_TRUE(housekeeping->look(false));
    EXPECT_EQ(clinic.books().dead, 1);
    EXPECT_EQ(last_walk(), "2026-11-21 baa");
}

// A, then B, and A again before a walk has ended: to the next start it looks as if nothing had changed.
TEST_F(HousekeepingTest, AWalkThatAChangeComesIntoIsMadeAgainAlsoAfterAStart) {
    clinic.add("N1", "Quillfeather");
    trust_the_clock();
    housekeeping = std::make_unique<Housekeeping>(*clinic.store, clinic.releaser, *feeds, health, clinic.clock);
    ASSERT_TRUE(housekeeping->look(false));
    ASSERT_EQ(last_walk(), "2026-11-21 baa");
    clinic.write([&](records::Transaction& txn) { return housekeeping->want_walk(txn); });
    EXPECT_TRUE(housekeeping->look(true)); // in which it came
    EXPECT_EQ(last_walk(), "");
    housekeeping = std::make_unique<Housekeeping>(*clinic.store, clinic.releaser, *feeds, health, clinic.clock);
    EXPECT_TRUE(housekeeping->look(false));
    EXPECT_EQ(last_walk(), "2026-11-21 baa");
}

// A box that boots with the date of ten years ahead takes messages in, and then the time comes right.
TEST_F(HousekeepingTest, WhatAClockAheadHasDatedIsOfNowOnceItIsRight) {
    const Timestamp right = clinic.clock.now();
    const auto take_in = [&](Timestamp at) {
        clinic.clock.set(at);
        keep_old_things();
        clinic.write(
            [](records::Transaction& txn) { return intake::book_message(txn, "pms", intake::Booked::quarantined); });
    };
    const auto dated = [&](Timestamp at) {
        bool all = true;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto items = records::quarantined(session, 0, 1);
            CLINIC_TRY(items);
            all = items->front().received_at == at;
            for (const char* feed : {"mllp", "mllp/pms"}) {
                const auto counts = intake::feed_counts(session, std::string_view{feed});
                CLINIC_TRY(counts);
                all = all && counts->last_at == at;
            }
            return {};
        }));
        return all;
    };
    housekeeping = std::make_unique<Housekeeping>(*clinic.store, clinic.releaser, *feeds, health, clinic.clock);
    const Timestamp ahead = right + one_day * 3'653;
    take_in(ahead);
    clinic.clock.set(right);
    clinic.releaser.set_clock_trusted(false);
    EXPECT_TRUE(housekeeping->look(false));
    EXPECT_TRUE(dated(ahead)) << "nobody knows yet which of the two is right";
    clinic.releaser.set_clock_trusted(true);
    trust_the_clock();
    EXPECT_TRUE(housekeeping->look(false));
    EXPECT_TRUE(dated(right));
    take_in(right + 5min);
    clinic.clock.set(right);
    EXPECT_TRUE(housekeeping->look(false));
    EXPECT_TRUE(dated(right + 5min)) << "a small correction changes nothing";
    clinic.clock.advance(one_day * 31);
    trust_the_clock();
    EXPECT_TRUE(housekeeping->look(false));
    EXPECT_EQ(count("SELECT count(*) FROM quarantine"), 0);
}

TEST_F(HousekeepingTest, AnExpectationOfAClockAheadCountsFromNowOnceItIsRight) {
    const Timestamp right = clinic.clock.now();
    intake::FeedSettings pms{.name = "pms", .addresses = {"192.0.2.1"}};
    pms.expected = {.within = 2h, .since = right + one_day * 3'653};
    clinic.write([&](records::Transaction& txn) { return feeds->put(txn, pms); });
    housekeeping = std::make_unique<Housekeeping>(*clinic.store, clinic.releaser, *feeds, health, clinic.clock);
    trust_the_clock();
    EXPECT_TRUE(housekeeping->look(false));
    const auto table = feeds->table();
    const auto& expected = table->named("pms")->expected;
    EXPECT_EQ(expected.since, right);
    EXPECT_FALSE(intake::is_silent(expected, {}, right + 2h));
    EXPECT_TRUE(intake::is_silent(expected, {}, right + 2h + 1s));
    clinic.write([&](records::Transaction& txn) { return records::set_setting(txn, "feeds", "not a list"); });
    EXPECT_TRUE(housekeeping->look(false)) << "what else comes due does";
}

TEST_F(HousekeepingTest, AWalkThatIsAskedForIsMadeOnADayThatWasWalked) {
    const auto patient = clinic.add("N1", "Quillfeather");
    clinic.deliver();
    trust_the_clock();
    start();
    ASSERT_TRUE(eventually([&] { return !last_walk().empty(); }));
    // Said to the patient's row alone, so that only a walk can find it.
    clinic.write([&](records::Transaction& txn) {
        return records::record_consent(
            txn, patient, {ConsentScope::crm_sync, ConsentState::revoked, clinic.clock.now(), {}}, clinic.stamp());
    });
    EXPECT_EQ(clinic.books().pending, 0);
    housekeeping->request_walk();
    EXPECT_TRUE(eventually([&] { return clinic.books().pending == 1; }));
}

TEST_F(HousekeepingTest, AnotherBasisIsAReasonForAWalk) {
    release::Policy policy;
    policy.basis = release::Basis::baa;
    policy.basis_expires = clinic.clock.now() + one_day / 2;
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.set_policy(txn, policy); });
    clinic.add("N1", "Quillfeather");
    clinic.deliver();
    trust_the_clock();
    start();
    ASSERT_TRUE(eventually([&] { return last_walk() == "2026-11-21 baa"; }));
    clinic.clock.advance(one_day / 2 + 1s);
    trust_the_clock();
    housekeeping.reset(); // the next look comes with the next minute, or the next start
    start();
    ASSERT_TRUE(eventually([&] { return last_walk() == "2026-11-21 off"; }));
    EXPECT_EQ(clinic.books().pending, 1) << "what was said is taken back";
}

TEST_F(HousekeepingTest, NoWalkBeginsOnceItWasToldToStop) {
    start();
    housekeeping->request_stop();
    const auto walked = housekeeping->re_release();
    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, Errc::offline);
}

} // namespace
} // namespace clinic::daemon
