#include "daemon/intake/text_encoding.h"

#include <iconv.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace clinic::intake {
namespace {

unsigned byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}

// The length of the well-formed sequence at `at`; 0: there is none. Unicode 15, table 3-7.
std::size_t sequence(std::string_view bytes, std::size_t at) {
    const unsigned lead = byte_at(bytes, at);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || at + length > bytes.size()) return 0;
    for (std::size_t next = 1; next < length; ++next)
        if ((byte_at(bytes, at + next) & 0xC0) != 0x80) return 0;
    const unsigned second = byte_at(bytes, at + 1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return 0;
    if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 0;
    return length;
}

constexpr std::array<char16_t, 32> windows_1252_80_to_9f = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

// HL7 table 0211 and the spellings seen beside it, to the names iconv(3) knows; spaces and punctuation are taken out.
// ASCII has none: bytes above 7F in "ASCII" are a sender that says nothing of its real set. Shift JIS is CP932, in
// which 5C and 7E are the delimiters that they are to senders, and no yen sign and overline.
struct Named {
    std::string_view hl7;
    const char* iconv;
};
constexpr Named named_sets[] = {
    {"88591", "ISO-8859-1"},
    {"88592", "ISO-8859-2"},
    {"88593", "ISO-8859-3"},
    {"88594", "ISO-8859-4"},
    {"88595", "ISO-8859-5"},
    {"88596", "ISO-8859-6"},
    {"88597", "ISO-8859-7"},
    {"88598", "ISO-8859-8"},
    {"88599", "ISO-8859-9"},
    {"885915", "ISO-8859-15"},
    {"LATIN1", "ISO-8859-1"},
    {"ISOIR14", "CP932"},
    {"ISOIR87", "ISO-2022-JP"},
    {"ISOIR159", "ISO-2022-JP-2"},
    {"GB180302000", "GB18030"},
    {"GB18030", "GB18030"},
    {"KSX1001", "EUC-KR"},
    {"CNS116431992", "EUC-TW"},
    {"BIG5", "BIG5"},
    {"WINDOWS1250", "WINDOWS-1250"},
    {"WINDOWS1251", "WINDOWS-1251"},
    {"WINDOWS1252", "WINDOWS-1252"},
    {"CP1250", "WINDOWS-1250"},
    {"CP1251", "WINDOWS-1251"},
    {"CP1252", "WINDOWS-1252"},
};

// "ISO-8859-1" and "8859/1" are one.
std::string plain_name(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c >= 'a' && c <= 'z')
            out.push_back(static_cast<char>(c - 'a' + 'A'));
        else if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
            out.push_back(c);
    }
    if (out.starts_with("ISO8859")) out.erase(0, 3);
    return out;
}

const char* iconv_name(std::string_view set) {
    const std::string name = plain_name(set);
    for (const auto& known : named_sets)
        if (known.hl7 == name) return known.iconv;
    return nullptr;
}

// Escape sequences and ASCII bytes: UTF-8 as well, and among them are the bytes of delimiters.
bool is_iso_2022(std::string_view name) {
    return name.starts_with("ISO-2022");
}

struct CloseIconv {
    void operator()(void* handle) const noexcept { iconv_close(handle); }
};

std::optional<std::string> convert(std::string_view bytes, const char* from) {
    const iconv_t opened = iconv_open("UTF-8", from);
    if (opened == reinterpret_cast<iconv_t>(std::intptr_t{-1})) return std::nullopt;
    const std::unique_ptr<void, CloseIconv> handle{opened};
    std::string input{bytes};
    std::string out(bytes.size() * 4 + 16, '\0'); // no set of ours grows by more
    char* from_at = input.data();
    char* to_at = out.data();
    std::size_t from_left = input.size(), to_left = out.size();
    if (iconv(opened, &from_at, &from_left, &to_at, &to_left) == static_cast<std::size_t>(-1) || from_left != 0)
        return std::nullopt;
    out.resize(out.size() - to_left);
    return out;
}

} // namespace

void append_utf8(std::string& out, char32_t code_point) {
    const auto put = [&out](char32_t value) { out.push_back(static_cast<char>(value)); };
    if (code_point < 0x80) return put(code_point);
    if (code_point < 0x800) {
        put(0xC0 | (code_point >> 6));
    } else if (code_point < 0x10000) {
        put(0xE0 | (code_point >> 12));
        put(0x80 | ((code_point >> 6) & 0x3F));
    } else {
        put(0xF0 | (code_point >> 18));
        put(0x80 | ((code_point >> 12) & 0x3F));
        put(0x80 | ((code_point >> 6) & 0x3F));
    }
    put(0x80 | (code_point & 0x3F));
}

bool is_utf8(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t length = sequence(bytes, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

std::string windows_1252_to_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 4);
    for (const char letter : bytes) {
        const auto value = static_cast<unsigned char>(letter);
        append_utf8(out, value >= 0x80 && value < 0xA0 ? windows_1252_80_to_9f[value - 0x80U] : char32_t{value});
    }
    return out;
}

bool is_character_set(std::string_view name) {
    return iconv_name(name) != nullptr;
}

Decoded to_utf8(std::string_view bytes, std::string_view character_set) {
    return to_utf8(bytes, std::vector{character_set}, {});
}

Decoded to_utf8(std::string_view bytes, const std::vector<std::string_view>& said, std::string_view fallback) {
    const bool is_text = is_utf8(bytes), shifts = bytes.find('\x1B') != std::string_view::npos;
    const auto text_in = [&](std::string_view set) {
        const char* name = iconv_name(set);
        const bool counts = name != nullptr && (!is_text || (shifts && is_iso_2022(name)));
        return counts ? convert(bytes, name) : std::nullopt;
    };
    for (const std::string_view set : said)
        if (auto text = text_in(set)) return {std::move(*text), false};
    if (auto text = text_in(fallback)) return {std::move(*text), true};
    if (is_text) return {std::string{bytes}, false};
    return {windows_1252_to_utf8(bytes), true};
}

} // namespace clinic::intake
