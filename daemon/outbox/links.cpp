#include <algorithm>

#include "daemon/outbox/beside.h"
#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

using envelope::Destination;
using envelope::Pseudonym;
using records::PatientId;

crypto::Token pseudonym_token(records::Session& session, std::string_view value) {
    return crypto::token(session.index_key(), "pseudonym\n" + std::string{value});
}

struct Sealed {
    std::int64_t id = 0;
    crypto::Bytes value;
};

Result<Pseudonym> make_pseudonym(records::Transaction& txn, Destination destination, PatientId patient,
                                 std::span<const std::byte> appointment, char letter, const records::RowKey& key) {
    Pseudonym made = Pseudonym::random(letter);
    CLINIC_TRY(
        execute(txn, "INSERT INTO pseudonym (destination, patient, appointment, value, token) VALUES (?, ?, ?, x'', ?)",
                number(destination), patient, appointment, pseudonym_token(txn, made.text())));
    const std::int64_t id = txn.last_row();
    const auto sealed = txn.seal_for(patient, "pseudonym.value", id, made.text());
    CLINIC_TRY(sealed);
    CLINIC_TRY(execute(txn, "UPDATE pseudonym SET value = ? WHERE id = ?", *sealed, id));
    if (const auto value = records::ShortId::of(made.text())) txn.keep(key, records::IssuedName{*value});
    return made;
}

Result<Pseudonym> parsed_name(std::string_view text, char letter) {
    auto parsed = Pseudonym::parse(text, letter);
    if (!parsed) return Error{Errc::corrupt, "a stored pseudonym is not one"};
    return std::move(*parsed);
}

// `appointment`: empty for the patient's own.
Result<Pseudonym> pseudonym(records::Transaction& txn, Destination destination, PatientId patient,
                            std::span<const std::byte> appointment, char letter) {
    records::RowKey key{.owner = patient.uuid, .number = number(destination)};
    std::ranges::copy(appointment, key.part.bytes.begin());
    if (const auto kept = txn.kept<records::IssuedName>(key)) return parsed_name(kept->value.text(), letter);
    Sealed found;
    const auto any = first_row(
        txn, "SELECT id, value FROM pseudonym WHERE patient = ? AND destination = ? AND appointment = ?",
        [&](const records::Statement& row) {
            found = {row.integer(0), copy(row.blob(1))};
        },
        patient, number(destination), appointment);
    CLINIC_TRY(any);
    if (!*any) return make_pseudonym(txn, destination, patient, appointment, letter, key);
    const auto text = txn.open_for(patient, "pseudonym.value", found.id, found.value);
    CLINIC_TRY(text);
    if (const auto value = records::ShortId::of(*text)) txn.keep(key, records::IssuedName{*value});
    return parsed_name(*text, letter);
}

Result<void> unpark_subject(records::Transaction& txn, PatientId patient) {
    std::vector<std::int64_t> parked;
    CLINIC_TRY(each_row(
        txn, "SELECT id FROM outbox WHERE patient = ? AND destination = ? AND state = 3 AND code = 'no_contact'",
        [&](const records::Statement& row) { parked.push_back(row.integer(0)); }, patient, number(Destination::crm)));
    for (const std::int64_t id : parked) {
        const auto row = find_row(txn, id);
        CLINIC_TRY(row);
        CLINIC_TRY(make_pending(txn, **row, txn.now(), ""));
    }
    return {};
}

Result<records::ContactLink> link_of(records::Session& session, PatientId patient) {
    const records::RowKey key{.owner = patient.uuid};
    if (const auto kept = session.kept<records::ContactLink>(key)) return *kept;
    Sealed found;
    records::ContactLink link;
    const auto any = first_row(
        session, "SELECT id, contact, shell FROM link WHERE patient = ?",
        [&](const records::Statement& row) {
            found = {row.integer(0), copy(row.blob(1))};
            link.shell = row.integer(2) != 0;
        },
        patient);
    CLINIC_TRY(any);
    if (!*any) return session.keep(key, link);
    const auto text = session.open_for(patient, "link.contact", found.id, found.value);
    CLINIC_TRY(text);
    const auto contact = records::ShortId::of(*text);
    if (!contact) return Error{Errc::corrupt, "a stored contact id is not one"};
    link.contact = *contact;
    return session.keep(key, link);
}

Result<bool> is_shell(records::Session& session, PatientId patient) {
    const auto link = link_of(session, patient);
    CLINIC_TRY(link);
    return link->shell;
}

Result<void> forget_said_of_contact(records::Transaction& txn, PatientId patient) {
    return execute(txn, "DELETE FROM said WHERE patient = ? AND destination = 0 AND kind < 5", patient);
}

Result<void> unlink(records::Transaction& txn, PatientId patient) {
    return execute(txn, "DELETE FROM link WHERE patient = ?", patient);
}

} // namespace

Result<Pseudonym> Links::pid(records::Transaction& txn, Destination destination, PatientId patient) {
    return pseudonym(txn, destination, patient, {}, 'p');
}

Result<Pseudonym> Links::aid(records::Transaction& txn, Destination destination, PatientId patient,
                             records::AppointmentId appointment) {
    return pseudonym(txn, destination, patient, appointment.uuid.bytes, 'a');
}

Result<std::int64_t> Links::next_sequence(records::Transaction& txn, Destination destination, PatientId patient) {
    std::int64_t next = 0;
    CLINIC_TRY(first_row(
        txn,
        "INSERT INTO sequence (patient, destination, last) VALUES (?, ?, 1) "
        "ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
        [&](const records::Statement& row) { next = row.integer(0); }, patient, number(destination)));
    return next;
}

Result<std::string> Links::contact(records::Session& session, PatientId patient) {
    const auto link = link_of(session, patient);
    CLINIC_TRY(link);
    return std::string{link->contact.text()};
}

Result<void> Links::set_contact(records::Transaction& txn, PatientId patient, std::string_view contact, Made made) {
    if (!envelope::is_contact_id(contact)) return Error{Errc::refused, "the contact id is not of its form"};
    const auto before = Links::contact(txn, patient);
    CLINIC_TRY(before);
    CLINIC_TRY(settle_creates(txn, patient));
    if (*before == contact) return unpark_subject(txn, patient);
    // Another contact holds nothing from us yet.
    if (!before->empty()) {
        CLINIC_TRY(forget_said_of_contact(txn, patient));
        CLINIC_TRY(Beside::leave(txn, patient, *before));
    }
    CLINIC_TRY(unlink(txn, patient));
    CLINIC_TRY(execute(txn, "INSERT INTO link (patient, contact, token, shell) VALUES (?, x'', ?, ?)", patient,
                       Links::contact_token(txn, contact), made == Made::by_us));
    const std::int64_t id = txn.last_row();
    const auto sealed = txn.seal_for(patient, "link.contact", id, contact);
    CLINIC_TRY(sealed);
    CLINIC_TRY(execute(txn, "UPDATE link SET contact = ? WHERE id = ?", *sealed, id));
    if (const auto value = records::ShortId::of(contact))
        txn.keep({.owner = patient.uuid}, records::ContactLink{*value, made == Made::by_us});
    return unpark_subject(txn, patient);
}

Result<bool> Links::create_is_unsure(records::Session& session, PatientId patient) {
    const auto unsettled = unsettled_create(session, patient);
    CLINIC_TRY(unsettled);
    return unsettled->has_value();
}

Result<bool> Links::create_is_looked_up(records::Session& session, PatientId patient) {
    auto unsure = create_is_unsure(session, patient);
    if (!unsure || !*unsure) return unsure;
    return first_row(
        session, "SELECT 1 FROM outbox WHERE patient = ? AND destination = 0 AND state IN (?, ?) LIMIT 1",
        [](const records::Statement&) {}, patient, number(State::pending), number(State::leased));
}

Result<bool> Links::may_hold_a_shell(records::Session& session, PatientId patient) {
    const auto shell = is_shell(session, patient);
    CLINIC_TRY(shell);
    if (!*shell) {
        auto unsure = create_is_unsure(session, patient);
        if (!unsure || !*unsure) return unsure;
    }
    const auto taken_back =
        Outbox::last_said(session, Destination::crm, patient, envelope::Kind::contact_suppress, std::nullopt);
    CLINIC_TRY(taken_back);
    return (taken_back->content.empty() || taken_back->unsure) && !taken_back->waits();
}

Result<Merged> Links::merge(records::Transaction& txn, PatientId survivor, PatientId prior) {
    const auto kept = contact(txn, survivor);
    CLINIC_TRY(kept);
    const auto other = contact(txn, prior);
    CLINIC_TRY(other);
    if (other->empty()) return kept->empty() ? Merged::none : Merged::only_survivor;
    // The survivor's own contact may be there, by a create whose outcome is not known: it is not given a second one.
    const auto unsure = create_is_unsure(txn, survivor);
    CLINIC_TRY(unsure);
    // What may have been made beside the prior's would carry the prior's name: it is looked for under that.
    const auto beside = Beside::all(txn, prior);
    CLINIC_TRY(beside);
    const bool may_come = std::ranges::any_of(
        *beside, [](const Besides& one) { return one.object.empty() && one.unsure_since.has_value(); });
    if (!kept->empty() || *unsure || may_come) return Merged::both;
    // That contact holds what was said of the prior: of the survivor nothing is known to be there.
    const auto ours = is_shell(txn, prior);
    CLINIC_TRY(ours);
    CLINIC_TRY(unlink(txn, prior));
    CLINIC_TRY(execute(txn, "DELETE FROM said WHERE patient IN (?, ?) AND destination = 0", survivor, prior));
    CLINIC_TRY(set_contact(txn, survivor, *other, *ours ? Made::by_us : Made::by_others));
    CLINIC_TRY(Beside::move(txn, prior, survivor));
    return Merged::moved;
}

Result<std::vector<std::string>> Links::contacts_of(records::Session& session, const Leased& lease) {
    std::vector<std::string> all;
    const auto own = contact(session, lease.patient);
    CLINIC_TRY(own);
    if (!own->empty()) all.push_back(*own);
    const auto old = old_contact(session, lease.envelope);
    CLINIC_TRY(old);
    if (!old->empty()) all.push_back(*old);
    return all;
}

Result<Addressed> Links::addressed(records::Session& session, const Leased& lease) {
    if (!lease.left_at.empty()) return Addressed{.contact = lease.left_at, .old_contact = {}};
    return addressed_now(session, lease.patient, lease.envelope);
}

Result<std::optional<PatientId>> Links::patient_by_pid(records::Session& session, std::string_view pid) {
    std::optional<PatientId> patient;
    CLINIC_TRY(first_row(
        session, "SELECT patient FROM pseudonym WHERE token = ? AND appointment = x''",
        [&](const records::Statement& row) { patient = PatientId{row.uuid(0)}; }, pseudonym_token(session, pid)));
    return patient;
}

Result<std::optional<records::AppointmentId>> Links::appointment_by_aid(records::Session& session,
                                                                        std::string_view aid) {
    std::optional<records::AppointmentId> appointment;
    CLINIC_TRY(first_row(
        session, "SELECT appointment FROM pseudonym WHERE token = ? AND appointment > x''",
        [&](const records::Statement& row) { appointment = records::AppointmentId{row.uuid(0)}; },
        pseudonym_token(session, aid)));
    return appointment;
}

crypto::Token Links::contact_token(records::Session& session, std::string_view contact) {
    return crypto::token(session.index_key(), "contact\n" + std::string{contact});
}

Result<std::vector<PatientId>> Links::patients_of(records::Session& session, std::string_view contact) {
    std::vector<PatientId> patients;
    CLINIC_TRY(each_row(
        session, "SELECT patient FROM link WHERE token = ? LIMIT 100",
        [&](const records::Statement& row) { patients.push_back({row.uuid(0)}); }, contact_token(session, contact)));
    return patients;
}

Result<std::vector<Links::Linked>> Links::after(records::Session& session, std::int64_t number, int links_max) {
    std::vector<Linked> links;
    CLINIC_TRY(each_row(
        session, "SELECT id, patient FROM link WHERE id > ? ORDER BY id LIMIT ?",
        [&](const records::Statement& row) {
            links.push_back({row.integer(0), {row.uuid(1)}});
        },
        number, links_max));
    return links;
}

Result<bool> Links::is_ours(records::Session& session, PatientId patient) {
    return is_shell(session, patient);
}

Result<void> Links::unset_contact(records::Transaction& txn, PatientId patient) {
    const auto before = contact(txn, patient);
    CLINIC_TRY(before);
    CLINIC_TRY(forget_said_of_contact(txn, patient));
    if (!before->empty()) CLINIC_TRY(Beside::leave(txn, patient, *before));
    return unlink(txn, patient);
}

Result<std::string> old_contact(records::Session& session, const envelope::MetadataEnvelope& envelope) {
    if (envelope.kind() != envelope::Kind::contact_merge) return std::string{};
    const auto prior = Links::patient_by_pid(session, envelope.text(envelope::Field::old));
    CLINIC_TRY(prior);
    if (!*prior) return std::string{};
    auto found = Links::contact(session, **prior);
    if (!found && found.error().code == Errc::not_found) return std::string{}; // erased meanwhile
    return found;
}

Result<Addressed> addressed_now(records::Session& session, PatientId patient,
                                const envelope::MetadataEnvelope& envelope) {
    auto own = Links::contact(session, patient);
    CLINIC_TRY(own);
    auto old = old_contact(session, envelope);
    CLINIC_TRY(old);
    const bool moved = envelope.kind() == envelope::Kind::contact_merge && old->empty();
    return Addressed{.contact = *own, .old_contact = moved ? *own : std::move(*old)};
}

} // namespace clinic::outbox
