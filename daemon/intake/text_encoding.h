// The bytes of a message as UTF-8: UTF-8 where they are that, else what MSH-18 names, else Windows-1252. An ISO-2022
// set that is named comes before UTF-8 where there is an ESC: its bytes are ASCII.
//   Errors:  none: a message is never refused for its character set; `assumed` marks what had to be guessed.
//   Threads: any; stateless.
//   Source:  facts/health-interop §1.3; HL7 table 0211; WHATWG Encoding (windows-1252).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clinic::intake {

struct Decoded {
    std::string text;     // UTF-8
    bool assumed = false; // neither UTF-8 nor what MSH-18 said
};

bool is_utf8(std::string_view bytes); // strict: no overlong form, no surrogate
Decoded to_utf8(std::string_view bytes, std::string_view character_set);
// The first of `said` in which the bytes are text; else `fallback`, which is a guess; else Windows-1252.
Decoded to_utf8(std::string_view bytes, const std::vector<std::string_view>& said, std::string_view fallback);
bool is_character_set(std::string_view name); // one that has a conversion of its own
std::string windows_1252_to_utf8(std::string_view bytes);
void append_utf8(std::string& out, char32_t code_point);

} // namespace clinic::intake
