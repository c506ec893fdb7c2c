// A store with patients in it, and short ways to queue, lease and settle.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/secure_bytes.h"
#include "daemon/audit/trail.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/patients.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/statements/statements.h"

namespace clinic::outbox {

using envelope::Destination;
using envelope::Field;
using envelope::Kind;
using envelope::MetadataEnvelope;
using envelope::Pseudonym;
using envelope::Stage;
using envelope::Word;
using records::PatientId;
using records::Transaction;
using std::chrono::milliseconds;
using std::chrono::seconds;

class OutboxTest : public testing::Test {
protected:
    void SetUp() override {
        crypto::start();
        open();
    }
    void TearDown() override {
        if (store_) statements::expect_known(*store_);
    }

    void open() {
        store_.reset();
        const std::string key(32, 'k');
        const auto slot = crypto::KeySlot::from_key(crypto::SecureBytes::copy_of(std::as_bytes(std::span{key})));
        auto opened = records::Store::open({.folder = folder_ / "records", .make = true}, slot, clock_);
        ASSERT_TRUE(opened) << opened.error().what.c_str();
        store_ = std::move(*opened);
    }

    // Runs in a transaction of its own; a failure is the test's.
    template <class Step>
    auto in(Step step) {
        using Value = typename decltype(step(std::declval<Transaction&>()))::value_type;
        auto made = tried(step);
        EXPECT_TRUE(made) << (made ? "" : made.error().what.c_str());
        if constexpr (!std::is_void_v<Value>) return std::move(*made);
    }
    template <class Step>
    auto tried(Step step) {
        using Value = typename decltype(step(std::declval<Transaction&>()))::value_type;
        std::conditional_t<std::is_void_v<Value>, bool, std::unique_ptr<Value>> made{};
        const auto written = store_->write([&](Transaction& txn) -> Result<void> {
            auto result = step(txn);
            if (!result) return result.error();
            if constexpr (!std::is_void_v<Value>) made = std::make_unique<Value>(std::move(*result));
            return {};
        });
        if (!written) return Result<Value>{written.error()};
        if constexpr (std::is_void_v<Value>)
            return Result<void>{};
        else
            return Result<Value>{std::move(*made)};
    }

    PatientId patient(const std::string& number) {
        return in([&](Transaction& txn) -> Result<PatientId> {
            const auto why = audit::Trail::append(
                txn,
                {.actor = audit::Actor::feed, .action = audit::Action::create, .purpose = audit::Purpose::treatment});
            CLINIC_TRY(why);
            records::PatientChange change;
            change.identifiers.push_back({"HOSP", "MR", records::PhiText{number}});
            const auto made = records::upsert_patient(txn, *why, change, {"APP|FAC", txn.now()}, false);
            CLINIC_TRY(made);
            return made->id;
        });
    }
    void erase(PatientId who) {
        in([&](Transaction& txn) -> Result<void> {
            const auto why = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                        .action = audit::Action::erase,
                                                        .purpose = audit::Purpose::security});
            CLINIC_TRY(why);
            return records::erase_patient(txn, *why, who, [&](PatientId one) { return Outbox::erase(txn, one); });
        });
    }

    MetadataEnvelope begun(Transaction& txn, PatientId who, Kind kind) {
        MetadataEnvelope envelope{kind};
        envelope.put(Field::mid, Pseudonym::random('m')).put_site("s_0123456789");
        envelope.put(Field::pid, *Links::pid(txn, Destination::crm, who));
        envelope.put_sequence(*Links::next_sequence(txn, Destination::crm, who));
        return envelope;
    }
    MetadataEnvelope contact_state(Transaction& txn, PatientId who, Stage stage, const std::vector<Word>& tags = {}) {
        return begun(txn, who, Kind::contact_state)
            .put(Field::stage, stage)
            .put(Field::tags, tags)
            .put(Field::channel, envelope::Channel::sms)
            .put(Field::last, envelope::TimeBucket{})
            .put(Field::next, envelope::TimeBucket{});
    }
    MetadataEnvelope appt_state(Transaction& txn, PatientId who, envelope::ApptStatus status) {
        return begun(txn, who, Kind::appt_state)
            .put(Field::aid, *Links::aid(txn, Destination::crm, who, records::AppointmentId::make(txn.now())))
            .put(Field::status, status)
            .put(Field::visit, envelope::Visit::other)
            .put(Field::when, envelope::Bucket::d3_7);
    }
    MetadataEnvelope consent_state(Transaction& txn, PatientId who, envelope::Scope scope) {
        return begun(txn, who, Kind::consent_state)
            .put(Field::scope, scope)
            .put(Field::state, envelope::Grant::granted)
            .put_revision(1);
    }
    MetadataEnvelope suppress(Transaction& txn, PatientId who) {
        return begun(txn, who, Kind::contact_suppress).put(Field::reason, envelope::Reason::revoked);
    }
    MetadataEnvelope merge(Transaction& txn, PatientId who, PatientId prior) {
        return begun(txn, who, Kind::contact_merge).put(Field::old, *Links::pid(txn, Destination::crm, prior));
    }

    template <class Make>
    std::int64_t push(PatientId who, Make make, std::optional<std::string_view> parked = std::nullopt) {
        return in(
            [&](Transaction& txn) { return Outbox::push(txn, Destination::crm, who, make(txn), parked, coalesce_); });
    }
    std::int64_t push_contact(PatientId who, Stage stage = Stage::active, const std::vector<Word>& tags = {}) {
        return push(who, [&](Transaction& txn) { return contact_state(txn, who, stage, tags); });
    }
    std::int64_t push_appt(PatientId who, envelope::ApptStatus status = envelope::ApptStatus::booked) {
        return push(who, [&](Transaction& txn) { return appt_state(txn, who, status); });
    }
    std::int64_t push_suppress(PatientId who) {
        return push(who, [&](Transaction& txn) { return suppress(txn, who); });
    }

    std::optional<envelope::Lease> lease(bool may_create = true) {
        return in([&](Transaction& txn) { return Outbox::lease(txn, Destination::crm, may_create, unsure_for); });
    }
    // The number of the lease; 0: nothing was due.
    std::int64_t leased(bool may_create = true) {
        const auto got = lease(may_create);
        return got ? got->lease : 0;
    }
    bool settle(const envelope::Settle& outcome) {
        return in([&](Transaction& txn) { return Outbox::settle(txn, outcome); }).known;
    }
    bool deliver(std::int64_t lease, const std::string& contact = "") {
        return settle({.lease = lease, .outcome = envelope::Outcome::delivered, .contact = contact, .steps = {}});
    }
    bool retry(std::int64_t lease, int after_ms, bool counts = false, const std::string& code = "throttled") {
        return settle({.lease = lease,
                       .outcome = envelope::Outcome::retry,
                       .code = code,
                       .retry_after_ms = after_ms,
                       .counts_against = counts,
                       .contact = "",
                       .steps = {}});
    }
    std::int64_t attempt(std::int64_t lease, PatientId who, envelope::Route route) {
        return in([&](Transaction& txn) {
            return Ledger::open_line(txn, who, {lease, route, "/contacts/", "{}"}, "open");
        });
    }
    void close(std::int64_t line, envelope::StepOutcome::Result result, int status) {
        in([&](Transaction& txn) { return Ledger::close_line(txn, {line, result, status}); });
    }
    void link(PatientId who, const std::string& contact) {
        in([&](Transaction& txn) { return Links::set_contact(txn, who, contact, Made::by_us); });
    }
    std::string contact(PatientId who) {
        return in([&](Transaction& txn) { return Links::contact(txn, who); });
    }
    LastSaid last_said(PatientId who, Kind kind, std::optional<envelope::Scope> scope = std::nullopt) {
        return in([&](Transaction& txn) { return Outbox::last_said(txn, Destination::crm, who, kind, scope); });
    }
    void release_leases(std::optional<std::int64_t> lease = std::nullopt) {
        in([&](Transaction& txn) { return Outbox::release_leases(txn, lease); });
    }
    Books books() {
        return in([&](Transaction& txn) { return Outbox::books(txn, Destination::crm); });
    }
    // What stands in the table itself, beside the books.
    std::int64_t rows_in(State state) {
        return in([&](Transaction& txn) -> Result<std::int64_t> {
            auto count = txn.prepare("SELECT count(*) FROM outbox WHERE state = ?");
            if (!count) return count.error();
            CLINIC_TRY(count->bind(static_cast<int>(state)).step());
            return count->integer(0);
        });
    }
    void expect_books() {
        const Books now = books();
        EXPECT_TRUE(now.balanced());
        EXPECT_EQ(now.pending, rows_in(State::pending));
        EXPECT_EQ(now.leased, rows_in(State::leased));
        EXPECT_EQ(now.parked, rows_in(State::parked));
        EXPECT_EQ(now.dead, rows_in(State::dead));
        for (const State state : {State::delivered, State::superseded, State::withdrawn, State::discarded})
            EXPECT_EQ(rows_in(state), 0);
    }

    static constexpr milliseconds unsure_for{60'000};
    Coalesce coalesce_; // as a test sets it: each change is a write of its own
    fakes::TempFolder folder_;
    fakes::ManualClock clock_;
    std::unique_ptr<records::Store> store_;
};

} // namespace clinic::outbox
