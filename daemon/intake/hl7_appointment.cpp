#include "daemon/intake/hl7_appointment.h"

#include <charconv>

namespace clinic::intake {
namespace {

using records::AppointmentStatus;
using records::PhiText;
using records::Said;

struct Word {
    std::string_view word;
    AppointmentStatus status;
};
// Table 0278 first; then what sites write in its place.
constexpr Word words[] = {
    {"pending", AppointmentStatus::requested},
    {"waitlist", AppointmentStatus::requested},
    {"booked", AppointmentStatus::booked},
    {"started", AppointmentStatus::arrived},
    {"complete", AppointmentStatus::completed},
    {"cancelled", AppointmentStatus::cancelled},
    {"dc", AppointmentStatus::cancelled},
    {"deleted", AppointmentStatus::entered_in_error},
    {"noshow", AppointmentStatus::no_show},
    {"requested", AppointmentStatus::requested},
    {"proposed", AppointmentStatus::requested},
    {"tentative", AppointmentStatus::requested},
    {"scheduled", AppointmentStatus::booked},
    {"new", AppointmentStatus::booked},
    {"confirmed", AppointmentStatus::confirmed},
    {"arrived", AppointmentStatus::arrived},
    {"checkedin", AppointmentStatus::arrived},
    {"checkin", AppointmentStatus::arrived},
    {"inprogress", AppointmentStatus::arrived},
    {"completed", AppointmentStatus::completed},
    {"fulfilled", AppointmentStatus::completed},
    {"checkedout", AppointmentStatus::completed},
    {"finished", AppointmentStatus::completed},
    {"canceled", AppointmentStatus::cancelled},
    {"discontinued", AppointmentStatus::cancelled},
    {"missed", AppointmentStatus::no_show},
    {"noshowed", AppointmentStatus::no_show},
    {"didnotattend", AppointmentStatus::no_show},
    {"rescheduled", AppointmentStatus::rescheduled},
    {"enteredinerror", AppointmentStatus::entered_in_error},
};

// The first of its kind that says a time and is not being taken away (action code D).
std::optional<Moment> resource_start(Reader& reader, std::string_view id, int action_field, int field) {
    for (const Segment* segment : reader.message().all(id)) {
        if (reader.message().field(*segment, action_field) == "D") continue;
        if (auto at = reader.time(segment, field)) return at;
    }
    return std::nullopt;
}

// TQ in SCH-11: … ^ .4 start ^ .5 end.
std::optional<Moment> timing(Reader& reader, const Segment* sch, int component) {
    if (sch == nullptr) return std::nullopt;
    for (const auto one : reader.message().repetitions(*sch, 11))
        if (auto at = reader.time(*sch, 11, reader.message().component(one, component))) return at;
    return std::nullopt;
}

std::optional<Moment> start_of(Reader& reader, const Segment* sch) {
    const Message& message = reader.message();
    if (auto at = resource_start(reader, "AIS", 2, 4)) return at;
    if (auto at = reader.time(message.first("TQ1"), 7)) return at;
    if (auto at = timing(reader, sch, 4)) return at;
    if (auto at = reader.time(message.first("PV2"), 8)) return at;
    if (auto at = reader.time(message.first("EVN"), 6)) return at;
    for (const std::string_view id : {"AIL", "AIP"})
        if (auto at = resource_start(reader, id, 2, 6)) return at;
    return resource_start(reader, "AIG", 2, 8);
}

// A number of units; table: s, sec, min, h, hr, d. nullopt: none, or a unit we do not know.
std::optional<base::Micros> span(Reader& reader, const Segment* segment, int number_field, int unit_field) {
    if (segment == nullptr) return std::nullopt;
    const std::string digits = reader.value(*segment, number_field);
    const std::string unit = plain_word(reader.value(*segment, unit_field));
    int count = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (failed != std::errc{} || end != digits.data() + digits.size() || count <= 0 || count > 100'000)
        return std::nullopt;
    if (unit.empty() || unit.front() == 'm') return std::chrono::minutes{count};
    if (unit.front() == 'h') return std::chrono::hours{count};
    return unit.front() == 's' ? std::optional<base::Micros>{std::chrono::seconds{count}} : std::nullopt;
}

std::optional<Timestamp> end_of(Reader& reader, const Segment* sch, Timestamp start) {
    std::optional<Timestamp> end;
    if (const auto at = reader.time(reader.message().first("TQ1"), 8))
        end = at->at;
    else if (const auto listed = timing(reader, sch, 5))
        end = listed->at;
    if (end && *end > start) return end;
    auto length = span(reader, reader.message().first("AIS"), 7, 8);
    if (!length) length = span(reader, sch, 9, 10);
    if (!length) return std::nullopt;
    return start + *length;
}

// The parts of a composite as one line; for the desk's eyes, never emitted.
Said<PhiText> joined(Reader& reader, const Segment* segment, int field, int components) {
    if (segment == nullptr) return {};
    if (is_null(reader.message().field(*segment, field))) return Said<PhiText>::cleared();
    std::string line;
    for (int number = 1; number <= components; ++number) {
        const std::string_view raw = reader.message().component(reader.first(*segment, field), number);
        const std::string text = reader.value(*segment, field, raw);
        if (text.empty()) continue;
        if (!line.empty()) line += ' ';
        line += text;
    }
    if (line.empty()) return {};
    return Said<PhiText>::given(PhiText{std::move(line)});
}

void read_times(Reader& reader, const Segment* sch, records::AppointmentChange& change) {
    const auto start = start_of(reader, sch);
    if (!start) return;
    change.start = start->at;
    change.end = end_of(reader, sch, start->at);
}

void read_people_and_place(Reader& reader, records::AppointmentChange& change) {
    const Message& message = reader.message();
    change.provider = joined(reader, message.first("AIP"), 3, 3);
    if (change.provider.is_absent()) change.provider = joined(reader, message.first("PV1"), 7, 3);
    change.location = joined(reader, message.first("AIL"), 3, 4);
    if (change.location.is_absent()) change.location = joined(reader, message.first("PV1"), 3, 4);
}

} // namespace

std::string plain_word(std::string_view word) {
    std::string out;
    for (const char c : word) {
        if (c >= 'A' && c <= 'Z')
            out.push_back(static_cast<char>(c - 'A' + 'a'));
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out.push_back(c);
    }
    return out;
}

std::optional<AppointmentStatus> status_of_word(std::string_view word, const StatusWords& own) {
    const std::string letters = plain_word(word);
    for (const auto& [known, status] : own)
        if (known == letters) return status;
    for (const auto& known : words)
        if (known.word == letters) return known.status;
    return std::nullopt;
}

records::AppointmentChange read_appointment(Reader& reader, const Segment& sch, const std::string& sender) {
    records::AppointmentChange change;
    std::string key = reader.value(sch, 2);
    if (key.empty()) key = reader.value(sch, 1);
    if (key.empty()) reader.missing_field("SCH-2: no appointment id, and none in SCH-1", sch, 2);
    change.key = PhiText{std::move(key)};
    change.name_space = sender;
    read_times(reader, &sch, change);
    change.reason = joined(reader, &sch, 7, 2);
    read_people_and_place(reader, change);
    return change;
}

records::AppointmentChange read_visit_as_appointment(Reader& reader, const std::string& sender) {
    records::AppointmentChange change;
    change.name_space = sender;
    const Segment* pv1 = reader.message().first("PV1");
    if (pv1 == nullptr) {
        reader.missing_segment("PV1: missing, and it has the appointment id", "PV1");
        return change;
    }
    std::string key = reader.value(*pv1, 19);
    if (key.empty()) reader.missing_field("PV1-19: no visit number", *pv1, 19);
    change.key = PhiText{std::move(key)};
    read_times(reader, nullptr, change);
    if (const auto admitted = change.start ? std::nullopt : reader.time(pv1, 44)) change.start = admitted->at;
    read_people_and_place(reader, change);
    return change;
}

} // namespace clinic::intake
