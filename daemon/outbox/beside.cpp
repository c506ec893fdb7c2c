#include "daemon/outbox/beside.h"

#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

using envelope::Kind;
using records::AppointmentId;
using records::PatientId;

crypto::Token object_token(records::Session& session, Kind kind, std::string_view object) {
    return crypto::token(session.index_key(), std::string{name(kind)} + "\n" + std::string{object});
}

std::span<const std::byte> key_of(const std::optional<AppointmentId>& appointment) {
    return appointment ? std::span<const std::byte>{appointment->uuid.bytes} : std::span<const std::byte>{};
}

struct Sealed {
    Besides one;
    crypto::Bytes object, contact;
};

Sealed read_sealed(const records::Statement& row) {
    Sealed out;
    out.one.number = row.integer(0);
    out.one.kind = static_cast<Kind>(row.integer(1));
    if (!row.blob(2).empty()) out.one.appointment = AppointmentId{row.uuid(2)};
    out.object = copy(row.blob(3));
    if (row.integer(4) != 0) out.one.unsure_since = base::Micros{row.integer(5)};
    out.one.ours = row.integer(6) != 0;
    out.one.held = static_cast<Held>(row.integer(7));
    out.contact = copy(row.blob(8));
    return out;
}

Result<Besides> opened(records::Session& session, PatientId patient, Sealed sealed) {
    if (!sealed.object.empty()) {
        auto text = session.open_for(patient, "beside.object", sealed.one.number, sealed.object);
        CLINIC_TRY(text);
        sealed.one.object = std::move(*text);
    }
    if (!sealed.contact.empty()) {
        auto text = session.open_for(patient, "beside.contact", sealed.one.number, sealed.contact);
        CLINIC_TRY(text);
        sealed.one.contact = std::move(*text);
    }
    return std::move(sealed.one);
}

Result<void> store(records::Transaction& txn, PatientId patient, const Besides& one) {
    const auto sealed = txn.seal_for(patient, "beside.object", one.number, one.object);
    CLINIC_TRY(sealed);
    return execute(txn, "UPDATE beside SET patient = ?, object = ?, token = ?, ours = ?, held = ? WHERE number = ?",
                   patient, *sealed, object_token(txn, one.kind, one.object), one.ours, number(one.held), one.number);
}

Result<void> store_left(records::Transaction& txn, PatientId patient, std::int64_t number, std::string_view contact) {
    const auto sealed = txn.seal_for(patient, "beside.contact", number, contact);
    CLINIC_TRY(sealed);
    return execute(txn, "UPDATE beside SET contact = ?, held = 0 WHERE number = ?", *sealed, number);
}

Result<void> forget_said_of(records::Transaction& txn, PatientId patient, Kind kind, std::int64_t number) {
    return execute(txn, "DELETE FROM said WHERE patient = ? AND destination = 0 AND kind = ? AND scope = ?", patient,
                   outbox::number(kind), number);
}

} // namespace

Result<std::optional<std::int64_t>> Beside::known(records::Session& session, PatientId patient, Kind kind,
                                                  std::optional<AppointmentId> appointment) {
    std::optional<std::int64_t> number;
    CLINIC_TRY(first_row(
        session, "SELECT number FROM beside WHERE patient = ? AND kind = ? AND appointment = ? AND contact = x''",
        [&](const records::Statement& row) { number = row.integer(0); }, patient, outbox::number(kind),
        key_of(appointment)));
    return number;
}

Result<std::int64_t> Beside::number_of(records::Transaction& txn, PatientId patient, Kind kind,
                                       std::optional<AppointmentId> appointment) {
    const auto there = known(txn, patient, kind, appointment);
    CLINIC_TRY(there);
    if (*there) return **there;
    CLINIC_TRY(execute(txn, "INSERT INTO beside (patient, kind, appointment) VALUES (?, ?, ?)", patient,
                       outbox::number(kind), key_of(appointment)));
    return txn.last_row();
}

Result<Besides> Beside::at(records::Session& session, PatientId patient, std::int64_t number) {
    std::optional<Sealed> found;
    CLINIC_TRY(first_row(
        session,
        "SELECT number, kind, appointment, object, unsettled, unsure_since, ours, held, contact FROM beside"
        " WHERE number = ? AND patient = ?",
        [&](const records::Statement& row) { found = read_sealed(row); }, number, patient));
    if (!found) return Error{Errc::not_found, "no such opportunity or booking of that patient"};
    return opened(session, patient, std::move(*found));
}

Result<std::vector<Besides>> Beside::all(records::Session& session, PatientId patient) {
    std::vector<Sealed> found;
    CLINIC_TRY(each_row(
        session,
        "SELECT number, kind, appointment, object, unsettled, unsure_since, ours, held, contact FROM beside"
        " WHERE patient = ? ORDER BY kind, appointment",
        [&](const records::Statement& row) { found.push_back(read_sealed(row)); }, patient));
    std::vector<Besides> out;
    for (Sealed& one : found) {
        auto open = opened(session, patient, std::move(one));
        CLINIC_TRY(open);
        out.push_back(std::move(*open));
    }
    return out;
}

Result<std::int64_t> Beside::number_in(records::Session& session, PatientId patient,
                                       const envelope::MetadataEnvelope& envelope) {
    if (!envelope::is_beside(envelope.kind())) return std::int64_t{-1};
    std::optional<AppointmentId> appointment;
    if (envelope.kind() == Kind::booking_state) {
        auto named = Links::appointment_by_aid(session, envelope.text(envelope::Field::aid));
        CLINIC_TRY(named);
        if (!*named) return Error{Errc::not_found, "an appointment that has no name of ours"};
        appointment = *named;
    }
    const auto number = known(session, patient, envelope.kind(), appointment);
    CLINIC_TRY(number);
    return number->value_or(-1);
}

Result<std::optional<Beside::Owner>> Beside::owner_of(records::Session& session, Kind kind, std::string_view object) {
    std::optional<Owner> owner;
    CLINIC_TRY(first_row(
        session, "SELECT patient, number FROM beside WHERE token = ?",
        [&](const records::Statement& row) {
            owner = Owner{{row.uuid(0)}, row.integer(1)};
        },
        object_token(session, kind, object)));
    return owner;
}

Result<bool> Beside::a_booking_may_come(records::Session& session, std::string_view contact) {
    const auto patients = Links::patients_of(session, contact);
    CLINIC_TRY(patients);
    for (const PatientId patient : *patients) {
        const auto unsure = first_row(
            session,
            "SELECT 1 FROM beside WHERE patient = ?1 AND kind = ?2 AND unsettled = 1"
            " AND EXISTS (SELECT 1 FROM outbox WHERE outbox.patient = ?1 AND destination = 0 AND state IN (1, 2, 3)"
            "             AND outbox.kind = ?2 AND scope = beside.number) LIMIT 1",
            [](const records::Statement&) {}, patient, outbox::number(Kind::booking_state));
        if (!unsure || *unsure) return unsure;
    }
    return false;
}

Result<std::optional<PatientId>> Beside::holder(records::Session& session, std::int64_t number) {
    std::optional<PatientId> patient;
    CLINIC_TRY(first_row(
        session, "SELECT patient FROM beside WHERE number = ?",
        [&](const records::Statement& row) { patient = PatientId{row.uuid(0)}; }, number));
    return patient;
}

Result<void> Beside::set(records::Transaction& txn, PatientId patient, std::int64_t number, std::string_view object,
                         Made made) {
    if (!envelope::is_contact_id(object)) return Error{Errc::refused, "the id of an object is not of its form"};
    auto one = at(txn, patient, number);
    CLINIC_TRY(one);
    CLINIC_TRY(nothing_made(txn, patient, number));
    if (one->object == object) return {};
    if (!one->object.empty()) CLINIC_TRY(forget_said_of(txn, patient, one->kind, number));
    one->object = object;
    one->ours = made == Made::by_us;
    one->held = Held::no;
    return store(txn, patient, *one);
}

Result<void> Beside::hold(records::Transaction& txn, PatientId patient, std::int64_t number, Held held) {
    return execute(txn, "UPDATE beside SET held = ? WHERE number = ? AND patient = ?", outbox::number(held), number,
                   patient);
}

Result<void> Beside::lost(records::Transaction& txn, PatientId patient, std::int64_t number) {
    const auto one = at(txn, patient, number);
    CLINIC_TRY(one);
    if (one->is_left()) return forget(txn, patient, *one);
    CLINIC_TRY(forget_said_of(txn, patient, one->kind, number));
    return execute(txn,
                   "UPDATE beside SET object = x'', token = NULL, ours = 0, held = 0 WHERE number = ? AND patient = ?",
                   number, patient);
}

Result<void> Beside::nothing_made(records::Transaction& txn, PatientId patient, std::int64_t number) {
    return execute(txn, "UPDATE beside SET unsettled = 0 WHERE number = ? AND patient = ?", number, patient);
}

Result<void> Beside::forget(records::Transaction& txn, PatientId patient) {
    return execute(txn, "DELETE FROM beside WHERE patient = ?", patient);
}

Result<void> Beside::forget(records::Transaction& txn, PatientId patient, const Besides& one) {
    CLINIC_TRY(forget_said_of(txn, patient, one.kind, one.number));
    return execute(txn, "DELETE FROM beside WHERE number = ?", one.number);
}

Result<void> Beside::leave(records::Transaction& txn, PatientId patient, std::string_view contact) {
    const auto all = Beside::all(txn, patient);
    CLINIC_TRY(all);
    for (const Besides& one : *all) {
        if (one.is_left()) continue;
        if (one.may_be_there() && (one.ours || one.unsure_since))
            CLINIC_TRY(store_left(txn, patient, one.number, contact));
        else
            CLINIC_TRY(forget(txn, patient, one));
    }
    return {};
}

Result<void> Beside::move(records::Transaction& txn, PatientId from, PatientId to) {
    const auto theirs = Beside::all(txn, from);
    CLINIC_TRY(theirs);
    const auto own = Beside::all(txn, to);
    CLINIC_TRY(own);
    for (const Besides& one : *own)
        if (!one.is_left()) CLINIC_TRY(forget(txn, to, one));
    for (const Besides& one : *theirs) {
        if (!one.object.empty())
            CLINIC_TRY(store(txn, to, one));
        else
            CLINIC_TRY(execute(txn, "UPDATE beside SET patient = ? WHERE number = ?", to, one.number));
        if (one.is_left()) CLINIC_TRY(store_left(txn, to, one.number, one.contact));
    }
    return {};
}

Result<void> create_begun(records::Transaction& txn, const Row& row, std::int64_t attempt) {
    return execute(txn, "UPDATE beside SET unsettled = 1, unsure_since = ?, attempt = ? WHERE number = ?",
                   txn.monotonic().count(), attempt, row.scope);
}

Result<void> create_ended(records::Transaction& txn, std::int64_t attempt, bool made_nothing) {
    if (made_nothing)
        return execute(txn, "UPDATE beside SET unsettled = 0 WHERE unsettled = 1 AND attempt = ?", attempt);
    return execute(txn, "UPDATE beside SET unsure_since = ? WHERE unsettled = 1 AND attempt = ?",
                   txn.monotonic().count(), attempt);
}

Result<void> creates_of_lease_ended(records::Transaction& txn, std::int64_t lease) {
    return execute(txn,
                   "UPDATE beside SET unsure_since = ? WHERE unsettled = 1 AND attempt IN "
                   "(SELECT attempt FROM ledger WHERE lease = ? AND result = 'open')",
                   txn.monotonic().count(), lease);
}

Result<void> creates_unsure_from_now(records::Transaction& txn) {
    return execute(txn, "UPDATE beside SET unsure_since = ? WHERE unsettled = 1", txn.monotonic().count());
}

} // namespace clinic::outbox
