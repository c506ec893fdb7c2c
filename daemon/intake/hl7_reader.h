// Reads fields of a message into the store's types. The first thing wrong is kept, with its place; what is read after
// it does not count. So a mapping reads as a list of fields, and is checked once, at its end.
//   Threads: one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/intake/hl7_ack.h"
#include "daemon/intake/hl7_message.h"
#include "daemon/intake/hl7_time.h"
#include "daemon/records/types.h"

namespace clinic::intake {

inline constexpr std::size_t value_bytes_max = 4'096; // one decoded value
inline constexpr std::size_t repetitions_max = 32;    // identifiers, phones, …: what comes after is not read

// Why a message is not taken: for the sender (complaint) and for the quarantine (error).
struct Rejection {
    Outcome outcome = Outcome::failed;
    Complaint complaint;
    Error error{Errc::malformed, ""};
};

class Reader {
public:
    explicit Reader(const Message& message) : message_{message} {}

    const Message& message() const { return message_; }
    const std::optional<Rejection>& rejection() const { return rejection_; }

    void missing_segment(Literal text, std::string_view id);
    void missing_field(Literal text, const Segment& segment, int field);
    void wrong(Literal text, Literal remedy, const Segment& segment, int field);
    void refuse(Hl7Code code, Literal text, Literal remedy, int field); // of MSH: the same bytes must always fail

    // Decoded and trimmed; empty where there is none, and for "".
    std::string value(const Segment& segment, int field, std::string_view raw);
    std::string value(const Segment& segment, int field); // first repetition, first component
    records::Said<records::PhiText> said(const Segment& segment, int field, std::string_view raw);
    records::Said<records::PhiText> said(const Segment& segment, int field); // first repetition, first component

    // nullopt: absent, "", or unknown. A date that is none is wrong.
    std::optional<Moment> time(const Segment& segment, int field, std::string_view raw);
    std::optional<Moment> time(const Segment* segment, int field);

    std::string_view first(const Segment& segment, int field) const; // raw first repetition

private:
    void reject(Outcome outcome, Hl7Code code, Error error, std::string_view segment, int sequence, int field);
    int sequence_of(const Segment& segment) const;

    const Message& message_;
    std::optional<Rejection> rejection_;
};

} // namespace clinic::intake
