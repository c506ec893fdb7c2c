// PID and MRG to a change of a person.
//   Source:  facts/health-interop §1.1; HL7 v2.5 chapter 3; tables 0203 (identifier types), 0201, 0202
//   (telecommunication).
#pragma once

#include <string>

#include "daemon/intake/hl7_reader.h"

namespace clinic::intake {

// Identifiers: PID-3 (all repetitions; MR first, then PI), then PID-2 and PID-4, then those that identify nobody.
// `sender` is their name space where the message names no authority. Rejects when none identifies a person.
records::PatientChange read_patient(Reader& reader, const Segment& pid, const std::string& sender);
bool has_person(Reader& reader, const Segment& pid); // an identifier or a name stands in it
bool same_person(const Message& message, const Segment& pid, const Segment& other);

// The prior's identifiers (MRG-1, MRG-4) and name (MRG-7).
records::PatientChange read_prior(Reader& reader, const Segment& mrg, const std::string& sender);

} // namespace clinic::intake
