// How one sender's messages are understood and answered where it differs from the standard.
//   Source:  facts/health-interop §1.1 (words for SCH-25, A05), §1.2 (silence), §1.3 (character sets).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/records/types.h"

namespace clinic::intake {

// A sender's own words for SCH-25, before the built-in ones: lower case, letters and digits only.
using StatusWords = std::vector<std::pair<std::string, records::AppointmentStatus>>;
std::string plain_word(std::string_view word); // so

enum class Acknowledgement : std::uint8_t {
    by_message, // by MSH-15; always one answer
    silent,     // the same, but none where MSH-15 and MSH-16 are both NE
    original,   // AA, AE, AR whatever MSH-15 says
    enhanced,   // CA, CE, CR whatever MSH-15 says
};

struct SenderRules {
    StatusWords status_words;
    bool preadmit_is_appointment = false; // A05 is a new appointment and A38 its cancellation
    Acknowledgement acknowledgement = Acknowledgement::by_message;
    std::string character_set; // for what is neither UTF-8 nor MSH-18's; empty: Windows-1252
};

} // namespace clinic::intake
