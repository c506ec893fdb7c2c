// An HL7 v2 message taken apart: delimiters, segments, fields, repetitions, components, escapes.
//   Units:   numbers count from 1 as in the standard (PID-3 is field 3 of PID; MSH-1 is the separator itself).
//   Errors:  malformed, with segment and field in `at`; full above the bounds below.
//   Threads: a Message is const once parsed.
//   Source:  facts/health-interop §1.2, §1.3; HL7 v2.5 chapter 2.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::intake {

inline constexpr std::size_t segments_max = 5'000;

struct Delimiters {
    char field = '|', component = '^', repetition = '~';
    char escape = '\\', subcomponent = '&', truncation = '\0'; // NUL: the message declares none
};

// The header's bytes as they came, for the answer: nothing here is decoded or trimmed.
struct Header {
    Delimiters delimiters;
    std::string encoding; // MSH-2, byte for byte
    std::string sending_application, sending_facility, receiving_application, receiving_facility;
    std::string sent_at, message_type, control_id, processing_id, version; // MSH-7, 9, 10, 11, 12
    std::string accept_condition, application_condition, character_set;    // MSH-15, 16, 18
};

// Also from bytes that are no whole message: what the answer needs is often still there.
Result<Header> read_header(std::string_view raw);

// The n-th part, from 1; empty where there is none.
std::string_view part(std::string_view text, char separator, int number);
std::vector<std::string_view> parts(std::string_view text, char separator);
template <std::same_as<std::string> Gone>
void parts(Gone&& text, char separator) = delete; // the views would outlive it
bool is_null(std::string_view field);             // "" in the message: clear what is stored

struct Segment {
    std::string id; // upper case
    std::string_view text;
    int number = 0; // its place in the message, from 1
};

class Message {
public:
    const Header& header() const { return header_; }
    const std::vector<Segment>& segments() const { return segments_; } // MSH is there, and first
    const Segment* first(std::string_view id) const;
    std::vector<const Segment*> all(std::string_view id) const;
    bool character_set_assumed() const { return character_set_assumed_; }

    std::string_view field(const Segment& segment, int number) const;
    std::vector<std::string_view> repetitions(const Segment& segment, int number) const; // empty when the field is
    // Raw: escapes stand. The first sub-component of a component, so that `A&B` is A.
    std::string_view component(std::string_view repetition, int number) const;
    std::string_view subcomponent(std::string_view repetition, int component, int number) const;
    // Escapes resolved; unknown ones verbatim.
    std::string decoded(std::string_view raw) const;

private:
    friend Result<Message> parse(std::string_view raw, std::string_view fallback_set);
    Header header_;
    std::unique_ptr<const std::string> text_; // UTF-8; what the views point into
    std::vector<Segment> segments_;
    bool character_set_assumed_ = false;
};

// Whole message, as it stood between the frame's ends. A second MSH directly after the first is skipped (a vendor's
// habit); a later one is an error: several messages in one frame. `fallback_set`: the sender's character set where the
// bytes are neither UTF-8 nor in what MSH-18 says; empty: Windows-1252.
Result<Message> parse(std::string_view raw, std::string_view fallback_set = {});

} // namespace clinic::intake
