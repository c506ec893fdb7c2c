#include "daemon/records/text_views.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace clinic::records {
namespace {

struct Decoded {
    char32_t point;
    std::size_t bytes;
    bool valid;
};

// Leniently: a byte that is no UTF-8 is read as Latin-1, for texts that were never UTF-8.
Decoded decode_point(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t offset) { return static_cast<unsigned char>(text[at + offset]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return {first, 1, true};
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return {first, 1, false};
    char32_t point = first & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) return {first, 1, false};
        point = (point << 6U) | (byte(i) & 0x3FU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10FFFF) return {first, 1, false};
    return {point, length, true};
}

void append_utf8(std::string& out, char32_t point) {
    const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (point < 0x80) return put(point);
    if (point < 0x800) {
        put(0xC0U | (point >> 6U));
    } else if (point < 0x10000) {
        put(0xE0U | (point >> 12U));
        put(0x80U | ((point >> 6U) & 0x3FU));
    } else {
        put(0xF0U | (point >> 18U));
        put(0x80U | ((point >> 12U) & 0x3FU));
        put(0x80U | ((point >> 6U) & 0x3FU));
    }
    put(0x80U | (point & 0x3FU));
}

// U+00C0..U+017F in order; '.' is no letter, '*' stands in ligature() below.
constexpr std::string_view latin_fold = "aaaaaa*ceeeeiiii"
                                        "dnooooo.ouuuuy**"
                                        "aaaaaa*ceeeeiiii"
                                        "dnooooo.ouuuuy*y"
                                        "aaaaaaccccccccdd"
                                        "ddeeeeeeeeeegggg"
                                        "gggghhhhiiiiiiii"
                                        "ii**jjkkklllllll"
                                        "lllnnnnnnnnnoooo"
                                        "oo**rrrrrrssssss"
                                        "ssttttttuuuuuuuu"
                                        "uuuuwwyyyzzzzzzs";
static_assert(latin_fold.size() == 0x180 - 0xC0);

std::string_view ligature(char32_t point) {
    switch (point) {
    case 0xC6:
    case 0xE6: return "ae";
    case 0xDE:
    case 0xFE: return "th";
    case 0xDF: return "ss";
    case 0x132:
    case 0x133: return "ij";
    case 0x152:
    case 0x153: return "oe";
    default: return "";
    }
}

struct Range {
    char32_t first, last;
};

constexpr bool in_ranges(char32_t point, const Range* begin, const Range* end) {
    for (const Range* range = begin; range != end; ++range) {
        if (point >= range->first && point <= range->last) return true;
    }
    return false;
}

// Beyond ASCII: signs, spaces, zero-width and combining characters, symbols, private use. All the rest counts as a
// letter.
constexpr std::array no_letters{
    Range{0x80, 0xA9},        Range{0xAB, 0xB4},     Range{0xB6, 0xB9},     Range{0xBB, 0xBF},
    Range{0xD7, 0xD7},        Range{0xF7, 0xF7},     Range{0x2B0, 0x36F},   Range{0x483, 0x489},
    Range{0x591, 0x5CF},      Range{0x600, 0x61F},   Range{0x640, 0x640},   Range{0x64B, 0x66D},
    Range{0x6D4, 0x6D4},      Range{0x6D6, 0x6ED},   Range{0x180B, 0x180F}, Range{0x1AB0, 0x1AFF},
    Range{0x1DC0, 0x1DFF},    Range{0x2000, 0x2BFF}, Range{0x3000, 0x3004}, Range{0x3008, 0x3020},
    Range{0xD800, 0xF8FF},    Range{0xFE00, 0xFE2F}, Range{0xFEFF, 0xFF0F}, Range{0xFF1A, 0xFF20},
    Range{0xFF3B, 0xFF40},    Range{0xFF5B, 0xFF65}, Range{0xFFE0, 0xFFFF}, Range{0x1F000, 0x1FAFF},
    Range{0xE0000, 0x10FFFF},
};

// The same character in plainer clothes: full width, mathematical, circled, tag characters.
char32_t plain(char32_t point) {
    if (point >= 0xFF01 && point <= 0xFF5E) return point - 0xFF01 + 0x21;
    if (point >= 0x1D400 && point <= 0x1D6A3) {
        const char32_t letter = (point - 0x1D400) % 52;
        return letter < 26 ? U'a' + letter : U'a' + letter - 26;
    }
    if (point >= 0x1D7CE && point <= 0x1D7FF) return U'0' + (point - 0x1D7CE) % 10;
    if (point >= 0x24B6 && point <= 0x24E9) return U'a' + (point - 0x24B6) % 26;
    if (point >= 0xE0020 && point <= 0xE007E) return point - 0xE0000;
    return point;
}

std::optional<char> digit_of(char32_t point) {
    constexpr std::array<char32_t, 7> zeros{U'0', 0x660, 0x6F0, 0x966, 0x9E6, 0x2070, 0x2080};
    if (point == 0xB9) return '1';
    if (point == 0xB2 || point == 0xB3) return static_cast<char>('2' + static_cast<char>(point - 0xB2));
    for (const char32_t zero : zeros) {
        if (point >= zero && point <= zero + 9) return static_cast<char>('0' + static_cast<char>(point - zero));
    }
    return std::nullopt;
}

char32_t lower(char32_t point) {
    if (point >= 0x391 && point <= 0x3A9) return point + 0x20; // Greek
    if (point == 0x3C2) return 0x3C3;                          // final sigma
    if (point >= 0x410 && point <= 0x42F) return point + 0x20; // Cyrillic
    if (point >= 0x400 && point <= 0x40F) return point + 0x50;
    if (point >= 0x531 && point <= 0x556) return point + 0x30; // Armenian
    const bool paired = (point >= 0x460 && point <= 0x4BF) || (point >= 0x4D0 && point <= 0x52F) ||
                        (point >= 0x1E00 && point <= 0x1E95) || (point >= 0x1EA0 && point <= 0x1EFF) ||
                        (point >= 0x1F8 && point <= 0x21F) || (point >= 0x222 && point <= 0x233);
    return paired ? (point | 1U) : point;
}

// Calls `letter` with the folded letters that one character stands for: none, one or two.
template <class Letter>
void fold_letter(char32_t raw, const Letter& letter) {
    const char32_t point = plain(raw);
    if (point >= U'a' && point <= U'z') return letter(point);
    if (point >= U'A' && point <= U'Z') return letter(point + 0x20);
    if (point < 0x80 || in_ranges(point, no_letters.data(), no_letters.data() + no_letters.size())) return;
    if (digit_of(point)) return;
    if (point >= 0xC0 && point < 0x180) {
        const char base = latin_fold[point - 0xC0];
        if (base != '*') return letter(static_cast<char32_t>(base));
        for (const char part : ligature(point)) letter(static_cast<char32_t>(part));
        return;
    }
    letter(lower(point));
}

template <class Each>
void each_point(std::string_view text, const Each& each) {
    for (std::size_t at = 0; at < text.size();) {
        const Decoded decoded = decode_point(text, at);
        each(decoded.point);
        at += decoded.bytes;
    }
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// `count` hexadecimal digits at `at`, or nothing.
std::optional<char32_t> hex_at(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) return std::nullopt;
    char32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const int digit = hex_value(text[at + i]);
        if (digit < 0) return std::nullopt;
        value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
}

// %41 (percent) and =41 (quoted-printable, whose soft line break is "=" and the end of the line).
std::string undo_escaped_bytes(std::string_view text, char mark) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != mark) {
            out += text[at];
        } else if (const auto value = hex_at(text, at + 1, 2)) {
            out += static_cast<char>(static_cast<unsigned char>(*value));
            at += 2;
        } else if (mark == '=' && at + 1 < text.size() && (text[at + 1] == '\n' || text[at + 1] == '\r')) {
            at += text.substr(at + 1, 2) == "\r\n" ? 2U : 1U;
        } else {
            out += mark;
        }
    }
    return out;
}

// \u0041, with surrogate pairs, \x41, and the short escapes.
std::string undo_backslashes(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\' || at + 1 == text.size()) {
            out += text[at];
            continue;
        }
        const char mark = text[++at];
        if (mark == 'u') {
            auto point = hex_at(text, at + 1, 4);
            if (!point) continue;
            at += 4;
            if (*point >= 0xD800 && *point < 0xDC00 && text.substr(at + 1, 2) == "\\u") {
                if (const auto low = hex_at(text, at + 3, 4); low && *low >= 0xDC00 && *low < 0xE000) {
                    point = 0x10000 + ((*point - 0xD800) << 10U) + (*low - 0xDC00);
                    at += 6;
                }
            }
            append_utf8(out, *point);
        } else if (const auto value = hex_at(text, at + 1, 2); mark == 'x' && value) {
            append_utf8(out, *value);
            at += 2;
        } else {
            out += mark == 'n' || mark == 't' || mark == 'r' || mark == 'b' || mark == 'f' ? ' ' : mark;
        }
    }
    return out;
}

// What an HTML entity's name stands for, folded: &eacute; is an e here.
std::string named_entity(std::string_view entity) {
    if (entity == "szlig") return "ss";
    if (entity == "AElig" || entity == "aelig") return "ae";
    if (entity == "OElig" || entity == "oelig") return "oe";
    constexpr std::array accents{"acute", "grave", "circ", "uml", "tilde", "cedil", "ring", "slash", "caron"};
    if (entity.size() > 1 && std::ranges::find(accents, entity.substr(1)) != accents.end()) return {entity.front()};
    return " ";
}

std::string entity_text(std::string_view entity) {
    if (entity.size() < 2 || entity.front() != '#') return named_entity(entity);
    const bool hexadecimal = entity[1] == 'x' || entity[1] == 'X';
    char32_t point = 0;
    for (const char c : entity.substr(hexadecimal ? 2 : 1)) {
        const int digit = hex_value(c);
        if (digit < 0 || (!hexadecimal && digit > 9) || point > 0x10FFFF) return " ";
        point = point * (hexadecimal ? 16 : 10) + static_cast<char32_t>(digit);
    }
    std::string out;
    if (point <= 0x10FFFF) append_utf8(out, point);
    return out;
}

std::string undo_entities(std::string_view text) {
    constexpr std::size_t entity_bytes_max = 12;
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::size_t end = at + 1;
        if (text[at] == '&') {
            while (end < text.size() && end - at < entity_bytes_max &&
                   (text[end] == '#' || hex_value(text[end]) >= 0 || (text[end] >= 'A' && text[end] <= 'z'))) {
                ++end;
            }
        }
        if (end == at + 1) {
            out += text[at];
            continue;
        }
        out += entity_text(text.substr(at + 1, end - at - 1));
        at = end < text.size() && text[end] == ';' ? end : end - 1;
    }
    return out;
}

std::string undo_utf16(std::string_view text, bool little) {
    std::string out;
    for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
        const auto low = static_cast<unsigned char>(text[at + (little ? 0 : 1)]);
        const auto high = static_cast<unsigned char>(text[at + (little ? 1 : 0)]);
        append_utf8(out, static_cast<char32_t>(high << 8U | low));
    }
    return out;
}

std::string reversed_text(std::string_view text) {
    std::vector<std::string_view> points;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t bytes = decode_point(text, at).bytes;
        points.push_back(text.substr(at, bytes));
        at += bytes;
    }
    std::string out;
    for (auto point = points.rbegin(); point != points.rend(); ++point) out += *point;
    return out;
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

std::string undo_base64(std::string_view run) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : run) {
        bits = (bits << 6U) | static_cast<std::uint32_t>(base64_value(c));
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(static_cast<unsigned char>(bits >> static_cast<unsigned>(count)));
    }
    return out;
}

std::string undo_hex(std::string_view run) {
    std::string out;
    for (std::size_t at = 0; at + 1 < run.size(); at += 2) {
        out += static_cast<char>(hex_value(run[at]) * 16 + hex_value(run[at + 1]));
    }
    return out;
}

// Maximal runs of the alphabet; what stands between without counting (line breaks, separators) is skipped.
template <class InAlphabet, class Skipped>
std::vector<std::string> runs_of(std::string_view text, std::size_t bytes_min, const InAlphabet& in_alphabet,
                                 const Skipped& skipped) {
    std::vector<std::string> runs;
    std::string run;
    const auto close = [&] {
        if (run.size() >= bytes_min) runs.push_back(run);
        run.clear();
    };
    for (const char c : text) {
        if (in_alphabet(c))
            run += c;
        else if (!skipped(c))
            close();
    }
    close();
    return runs;
}

std::vector<std::string> base64_runs(std::string_view text, std::size_t bytes_min) {
    return runs_of(
        text, bytes_min, [](char c) { return base64_value(c) >= 0; }, is_blank);
}

std::vector<std::string> hex_runs(std::string_view text, std::size_t bytes_min) {
    const auto between = [](char c) {
        return is_blank(c) || c == ':' || c == '-' || c == ',' || c == '\\' || c == 'x' || c == 'X';
    };
    return runs_of(
        text, bytes_min, [](char c) { return hex_value(c) >= 0; }, between);
}

// 0x53 0x63 and \x53\x63: the prefix goes, so that only the digits count.
std::string without_hex_prefixes(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '0' && at + 1 < text.size() && (text[at + 1] == 'x' || text[at + 1] == 'X'))
            ++at;
        else
            out += text[at];
    }
    return out;
}

class ViewMaker {
public:
    Views make(std::string_view text) {
        add(std::string{text});
        std::size_t begin = 0;
        for (int level = 0; level < 2; ++level) {
            const std::size_t end = views_.texts.size();
            for (; begin < end && !views_.too_many; ++begin) decode(std::string{views_.texts[begin]});
        }
        return std::move(views_);
    }

private:
    static constexpr std::size_t base64_run_min = 7; // 5 letters
    static constexpr std::size_t hex_run_min = 10;   // 5 letters

    void add(std::string text) {
        if (text.empty() || views_.too_many || !seen_.insert(text).second) return;
        bytes_ += text.size();
        views_.too_many = bytes_ > views_bytes_max || views_.texts.size() >= views_max;
        if (!views_.too_many) views_.texts.push_back(std::move(text));
    }

    void decode(const std::string& text) {
        if (text.find('%') != std::string::npos) add(undo_escaped_bytes(text, '%'));
        if (text.find('=') != std::string::npos) add(undo_escaped_bytes(text, '='));
        if (text.find('\\') != std::string::npos) add(undo_backslashes(text));
        if (text.find('&') != std::string::npos) add(undo_entities(text));
        if (text.find('\0') != std::string::npos) {
            add(undo_utf16(text, true));
            add(undo_utf16(text, false));
            add(undo_utf16(std::string_view{text}.substr(1), true));
        }
        add(reversed_text(text));
        for (const std::string& run : base64_runs(text, base64_run_min)) {
            for (std::size_t skip = 0; skip < 4; ++skip) add(undo_base64(std::string_view{run}.substr(skip)));
        }
        for (const std::string& source : {text, without_hex_prefixes(text)}) {
            for (const std::string& run : hex_runs(source, hex_run_min)) {
                for (std::size_t skip = 0; skip < 2; ++skip) add(undo_hex(std::string_view{run}.substr(skip)));
            }
        }
    }

    Views views_;
    std::set<std::string> seen_;
    std::size_t bytes_ = 0;
};

bool is_plain_text(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const Decoded decoded = decode_point(text, at);
        if (!decoded.valid || decoded.point < 0x20) return false;
        at += decoded.bytes;
    }
    return !text.empty();
}

} // namespace

LetterStream letters_of(std::string_view text) {
    LetterStream stream;
    each_point(text, [&](char32_t point) {
        fold_letter(point, [&](char32_t letter) {
            append_utf8(stream.bytes, letter);
            stream.starts.push_back(static_cast<std::uint32_t>(stream.bytes.size()));
        });
    });
    return stream;
}

LetterStream reversed(const LetterStream& stream) {
    LetterStream out;
    for (std::size_t at = stream.size(); at > 0; --at) {
        out.bytes += stream.window(at - 1, 1);
        out.starts.push_back(static_cast<std::uint32_t>(out.bytes.size()));
    }
    return out;
}

std::string digits_of(std::string_view text) {
    std::string digits;
    each_point(text, [&](char32_t point) {
        if (const auto digit = digit_of(plain(point))) digits += *digit;
    });
    return digits;
}

std::string folded(std::string_view text) {
    std::string out;
    each_point(text, [&](char32_t point) {
        if (const auto digit = digit_of(plain(point))) out += *digit;
        fold_letter(point, [&](char32_t letter) { append_utf8(out, letter); });
    });
    return out;
}

std::vector<std::string> tokens_of(std::string_view text) {
    std::vector<std::string> tokens(1);
    each_point(text, [&](char32_t point) {
        const std::size_t before = tokens.back().size();
        if (const auto digit = digit_of(plain(point))) tokens.back() += *digit;
        fold_letter(point, [&](char32_t letter) { append_utf8(tokens.back(), letter); });
        // Zero-width and combining characters do not part a word; every other sign does.
        const bool parts = point < 0x300 || (point >= 0x2010 && point < 0x2060) || (point >= 0x2070 && point < 0xFE00);
        if (tokens.back().size() == before && before != 0 && parts) tokens.emplace_back();
    });
    if (tokens.back().empty()) tokens.pop_back();
    return tokens;
}

std::string with_umlauts_spelled(std::string_view text) {
    std::string out;
    each_point(text, [&](char32_t point) {
        switch (point) {
        case 0xC4:
        case 0xE4: out += "ae"; break;
        case 0xD6:
        case 0xF6:
        case 0xD8:
        case 0xF8: out += "oe"; break;
        case 0xDC:
        case 0xFC: out += "ue"; break;
        case 0xC5:
        case 0xE5: out += "aa"; break;
        default: append_utf8(out, point);
        }
    });
    return out;
}

Views views_of(std::string_view text) {
    return ViewMaker{}.make(text);
}

std::vector<std::string> whole_views_of(std::string_view value) {
    std::vector<std::string> views{std::string{value}};
    views.push_back(undo_escaped_bytes(value, '%'));
    views.push_back(undo_escaped_bytes(value, '='));
    views.push_back(undo_backslashes(value));
    views.push_back(undo_entities(value));
    std::string_view bare = value;
    while (bare.ends_with('=')) bare.remove_suffix(1);
    if (bare.size() > 1 && std::ranges::all_of(bare, [](char c) { return base64_value(c) >= 0; }))
        views.push_back(undo_base64(bare));
    if (value.size() > 1 && std::ranges::all_of(value, [](char c) { return hex_value(c) >= 0; }))
        views.push_back(undo_hex(value));
    const std::size_t forward = views.size();
    for (std::size_t i = 0; i < forward; ++i) views.push_back(reversed_text(views[i]));
    std::erase_if(views, [](const std::string& view) { return !is_plain_text(view); });
    return views;
}

} // namespace clinic::records
