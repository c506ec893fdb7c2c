// A message whose shape is visible and whose content is not: what a technician may see without a reason.
//   Rules:   delimiters, segment names and the codes of MSH that say type, version, mode and the systems' names stay.
//   Of a value
//            that is digits and what dates are written with, the form stays ("9999-99-99"); any other is "x". Empty and
//            "" stay empty and "". Text that is no HL7: each word is "x".
//   Threads: any; pure.
#pragma once

#include <string>
#include <string_view>

namespace clinic::intake {

std::string masked(std::string_view raw); // UTF-8, lines ended by CR as HL7 has them

} // namespace clinic::intake
