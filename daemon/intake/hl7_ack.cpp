#include "daemon/intake/hl7_ack.h"

#include <array>
#include <charconv>

#include "crypto/base/ids.h"
#include "daemon/intake/hl7_time.h"

namespace clinic::intake {
namespace {

struct Row {
    std::string_view accept_condition, stored, failed, refused;
};
constexpr Row acknowledgements[] = {
    {"AL", "CA", "CE", "CR"},
    {"ER", "AA", "CE", "CR"},
    {"SU", "CA", "AE", "AR"},
    {"", "AA", "AE", "AR"}, // empty, NE, and any other word: original mode
};

const char* table_0357(Hl7Code code) {
    switch (code) {
    case Hl7Code::accepted: return "Message accepted";
    case Hl7Code::segment_sequence: return "Segment sequence error";
    case Hl7Code::required_field: return "Required field missing";
    case Hl7Code::data_type: return "Data type error";
    case Hl7Code::too_long: return "Value too long";
    case Hl7Code::message_type: return "Unsupported message type";
    case Hl7Code::event_code: return "Unsupported event code";
    case Hl7Code::processing_id: return "Unsupported processing id";
    case Hl7Code::version_id: return "Unsupported version id";
    case Hl7Code::internal: return "Application internal error";
    }
    return "";
}

// Without M and R no id ends as a segment of an answer begins: there are senders who look for "MSA|" anywhere.
std::string control_id() {
    static constexpr char letters[] = "0123456789ABCDEFGHJKLNPQSTUVWXYZ";
    static_assert(sizeof letters == 32 + 1);
    std::array<std::byte, 16> random{};
    base::random_bytes(random);
    std::string id = "CE";
    for (const std::byte value : random) id.push_back(letters[std::to_integer<unsigned>(value) & 31U]);
    return id;
}

// A trigger event is three characters of table 0003; anything else is content of a field and is not repeated.
std::string_view trigger_event(const Header& header) {
    const std::string_view event = part(header.message_type, header.delimiters.component, 2);
    if (event.size() != 3) return {};
    for (const char c : event)
        if ((c < 'A' || c > 'Z') && (c < '0' || c > '9')) return {};
    return event;
}

std::string_view processing_id(const Header& header) {
    const std::string_view id = part(header.processing_id, header.delimiters.component, 1);
    return id == "T" || id == "D" ? id : std::string_view{"P"};
}

// A text of ours, should the message use one of its characters as a delimiter.
std::string escaped(const char* text, const Delimiters& delimiters) {
    std::string out;
    for (const char c : std::string_view{text}) {
        const bool special = c == delimiters.field || c == delimiters.component || c == delimiters.repetition ||
                             c == delimiters.escape || c == delimiters.subcomponent || c == delimiters.truncation;
        out.push_back(special ? ' ' : c);
    }
    return out;
}

std::string coded(const Complaint& complaint, const Delimiters& delimiters) {
    const char component = delimiters.component;
    return std::to_string(static_cast<int>(complaint.code)) + component +
           escaped(table_0357(complaint.code), delimiters) + component + "HL70357";
}

std::string location(const Complaint& complaint, char component) {
    if (complaint.segment.empty()) return {};
    std::string out = complaint.segment + component + std::to_string(complaint.sequence);
    if (complaint.field > 0) out += component + std::to_string(complaint.field);
    return out;
}

// For a person: what is wrong, and what to do.
std::string sentence(const Complaint& complaint, const Delimiters& delimiters) {
    std::string out = escaped(complaint.text.c_str(), delimiters);
    if (*complaint.remedy.c_str() != '\0') out += "; " + escaped(complaint.remedy.c_str(), delimiters);
    return out;
}

// Before v2.5 there is no ERR-2: the place stands before the sentence, unless its text begins with it.
std::string sentence_with_place(const Complaint& complaint, const Delimiters& delimiters) {
    std::string out = sentence(complaint, delimiters);
    if (complaint.segment.empty() || out.starts_with(complaint.segment)) return out;
    std::string place = complaint.segment;
    if (complaint.field > 0) place += "-" + std::to_string(complaint.field);
    return place + ": " + out;
}

// ERR-2 location, ERR-3 code, ERR-4 severity, ERR-8 a sentence for a person.
std::string error_segment(const Complaint& complaint, const Delimiters& delimiters) {
    const char field = delimiters.field;
    return std::string{"ERR"} + field + field + location(complaint, delimiters.component) + field +
           coded(complaint, delimiters) + field + "E" + std::string(4, field) + sentence(complaint, delimiters) + "\r";
}

std::string header_segment(const Header& header, Timestamp now) {
    const char field = header.delimiters.field;
    std::string out = "MSH";
    const auto put = [&](std::string_view value) { (out += field) += value; };
    put(header.encoding);
    put(header.receiving_application);
    put(header.receiving_facility);
    put(header.sending_application);
    put(header.sending_facility);
    put(hl7_time(now));
    put("");
    const std::string_view event = trigger_event(header);
    const char component = header.delimiters.component;
    put(event.empty() ? std::string{"ACK"} : std::string{"ACK"} + component + std::string{event} + component + "ACK");
    put(control_id());
    put(processing_id(header));
    put(header.version.empty() ? std::string_view{"2.5"} : std::string_view{header.version});
    return out + "\r";
}

} // namespace

std::string_view acknowledgement_code(std::string_view accept_condition, Outcome outcome) {
    for (const auto& row : acknowledgements) {
        if (row.accept_condition != accept_condition && !row.accept_condition.empty()) continue;
        return outcome == Outcome::stored ? row.stored : outcome == Outcome::failed ? row.failed : row.refused;
    }
    return "AE";
}

bool wants_silence(const Header& header) {
    return header.accept_condition == "NE" && header.application_condition == "NE";
}

bool is_version_at_least(std::string_view version, int major, int minor) {
    int said_major = 0, said_minor = 0;
    const auto [after, failed] = std::from_chars(version.data(), version.data() + version.size(), said_major);
    if (failed != std::errc{}) return false;
    if (after != version.data() + version.size() && *after == '.')
        std::from_chars(after + 1, version.data() + version.size(), said_minor);
    return said_major > major || (said_major == major && said_minor >= minor);
}

std::string answer(const std::optional<Header>& header, Outcome outcome, const std::optional<Complaint>& complaint,
                   Timestamp now, std::optional<std::string_view> accept_condition) {
    static const Header ours{{}, "^~\\&", "", "", "", "", "", "", "", "", "2.5", "", "", ""};
    const Header& said = header ? *header : ours;
    const char field = said.delimiters.field;
    std::string out = header_segment(said, now);
    out += std::string{"MSA"} + field +
           std::string{acknowledgement_code(accept_condition.value_or(said.accept_condition), outcome)} + field +
           said.control_id;
    if (!complaint) return out + "\r";
    const std::string_view version = part(said.version, said.delimiters.component, 1);
    if (is_version_at_least(version, 2, 5))
        return out + field + escaped(complaint->text.c_str(), said.delimiters) + "\r" +
               error_segment(*complaint, said.delimiters);
    return out + field + sentence_with_place(*complaint, said.delimiters) + field + field + field +
           coded(*complaint, said.delimiters) + "\r"; // MSA-6, the place before ERR-3
}

} // namespace clinic::intake
