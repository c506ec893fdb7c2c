// What a message asks the store to do, by its trigger event.
//   Errors:  a Rejection: AR for what must always fail (type, event, version, processing id), else AE with the place.
//   Threads: any; pure.
//   Source:  facts/health-interop §1.1. Where its list of accepted events and its table of effects differ, docs/hl7.md
//   says which holds.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "daemon/intake/hl7_appointment.h"
#include "daemon/intake/hl7_patient.h"

namespace clinic::intake {

struct Merge {
    records::PatientChange survivor, prior;
};

struct Order {
    Literal event = ""; // "ADT^A01": for the audit entry
    records::Stamp stamp;
    bool test_traffic = false;       // MSH-11 T or D
    bool identifiers_change = false; // A47: the prior's identifiers are the same person's
    std::vector<Merge> merges;
    std::optional<records::PatientChange> patient;
    std::optional<records::AppointmentChange> appointment;
};

std::string sender_of(const Message& message); // MSH-3 '|' MSH-4, decoded

// MSH-15 and 16 both NE, and the clinic says that this sender means it.
bool is_answered_with_silence(const Header& header, const SenderRules& rules);
// In place of MSH-15, for a sender that is answered in one mode whatever it says.
std::optional<std::string_view> accept_condition(const SenderRules& rules);

std::variant<Order, Rejection> read_order(const Message& message, const SenderRules& rules, Timestamp received);

} // namespace clinic::intake
