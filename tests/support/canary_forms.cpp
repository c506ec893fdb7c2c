#include <algorithm>
#include <array>

#include "tests/support/canary.h"

namespace clinic::support {
namespace {

using Points = std::u32string;

// Latin-1 has its small letters from here on, each capital 32 before it, as ASCII has.
constexpr char32_t first_accented = 0xE0, last_accented = 0xFE, divided_by = 0xF7, to_capital = 0x20;

struct Accent {
    char32_t sign; // that makes the letter of a plain one before it
    const char* name;
};
constexpr Accent grave{0x300, "grave"}, acute{0x301, "acute"}, circ{0x302, "circ"}, tilde{0x303, "tilde"},
    uml{0x308, "uml"}, ring{0x30A, "ring"}, cedil{0x327, "cedil"}, none{0, ""};
constexpr std::string_view plain_letters = "aaaaaa-ceeeeiiii-nooooo--uuuuy-";
constexpr std::array accents{grave, acute, circ,  tilde, uml,   ring, none,  cedil, grave, acute, circ,
                             uml,   grave, acute, circ,  uml,   none, tilde, grave, acute, circ,  tilde,
                             uml,   none,  none,  grave, acute, circ, uml,   acute, none};
static_assert(accents.size() == plain_letters.size() && accents.size() == last_accented - first_accented + 1);

bool is_ascii(char32_t c) {
    return c < 0x80;
}

bool is_small(char32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= first_accented && c <= last_accented && c != divided_by);
}

bool is_capital(char32_t c) {
    return is_small(c + to_capital) && !is_small(c);
}

Points points_of(std::string_view text) {
    Points out;
    for (const char byte : text) {
        const auto value = static_cast<unsigned char>(byte);
        if (value < 0x80)
            out += value;
        else if (value < 0xC0)
            out.back() = out.back() << 6 | (value & 0x3FU);
        else
            out += value & (value < 0xE0 ? 0x1FU : 0x0FU);
    }
    return out;
}

std::string utf8(char32_t c) {
    const auto tail = [c](unsigned bits) { return static_cast<char>(0x80 | (c >> bits & 0x3F)); };
    if (c < 0x80) return {static_cast<char>(c)};
    if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
    return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
}

template <class Each>
std::string each_point(const Points& points, const Each& each) {
    std::string out;
    for (const char32_t c : points) out += each(c);
    return out;
}

std::string text_of(const Points& points) {
    return each_point(points, utf8);
}

Points each_in_case(Points points, bool as_capital) {
    for (char32_t& c : points)
        if (as_capital ? is_small(c) : is_capital(c)) c = as_capital ? c - to_capital : c + to_capital;
    return points;
}

// As it is, in capitals, with one, and without.
std::vector<Points> in_each_case(const Points& points) {
    Points capitalised = each_in_case(points, false);
    const Points low = capitalised;
    capitalised.replace(0, 1, each_in_case(capitalised.substr(0, 1), true));
    std::vector<Points> all{points};
    for (const auto& other : {each_in_case(points, true), capitalised, low})
        if (std::ranges::find(all, other) == all.end()) all.push_back(other);
    return all;
}

std::string hexadecimal(char32_t value, std::size_t width) {
    std::string out;
    for (std::size_t i = width; i-- > 0;) out += "0123456789abcdef"[value >> 4 * i & 15U];
    return out;
}

// The middle of the base64 of a text that has the canary after `before` other bytes: what does not depend on them.
std::string base64_middle(std::string_view canary, std::size_t before, const char* alphabet) {
    const std::string text = std::string(before, '\0') + std::string{canary};
    std::string out;
    const std::size_t bits = text.size() * 8;
    for (std::size_t bit = 0; bit + 6 <= bits; bit += 6) {
        if (bit < before * 8) continue; // begins in what is not ours
        unsigned value = 0;
        for (std::size_t i = 0; i < 6; ++i) {
            const std::size_t at = bit + i;
            const unsigned byte = static_cast<unsigned char>(text[at / 8]);
            value = value << 1 | (byte >> (7 - at % 8) & 1U);
        }
        out += alphabet[value];
    }
    return out;
}

void add_base64(std::vector<Form>& all, std::string_view bytes) {
    static constexpr const char* standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static constexpr const char* url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (std::size_t before = 0; before < 3; ++before) {
        all.push_back({"base64, alignment " + std::to_string(before), base64_middle(bytes, before, standard)});
        all.push_back({"base64url, alignment " + std::to_string(before), base64_middle(bytes, before, url)});
    }
}

// Some encoders escape every byte, others what ASCII has not.
void add_escaped_bytes(std::vector<Form>& all, std::string_view bytes) {
    const auto escaped = [&](const char* before, bool each) {
        std::string out;
        for (const char byte : bytes) {
            const auto value = static_cast<unsigned char>(byte);
            out += each || !is_ascii(value) ? before + hexadecimal(value, 2) : std::string{byte};
        }
        return out;
    };
    const bool has_others = !std::ranges::all_of(bytes, [](char c) { return is_ascii(static_cast<unsigned char>(c)); });
    for (const auto& [name, before] : {std::pair{"percent", "%"}, {"quoted-printable", "="}, {"C escapes", "\\x"}}) {
        all.push_back({name, escaped(before, true)});
        if (has_others) all.push_back({std::string{name} + ", where needed", escaped(before, false)});
    }
    all.push_back({"hexadecimal", escaped("", true)});
    for (const char* sign : {" ", ":"}) all.push_back({"hexadecimal, parted", escaped(sign, true).substr(1)});
}

void add_escaped_points(std::vector<Form>& all, const Points& points) {
    const bool has_others = !std::ranges::all_of(points, is_ascii);
    const auto add = [&](const char* name, const auto& escape) {
        all.push_back({name, each_point(points, escape)});
        if (!has_others) return;
        all.push_back({std::string{name} + ", where needed",
                       each_point(points, [&](char32_t c) { return is_ascii(c) ? utf8(c) : escape(c); })});
    };
    add("JSON escapes", [](char32_t c) { return "\\u" + hexadecimal(c, 4); });
    add("HTML, decimal", [](char32_t c) { return "&#" + std::to_string(static_cast<unsigned>(c)) + ";"; });
    add("HTML, hexadecimal", [](char32_t c) { return "&#x" + hexadecimal(c, c < 0x100 ? 2 : 4) + ";"; });
}

std::string joined(const Points& points, std::string_view between) {
    std::string out;
    for (const char32_t c : points) {
        if (!out.empty()) out += between;
        out += utf8(c);
    }
    return out;
}

// U+FF01 to U+FF5E are the signs of ASCII in full width.
std::string full_width(char32_t c) {
    return utf8(is_ascii(c) ? 0xFF01U + c - '!' : c);
}

// What becomes of a letter with an accent, and of one without: `part` says it of the plain letter and its accent.
template <class Part>
std::string with_accents(const Points& points, const Part& part) {
    return each_point(points, [&](char32_t c) {
        const char32_t small = is_capital(c) ? c + to_capital : c;
        if (small < first_accented || small > last_accented || accents[small - first_accented].sign == 0)
            return utf8(c);
        const auto plain = static_cast<char32_t>(plain_letters[small - first_accented]);
        return part(utf8(is_capital(c) ? plain - to_capital : plain), accents[small - first_accented]);
    });
}

void add_accented(std::vector<Form>& all, const Points& points) {
    all.push_back({"without accents", with_accents(points, [](std::string letter, const Accent&) { return letter; })});
    for (const auto& cased : in_each_case(points)) {
        all.push_back({"plain", text_of(cased)});
        all.push_back({"reversed", text_of({cased.rbegin(), cased.rend()})});
        all.push_back({"accents as signs of their own", with_accents(cased, [](std::string letter, const Accent& one) {
                           return letter + utf8(one.sign);
                       })});
        all.push_back({"HTML, by name", with_accents(cased, [](const std::string& letter, const Accent& one) {
                           return "&" + letter + one.name + ";";
                       })});
        const auto latin1 = each_point(cased, [](char32_t c) { return std::string{static_cast<char>(c)}; });
        all.push_back({"Latin-1", latin1});
        add_escaped_bytes(all, latin1);
        add_base64(all, latin1);
    }
}

} // namespace

std::vector<Form> forms(std::string_view canary) {
    const auto points = points_of(canary);
    std::vector<Form> all{{"plain", std::string{canary}}, {"reversed", text_of({points.rbegin(), points.rend()})}};
    for (const auto& cased : in_each_case(points)) { // encodings that keep the case of what they encode
        add_escaped_points(all, cased);
        add_escaped_bytes(all, text_of(cased));
        add_base64(all, text_of(cased));
        all.push_back({"full-width", each_point(cased, full_width)});
        all.push_back({"UTF-16, little end first", each_point(cased, [](char32_t c) {
                           return std::string{static_cast<char>(c), static_cast<char>(c >> 8)};
                       })});
        all.push_back({"UTF-16, big end first", each_point(cased, [](char32_t c) {
                           return std::string{static_cast<char>(c >> 8), static_cast<char>(c)};
                       })});
        for (const auto& [name, sign] : {std::pair{"zero-width space", "\xE2\x80\x8B"},
                                         {"zero-width non-joiner", "\xE2\x80\x8C"},
                                         {"zero-width joiner", "\xE2\x80\x8D"},
                                         {"word joiner", "\xE2\x81\xA0"},
                                         {"byte-order mark", "\xEF\xBB\xBF"},
                                         {"soft hyphen", "\xC2\xAD"}})
            all.push_back({name, joined(cased, sign)});
    }
    if (!std::ranges::all_of(points, is_ascii)) add_accented(all, points);
    return all;
}

} // namespace clinic::support
