#include "daemon/intake/mask.h"

#include <algorithm>
#include <array>

#include "daemon/intake/hl7_message.h"

namespace clinic::intake {
namespace {

constexpr std::size_t form_bytes_max = 32; // of a date with time and zone; longer is no date
// MSH-2 to 6: delimiters, names of systems. 9, 11, 12, 15, 16, 18: type, processing id, version, mode, character set;
// a sender that counts its fields wrong has a name there.
constexpr std::array header_fields_shown{2, 3, 4, 5, 6};
constexpr std::array header_fields_of_codes{9, 11, 12, 15, 16, 18};
constexpr std::size_t code_letters_max = 3, code_bytes_max = 24;
constexpr std::ptrdiff_t code_digits_max = 6; // "ADT_A01", "8859/15"
constexpr std::array<std::string_view, 2> long_codes{"UNICODE", "ASCII"};

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

// Capitals, few in a row, and digits, too few of them for a date or a number of anything.
bool is_code(std::string_view text) {
    if (text.size() > code_bytes_max || std::count_if(text.begin(), text.end(), is_digit) > code_digits_max)
        return false;
    while (!text.empty()) {
        const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
        const auto run = [text](const auto& belongs) {
            return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), belongs) - text.begin());
        };
        const std::size_t letters = run(is_capital), digits = run(is_digit);
        const bool is_known =
            std::find(long_codes.begin(), long_codes.end(), text.substr(0, letters)) != long_codes.end();
        if (letters > code_letters_max && !is_known) return false;
        if (letters + digits == 0 && std::string_view{" _-./"}.find(text.front()) == std::string_view::npos)
            return false;
        text.remove_prefix(std::max<std::size_t>(letters + digits, 1));
    }
    return true;
}

std::string code(std::string_view text) {
    return is_code(text) ? std::string{text} : value(text);
}

// Each value between delimiters on its own.
std::string values(std::string_view text, std::string_view delimiters, std::string (*show)(std::string_view) = value) {
    std::string out;
    while (!text.empty()) {
        const std::size_t at = std::min(text.find_first_of(delimiters), text.size());
        out += show(text.substr(0, at));
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

bool is_among(const auto& fields, int field) {
    return std::find(fields.begin(), fields.end(), field) != fields.end();
}

std::string segment(const Message& message, const Segment& one) {
    const Delimiters& delimiters = message.header().delimiters;
    const auto fields = parts(one.text, delimiters.field);
    const bool is_header = one.id == "MSH";
    std::string out = is_segment_name(one.id) ? one.id : "x";
    for (std::size_t at = 1; at < fields.size(); ++at) {
        out += delimiters.field;
        const int field = static_cast<int>(at) + 1;
        if (is_header && is_among(header_fields_shown, field))
            out += fields[at];
        else if (is_header && is_among(header_fields_of_codes, field))
            out += values(fields[at], between_fields(delimiters), code);
        else
            out += values(fields[at], between_fields(delimiters));
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
