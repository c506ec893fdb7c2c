#include "daemon/intake/mask.h"

#include <algorithm>
#include <array>

#include "daemon/intake/hl7_message.h"

namespace clinic::intake {
namespace {

constexpr std::size_t form_bytes_max = 32; // of a date with time and zone; longer is no date
// MSH-2 to 6 (delimiters, names of systems), 9, 11, 12 (type, processing id, version), 15, 16, 18 (mode, character
// set).
constexpr std::array header_fields_shown{2, 3, 4, 5, 6, 9, 11, 12, 15, 16, 18};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool belongs_to_a_date(char c) {
    return is_digit(c) || std::string_view{"+-.:"}.find(c) != std::string_view::npos;
}

std::string value(std::string_view text) {
    if (text.empty() || text == "\"\"") return std::string{text};
    if (text.size() > form_bytes_max || !std::all_of(text.begin(), text.end(), belongs_to_a_date)) return "x";
    std::string form{text};
    std::replace_if(form.begin(), form.end(), is_digit, '9');
    return form;
}

// Each value between delimiters on its own.
std::string values(std::string_view text, std::string_view delimiters) {
    std::string out;
    while (!text.empty()) {
        const std::size_t at = std::min(text.find_first_of(delimiters), text.size());
        out += value(text.substr(0, at));
        if (at == text.size()) break;
        out += text[at];
        text.remove_prefix(at + 1);
    }
    return out;
}

std::string between_fields(const Delimiters& delimiters) {
    std::string all{delimiters.component, delimiters.repetition};
    if (delimiters.subcomponent != '\0') all += delimiters.subcomponent;
    return all;
}

// Free text in a torn line may begin like a segment; only names of the standard's form, in capitals, are shown.
bool is_segment_name(std::string_view name) {
    if (name.size() != 3 || name[0] < 'A' || name[0] > 'Z') return false;
    return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'A' && c <= 'Z') || is_digit(c); });
}

bool is_shown(bool is_header, int field) {
    return is_header &&
           std::find(header_fields_shown.begin(), header_fields_shown.end(), field) != header_fields_shown.end();
}

std::string segment(const Message& message, const Segment& one) {
    const Delimiters& delimiters = message.header().delimiters;
    const auto fields = parts(one.text, delimiters.field);
    const bool is_header = one.id == "MSH";
    std::string out = is_segment_name(one.id) ? one.id : "x";
    for (std::size_t at = 1; at < fields.size(); ++at) {
        out += delimiters.field;
        const bool shown = is_shown(is_header, static_cast<int>(at) + 1);
        out += shown ? std::string{fields[at]} : values(fields[at], between_fields(delimiters));
    }
    return out + '\r';
}

} // namespace

std::string masked(std::string_view raw) {
    const auto message = parse(raw);
    if (!message) return values(raw, "|^~&,;\t\r\n \"");
    std::string out;
    for (const auto& one : message->segments()) out += segment(*message, one);
    return out;
}

} // namespace clinic::intake
