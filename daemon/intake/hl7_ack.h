// The answer to a message: ACK with MSA, and ERR from v2.5.
//   Rules:   MSA-1 by outcome and MSH-15; MSA-2 is MSH-10 byte for byte; sender and receiver swapped; the message's own
//            delimiters and version. What is wrong, where, and what to do: in ERR, before v2.5 in MSA-3 and MSA-6. No
//            content of a field in any text: only literals of ours, codes and places.
//   Source:  facts/health-interop §1.2; HL7 v2.5 §2.9, tables 0008, 0155, 0357, 0516.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "daemon/intake/hl7_message.h"

namespace clinic::intake {

enum class Outcome : std::uint8_t { stored, failed, refused }; // AA, AE, AR and their enhanced forms

// HL7 table 0357.
enum class Hl7Code : std::uint16_t {
    accepted = 0,
    segment_sequence = 100,
    required_field = 101,
    data_type = 102,
    too_long = 104,
    message_type = 200,
    event_code = 201,
    processing_id = 202,
    version_id = 203,
    internal = 207,
};

struct Complaint {
    Hl7Code code = Hl7Code::internal;
    Literal text = "";
    std::string segment; // "PID"; empty: the message as a whole
    int sequence = 1;    // which of the segments of that name
    int field = 0;
    Literal remedy = "";
};

// The message header may be missing where the message was unreadable: the answer then has our delimiters and no MSA-2.
// `accept_condition`: in place of MSH-15, where a sender is answered in one mode whatever it says.
std::string answer(const std::optional<Header>& header, Outcome outcome, const std::optional<Complaint>& complaint,
                   Timestamp now, std::optional<std::string_view> accept_condition = std::nullopt);
// "AA", "CE", …
std::string_view acknowledgement_code(std::string_view accept_condition, Outcome outcome);

// MSH-15 and MSH-16 both NE: the sender wants no answer. Some of those that say so wait for one all the same.
bool wants_silence(const Header& header);
// At least that version; an empty or unreadable one counts as old.
bool is_version_at_least(std::string_view version, int major, int minor);

} // namespace clinic::intake
