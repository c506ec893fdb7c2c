#include "daemon/intake/hl7_message.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "daemon/intake/text_encoding.h"

namespace clinic::intake {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool is_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_printable(char c) {
    return c > ' ' && c < '\x7F';
}
char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string_view without_lead(std::string_view raw) {
    if (raw.substr(0, byte_order_mark.size()) == byte_order_mark) raw.remove_prefix(byte_order_mark.size());
    while (!raw.empty() && (raw.front() == '\r' || raw.front() == '\n' || raw.front() == ' ')) raw.remove_prefix(1);
    return raw;
}

bool starts_with_header(std::string_view raw) {
    return raw.size() >= 4 && upper(raw[0]) == 'M' && upper(raw[1]) == 'S' && upper(raw[2]) == 'H';
}

// MSH-2 in its order: component, repetition, escape, subcomponent, truncation (2.7). A character that stands twice
// (`^~\\&`, an escaped listing that went over the wire) counts once.
Result<Delimiters> read_delimiters(char field, std::string_view encoding) {
    constexpr Error bad{
        Errc::malformed, "MSH-2: not encoding characters", "send ^~\\& or others", {.segment = 1, .field = 2}};
    std::string distinct;
    for (const char c : encoding) {
        if (!is_printable(c) || is_letter(c) || is_digit(c) || c == field) return bad;
        if (distinct.find(c) == std::string::npos) distinct.push_back(c);
    }
    if (distinct.empty() || distinct.size() > 5) return bad;
    distinct.resize(5, '\0');
    return Delimiters{field, distinct[0], distinct[1], distinct[2], distinct[3], distinct[4]};
}

// Segments that messages of the accepted events carry, beside Z segments.
bool is_known_segment(std::string_view id) {
    static constexpr std::array<std::string_view, 38> known = {
        "MSH", "SFT", "EVN", "PID", "PD1", "ARV", "ROL", "NK1", "PV1", "PV2", "DB1", "OBX", "AL1",
        "DG1", "DRG", "PR1", "GT1", "IN1", "IN2", "IN3", "ACC", "UB1", "UB2", "PDA", "MRG", "SCH",
        "TQ1", "NTE", "RGS", "AIS", "AIG", "AIL", "AIP", "IAM", "CON", "PRT", "UAC", "PSC"};
    return std::find(known.begin(), known.end(), id) != known.end() || id.front() == 'Z';
}

bool has_segment_head(std::string_view line, char field_separator) {
    if (line.size() < 3 || !is_letter(line[0])) return false;
    for (const char c : line.substr(1, 2))
        if (!is_letter(c) && !is_digit(c)) return false;
    return line.size() == 3 || line[3] == field_separator;
}

std::string segment_id(std::string_view line) {
    std::string id{line.substr(0, 3)};
    std::transform(id.begin(), id.end(), id.begin(), upper);
    return id;
}

// Splits a line at the line feeds before which a sender ended a segment although it uses CR elsewhere. Free text
// keeps its line feeds: only outside NTE and OBX, and only before the head of a segment that we know.
void split_stray_line_feeds(std::string_view line, char separator, std::vector<std::string_view>& out) {
    const bool free_text = line.substr(0, 3) == "NTE" || line.substr(0, 3) == "OBX";
    std::size_t from = 0;
    for (std::size_t at = line.find('\n'); !free_text && at != std::string_view::npos; at = line.find('\n', at + 1)) {
        const std::string_view rest = line.substr(at + 1);
        if (rest.size() < 4 || !has_segment_head(rest, separator) || !is_known_segment(rest.substr(0, 3))) continue;
        out.push_back(line.substr(from, at - from));
        from = at + 1;
    }
    out.push_back(line.substr(from));
}

// On CR when the message has any (a literal line feed in NTE or OBX text is real), else on LF. Line ends of CRLF
// leave a line feed before the next segment: it is trimmed.
std::vector<std::string_view> lines(std::string_view text, char separator) {
    const bool by_return = text.find('\r') != std::string_view::npos;
    std::vector<std::string_view> out;
    for (std::string_view line : parts(text, by_return ? '\r' : '\n')) {
        while (!line.empty() && (line.front() == '\n' || line.front() == ' ')) line.remove_prefix(1);
        while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
        if (line.empty()) continue;
        if (by_return)
            split_stray_line_feeds(line, separator, out);
        else
            out.push_back(line);
    }
    return out;
}

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    const char letter = upper(c);
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

// \Xhh…\ : bytes in the message's set; read as UTF-8 where they are, else as Windows-1252. False: not hexadecimal.
bool append_hex(std::string_view digits, std::string& out) {
    if (digits.empty() || digits.size() % 2 != 0) return false;
    std::string bytes;
    for (std::size_t at = 0; at < digits.size(); at += 2) {
        const int high = hex_digit(digits[at]), low = hex_digit(digits[at + 1]);
        if (high < 0 || low < 0) return false;
        bytes.push_back(static_cast<char>(high * 16 + low));
    }
    if (bytes.find('\0') != std::string::npos) return false;
    out += is_utf8(bytes) ? bytes : windows_1252_to_utf8(bytes);
    return true;
}

// What stands between two escape characters. False: unknown, to be kept verbatim.
bool append_escape(std::string_view code, const Delimiters& delimiters, std::string& out) {
    if (code == "F")
        out.push_back(delimiters.field);
    else if (code == "S")
        out.push_back(delimiters.component);
    else if (code == "R")
        out.push_back(delimiters.repetition);
    else if (code == "E")
        out.push_back(delimiters.escape);
    else if (code == "T")
        out.push_back(delimiters.subcomponent != '\0' ? delimiters.subcomponent : '&');
    else if (code == "P")
        out.push_back(delimiters.truncation != '\0' ? delimiters.truncation : '#');
    else if (code == ".br")
        out.push_back('\n');
    else if (code == "H" || code == "N")
        return true; // highlighting on and off: no text
    else
        return !code.empty() && code.front() == 'X' && append_hex(code.substr(1), out);
    return true;
}

// Local (\Z..\), character set (\C..\, \M..\) and formatting (\.sp\) escapes, and hexadecimal ones that do not decode.
bool is_escape_shaped(std::string_view code) {
    return !code.empty() && std::string_view{"ZCMX."}.find(code.front()) != std::string_view::npos &&
           code.find(' ') == std::string_view::npos;
}

Result<std::vector<Segment>> read_segments(std::string_view text, char separator) {
    std::vector<Segment> segments;
    bool header_repeats = true;
    int number = 0;
    for (const std::string_view line : lines(text, separator)) {
        ++number;
        if (!has_segment_head(line, separator)) continue; // a torn line of free text: kept with the raw message
        Segment segment{segment_id(line), line, number};
        if (segment.id == "MSH" && !segments.empty()) {
            if (!header_repeats)
                return Error{Errc::malformed,
                             "MSH: several messages in one frame",
                             "send one message a frame",
                             {.segment = number}};
            continue;
        }
        header_repeats = segments.empty();
        if (segments.size() == segments_max)
            return Error{Errc::full, "the message has too many segments", "send it in parts"};
        segments.push_back(std::move(segment));
    }
    return segments;
}

} // namespace

std::string_view part(std::string_view text, char separator, int number) {
    for (int left = number - 1; left > 0; --left) {
        const std::size_t at = text.find(separator);
        if (at == std::string_view::npos || separator == '\0') return {};
        text.remove_prefix(at + 1);
    }
    return separator == '\0' ? text : text.substr(0, text.find(separator));
}

std::vector<std::string_view> parts(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    if (separator == '\0') return {text};
    for (;;) {
        const std::size_t at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + 1);
    }
}

bool is_null(std::string_view field) {
    return field == "\"\"";
}

Result<Header> read_header(std::string_view raw) {
    raw = without_lead(raw);
    if (!starts_with_header(raw))
        return Error{Errc::malformed, "the message does not begin with MSH", "send a whole message, MSH first"};
    const std::string_view line = raw.substr(0, raw.find_first_of("\r\n"));
    if (line.size() < 5) return Error{Errc::malformed, "MSH: cut off", "send a whole message", {.segment = 1}};
    const char separator = line[3];
    if (!is_printable(separator) || is_letter(separator) || is_digit(separator))
        return Error{Errc::malformed, "MSH-1: not a field separator", "send |", {.segment = 1, .field = 1}};
    const std::string_view encoding = part(line, separator, 2);
    const auto delimiters = read_delimiters(separator, encoding);
    if (!delimiters) return delimiters.error();
    const auto msh = [&](int number) { return std::string{part(line, separator, number)}; };
    return Header{*delimiters, std::string{encoding},
                  msh(3),      msh(4),
                  msh(5),      msh(6),
                  msh(7),      msh(9),
                  msh(10),     msh(11),
                  msh(12),     msh(15),
                  msh(16),     msh(18)};
}

Result<Message> parse(std::string_view raw, std::string_view fallback_set) {
    const auto header = read_header(raw);
    if (!header) return header.error();
    if (raw.find('\0') != std::string_view::npos)
        return Error{Errc::malformed, "a NUL byte inside the message", "send text without NUL"};
    Message message;
    message.header_ = *header;
    Decoded decoded =
        to_utf8(without_lead(raw), parts(header->character_set, header->delimiters.repetition), fallback_set);
    message.character_set_assumed_ = decoded.assumed;
    message.text_ = std::make_unique<const std::string>(std::move(decoded.text));
    auto segments = read_segments(*message.text_, header->delimiters.field);
    if (!segments) return segments.error();
    if (segments->empty() || segments->front().id != "MSH")
        return Error{Errc::malformed,
                     "MSH: not there once the message is read in its character set",
                     "send | as separator, and in MSH-18 the character set of the message",
                     {.segment = 1}};
    message.segments_ = std::move(*segments);
    return message;
}

const Segment* Message::first(std::string_view id) const {
    for (const auto& segment : segments_)
        if (segment.id == id) return &segment;
    return nullptr;
}

std::vector<const Segment*> Message::all(std::string_view id) const {
    std::vector<const Segment*> found;
    for (const auto& segment : segments_)
        if (segment.id == id) found.push_back(&segment);
    return found;
}

std::string_view Message::field(const Segment& segment, int number) const {
    if (segment.id == "MSH") return part(segment.text, header_.delimiters.field, number);
    return part(segment.text, header_.delimiters.field, number + 1);
}

std::vector<std::string_view> Message::repetitions(const Segment& segment, int number) const {
    const std::string_view text = field(segment, number);
    if (text.empty()) return {};
    return parts(text, header_.delimiters.repetition);
}

std::string_view Message::component(std::string_view repetition, int number) const {
    return subcomponent(repetition, number, 1);
}

std::string_view Message::subcomponent(std::string_view repetition, int component, int number) const {
    return part(part(repetition, header_.delimiters.component, component), header_.delimiters.subcomponent, number);
}

std::string Message::decoded(std::string_view raw) const {
    const char escape = header_.delimiters.escape;
    if (escape == '\0' || raw.find(escape) == std::string_view::npos) return std::string{raw};
    std::string out;
    out.reserve(raw.size());
    for (std::size_t at = 0; at < raw.size();) {
        const std::size_t open = raw.find(escape, at);
        out += raw.substr(at, open == std::string_view::npos ? open : open - at);
        if (open == std::string_view::npos) break;
        const std::size_t close = raw.find(escape, open + 1);
        if (close == std::string_view::npos) {
            out += raw.substr(open);
            break;
        }
        const std::string_view code = raw.substr(open + 1, close - open - 1);
        if (append_escape(code, header_.delimiters, out)) {
            at = close + 1;
        } else if (is_escape_shaped(code)) {
            out += raw.substr(open, close + 1 - open);
            at = close + 1;
        } else { // a lone escape character; the next one may open a real escape
            out += raw.substr(open, close - open);
            at = close;
        }
    }
    return out;
}

} // namespace clinic::intake
