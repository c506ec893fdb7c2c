// The ways one text can hide another: folded letter and digit streams, and decoded views of a text.
// Used by IdentifierIndex on both sides: what is stored and what is searched are folded by the same code.
//   Bounds:  views_max views of views_bytes_max bytes in all; what is over them is "too much to tell", and the caller
//   blocks. Threads: values; any. Source:  design, "The last check".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clinic::records {

inline constexpr std::size_t views_max = 2'000;
inline constexpr std::size_t views_bytes_max = 2 * 1'024 * 1'024;

// Letters folded to their base letter, UTF-8, and where each begins; `starts` has one entry more than there are
// letters.
struct LetterStream {
    std::string bytes;
    std::vector<std::uint32_t> starts{0};
    std::size_t size() const { return starts.size() - 1; }
    std::string_view window(std::size_t at, std::size_t letters) const {
        return std::string_view{bytes}.substr(starts[at], starts[at + letters] - starts[at]);
    }
};

LetterStream letters_of(std::string_view text);
LetterStream reversed(const LetterStream& stream);
std::string digits_of(std::string_view text);              // any script's decimal digits, as ASCII
std::string folded(std::string_view text);                 // letters and digits in their order, folded
std::vector<std::string> tokens_of(std::string_view text); // maximal runs of letters and digits, folded
// As `text` with ä, ö, ü written ae, oe, ue: the other common spelling of a name.
std::string with_umlauts_spelled(std::string_view text);

struct Views {
    std::vector<std::string> texts; // the first is the text itself
    bool too_many = false;
};

// The text; percent, JSON, HTML and quoted-printable escapes undone; UTF-16; reversed; base64 and base64url at every
// alignment; hexadecimal; and once more each of these.
Views views_of(std::string_view text);
// What a whole short value may be an encoding of: as views_of, but only where the result is plain text.
std::vector<std::string> whole_views_of(std::string_view value);

} // namespace clinic::records
