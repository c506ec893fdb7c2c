#include "daemon/crm/linking.h"

#include "daemon/crm/reconciler.h"
#include "daemon/crm/states.h"
#include "daemon/records/patients.h"

namespace clinic::crm {
namespace {

using outbox::Links;
using records::PatientId;
using records::Transaction;

constexpr Error no_contact{Errc::not_found, "no such contact was seen in GHL",
                           "its id stands at the end of its address in GHL; a new one is seen within minutes"};

Result<Object> contact_seen(Transaction& txn, std::string_view id) {
    if (!envelope::is_contact_id(id)) return Error{Errc::malformed, "that is no id of a contact in GHL"};
    auto found = find(txn, envelope::CrmKind::contact, id);
    CLINIC_TRY(found);
    if (!*found) return no_contact;
    return std::move(**found);
}

} // namespace

Result<void> Linking::link(Transaction& txn, const Object& contact, PatientId patient) {
    CLINIC_TRY(Links::set_contact(txn, patient, contact.fact.id, outbox::Made::by_others));
    CLINIC_TRY(withdraw_offer(txn, contact.row));
    CLINIC_TRY(States{releaser_}.restrict(txn, contact, std::nullopt, patient));
    return releaser_.changed(txn, patient, std::nullopt);
}

Result<void> Linking::set(Transaction& txn, std::string_view contact, PatientId patient) {
    const auto allowed = may_probe(txn, releaser_);
    CLINIC_TRY(allowed);
    if (!*allowed)
        return Error{Errc::refused, "the legal basis does not allow contacts to be linked",
                     "see: clinicctl basis show"};
    const auto object = contact_seen(txn, contact);
    CLINIC_TRY(object);
    if (object->fact.deleted()) return Error{Errc::conflict, "that contact was deleted in GHL", "link another one"};
    const auto facts = records::patient_facts(txn, patient);
    CLINIC_TRY(facts);
    if (facts->merged_into || facts->status == records::PatientStatus::erased)
        return Error{Errc::conflict, "that patient was merged or erased", "link the one who is there now"};
    const auto owners = Links::patients_of(txn, contact);
    CLINIC_TRY(owners);
    if (!owners->empty()) return Error{Errc::conflict, "that contact is linked already", "first: clinicctl link unset"};
    const auto own = Links::contact(txn, patient);
    CLINIC_TRY(own);
    if (!own->empty())
        return Error{Errc::conflict, "that patient has a contact already",
                     "two contacts of one patient: clinicctl link merge; else first: clinicctl link unset"};
    // Linked to this one, nobody would look for the other any more.
    const auto looked_up = Links::create_is_looked_up(txn, patient);
    CLINIC_TRY(looked_up);
    if (*looked_up)
        return Error{Errc::conflict, "GHL has not answered yet whether it has made a contact for that patient",
                     "try again in some minutes, when clinicctl status says that GHL is up to date"};
    CLINIC_TRY(set_matching(txn, object->row, Matching::none, object->fact.updated_ms));
    return link(txn, *object, patient);
}

Result<void> Linking::unset(Transaction& txn, PatientId patient) {
    const auto contact = Links::contact(txn, patient);
    CLINIC_TRY(contact);
    if (contact->empty()) return Error{Errc::not_found, "that patient has no contact", "see: clinicctl link list"};
    const auto object = find(txn, envelope::CrmKind::contact, *contact);
    CLINIC_TRY(object);
    CLINIC_TRY(outbox::Outbox::withdraw(txn, patient, "unlinked"));
    CLINIC_TRY(Links::unset_contact(txn, patient));
    CLINIC_TRY(releaser_.contact_left(txn, patient));
    if (!*object) return {};
    CLINIC_TRY(settle(txn, (*object)->row, Field::contact_deleted, "clinic"));
    return set_matching(txn, (*object)->row, Matching::not_asked, 0);
}

Result<void> Linking::split(Transaction& txn, std::string_view contact, PatientId patient) {
    const auto object = contact_seen(txn, contact);
    CLINIC_TRY(object);
    CLINIC_TRY(keep_apart(txn, contact, patient));
    const auto own = Links::contact(txn, patient);
    CLINIC_TRY(own);
    if (*own == contact) {
        CLINIC_TRY(outbox::Outbox::withdraw(txn, patient, "unlinked"));
        CLINIC_TRY(Links::unset_contact(txn, patient));
        CLINIC_TRY(releaser_.contact_left(txn, patient));
    }
    CLINIC_TRY(withdraw_offer(txn, object->row));
    return set_matching(txn, object->row, Matching::not_asked, 0);
}

Result<void> Linking::merge(Transaction& txn, std::string_view kept, std::string_view other) {
    const auto stays = contact_seen(txn, kept);
    CLINIC_TRY(stays);
    const auto goes = contact_seen(txn, other);
    CLINIC_TRY(goes);
    if (stays->row == goes->row || stays->fact.deleted())
        return Error{Errc::conflict, "the contact that is kept must be another one, and be there"};
    const auto owners = Links::patients_of(txn, other);
    CLINIC_TRY(owners);
    const auto already = Links::patients_of(txn, kept);
    CLINIC_TRY(already);
    if (owners->size() + already->size() != 1)
        return Error{Errc::conflict, "exactly one of the two contacts must be linked to a patient",
                     "see: clinicctl link show CONTACT"};
    const PatientId patient = owners->empty() ? already->front() : owners->front();
    if (!owners->empty()) CLINIC_TRY(link(txn, *stays, patient));
    CLINIC_TRY(settle(txn, goes->row, Field::marker, "clinic"));
    CLINIC_TRY(settle(txn, goes->row, Field::contact_deleted, "clinic"));
    CLINIC_TRY(withdraw_offer(txn, goes->row));
    CLINIC_TRY(States{releaser_}.restrict(txn, *goes, std::nullopt, patient));
    return set_matching(txn, goes->row, Matching::kept_apart, goes->fact.updated_ms);
}

} // namespace clinic::crm
