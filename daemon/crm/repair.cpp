#include "daemon/crm/repair.h"

#include "daemon/crm/emptied.h"
#include "daemon/crm/linking.h"

namespace clinic::crm {
namespace {

using outbox::Links;
using records::PatientId;
using records::Transaction;

constexpr int contacts_a_slice = 50;

// Whose marker it carries, where they are there and have no contact, nor is one looked up that a create without an
// answer may have made.
Result<std::vector<PatientId>> owner_of(Transaction& txn, const Object& contact) {
    std::vector<PatientId> out;
    const auto* said = std::get_if<envelope::CrmContact>(&contact.fact.said);
    if (said == nullptr) return out;
    const auto marked = Links::patient_by_pid(txn, said->pid);
    CLINIC_TRY(marked);
    if (!*marked) return out;
    const auto told = is_told(txn, **marked);
    CLINIC_TRY(told);
    const auto own = Links::contact(txn, **marked);
    CLINIC_TRY(own);
    const auto looked_up = Links::create_is_looked_up(txn, **marked);
    CLINIC_TRY(looked_up);
    if (*told && own->empty() && !*looked_up) out.push_back(**marked);
    return out;
}

// Who was merged into one of these and has given the contact its marker: their merge is said again.
Result<std::vector<PatientId>> marked_by(Transaction& txn, const Object& contact,
                                         const std::vector<PatientId>& linked) {
    std::vector<PatientId> out;
    const auto* said = std::get_if<envelope::CrmContact>(&contact.fact.said);
    if (said == nullptr) return out;
    for (const PatientId patient : linked) {
        const auto before = marked_before(txn, *said, patient);
        CLINIC_TRY(before);
        if (*before) out.push_back(**before);
    }
    return out;
}

} // namespace

// Nobody: a person is needed.
Result<std::vector<PatientId>> Repair::whose(Transaction& txn, Differs kind, const Object& contact) const {
    if (kind == Differs::twice) return std::vector<PatientId>{};
    if (kind == Differs::orphan) return owner_of(txn, contact);
    const auto linked = Links::patients_of(txn, contact.fact.id);
    CLINIC_TRY(linked);
    if (kind == Differs::marker) return marked_by(txn, contact, *linked);
    std::vector<PatientId> out;
    for (const PatientId patient : *linked) {
        const auto told = is_told(txn, patient);
        CLINIC_TRY(told);
        const auto to_be_empty = is_to_be_empty(txn, patient, *linked);
        CLINIC_TRY(to_be_empty);
        const auto booked = kind == Differs::booking ? bookings_.against(txn, patient) : BookingCheck::Against{};
        CLINIC_TRY(booked);
        if (kind == Differs::booking ? *told && (booked->clinic || !booked->sure)
                                     : *told || *to_be_empty || kind == Differs::gone)
            out.push_back(patient);
    }
    return out;
}

Result<bool> Repair::put_right(Transaction& txn, Differs kind, const Object& contact, PatientId patient) const {
    if (kind == Differs::booking) return bookings_.say_again(txn, patient);
    if (kind == Differs::gone) {
        CLINIC_TRY(Linking{releaser_}.unset(txn, patient));
        CLINIC_TRY(agree(txn, contact.row));
        CLINIC_TRY(releaser_.changed(txn, patient, std::nullopt));
        return something_waits(txn, patient);
    }
    if (kind == Differs::orphan) {
        CLINIC_TRY(Links::set_contact(txn, patient, contact.fact.id, outbox::Made::by_us));
        CLINIC_TRY(settle(txn, contact.row, Field::marker, "clinic"));
        CLINIC_TRY(agree(txn, contact.row));
    }
    CLINIC_TRY(releaser_.say_again(txn, patient));
    return something_waits(txn, patient);
}

Result<std::optional<std::int64_t>> Repair::slice(Transaction& txn, Differs kind, std::int64_t after,
                                                  Repaired& so_far) const {
    const auto found = differing(txn, kind, after, contacts_a_slice);
    CLINIC_TRY(found);
    for (const auto& one : *found) {
        const auto contact = object_at(txn, one.row);
        CLINIC_TRY(contact);
        if (!*contact) continue;
        ++so_far.found;
        const auto patients = whose(txn, kind, **contact);
        CLINIC_TRY(patients);
        bool again = dry_run_ && !patients->empty();
        for (const PatientId patient : *patients) {
            if (dry_run_) break;
            const auto waits = put_right(txn, kind, **contact, patient);
            CLINIC_TRY(waits);
            if (*waits) so_far.patients.push_back(patient);
            again = again || *waits;
        }
        ++(again ? so_far.put_again : so_far.left);
    }
    if (found->size() < static_cast<std::size_t>(contacts_a_slice)) return std::optional<std::int64_t>{};
    return std::optional{found->back().row};
}

} // namespace clinic::crm
