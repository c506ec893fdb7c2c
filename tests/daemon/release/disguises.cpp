#include "tests/daemon/release/disguises.h"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace clinic::release::testing {
namespace {

// A number between two texts: %2F is {"%"}, 0x2f is {"0x"}, &#47; is {"&#", ";", 10}.
struct Escape {
    const char* before;
    const char* after = "";
    unsigned base = 16;
    std::size_t width = 2;
    bool upper = true;

    std::string of(std::uint32_t value) const {
        const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
        std::string out;
        std::uint32_t rest = value;
        do {
            out += digits[rest % base];
            rest /= base;
        } while (rest != 0 || out.size() < width);
        return before + std::string{out.rbegin(), out.rend()} + after;
    }
};

// One escape a byte; `plain_between`: so many ASCII characters stay as they are between two.
std::string each_byte(std::string_view text, const Escape& escape, std::size_t plain_between = 0) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escaped =
            plain_between == 0 || i % (plain_between + 1) == 0 || static_cast<unsigned char>(text[i]) >= 0x80;
        out += escaped ? escape.of(static_cast<unsigned char>(text[i])) : std::string{text[i]};
    }
    return out;
}

std::vector<char32_t> points(std::string_view text) {
    std::vector<char32_t> out;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        char32_t point = length == 1 ? first : first & (0xFFU >> (length + 1));
        for (std::size_t k = 1; k < length; ++k)
            point = point << 6U | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
        out.push_back(point);
        i += length;
    }
    return out;
}

std::string utf8(char32_t point) {
    std::string out;
    const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xC0U | point >> 6U);
        put(0x80U | (point & 0x3FU));
    } else {
        put(0xE0U | point >> 12U);
        put(0x80U | (point >> 6U & 0x3FU));
        put(0x80U | (point & 0x3FU));
    }
    return out;
}

std::string each_point(std::string_view text, const std::function<std::string(char32_t)>& written) {
    std::string out;
    for (const char32_t point : points(text)) out += written(point);
    return out;
}

std::string reversed(std::string_view text) {
    auto all = points(text);
    std::ranges::reverse(all);
    std::string out;
    for (const char32_t point : all) out += utf8(point);
    return out;
}

std::string utf16(std::string_view text, bool little) {
    return each_point(text, [little](char32_t point) {
        const char low = static_cast<char>(static_cast<unsigned char>(point & 0xFFU));
        const char high = static_cast<char>(static_cast<unsigned char>(point >> 8U));
        return little ? std::string{low, high} : std::string{high, low};
    });
}

std::string cased(std::string_view text, int (*change)(int), std::size_t step) {
    std::string out{text};
    for (std::size_t i = 0; i < out.size(); i += step) {
        if (static_cast<unsigned char>(out[i]) < 0x80)
            out[i] = static_cast<char>(change(static_cast<unsigned char>(out[i])));
    }
    return out;
}

std::string hex(std::string_view text) {
    return each_byte(text, {"", "", 16, 2, false});
}

std::string between_points(std::string_view text, std::string_view separator) {
    return each_point(text, [separator](char32_t point) { return utf8(point) + std::string{separator}; });
}

std::string broken_lines(const std::string& text, const char* line_break) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 8) out += text.substr(i, 8) + line_break;
    return out;
}

std::string full_width(std::string_view text) {
    return each_point(
        text, [](char32_t point) { return utf8(point > 0x20 && point < 0x7F ? point - 0x21 + 0xFF01 : point); });
}

} // namespace

std::string base64(std::string_view bytes, bool url) {
    const char* alphabet = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                               : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        bits = bits << 8U | static_cast<unsigned char>(c);
        for (count += 8; count >= 6;) {
            count -= 6;
            out += alphabet[bits >> count & 63U];
        }
    }
    if (count > 0) out += alphabet[bits << (6 - count) & 63U];
    while (!url && out.size() % 4 != 0) out += '=';
    return out;
}

const std::vector<Disguise>& disguises() {
    using View = std::string_view;
    static const std::vector<Disguise> all{
        {"as it is", [](View t) { return std::string{t}; }},
        {"upper case", [](View t) { return cased(t, std::toupper, 1); }},
        {"mixed case", [](View t) { return cased(t, std::toupper, 2); }},
        {"in a sentence", [](View t) { return "call " + std::string{t} + " today"; }},
        {"in the middle of a word", [](View t) { return "xq" + std::string{t} + "zv"; }},
        {"reversed", [](View t) { return reversed(t); }},
        {"spaced", [](View t) { return between_points(t, " "); }},
        {"dotted", [](View t) { return between_points(t, "."); }},
        {"zero-width space", [](View t) { return between_points(t, "\u200B"); }},
        {"zero-width joiner", [](View t) { return between_points(t, "\u200D"); }},
        {"soft hyphen", [](View t) { return between_points(t, "\u00AD"); }},
        {"full width", [](View t) { return full_width(t); }},
        {"percent", [](View t) { return each_byte(t, {"%"}); }},
        {"percent, lower case",
         [](View t) {
             return each_byte(t, {"%", "", 16, 2, false});
         }},
        {"percent, every third", [](View t) { return each_byte(t, {"%"}, 2); }},
        {"percent twice", [](View t) { return each_byte(each_byte(t, {"%"}), {"%"}); }},
        {"JSON escapes",
         [](View t) { return each_point(t, [](char32_t p) {
                          return Escape{"\\u", "", 16, 4, false}.of(p);
                      }); }},
        {"hexadecimal escapes",
         [](View t) {
             return each_byte(t, {"\\x", "", 16, 2, false});
         }},
        {"HTML decimal",
         [](View t) { return each_point(t, [](char32_t p) {
                          return Escape{"&#", ";", 10, 1}.of(p);
                      }); }},
        {"HTML hexadecimal",
         [](View t) { return each_point(t, [](char32_t p) {
                          return Escape{"&#x", ";", 16, 1}.of(p);
                      }); }},
        {"quoted-printable", [](View t) { return each_byte(t, {"="}); }},
        {"quoted-printable, soft breaks",
         [](View t) {
             return each_byte(t, {"=", "=\r\n"});
         }},
        {"base64", [](View t) { return base64(t, false); }},
        {"base64url", [](View t) { return base64(t, true); }},
        {"base64 one byte on", [](View t) { return base64("?" + std::string{t} + "?", false); }},
        {"base64 two bytes on", [](View t) { return base64("?>" + std::string{t} + "?>", true); }},
        {"base64 after letters", [](View t) { return "ab" + base64(t, true) + "c"; }},
        {"base64 in lines", [](View t) { return broken_lines(base64("?" + std::string{t}, false), "\r\n"); }},
        {"base64 of UTF-16LE", [](View t) { return base64(utf16(t, true), false); }},
        {"base64 of UTF-16BE", [](View t) { return base64(utf16(t, false), false); }},
        {"base64 of base64", [](View t) { return base64(base64(t, false), false); }},
        {"base64 of hexadecimal", [](View t) { return base64(hex(t), false); }},
        {"base64 reversed", [](View t) { return reversed(base64(t, true)); }},
        {"base64 of reversed", [](View t) { return base64(reversed(t), true); }},
        {"base64 in percent", [](View t) { return each_byte(base64(t, false), {"%"}); }},
        {"base64 in JSON", [](View t) { return "{\"a\":\"" + base64(t, false) + "\"}"; }},
        {"hexadecimal", [](View t) { return hex(t); }},
        {"hexadecimal, upper case", [](View t) { return each_byte(t, {""}); }},
        {"hexadecimal with colons",
         [](View t) {
             return each_byte(t, {"", ":", 16, 2, false});
         }},
        {"hexadecimal with 0x",
         [](View t) {
             return each_byte(t, {"0x", ", ", 16, 2, false});
         }},
        {"hexadecimal one digit on", [](View t) { return "a" + hex(t); }},
        {"hexadecimal of UTF-16LE", [](View t) { return hex(utf16(t, true)); }},
        {"hexadecimal of reversed", [](View t) { return hex(reversed(t)); }},
        {"hexadecimal of base64", [](View t) { return hex(base64(t, false)); }},
    };
    return all;
}

const std::vector<Disguise>& groupings() {
    using View = std::string_view;
    static const auto in_groups = [](View text, std::size_t digits, const char* separator) {
        std::string bare;
        std::ranges::copy_if(text, std::back_inserter(bare), [](char c) { return c >= '0' && c <= '9'; });
        std::string out;
        for (std::size_t i = 0; i < bare.size(); i += digits) out += bare.substr(i, digits) + separator;
        return out;
    };
    static const std::vector<Disguise> all{
        {"in twos", [](View t) { return in_groups(t, 2, " "); }},
        {"in threes", [](View t) { return in_groups(t, 3, "-"); }},
        {"in fours", [](View t) { return in_groups(t, 4, "/"); }},
        {"one by one", [](View t) { return in_groups(t, 1, "_"); }},
        {"in parentheses", [](View t) { return "(" + in_groups(t, 3, ") "); }},
        {"among JSON values", [](View t) { return "[\"" + in_groups(t, 3, "\",\"") + "\"]"; }},
    };
    return all;
}

std::vector<Disguise> path_disguises() {
    std::vector<Disguise> out;
    std::ranges::copy_if(disguises(), std::back_inserter(out), [](const Disguise& disguise) {
        const std::string probe = disguise.put_on("Quillfeather");
        return std::ranges::all_of(
            probe, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; });
    });
    return out;
}

} // namespace clinic::release::testing
