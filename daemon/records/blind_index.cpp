#include "daemon/records/blind_index.h"

#include <algorithm>

namespace clinic::records {
namespace {

constexpr char between = '\x1f'; // HL7 and CSV text holds no unit separator

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// U+00C0 to U+00DE is C3 80 to C3 9E in UTF-8; its lower case is 0x20 further. U+00D7 is the multiplication sign.
void lower_latin1(std::string& text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        const auto second = static_cast<unsigned char>(text[i + 1]);
        if (static_cast<unsigned char>(text[i]) == 0xc3 && second >= 0x80 && second <= 0x9e && second != 0x97)
            text[i + 1] = static_cast<char>(second + 0x20);
    }
}

std::string scoped(std::string_view name_space, std::string_view value, bool test_traffic) {
    std::string text{test_traffic ? 'T' : 'P', between};
    text.append(name_space).push_back(between);
    return text + trimmed(value);
}

bool is_part_of_name(char c) {
    return static_cast<unsigned char>(c) >= 0x80 || is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

} // namespace

std::string trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return std::string{text};
}

std::string normal_name(std::string_view name) {
    std::string out;
    bool gap = false;
    for (const char c : name) {
        if (c == '\'') continue; // O'Hara and OHara
        if (!is_part_of_name(c)) {
            gap = true;
            continue;
        }
        if (gap && !out.empty()) out += ' ';
        gap = false;
        out += lower(c);
    }
    lower_latin1(out);
    return out;
}

std::string normal_phone(std::string_view phone) {
    std::string digits;
    std::copy_if(phone.begin(), phone.end(), std::back_inserter(digits), is_digit);
    if (digits.starts_with("00")) digits.erase(0, 2);
    if (digits.size() == 11 && digits.front() == '1') digits.erase(0, 1);
    return digits;
}

std::string normal_email(std::string_view email) {
    std::string out = trimmed(email);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

crypto::Token index_token(Session& session, IndexKind kind, std::string_view normal) {
    std::string text{static_cast<char>(kind), between};
    text += normal;
    return crypto::token(session.index_key(), text);
}

crypto::Token number_token(Session& session, std::string_view name_space, std::string_view value, bool test_traffic) {
    return index_token(session, IndexKind::number, scoped(name_space, value, test_traffic));
}

crypto::Token appointment_token(Session& session, std::string_view name_space, std::string_view key,
                                bool test_traffic) {
    return index_token(session, IndexKind::appointment, scoped(name_space, key, test_traffic));
}

} // namespace clinic::records
