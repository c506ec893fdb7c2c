// What a message asks the store to do, by its trigger event.
//   Errors:  a Rejection: AR for what must always fail (type, event, version, processing id), else AE with the place.
//   Threads: any; pure.
//   Source:  facts/health-interop §1.1. Where its list of accepted events and its table of effects differ, docs/hl7.md says which holds.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "daemon/intake/hl7_appointment.h"
#include "daemon/intake/hl7_patient.h"

namespace clinic::intake {

// How this clinic's systems differ from the standard. A sender is "MSH-3|MSH-4".
struct SiteRules {
    StatusWords status_words;
    std::vector<std::string> preadmit_is_appointment;     // senders whose A05 is a new appointment and A38 its cancellation
    std::vector<std::string> silent_senders;              // with MSH-15 and 16 both NE they get no answer
};

struct Merge {
    records::PatientChange survivor, prior;
};

struct Order {
    Literal event = "";                                   // "ADT^A01": for the audit entry
    records::Stamp stamp;
    bool test_traffic = false;                            // MSH-11 T or D
    bool identifiers_change = false;                      // A47: the prior's identifiers are the same person's
    std::vector<Merge> merges;
    std::optional<records::PatientChange> patient;
    std::optional<records::AppointmentChange> appointment;
};

std::string sender_of(const Message& message);            // MSH-3 '|' MSH-4, decoded

// MSH-15 and 16 both NE, and the site says that this sender means it.
bool is_answered_with_silence(const Header& header, const SiteRules& site);

std::variant<Order, Rejection> read_order(const Message& message, const SiteRules& site, Timestamp received);

}  // namespace clinic::intake
