// SCH, TQ1 and the resource segments to a change of an appointment.
//   Source:  facts/health-interop §1.1 (key, order of truth for the time); HL7 table 0278 and its v2-to-FHIR map.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/intake/hl7_reader.h"
#include "daemon/intake/sender_rules.h"

namespace clinic::intake {

// nullopt: a word without a status of ours (Blocked, Overbook), or one we do not know.
std::optional<records::AppointmentStatus> status_of_word(std::string_view word, const StatusWords& own);

// Key SCH-2, else SCH-1; rejects when both are empty. The status is left to the trigger event.
records::AppointmentChange read_appointment(Reader& reader, const Segment& sch, const std::string& sender);
// Where a site says appointments with A05 and A38: key PV1-19.
records::AppointmentChange read_visit_as_appointment(Reader& reader, const std::string& sender);

} // namespace clinic::intake
