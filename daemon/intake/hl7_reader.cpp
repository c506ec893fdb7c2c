#include "daemon/intake/hl7_reader.h"

namespace clinic::intake {
namespace {

std::string trimmed(std::string text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return {};
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    text.erase(0, first);
    return text;
}

} // namespace

void Reader::reject(Outcome outcome, Hl7Code code, Error error, std::string_view segment, int sequence, int field) {
    if (rejection_) return;
    rejection_ = Rejection{outcome, {code, error.what, std::string{segment}, sequence, field, error.remedy}, error};
}

int Reader::sequence_of(const Segment& segment) const {
    int sequence = 0;
    for (const auto& other : message_.segments())
        if (other.id == segment.id && other.number <= segment.number) ++sequence;
    return sequence;
}

void Reader::missing_segment(Literal text, std::string_view id) {
    reject(Outcome::failed, Hl7Code::segment_sequence, Error{Errc::malformed, text, "send this segment too"}, id, 1, 0);
}

void Reader::missing_field(Literal text, const Segment& segment, int field) {
    reject(Outcome::failed, Hl7Code::required_field,
           Error{Errc::malformed, text, "send a value in this field", {.segment = segment.number, .field = field}},
           segment.id, sequence_of(segment), field);
}

void Reader::wrong(Literal text, Literal remedy, const Segment& segment, int field) {
    reject(Outcome::failed, Hl7Code::data_type,
           Error{Errc::malformed, text, remedy, {.segment = segment.number, .field = field}}, segment.id,
           sequence_of(segment), field);
}

void Reader::refuse(Hl7Code code, Literal text, Literal remedy, int field) {
    reject(Outcome::refused, code, Error{Errc::unsupported, text, remedy, {.segment = 1, .field = field}}, "MSH", 1,
           field);
}

std::string_view Reader::first(const Segment& segment, int field) const {
    return part(message_.field(segment, field), message_.header().delimiters.repetition, 1);
}

std::string Reader::value(const Segment& segment, int field, std::string_view raw) {
    if (raw.empty() || is_null(raw)) return {};
    std::string text = trimmed(message_.decoded(raw));
    if (text.size() <= value_bytes_max) return text;
    wrong("a value is longer than 4096 bytes", "send a shorter one", segment, field);
    return {};
}

std::string Reader::value(const Segment& segment, int field) {
    return value(segment, field, message_.component(first(segment, field), 1));
}

records::Said<records::PhiText> Reader::said(const Segment& segment, int field, std::string_view raw) {
    if (is_null(raw) || is_null(message_.field(segment, field))) return records::Said<records::PhiText>::cleared();
    std::string text = value(segment, field, raw);
    if (text.empty()) return {};
    return records::Said<records::PhiText>::given(records::PhiText{std::move(text)});
}

records::Said<records::PhiText> Reader::said(const Segment& segment, int field) {
    return said(segment, field, message_.component(first(segment, field), 1));
}

std::optional<Moment> Reader::time(const Segment& segment, int field, std::string_view raw) {
    if (raw.empty() || is_null(raw)) return std::nullopt;
    auto moment = read_time(raw);
    if (moment) return std::move(*moment);
    wrong("not a date or time", "send YYYYMMDD or YYYYMMDDHHMM", segment, field);
    return std::nullopt;
}

std::optional<Moment> Reader::time(const Segment* segment, int field) {
    if (segment == nullptr) return std::nullopt;
    return time(*segment, field, message_.component(first(*segment, field), 1));
}

} // namespace clinic::intake
