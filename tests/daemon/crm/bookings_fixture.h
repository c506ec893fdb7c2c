// Bookings in GHL beside the clinic's appointments, as both sides come to differ.
#pragma once

#include <gmock/gmock.h>

#include "daemon/crm/bookings.h"
#include "daemon/crm/repair.h"
#include "daemon/outbox/beside.h"
#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {

using envelope::Booking;
using records::AppointmentStatus;

class BookingsInGhl : public Crm {
protected:
    static constexpr const char* theirs = "GHLappt1";

    void SetUp() override {
        Crm::SetUp();
        allow({.told = true});
    }
    void allow(release::BookingOptions options) { clinic.releaser.tell_bookings(options, find_booking); }

    // What was told of bookings: "confirmed", or "new@0+2" with its time as quarters from `at_ten`.
    std::vector<std::string> told() {
        std::vector<std::string> out;
        for (const auto& one : clinic.deliver()) {
            if (one.kind() != envelope::Kind::booking_state) continue;
            out.emplace_back(one.text(envelope::Field::booking));
            if (const auto slot = one.slot())
                out.back() +=
                    "@" + std::to_string(slot->first - ten_) + "+" + std::to_string(slot->second - slot->first);
        }
        return out;
    }
    std::vector<outbox::Besides> beside(PatientId patient) {
        std::vector<outbox::Besides> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto all = outbox::Beside::all(txn, patient);
            CLINIC_TRY(all);
            out = std::move(*all);
            return {};
        });
        return out;
    }
    // An appointment at ten whose booking lives in GHL, found, and all of it told.
    PatientId bound(Booking status = Booking::new_) {
        const auto patient = linked("N1", lead);
        if (clinic.releaser.booking_options().create) take(booking(theirs, ten(), status, lead));
        clinic.book(patient, "A1", ten());
        take(booking(theirs, ten(), status, lead));
        EXPECT_THAT(told(), ::testing::IsEmpty());
        EXPECT_EQ(beside(patient).size(), 1U);
        return patient;
    }
    void shown(Booking status, Timestamp at) { take(booking(theirs, at, status, lead)); }
    void book(PatientId patient, AppointmentStatus status, std::optional<Timestamp> at = std::nullopt) {
        clinic.book(patient, "A1", at.value_or(ten()), status);
    }
    // As the polling would have it: the same is read later than all that we have written can take to show.
    void read_again(Booking status, Timestamp at) {
        const auto before = seen(theirs, CrmKind::appointment);
        clinic.clock.advance(std::chrono::minutes{2});
        auto fact = before->fact;
        fact.read_ms = now_ms();
        std::get<CrmAppointment>(fact.said).status = status;
        std::get<CrmAppointment>(fact.said).from_quarter = at.micros / quarter_us;
        std::get<CrmAppointment>(fact.said).until_quarter = at.micros / quarter_us + 2;
        take(fact);
        round();
    }
    Timestamp ten() {
        if (ten_ == 0) ten_ = at_ten().micros / quarter_us;
        return Timestamp{ten_ * quarter_us};
    }
    std::optional<envelope::Lease> next() {
        std::optional<envelope::Lease> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto lease = outbox::Outbox::lease(txn, envelope::Destination::crm, false, std::chrono::minutes{3});
            CLINIC_TRY(lease);
            out = std::move(*lease);
            return {};
        });
        return out;
    }
    // Delivered; what was found or made for it.
    void settle(std::int64_t lease, std::string object) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto settled =
                outbox::Outbox::settle(txn, {.lease = lease, .contact = "", .object = std::move(object), .steps = {}});
            return settled ? Result<void>{} : settled.error();
        });
    }
    std::int64_t differing_bookings() {
        std::int64_t out = 0;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = count_differing(txn);
            CLINIC_TRY(found);
            out = found->of.at(static_cast<std::size_t>(Differs::booking));
            return {};
        });
        return out;
    }
    Repaired repair(bool dry_run = false) {
        Repaired out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto next = Repair{clinic.releaser, dry_run}.slice(txn, Differs::booking, 0, out);
            return next ? Result<void>{} : next.error();
        });
        return out;
    }
    std::string aid_of(PatientId patient, records::AppointmentId appointment) {
        std::string out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto aid = outbox::Links::aid(txn, envelope::Destination::crm, patient, appointment);
            CLINIC_TRY(aid);
            out = aid->text();
            return {};
        });
        return out;
    }
    Errc decide(bool ghl) {
        const auto one = open().at(0);
        const auto done = clinic.store->write([&](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(settle_number(txn, one.number, ghl ? Literal{"ghl"} : Literal{"clinic"}));
            const auto object = object_at(txn, one.object);
            CLINIC_TRY(object);
            const auto whose = BookingCheck{clinic.releaser, {}}.decided(txn, **object, one, ghl);
            return whose ? Result<void>{} : whose.error();
        });
        return done ? Errc{} : done.error().code;
    }

private:
    std::int64_t ten_ = 0;
};

} // namespace clinic::crm
