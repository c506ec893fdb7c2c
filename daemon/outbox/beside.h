// What a patient has in GHL beside the contact: an opportunity, and a booking an appointment. Each has a number, which
// is the scope of its envelopes; GHL's id, once it is known; and whether a create of it may have happened unheard of.
//   Errors:  not_found for a number that is not the patient's; refused for an id that is not of its form.
//   Threads: the store's writer thread (Transaction), readers for what is looked up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/outbox/outbox.h"

namespace clinic::outbox {

// What GHL says of it is against the clinic's word, and nothing is said of it but its taking back.
enum class Held : std::uint8_t { no, waits, by_ghl }; // for a person; a person has said that GHL's side counts

struct Besides {
    std::int64_t number = 0;
    envelope::Kind kind = envelope::Kind::case_state;  // of its envelopes
    std::optional<records::AppointmentId> appointment; // of a booking
    std::string object;                                // GHL's id; empty: none is known
    bool ours = false;                                 // made by us; else it lived there before
    Held held = Held::no;
    std::optional<base::Micros> unsure_since; // boot clock: no later byte of a create left us; none: no create
    std::string contact;                      // where it was left; empty: at the patient's own
    bool may_be_there() const { return !object.empty() || unsure_since; }
    bool is_left() const { return !contact.empty(); } // at a contact that is the patient's no more: to be ended there
};

class Beside {
public:
    // Made where it is not there. `appointment`: with booking_state alone.
    static Result<std::int64_t> number_of(records::Transaction& txn, records::PatientId patient, envelope::Kind kind,
                                          std::optional<records::AppointmentId> appointment = std::nullopt);
    // The same, where it is there; never one that was left.
    static Result<std::optional<std::int64_t>> known(records::Session& session, records::PatientId patient,
                                                     envelope::Kind kind,
                                                     std::optional<records::AppointmentId> appointment = std::nullopt);
    static Result<Besides> at(records::Session& session, records::PatientId patient, std::int64_t number);
    static Result<std::vector<Besides>> all(records::Session& session, records::PatientId patient);
    // Which of the patient's that envelope is about; -1: none.
    static Result<std::int64_t> number_in(records::Session& session, records::PatientId patient,
                                          const envelope::MetadataEnvelope& envelope);
    struct Owner {
        records::PatientId patient;
        std::int64_t number = 0;
    };
    static Result<std::optional<Owner>> owner_of(records::Session& session, envelope::Kind kind,
                                                 std::string_view object);
    // Of somebody who is linked to that contact a booking may just have been made, and its look-up is still to come:
    // one that shows there may be that.
    static Result<bool> a_booking_may_come(records::Session& session, std::string_view contact);
    // Whose it is now: what a merge has moved is another patient's. Nothing: it is not there any more.
    static Result<std::optional<records::PatientId>> holder(records::Session& session, std::int64_t number);
    // What it holds is not known then, unless it is the same as before.
    static Result<void> set(records::Transaction& txn, records::PatientId patient, std::int64_t number,
                            std::string_view object, Made made = Made::by_us);
    static Result<void> hold(records::Transaction& txn, records::PatientId patient, std::int64_t number, Held held);
    // It is not in GHL any more: a new one may be made; one that was left is forgotten.
    static Result<void> lost(records::Transaction& txn, records::PatientId patient, std::int64_t number);
    // A look-up that proves something has found none of it.
    static Result<void> nothing_made(records::Transaction& txn, records::PatientId patient, std::int64_t number);
    // That contact is the patient's no more: what we have made there, or may have, is left, and the rest forgotten.
    static Result<void> leave(records::Transaction& txn, records::PatientId patient, std::string_view contact);
    static Result<void> forget(records::Transaction& txn, records::PatientId patient); // all of the patient's
    static Result<void> forget(records::Transaction& txn, records::PatientId patient, const Besides& one);
    // With the contact.
    static Result<void> move(records::Transaction& txn, records::PatientId from, records::PatientId to);
};

} // namespace clinic::outbox
