// A clinic with a reconciler, and GHL's facts made short.
#pragma once

#include "daemon/crm/linking.h"
#include "daemon/crm/reconciler.h"
#include "tests/daemon/release/clinic.h"

namespace clinic::crm {

using envelope::CrmAppointment;
using envelope::CrmContact;
using envelope::CrmFact;
using envelope::CrmKind;
using envelope::FactTaken;
using envelope::Match;
using envelope::Taken;
using records::PatientId;

class Crm : public testing::Test {
protected:
    static constexpr const char* lead = "GHLcontactLead000001";
    static constexpr const char* calendar = "CAL1";
    static constexpr std::int64_t quarter_us = envelope::quarter_us;

    void SetUp() override { clinic.set_basis(release::Basis::baa, clinic.in_days(300)); }

    std::int64_t now_ms() const { return clinic.clock.now().micros / 1'000; }

    CrmFact contact(std::string id, CrmContact said = {}) {
        clinic.clock.advance(base::Micros{10'000});
        return {.id = std::move(id),
                .kind = CrmKind::contact,
                .updated_ms = now_ms(),
                .read_ms = now_ms(),
                .said = std::move(said)};
    }
    CrmFact gone(std::string id) {
        auto fact = contact(std::move(id));
        fact.said = std::monostate{};
        return fact;
    }
    // A request about the patient, answered.
    void wrote(PatientId patient) {
        clinic.clock.advance(std::chrono::seconds{1});
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto line = outbox::Ledger::open_line(
                txn, patient, {.lease = 1, .route = envelope::Route::contact_fields, .path = "/contacts/x"}, "open");
            CLINIC_TRY(line);
            return outbox::Ledger::close_line(
                txn, {.attempt = *line, .result = envelope::StepOutcome::Result::answered, .status = 200});
        });
    }
    FactTaken take(const CrmFact& fact) {
        FactTaken out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto taken = reconciler->take(txn, fact);
            CLINIC_TRY(taken);
            out = *taken;
            return {};
        });
        return out;
    }
    Match match(const std::string& id, const std::string& phone, const std::string& email = "",
                const std::string& national = "") {
        Match out{};
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto matched = reconciler->match(txn, {id, phone, national, email});
            CLINIC_TRY(matched);
            out = matched->match;
            return {};
        });
        return out;
    }
    std::optional<Object> seen(const std::string& id, CrmKind kind = CrmKind::contact) {
        std::optional<Object> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto found = find(txn, kind, id);
            CLINIC_TRY(found);
            out = std::move(*found);
            return {};
        });
        return out;
    }
    std::vector<Conflict> open() {
        std::vector<Conflict> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto found = open_conflicts(txn, 100);
            CLINIC_TRY(found);
            out = std::move(*found);
            return {};
        });
        return out;
    }
    int recorded(const std::string& id, Field field) {
        int out = 0;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto object = find(txn, CrmKind::contact, id);
            CLINIC_TRY(object);
            const auto count = recorded_since(txn, (*object)->row, field, Timestamp{0});
            CLINIC_TRY(count);
            out = *count;
            return {};
        });
        return out;
    }
    std::string contact_of(PatientId patient) {
        std::string out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = outbox::Links::contact(txn, patient);
            CLINIC_TRY(found);
            out = *found;
            return {};
        });
        return out;
    }
    bool revoked(PatientId patient, records::ConsentScope scope) {
        bool out = false;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto facts = records::patient_facts(txn, patient);
            CLINIC_TRY(facts);
            for (const auto& one : facts->consents)
                out = out || (one.scope == scope && one.state == records::ConsentState::revoked);
            return {};
        });
        return out;
    }
    template <class Step>
    Errc said_by(const Step& step) {
        const auto done =
            clinic.store->write([&](records::Transaction& txn) { return step(Linking{clinic.releaser}, txn); });
        return done ? Errc{} : done.error().code;
    }
    // As GHL shows a contact that we have written: what the clinic said of the patient.
    CrmContact as_said(PatientId patient) {
        CrmContact out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto pid = outbox::Links::pid(txn, envelope::Destination::crm, patient);
            CLINIC_TRY(pid);
            out.pid = pid->text();
            return {};
        });
        out.stage = "new";
        out.last = "none";
        out.next = "none";
        out.tags = {*envelope::Word::parse("new_patient")};
        return out;
    }
    // Somebody with a contact that was there before us, to whom all was delivered.
    PatientId linked(const std::string& number, const std::string& id) {
        const auto patient = clinic.add(number, "Quillfeather" + number);
        take(contact(id));
        EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.set(txn, id, patient); }),
                  Errc{});
        clinic.deliver(false);
        return patient;
    }

    // The create of their contact is sent, and gets no answer.
    void create_without_answer(PatientId patient) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto making = outbox::Outbox::lease(txn, envelope::Destination::crm, true, std::chrono::minutes{3});
            CLINIC_TRY(making);
            EXPECT_TRUE(*making && (*making)->create);
            CLINIC_TRY(outbox::Ledger::open_line(
                txn, patient, {(*making)->lease, envelope::Route::contact_create, "/contacts/", "{}"}, "open"));
            return outbox::Outbox::release_leases(txn, (*making)->lease);
        });
    }

    CrmFact booking(const std::string& id, Timestamp from, envelope::Booking status = envelope::Booking::confirmed,
                    const std::string& whose = "") {
        auto fact = contact(id);
        const auto quarter = from.micros / quarter_us;
        fact.kind = CrmKind::appointment;
        fact.said = CrmAppointment{whose, calendar, status, quarter, quarter + 2};
        return fact;
    }
    CrmFact gone_booking(const std::string& id) {
        auto fact = gone(id);
        fact.kind = CrmKind::appointment;
        return fact;
    }
    Timestamp at_ten() const { return Timestamp{(clinic.in_days(2).micros / quarter_us) * quarter_us}; }
    void round() {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto terms = reconciler->polled(txn, {});
            return terms ? Result<void>{} : terms.error();
        });
    }

    release::testing::Clinic clinic;
    ReconcilerOptions options{.reads = {.calendars = {calendar}, .campaigns = {"spring"}, .sources = {"website"}}};
    std::optional<Reconciler> reconciler{std::in_place, options, clinic.releaser};
};

} // namespace clinic::crm
