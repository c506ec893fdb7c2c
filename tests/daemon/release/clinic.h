// A small clinic on the real store, with a lane that delivers everything it may.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/audit/trail.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/appointments.h"
#include "daemon/records/consents.h"
#include "daemon/records/patients.h"
#include "daemon/release/releaser.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/statements/statements.h"

namespace clinic::release::testing {

inline constexpr base::Micros one_day{86'400'000'000};

class Clinic {
public:
    explicit Clinic(outbox::Coalesce coalesce = {}) : releaser{clock, coalesce} {
        EXPECT_TRUE(crypto::start());
        auto opened = records::Store::open({.folder = folder_ / "records", .make = true},
                                           crypto::KeySlot::from_key(crypto::SecureBytes::random(32)), clock);
        EXPECT_TRUE(opened);
        store = std::move(*opened);
        releaser.set_clock_trusted(true);
    }
    ~Clinic() {
        if (store) statements::expect_known(*store);
    }

    void write(const records::Store::Job& job) {
        const auto done = store->write(job);
        ASSERT_TRUE(done) << done.error().what.c_str();
    }

    // Changes the basis and walks everybody, as `clinicctl basis set` does.
    void set_basis(Basis basis, std::optional<Timestamp> expires = std::nullopt) {
        Policy policy;
        policy.basis = basis;
        policy.basis_expires = expires;
        write([&](records::Transaction& txn) { return releaser.set_policy(txn, policy); });
        walk();
    }

    void walk() {
        std::optional<records::PatientId> after;
        do {
            write([&](records::Transaction& txn) -> Result<void> {
                auto next = releaser.re_release(txn, after, 2);
                if (!next) return next.error();
                after = *next;
                return {};
            });
        } while (after);
    }

    records::PatientId add(std::string_view number, std::string_view family, bool test_traffic = false,
                           std::optional<bool> active = std::nullopt) {
        records::PatientId id;
        clock.advance(between);
        write([&](records::Transaction& txn) -> Result<void> {
            auto why = disclose(txn);
            if (!why) return why.error();
            records::PatientChange change;
            change.identifiers.push_back({"CLINIC", "MR", records::PhiText{std::string{number}}});
            change.active = active;
            change.family = records::Said<records::PhiText>::given(records::PhiText{std::string{family}});
            std::vector<records::PhiText> phones;
            phones.emplace_back("+1 555 010 2030");
            change.phones = records::Said<std::vector<records::PhiText>>::given(std::move(phones));
            auto upserted = records::upsert_patient(txn, *why, change, stamp(), test_traffic);
            if (!upserted) return upserted.error();
            id = upserted->id;
            return releaser.changed(txn, id, std::nullopt);
        });
        return id;
    }

    records::AppointmentId book(records::PatientId patient, std::string_view key, Timestamp start,
                                records::AppointmentStatus status = records::AppointmentStatus::booked) {
        records::AppointmentId id;
        clock.advance(between);
        write([&](records::Transaction& txn) -> Result<void> {
            auto why = disclose(txn);
            if (!why) return why.error();
            records::AppointmentChange change;
            change.key = records::PhiText{std::string{key}};
            change.name_space = "CLINIC";
            change.status = status;
            change.start = start;
            auto upserted = records::upsert_appointment(txn, *why, patient, change, stamp(), false);
            if (!upserted) return upserted.error();
            id = upserted->id;
            return releaser.changed(txn, patient, id);
        });
        return id;
    }

    void consent(records::PatientId patient, records::ConsentScope scope, records::ConsentState state,
                 std::optional<Timestamp> expires = std::nullopt) {
        clock.advance(between);
        write([&](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(records::record_consent(txn, patient, {scope, state, clock.now(), expires}, stamp()));
            return releaser.consent_changed(txn, patient, scope);
        });
    }

    void merge(records::PatientId survivor, records::PatientId prior) {
        write([&](records::Transaction& txn) -> Result<void> {
            auto why = disclose(txn);
            if (!why) return why.error();
            CLINIC_TRY(records::merge_patients(txn, *why, survivor, prior));
            return releaser.merged(txn, survivor, prior);
        });
    }

    // Leases and delivers until nothing is due; what was delivered, in order. Asks at each attempt, as egress does.
    std::vector<envelope::MetadataEnvelope> deliver(bool may_create = true) {
        std::vector<envelope::MetadataEnvelope> delivered;
        while (true) {
            bool any = false;
            write([&](records::Transaction& txn) -> Result<void> {
                auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, may_create, {});
                if (!lease) return lease.error();
                if (!*lease) return {};
                any = true;
                const auto open = outbox::Outbox::leased(txn, (*lease)->lease);
                CLINIC_TRY(open);
                std::vector<std::optional<Because>> because;
                for (const auto& one : *open) {
                    auto still = releaser.still_allowed(txn, one, (*lease)->create);
                    if (!still) return still.error();
                    because.push_back(*still);
                }
                if (std::ranges::any_of(because, &std::optional<Because>::has_value)) return stop(txn, *open, because);
                envelope::Settle outcome;
                outcome.lease = (*lease)->lease;
                const bool is_beside = envelope::is_beside((*lease)->envelope->kind());
                if ((*lease)->create && is_beside) outcome.object = "object" + std::to_string(++objects_);
                if ((*lease)->create && !is_beside) outcome.contact = "contact" + std::to_string(++contacts_);
                for (const auto& one : *open) delivered.push_back(one.envelope);
                auto settled = outbox::Outbox::settle(txn, outcome);
                return settled ? Result<void>{} : settled.error();
            });
            if (!any) return delivered;
        }
    }

    // What of a lease may not go stays; the rest goes by itself.
    static Result<void> stop(records::Transaction& txn, const std::vector<outbox::Leased>& lease,
                             const std::vector<std::optional<Because>>& because) {
        for (std::size_t i = 0; i < lease.size(); ++i) {
            if (!because[i])
                CLINIC_TRY(outbox::Outbox::put_off(txn, lease[i].row, {}, ""));
            else if (*because[i] == Because::clock_untrusted)
                CLINIC_TRY(outbox::Outbox::park(txn, lease[i].row, "clock"));
            else
                CLINIC_TRY(outbox::Outbox::withdraw_lease(txn, lease[i].row, name(*because[i]).c_str()));
        }
        return {};
    }

    TakenBack take_back(records::PatientId patient) {
        TakenBack taken{};
        write([&](records::Transaction& txn) -> Result<void> {
            const auto answer = releaser.take_back(txn, patient);
            CLINIC_TRY(answer);
            taken = *answer;
            return {};
        });
        return taken;
    }
    std::vector<std::string> deliver_kinds() {
        std::vector<std::string> kinds;
        for (const auto& envelope : deliver()) kinds.emplace_back(envelope::name(envelope.kind()));
        return kinds;
    }

    outbox::Books books() {
        outbox::Books out;
        const auto read = store->read([&](records::Snapshot& snapshot) -> Result<void> {
            auto books = outbox::Outbox::books(snapshot, envelope::Destination::crm);
            if (!books) return books.error();
            out = *books;
            return {};
        });
        EXPECT_TRUE(read);
        EXPECT_TRUE(out.balanced());
        return out;
    }

    std::int64_t audit_entries() {
        std::int64_t entries = 0;
        EXPECT_TRUE(store->read([&](records::Snapshot& snapshot) -> Result<void> {
            auto verified = audit::Trail::verify(snapshot);
            if (!verified) return verified.error();
            entries = verified->entries;
            return {};
        }));
        return entries;
    }

    Timestamp in_days(int days) const { return clock.now() + one_day * days; }
    records::Stamp stamp() const { return {"TEST|CLINIC", clock.now()}; }

    static Result<records::Disclosure> disclose(records::Transaction& txn) {
        return audit::Trail::append(
            txn, {.actor = audit::Actor::feed, .action = audit::Action::update, .purpose = audit::Purpose::treatment});
    }

private:
    fakes::TempFolder folder_;
    int contacts_ = 0, objects_ = 0;

public:
    fakes::ManualClock clock;
    base::Micros between{1'000'000}; // each message is said later than the one before
    std::unique_ptr<records::Store> store;
    Releaser releaser;
};

} // namespace clinic::release::testing
